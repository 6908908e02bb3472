//! The examples do what their comments promise.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{is_gone, send};
use crate::wait::eventually;

fn example(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)).unwrap()
}

#[test]
fn the_examples_have_no_faults() {
    let place = Place::new("");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "cltab") {
            let said = place.bare(&format!("check {}", entry.path().display()));
            assert!(said.code == Some(0) && said.out.contains("no faults, "), "{said:?}");
            checked += 1;
        }
    }
    assert!(checked >= 2);
}

#[test]
fn quickstart_shows_every_mode_and_a_level_switch() {
    let table = example("quickstart.cltab");
    for mode in ["wait", "once", "respawn", "test", "off"] {
        assert!(
            table.lines().any(|line| !line.starts_with('#') && line.contains(&format!(":{mode}:"))),
            "{mode}"
        );
    }
    let daemon = Daemon::up(&table);
    daemon.wait_group("shop", "open", "DONE");
    daemon.wait_group("clock", "1", "DONE");
    daemon.wait_group("checks", "quick", "PASSED");
    let has_said = |line: &str| daemon.out().lines().any(|said| said == line);
    for line in [
        "shop/sweep | sweeping the floor",
        "shop/sign | turning the sign: OPEN",
        "shop/clerk | a clerk comes in",
        "shop/alarm | the alarm is armed",
    ] {
        eventually(line, || has_said(line));
    }
    let (alarm, clerk) = (daemon.pid("alarm"), daemon.pid("clerk"));
    assert_eq!(daemon.entry("cafe")["why"], "its mode is off");

    daemon.clinit("tell shop closed --wait").is(0, "shop closed DONE\n", "");
    assert_eq!(daemon.pid("alarm"), alarm, "in both levels: it is not touched");
    assert!(is_gone(clerk));
    eventually("the guard", || has_said("shop/guard | the guard keeps watch"));
    daemon.clinit("tell shop open --wait").is(0, "shop open DONE\n", "");
    eventually("his farewell", || has_said("shop/guard | the guard goes home"));
    assert_eq!(daemon.pid("alarm"), alarm);
    eventually("another clerk", || daemon.out().matches("a clerk comes in").count() == 2);
    assert_eq!(daemon.out().matches("turning the sign").count(), 2);

    let said = daemon.clinit("tell checks deep --wait");
    assert_eq!((said.code, said.out.as_str()), (Some(1), "checks deep FAILED\n"));
    eventually("the truth", || has_said("checks/moon | the moon is not made of cheese"));

    let clerk = daemon.pid("clerk");
    send(clerk, Signal::KILL);
    eventually("a clerk who dies is replaced at once", || daemon.entry("clerk")["restarts"] == 1);

    daemon.write_table(&table.replace(":off:echo \"coffee\"", ":once:echo \"coffee\""));
    daemon.clinit("").is(0, "", "");
    eventually("coffee", || has_said("shop/cafe | coffee"));

    send(daemon.child_pid(), Signal::INT);
    assert_eq!(daemon.wait_end(), Some(0));
    assert_eq!(daemon.processes(), [0; 0]);
}

#[test]
fn oldstyle_runs_as_its_comments_say() {
    let table = example("oldstyle.cltab");
    assert!(table.contains(":::socket:/tmp/oldstyle.s\n"));
    let place = Place::new("");
    place.write("cltab", table.replace("/tmp/", &format!("{}", place.path("").display())));
    let mut command = place.command();
    command.args(["-d", "-c", "cltab"]);
    let daemon = Daemon::begun(place, &mut command);
    let clinit = |words: &str| daemon.bare(&format!("-c cltab {words}"));
    eventually("an answer", || clinit("").code == Some(0));
    let status = |expected: &str| {
        eventually(expected, || {
            let lines: Vec<String> = daemon.lines("oldstyle.clstat");
            lines.iter().any(|line| line == &format!("Cluster::Init::Group {expected}"))
        });
    };
    clinit("mail 2").is(0, "level transition started\n", "");
    status("mail 2 DONE");
    assert!(daemon.has("oldstyle.queue"));
    let table = clinit("status mail").done();
    let state = |tag: &str, table: &str| {
        let line =
            table.lines().find(|line| line.trim_start().starts_with(&format!("{tag} "))).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(["sender", "reader"].map(|tag| state(tag, &table)), ["running", "down"]);
    clinit("mail 3").done();
    status("mail 3 DONE");
    let table = clinit("status mail").done();
    assert_eq!(["sender", "reader"].map(|tag| state(tag, &table)), ["running", "running"]);
    clinit("news 3").done();
    status("news 3 DONE");
    clinit("mail 0").is(0, "level transition started\n", "");
    status("mail 0 DONE");
    assert!(!daemon.has("oldstyle.queue"), "level 0 cleans up");
    clinit("-k").is(0, "", "");
    assert_eq!(daemon.wait_end(), Some(0));
    assert!(!daemon.has("oldstyle.s") && !daemon.has("oldstyle.clstat"));
}

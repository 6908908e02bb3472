//! The status file: lines `Cluster::Init::Group NAME LEVEL STATE`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::process::{is_alive, send, state};
use crate::script::{at_term, slow};
use crate::wait::eventually;

#[test]
fn it_has_a_line_for_each_group_that_was_told() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:sleep 1000\nmail:b:1,:test:true\nnews:c:1,:test:false\nftp:d:1,:off:x\n",
    );
    assert_eq!(daemon.clstat(), "");
    daemon.settle("web", "1", "DONE");
    daemon.settle("mail", "1", "PASSED");
    daemon.settle("news", "1", "FAILED");
    daemon.wait_clstat(&["mail 1 PASSED", "news 1 FAILED", "web 1 DONE"]);
    assert_eq!(daemon.path("clstat").metadata().unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn it_shows_the_old_level_through_stopping_and_the_new_one_at_once_with_starting() {
    let daemon = Daemon::start(&format!(
        "web:slow:1,:respawn:{}\n\
         web:wait:2,:wait:until test -e on; do sleep 0.02; done\n\
         web:::stop_timeout:infinity\n",
        slow()
    ));
    daemon.settle("web", "1", "DONE");
    daemon.wait_clstat(&["web 1 DONE"]);
    daemon.wait_file("ready");
    daemon.tell("web", "2");
    daemon.wait_clstat(&["web 1 STOPPING"]);
    daemon.write("go", "");
    daemon.wait_clstat(&["web 2 STARTING"]);
    daemon.write("on", "");
    daemon.wait_clstat(&["web 2 DONE"]);
}

#[test]
fn starting_appears_with_the_first_level_at_once() {
    let daemon = Daemon::start("web:wait:1,:wait:until test -e on; do sleep 0.02; done\n");
    daemon.tell("web", "1");
    daemon.wait_clstat(&["web 1 STARTING"]);
    daemon.write("on", "");
    daemon.wait_clstat(&["web 1 DONE"]);
}

#[test]
fn dumping_is_stopping_for_the_tables_sake() {
    let daemon = Daemon::start(&format!("web:slow:1,:respawn:{}\nweb:::stop_timeout:infinity\n", slow()));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    daemon.write_table("web:slow:1,:respawn:sleep 1000\nweb:::stop_timeout:infinity\n");
    daemon.reread();
    daemon.wait_clstat(&["web 1 DUMPING"]);
    daemon.write("go", "");
    daemon.wait_clstat(&["web 1 DONE"]);
}

#[test]
fn a_start_that_is_not_confirmed_is_still_starting() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    let keeper = daemon.child_pid();
    send(keeper, Signal::STOP);
    eventually("that the keeper is stopped", || state(keeper) == Some('T'));
    daemon.tell("web", "1");
    // CHECKING, which follows, is over as soon as it has begun.
    daemon.wait_clstat(&["web 1 STARTING"]);
    assert_eq!(daemon.entry("httpd")["state"], "starting");
    send(keeper, Signal::CONT);
    daemon.wait_clstat(&["web 1 DONE"]);
}

#[test]
fn a_shutdown_shows_halting_and_configured_and_removes_the_file_after_the_last_child() {
    let slow = at_term("until test -e go; do sleep 0.02; done; test -e clstat && touch seen");
    let daemon = Daemon::start(&format!(
        "web:slow:1,:respawn:{slow}\nmail:quick:1,:respawn:sleep 1000\n:::stop_timeout:infinity\n"
    ));
    daemon.settle("web", "1", "DONE");
    daemon.settle("mail", "1", "DONE");
    daemon.wait_file("ready");
    let slow = daemon.pid("slow");
    daemon.clinit("-k").done();
    daemon.wait_clstat(&["mail 1 CONFIGURED", "web 1 HALTING"]);
    assert!(is_alive(slow));
    daemon.write("go", "");
    assert_eq!(daemon.wait_end(), Some(0));
    assert!(daemon.has("seen"), "it was there as long as the last child was");
    assert!(!daemon.has("clstat"));
}

#[test]
fn a_reader_never_sees_half_of_it_nor_none() {
    let groups: String = (0..10).map(|n| format!("group{n}:tag{n}:1,2:once:true\n")).collect();
    let daemon = Daemon::start(&format!(":::initdefault:1\n{groups}"));
    eventually("ten lines", || daemon.lines("clstat").len() == 10);
    let (path, done) = (daemon.path("clstat"), AtomicBool::new(false));
    let is_whole = |text: &str| {
        let is_line = |(index, line): (usize, &str)| {
            let words: Vec<&str> = line.split(' ').collect();
            matches!(words[..], ["Cluster::Init::Group", name, "1" | "2" | "3", state]
                if name == format!("group{index}") && state.chars().all(char::is_uppercase))
        };
        text.ends_with('\n') && text.lines().count() == 10 && text.lines().enumerate().all(is_line)
    };
    let (reads, different) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut reads, mut seen) = (0, std::collections::BTreeSet::new());
            while !done.load(Ordering::Relaxed) {
                let text = fs::read_to_string(&path).unwrap();
                assert!(is_whole(&text), "{text:?}");
                seen.insert(text);
                reads += 1;
            }
            (reads, seen.len())
        });
        for round in 0..60 {
            daemon.tell(&format!("group{}", round % 10), &(round % 3 + 1).to_string());
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(reads > different && different > 5, "{different} different ones in {reads} readings");
    let left = fs::read_dir(daemon.path("")).unwrap().flatten();
    let left: Vec<_> = left
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().starts_with("clstat."))
        .collect();
    assert!(left.len() <= 1, "nothing is left beside it but the one being written: {left:?}");
}

#[test]
fn a_status_file_that_cannot_be_written_is_told_and_stops_nothing() {
    let daemon = Daemon::start(
        "web:httpd:1,:respawn:sleep 1000\n:::clstat:absent/clstat\n::override:clstat:absent/clstat\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.pid("httpd");
    eventually("a complaint", || daemon.err().contains("the status file cannot be written"));
    daemon.clinit("shutdown").done();
    assert_eq!(daemon.wait_end(), Some(0));
}

//! `clinit logs`: what was printed, in the order of time, and what is being printed. `clinit daemon`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use crate::command::run;
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{send, session};
use crate::user::{can_be_stranger, unprivileged};
use crate::wait::{eventually, wait_for};

const TWO: &str = "web:a:1,:wait:echo one\nweb:b:1,:wait:echo two\nweb:c:1,:wait:echo three\n\
                   mail:d:1,:wait:printf four\n";

/// A daemon in the background that has run this table.
#[track_caller]
fn printed(table: &str, groups: &[&str]) -> Place {
    let place = Place::new(table);
    place.clinit("daemon").done();
    for group in groups {
        place.settle(group, "1", "DONE");
    }
    place
}

/// Lines without their times.
fn without_times(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_once(' ').unwrap().1).collect()
}

#[test]
fn lines_of_several_entries_stand_in_the_order_of_time_with_their_names() {
    let place = printed(TWO, &["web", "mail"]);
    let all = ["web/a | one", "web/b | two", "web/c | three", "mail/d | four"];
    let shown = |words: &str| place.clinit(&format!("logs {words}")).done();
    eventually("all lines", || shown("").lines().count() == 4);
    assert_eq!(without_times(&shown("")), all);
    assert_eq!(without_times(&shown("web")), all[..3]);
    assert_eq!(without_times(&shown("web -n 2")), all[1..3]);
    assert_eq!(shown("-n 0"), "");
    for name in ["web/b", "b"] {
        assert_eq!(without_times(&shown(name)), ["two"], "one entry needs no name");
    }
    let time = shown("b").split_once(' ').unwrap().0.to_owned();
    assert!(time.len() == "2026-07-14T09:26:53.589123+02:00".len() && time.starts_with("20"), "{time}");
    assert_eq!(without_times(&shown("--since 10m")), all);
    assert_eq!(shown("--since 2190-01-01"), "");
    let since = time;
    assert_eq!(without_times(&shown(&format!("web --since {since}"))), all[1..3]);
}

#[test]
fn programs_get_an_object_a_line() {
    let place = printed("web:a:1,:wait:printf 'a \\377 b\\n'\n", &["web"]);
    eventually("a line", || !place.clinit("logs --json").out.is_empty());
    let line: Value = serde_json::from_str(&place.clinit("logs --json").done()).unwrap();
    assert_eq!(
        (&line["group"], &line["tag"], &line["text"]),
        (&"web".into(), &"a".into(), &"a \u{fffd} b".into())
    );
    let time = line["time"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.len() == "2026-07-14T09:26:53.589123Z".len(), "{time}");
}

#[test]
fn without_a_daemon_the_table_tells_where_they_are() {
    let place = printed(TWO, &["web", "mail"]);
    place.clinit("shutdown").done();
    assert_eq!(without_times(&place.clinit("logs").done()).len(), 4);
    assert_eq!(without_times(&place.clinit("logs mail").done()), ["four"]);
    place.clinit("logs nothing").fails(1, &["no daemon answers", "nothing"]);
    // What the table has no longer is found by its whole name.
    place.write_table("web:b:1,:wait:echo two\n");
    assert_eq!(without_times(&place.clinit("logs web/a").done()), ["one"]);
}

#[test]
fn what_is_not_kept_and_what_is_not_there_is_told() {
    let daemon = Daemon::start("web:a:1,:wait:echo one\nweb:b:1,:off:x\n");
    daemon
        .clinit("logs web/a")
        .fails(1, &["nothing of what web/a prints is kept here", "hint: clinit daemon"]);
    daemon.clinit("logs wbe").fails(1, &["wbe"]);
    let place = printed("web:a:1,:off:x\n", &[]);
    place.clinit("logs web/a").is(0, "", "");
}

#[test]
fn those_who_may_not_read_them_are_told_so() {
    if !can_be_stranger() {
        return;
    }
    let place = printed("web:a:1,:wait:echo one\n", &["web"]);
    eventually("a line", || !place.clinit("logs").out.is_empty());
    let said = run(&mut unprivileged(&place, "-c cltab -s init.s logs web/a"));
    said.fails(5, &["failed to read", "logs/web/a", "Permission denied"]);
}

#[test]
fn lines_that_come_are_shown_over_all_rotations() {
    let place = printed(
        "web:count:1,:once:i=0; until test -e stop; do echo line $i; i=$((i+1)); test $((i%50)) != 0 || sleep 0.01; done\n\
         web:::log_size:4K\nweb:::log_count:100000\n\
         web:late:2,:wait:echo late\n",
        &["web"],
    );
    let mut command = place.command();
    command.args(["-c", "cltab", "-s", "init.s", "logs", "-f", "-n", "1000000"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    for number in 0..3000 {
        let line = next();
        assert!(line.ends_with(&format!(" web/count | line {number}")), "{line}");
    }
    assert!(place.kept("web/count").files().len() > 5, "there were rotations");
    place.write("stop", "");
    // An entry that had printed nothing is followed, too.
    place.settle("web", "2", "DONE");
    let late = wait_for("its line", || Some(next()).filter(|line| !line.contains(" web/count | ")));
    assert!(late.ends_with(" web/late | late"), "{late}");
    send(child.id(), Signal::KILL);
    child.wait().unwrap();
}

#[test]
fn who_follows_sees_the_last_lines_first_and_rests_while_nothing_comes() {
    let place =
        printed("web:a:1,:wait:i=0; while test $i -lt 30; do echo line $i; i=$((i+1)); done\n", &["web"]);
    eventually("all lines", || place.clinit("logs").out.lines().count() == 30);
    let mut command = place.command();
    command.args(["-c", "cltab", "-s", "init.s", "logs", "web/a", "-f"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Vec<String> = lines.take(10).map(|line| line.unwrap()).collect();
    assert!(first[0].ends_with(" line 20") && first[9].ends_with(" line 29"), "{first:?}");
    // Its reader has gone: it ends by itself.
    eventually("its end", || child.try_wait().unwrap().is_some());
}

#[test]
fn explain_shows_what_an_entry_printed_before_it_ended_badly() {
    let place = printed("web:a:1,:respawn:echo first; echo cannot open the door >&2; exit 3\n", &["web"]);
    place.wait_entry("a", "pausing");
    let said = wait_for("its words", || {
        Some(place.clinit("explain web/a").done()).filter(|said| said.contains("cannot open the door"))
    });
    assert!(
        said.contains("\n  printed  ")
            && said.contains(&format!("log      {}", place.kept("web/a").0.display())),
        "{said}"
    );
}

#[test]
fn a_daemon_is_started_and_says_where_things_are() {
    let place = Place::new("web:a:1,:off:x\n");
    let said = place.clinit("daemon").done();
    let keeper = place.role_pid("keeper");
    assert_eq!(
        said,
        format!(
            "clinit runs in the background, pid {keeper}\ntable   {}\nsocket  {}\nlogs    {}\n",
            place.path("cltab").display(),
            place.socket().display(),
            place.path("logs").display()
        )
    );
    assert_eq!(session(keeper), keeper);
    assert_eq!(place.status()["daemon"]["logs"], place.path("logs").to_str().unwrap());
    place.clinit("daemon").fails(6, &["is held by pid"]);
    place.bare("-s other.s daemon absent").fails(7, &["no table at"]);
    place.clinit("shutdown").done();
}

#[test]
fn in_the_foreground_it_keeps_logs_too() {
    let place = Place::new("web:a:1,:wait:echo one\n");
    let mut command = place.command();
    command.args(["-s", "init.s", "daemon", "cltab", "--foreground"]);
    let daemon = Daemon::by(place, &mut command);
    assert!(daemon.out().contains("\nlogs    "), "{}", daemon.out());
    assert_eq!(daemon.role_pid("keeper"), daemon.child_pid());
    daemon.settle("web", "1", "DONE");
    daemon.kept("web/a").wait_lines(&["one"]);
    send(daemon.child_pid(), Signal::TERM);
    assert_eq!(daemon.wait_end(), Some(0));
}

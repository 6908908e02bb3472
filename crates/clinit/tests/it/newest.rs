//! Levels told while a transition is under way: the newest wins.

use crate::command::finish;
use crate::daemon::Daemon;
use crate::process::is_gone;
use crate::script::slow;
use crate::wait::eventually;

/// A group at level 1, whose entry stops when there is a file `go`; levels 2 and 3 leave a trace each.
fn old() -> Daemon {
    let daemon = Daemon::start(&format!(
        "web:old:1,:respawn:{}\n\
         web:two:2,:wait:echo 2 >> log\n\
         web:three:3,:wait:echo 3 >> log\n\
         web:::stop_timeout:infinity\n",
        slow()
    ));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    daemon
}

/// A group on its way from 1 to 2, which waits for the file `go`.
fn between() -> Daemon {
    let daemon = old();
    daemon.tell("web", "2");
    daemon.wait_file("asked");
    daemon
}

#[test]
fn the_newest_tell_wins() {
    let daemon = between();
    daemon.tell("web", "3");
    let group = daemon.group("web");
    assert_eq!((&group["level"], &group["target"]), (&"1".into(), &"3".into()));
    daemon.write("go", "");
    daemon.wait_group("web", "3", "DONE");
    assert_eq!(daemon.lines("log"), ["3"]);
}

#[test]
fn a_tell_back_to_the_level_that_is_being_left_starts_its_entries_again() {
    let daemon = between();
    let old = daemon.wait_entry("old", "stopping")["pid"].as_u64().unwrap();
    daemon.tell("web", "1");
    daemon.write("go", "");
    daemon.wait_group("web", "1", "DONE");
    eventually("a new process", || daemon.entry("old")["state"] == "running");
    assert_ne!(daemon.entry("old")["pid"], old);
    assert!(is_gone(u32::try_from(old).unwrap()));
    assert_eq!(daemon.read("log"), "");
}

#[test]
fn who_waits_for_an_older_tell_hears_that_it_is_void() {
    let daemon = old();
    let waiting = daemon.begin("tell web 2 --wait");
    daemon.wait_file("asked");
    daemon.tell("web", "3");
    finish(waiting).is(1, "", "clinit: group web was told another level before it had 2\n");
    daemon.write("go", "");
    daemon.wait_group("web", "3", "DONE");
}

#[test]
fn a_tell_while_entries_start_stops_those_that_have_started() {
    let daemon = Daemon::start(
        "web:first:1,:respawn:sleep 1000\n\
         web:long:1,:wait:sleep 1000\n\
         web:never:1,:wait:touch never\n\
         web:other:2,:wait:echo 2 >> log\n",
    );
    daemon.tell("web", "1");
    let (first, long) = (daemon.pid("first"), daemon.pid("long"));
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(first) && is_gone(long));
    assert!(!daemon.has("never"));
    assert_eq!(daemon.lines("log"), ["2"]);
}

#[test]
fn many_tells_at_once_end_at_one_level() {
    let daemon = Daemon::start("web:one:1,3:respawn:sleep 1000\nweb:two:2,:respawn:sleep 1000\n");
    let tells: Vec<_> = (0..20).map(|number| daemon.begin(["web 1", "web 2"][number % 2])).collect();
    for tell in tells {
        finish(tell).is(0, "level transition started\n", "");
    }
    daemon.settle("web", "3", "DONE");
    assert_eq!(daemon.services(), [daemon.pid("one")]);
}

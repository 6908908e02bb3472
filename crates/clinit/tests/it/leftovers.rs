//! What entries leave behind: children in their process group, and such that have left it.

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::process::{is_alive, is_gone, parent, send, session};
use crate::wait::eventually;

/// A service with a child in its process group.
const FAMILY: &str = "sleep 1000 & echo $! > kid; wait";

/// A service with a child that has made itself independent.
const RUNAWAY: &str = "setsid sleep 1000 & echo $! > kid; wait";

#[test]
fn grandchildren_in_the_group_die_with_the_stop() {
    let daemon = Daemon::start(
        "web:httpd:1,:respawn:trap '' TERM; (trap - TERM; sleep 1000) & echo $! > kid; wait; wait\n",
    );
    daemon.settle("web", "1", "DONE");
    let kid = daemon.wait_number("kid");
    let httpd = daemon.pid("httpd");
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(httpd) && is_gone(kid));
}

#[test]
fn grandchildren_that_ignore_the_signal_are_killed_with_the_rest() {
    let daemon = Daemon::start(
        "web:httpd:1,:respawn:(trap '' TERM; touch deaf; while :; do sleep 0.02; done) & echo $! > kid; wait\n\
         web:::stop_timeout:300ms\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("deaf");
    let kid = daemon.wait_number("kid");
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(kid));
}

#[test]
fn when_the_main_process_ends_the_rest_of_its_group_is_killed_before_it_is_started_again() {
    let daemon = Daemon::start(
        "web:httpd:1,:respawn:test -e kid && kill -0 $(cat kid) && touch both; \
         (trap '' TERM HUP; sleep 1000) & echo $! > kid; wait\n",
    );
    daemon.settle("web", "1", "DONE");
    let kid = daemon.wait_number("kid");
    let httpd = daemon.pid("httpd");
    send(httpd, Signal::KILL);
    eventually("another life", || daemon.entry("httpd")["restarts"] == 1);
    assert!(is_gone(kid));
    eventually("another child", || daemon.wait_number("kid") != kid);
    assert!(!daemon.has("both"), "the two lives have met");
}

#[test]
fn what_a_once_entry_leaves_in_its_group_stops_with_the_level() {
    let daemon = Daemon::start("web:start:1,:wait:sleep 1000 & echo $! > kid\nweb:last:1,:wait:touch last\n");
    daemon.settle("web", "1", "DONE");
    assert!(daemon.has("last"), "it does not hold the next");
    let kid = daemon.wait_number("kid");
    let start = daemon.entry("start");
    assert_eq!(start["state"], "done");
    assert_eq!(start["why"], "it ended and left processes behind");
    assert!(is_alive(kid));
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(kid));
}

#[test]
fn kill_mode_main_stops_the_main_process_alone() {
    let daemon = Daemon::start(&format!("web:httpd:1,:respawn:{FAMILY}\nweb:httpd::kill_mode:main\n"));
    daemon.settle("web", "1", "DONE");
    let kid = daemon.wait_number("kid");
    let httpd = daemon.pid("httpd");
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(httpd));
    assert!(is_alive(kid));
}

#[test]
fn kill_mode_main_leaves_children_alone_when_the_main_process_ends() {
    let daemon =
        Daemon::start("web:httpd:1,:respawn:sleep 1000 & echo $! >> kids; wait\nweb:::kill_mode:main\n");
    daemon.settle("web", "1", "DONE");
    eventually("a child", || daemon.lines("kids").len() == 1);
    send(daemon.pid("httpd"), Signal::KILL);
    eventually("another", || daemon.lines("kids").len() == 2);
    for kid in daemon.lines("kids") {
        assert!(is_alive(kid.parse().unwrap()));
    }
}

#[test]
fn orphans_that_left_the_group_live_on_and_are_reaped_by_the_keeper() {
    let daemon = Daemon::start(&format!("web:httpd:1,:respawn:{RUNAWAY}\n"));
    daemon.settle("web", "1", "DONE");
    let kid = daemon.wait_number("kid");
    eventually("that it has left", || session(kid) == kid);
    daemon.settle("web", "2", "DONE");
    assert!(is_alive(kid));
    assert_eq!(parent(kid), daemon.role_pid("keeper"));
    send(kid, Signal::KILL);
    eventually("no zombie", || is_gone(kid));
}

#[test]
fn many_orphans_leave_no_zombies() {
    let daemon = Daemon::start(
        "web:nursery:1,:wait:for i in 1 2 3 4 5 6 7 8 9 10; do \
         setsid sh -c 'echo $$ >> kids; exec sleep 0.2' & done\n",
    );
    daemon.settle("web", "1", "DONE");
    eventually("ten orphans", || daemon.lines("kids").len() == 10);
    eventually("no zombie", || daemon.lines("kids").iter().all(|kid| is_gone(kid.parse().unwrap())));
}

#[test]
fn a_shutdown_takes_the_rest_of_the_group_along() {
    let daemon = Daemon::start(&format!("web:httpd:1,:respawn:{FAMILY}\n"));
    daemon.settle("web", "1", "DONE");
    let kid = daemon.wait_number("kid");
    daemon.clinit("shutdown").done();
    assert!(is_gone(kid));
}

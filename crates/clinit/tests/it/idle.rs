//! Idle is idle: nothing of the daemon wakes while nothing happens.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::process::send;
use crate::wait::{eventually, wait_for};

/// How often the threads of a process have gone to sleep so far.
fn sleeps(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let of_thread = |path: std::path::PathBuf| {
        let text = fs::read_to_string(path.join("status")).unwrap();
        let counts = text.lines().filter(|line| line.contains("voluntary_ctxt_switches"));
        counts.map(|line| line.rsplit('\t').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    threads.map(|thread| of_thread(thread.path())).sum()
}

/// Waits until a second has passed in which nothing woke. The first may still see the last of what was asked.
#[track_caller]
fn is_idle(daemon: &Daemon) {
    let pids = ["keeper", "engine", "logger"].map(|role| daemon.role_pid(role));
    let mut quiet = 0;
    for _ in 0..5 {
        let before = pids.map(sleeps);
        let begun = Instant::now();
        wait_for("a second", || (begun.elapsed() >= Duration::from_secs(1)).then_some(()));
        quiet = if pids.map(sleeps) == before { quiet + 1 } else { 0 };
        if quiet == 2 {
            return;
        }
    }
    panic!("something wakes all the time");
}

fn twenty_services() -> String {
    (0..20).map(|n| format!("web:service{n}:1,:respawn:sleep 1000\n")).collect()
}

#[test]
fn a_daemon_with_twenty_services_does_not_wake() {
    let daemon = Daemon::start(&twenty_services());
    daemon.settle("web", "1", "DONE");
    daemon.wait_clstat(&["web 1 DONE"]);
    is_idle(&daemon);
}

#[test]
fn a_daemon_that_keeps_what_was_printed_does_not_wake() {
    let table: String =
        (0..20).map(|n| format!("web:service{n}:1,:respawn:echo hello; exec sleep 1000\n")).collect();
    let place = crate::place::Place::new(&table);
    let mut command = place.command();
    command.args(["-c", "cltab", "-s", "init.s", "daemon", "--foreground"]);
    let daemon = Daemon::by(place, &mut command);
    daemon.settle("web", "1", "DONE");
    daemon.kept("web/service19").wait_lines(&["hello"]);
    daemon.wait_clstat(&["web 1 DONE"]);
    is_idle(&daemon);
}

#[test]
fn up_with_twenty_services_does_not_wake() {
    let daemon = Daemon::up(&twenty_services());
    daemon.wait_group("web", "1", "DONE");
    is_idle(&daemon);
}

#[test]
fn a_long_pause_and_a_failed_group_need_no_waking() {
    let daemon = Daemon::start("web:hasty:1,:respawn:false\nweb:no:1,:test:false\n");
    daemon.settle("web", "1", "FAILED");
    daemon.wait_entry("hasty", "pausing");
    is_idle(&daemon);
}

#[test]
fn orphans_and_leftovers_are_waited_for_without_looking_again_and_again() {
    let daemon = Daemon::start("web:start:1,:wait:sleep 1000 & echo $! > kid\n");
    daemon.settle("web", "1", "DONE");
    eventually("a leftover", || daemon.entry("start")["why"] == "it ended and left processes behind");
    is_idle(&daemon);
}

#[test]
fn a_daemon_whose_engine_was_killed_is_idle_again() {
    let daemon = Daemon::start(&twenty_services());
    daemon.settle("web", "1", "DONE");
    let engine = daemon.role_pid("engine");
    send(engine, Signal::KILL);
    eventually("another", || !daemon.all_of_role("engine").is_empty() && daemon.role_pid("engine") != engine);
    daemon.wait_answer();
    is_idle(&daemon);
}

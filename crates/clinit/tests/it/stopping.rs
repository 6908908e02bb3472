//! How entries are asked to stop, and what happens when they do not.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::process::{is_alive, is_gone, send, state};
use crate::script::{at_term, deaf};
use crate::wait::eventually;

#[test]
fn term_asks_and_the_script_may_clean_up() {
    let httpd = at_term("sleep 0.2; touch clean; exit 5");
    let daemon = Daemon::start(&format!("web:httpd:1,:respawn:{httpd}\n"));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    daemon.settle("web", "2", "DONE");
    assert!(daemon.has("clean"));
    let httpd = daemon.entry("httpd");
    assert_eq!(httpd["state"], "down");
    assert_eq!(httpd["last_exit"]["code"], 5);
}

#[test]
fn stop_signal_is_a_property() {
    let daemon = Daemon::start(
        "web:httpd:1,:respawn:trap '' TERM; trap 'touch usr1; exit' USR1; touch ready; \
         while :; do sleep 0.02; done\n\
         web:httpd::stop_signal:USR1\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    daemon.settle("web", "2", "DONE");
    assert!(daemon.has("usr1"));
}

#[test]
fn who_ignores_it_is_killed_after_stop_timeout() {
    let daemon = Daemon::start(&format!("web:deaf:1,:respawn:{}\nweb:deaf::stop_timeout:500ms\n", deaf()));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    let deaf = daemon.pid("deaf");
    let asked = Instant::now();
    daemon.settle("web", "2", "DONE");
    assert!(asked.elapsed() >= Duration::from_millis(500), "it had its time");
    assert!(is_gone(deaf));
    assert_eq!(daemon.entry("deaf")["last_exit"]["signal"], "KILL");
    eventually("a complaint", || daemon.err().contains("web/deaf: did not stop in time: killing it"));
}

#[test]
fn a_stop_says_when_it_will_kill_and_ten_seconds_are_the_default() {
    let daemon = Daemon::start(&format!("web:deaf:1,:respawn:{}\n", deaf()));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    daemon.tell("web", "2");
    let deaf = daemon.entry("deaf");
    assert_eq!(deaf["state"], "stopping");
    assert!((1..=10_000).contains(&deaf["until_ms"].as_u64().unwrap()), "{deaf}");
    assert_eq!(deaf["why"], "its group leaves the level");
    daemon.clinit("shutdown --now").done();
}

#[test]
fn without_a_stop_timeout_only_haste_kills() {
    let daemon = Daemon::start(&format!("web:deaf:1,:respawn:{}\nweb:::stop_timeout:infinity\n", deaf()));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    let pid = daemon.pid("deaf");
    daemon.tell("web", "2");
    let deaf = daemon.entry("deaf");
    assert_eq!(deaf["state"], "stopping");
    assert!(deaf["until_ms"].is_null());
    daemon.clinit("shutdown --timeout 0.3").fails(4, &["the daemon did not end within 300ms"]);
    assert!(is_alive(pid));
    daemon.clinit("shutdown --now").done();
    assert!(is_gone(pid));
    assert_eq!(daemon.wait_end(), Some(0));
}

#[test]
fn a_process_that_is_stopped_stops() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\nweb:::stop_timeout:infinity\n");
    daemon.settle("web", "1", "DONE");
    let httpd = daemon.pid("httpd");
    send(httpd, Signal::STOP);
    eventually("that it is stopped", || state(httpd) == Some('T'));
    daemon.settle("web", "2", "DONE");
    assert_eq!(daemon.entry("httpd")["last_exit"]["signal"], "TERM");
}

#[test]
fn entries_are_asked_all_at_once() {
    // Each ends only after the other was asked.
    let script = |own: &str, other: &str| {
        format!(
            "trap 'touch {own}.asked; until test -e {other}.asked; do sleep 0.02; done; exit' TERM; \
             touch {own}.ready; while :; do sleep 0.02; done"
        )
    };
    let (a, b) = (script("a", "b"), script("b", "a"));
    let daemon =
        Daemon::start(&format!("web:a:1,:respawn:{a}\nweb:b:1,:respawn:{b}\nweb:::stop_timeout:infinity\n"));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("a.ready");
    daemon.wait_file("b.ready");
    daemon.settle("web", "2", "DONE");
}

#[test]
fn a_wait_entry_that_is_told_away_is_stopped() {
    let daemon = Daemon::start("web:long:1,:wait:sleep 1000\nweb:never:1,:wait:touch never\n");
    daemon.tell("web", "1");
    let long = daemon.pid("long");
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(long));
    assert!(!daemon.has("never"));
}

#[test]
fn a_shutdown_stops_all_groups_and_removes_what_the_daemon_made() {
    let daemon = Daemon::start(
        "web:httpd:1,:respawn:trap 'echo web >> log; exit' TERM; touch web; while :; do sleep 0.02; done\n\
         mail:smtpd:1,:respawn:trap 'echo mail >> log; exit' TERM; touch mail; while :; do sleep 0.02; done\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.settle("mail", "1", "DONE");
    daemon.wait_file("web");
    daemon.wait_file("mail");
    daemon.clinit("shutdown").is(0, "", "");
    assert_eq!(daemon.services(), [0; 0], "who waited for the end finds none of them");
    assert_eq!(daemon.wait_end(), Some(0));
    assert_eq!(daemon.processes(), [0; 0], "it is the last to go");
    let mut log = daemon.lines("log");
    log.sort();
    assert_eq!(log, ["mail", "web"]);
    for name in ["init.s", "init.s.state", "clstat"] {
        assert!(!daemon.has(name), "{name} is left");
    }
}

#[test]
fn term_and_int_to_the_daemon_are_a_shutdown() {
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = Daemon::start(&format!("web:httpd:1,:respawn:{}\n", at_term("touch bye")));
        daemon.settle("web", "1", "DONE");
        daemon.wait_file("ready");
        send(daemon.child_pid(), signal);
        assert_eq!(daemon.wait_end(), Some(0));
        assert!(daemon.has("bye"));
        assert!(!daemon.has("init.s"));
    }
}

#[test]
fn a_daemon_that_shuts_down_takes_no_tells() {
    let daemon = Daemon::start(&format!("web:deaf:1,:respawn:{}\nweb:::stop_timeout:infinity\n", deaf()));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    daemon.clinit("-k").is(0, "", "");
    assert_eq!(daemon.group("web")["state"], "HALTING");
    daemon.clinit("web 1").fails(1, &["the daemon is shutting down"]);
    daemon.clinit("").fails(1, &["the daemon is shutting down"]);
    daemon.clinit("-k").is(0, "", "");
}

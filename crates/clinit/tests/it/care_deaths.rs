//! The daemon's own processes die while a command runs for an entry: it runs once, and all ends as it would have.

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::lives::{another_main, lose, wait_lines};
use crate::process::{is_alive, is_gone, send, state};
use crate::wait::eventually;

/// Waits until there is a file `go`.
const HOLD: &str = "until test -e go; do sleep 0.02; done";

/// Whose death none of this notices.
const ROLES: [&str; 2] = ["engine", "keeper"];

/// Kills the engine after something happened that it cannot have heard of.
fn lose_unaware(daemon: &Daemon, happens: impl FnOnce()) {
    let engine = daemon.role_pid("engine");
    send(engine, Signal::STOP);
    eventually("that it is stopped", || state(engine) == Some('T'));
    happens();
    lose(daemon, "engine");
}

/// A service that is asked by a check that notes its beginning and its end, and holds in between.
fn checked(end: &str) -> Daemon {
    let daemon = Daemon::start(&format!(
        "web:a:1,:respawn:echo $$ >> lives; exec sleep 1000\n\
         web:a::health_check:exec:echo begin $$ >> asked; {HOLD}; echo end $$ >> asked; {end}\n\
         web:a::health_interval:10ms\nweb:a::health_timeout:1h\nweb:a::health_threshold:1\n"
    ));
    daemon.settle("web", "1", "DONE");
    wait_lines(&daemon, "asked", 1);
    daemon
}

#[test]
fn a_check_is_neither_lost_nor_made_twice() {
    for role in ROLES {
        let daemon = checked("true");
        let pid = daemon.pid("a");
        for _ in 0..2 {
            lose(&daemon, role);
        }
        assert_eq!(daemon.pid("a"), pid);
        daemon.write("go", "");
        let asked = wait_lines(&daemon, "asked", 12);
        for pair in asked.chunks_exact(2) {
            assert_eq!(
                pair[0].strip_prefix("begin"),
                pair[1].strip_prefix("end"),
                "one at a time: {asked:?}"
            );
        }
        assert_eq!((daemon.pid("a"), daemon.lines("lives").len()), (pid, 1), "{role}");
    }
}

#[test]
fn a_bad_answer_that_nobody_heard_counts() {
    let daemon = checked("test $CLINIT_MAINPID != $(head -n 1 lives)");
    let pid = daemon.pid("a");
    lose_unaware(&daemon, || {
        daemon.write("go", "");
        wait_lines(&daemon, "asked", 2);
    });
    let next = another_main(&daemon, "a", pid);
    assert!(is_gone(pid));
    let asked = daemon.lines("asked").len();
    wait_lines(&daemon, "asked", asked + 10);
    let entry = daemon.entry("a");
    assert_eq!((&entry["last_failure"], &entry["pid"]), (&"unhealthy".into(), &next.into()), "{entry}");
}

/// A service that hears no signal, and is stopped by a command that holds.
fn stopped() -> (Daemon, u32) {
    let daemon = Daemon::start(&format!(
        "web:a:1,:respawn:trap 'touch asked' TERM; touch ready; until test -e please; do sleep 0.02; done; exit 5\n\
         web:a::stop_command:echo x >> stops; {HOLD}; touch please; echo end >> stops\n\
         web:a::stop_timeout:infinity\n"
    ));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    let pid = daemon.pid("a");
    daemon.tell("web", "2");
    wait_lines(&daemon, "stops", 1);
    (daemon, pid)
}

#[test]
fn a_command_that_stops_runs_once() {
    for role in ROLES {
        let (daemon, _) = stopped();
        for _ in 0..2 {
            lose(&daemon, role);
        }
        assert_eq!(daemon.entry("a")["state"], "stopping");
        daemon.write("go", "");
        daemon.wait_group("web", "2", "DONE");
        assert_eq!(daemon.lines("stops"), ["x", "end"], "{role}");
        assert_eq!(daemon.services(), [0; 0]);
        // How a child of a dead keeper ended nobody knows: the command may have failed, so the signal follows.
        if role == "engine" {
            assert!(!daemon.has("asked"));
            assert_eq!(daemon.entry("a")["last_exit"]["code"], 5);
        }
    }
}

#[test]
fn a_command_that_stopped_unheard_has_stopped() {
    let (daemon, pid) = stopped();
    lose_unaware(&daemon, || {
        daemon.write("go", "");
        wait_lines(&daemon, "stops", 2);
        eventually("its end", || !is_alive(pid));
    });
    daemon.wait_group("web", "2", "DONE");
    assert_eq!(daemon.lines("stops"), ["x", "end"]);
    assert!(!daemon.has("asked"));
    assert_eq!(daemon.entry("a")["last_exit"]["code"], 5);
}

#[test]
fn a_command_that_undoes_runs_once() {
    for role in ROLES {
        let daemon = Daemon::start(&format!(
            "web:mount:1,:wait:touch mounted\n\
             web:mount::stop_command:echo x >> undone; {HOLD}; rm mounted\nweb:mount::stop_timeout:infinity\n\
             web:next:2,:wait:test ! -e mounted && touch next\n"
        ));
        daemon.settle("web", "1", "DONE");
        daemon.tell("web", "2");
        wait_lines(&daemon, "undone", 1);
        for _ in 0..2 {
            lose(&daemon, role);
        }
        daemon.write("go", "");
        daemon.wait_group("web", "2", "DONE");
        assert!(daemon.has("next") && !daemon.has("mounted"));
        assert_eq!(daemon.lines("undone"), ["x"], "{role}");
    }
}

#[test]
fn who_is_told_of_a_failure_is_told_once() {
    for role in ROLES {
        let daemon = Daemon::start(&format!(
            "web:a:1,:respawn:echo x >> lives; test $(wc -l < lives) -gt 1 || exit 3; exec sleep 1000\n\
             web:a::on_failure:echo $CLINIT_FAILURE $CLINIT_EXIT_CODE >> told; {HOLD}; echo end >> told\n"
        ));
        daemon.settle("web", "1", "DONE");
        wait_lines(&daemon, "told", 1);
        wait_lines(&daemon, "lives", 2);
        let pid = daemon.pid("a");
        for _ in 0..2 {
            lose(&daemon, role);
        }
        daemon.write("go", "");
        wait_lines(&daemon, "told", 2);
        // Whatever would come after it has come when the group has settled elsewhere.
        assert_eq!(daemon.pid("a"), pid);
        daemon.settle("web", "2", "DONE");
        assert_eq!(daemon.lines("told"), ["exited 3", "end"], "{role}");
        assert_eq!(daemon.lines("lives").len(), 2);
    }
}

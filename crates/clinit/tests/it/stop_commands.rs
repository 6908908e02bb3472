//! Commands that stop entries, or undo what they did: `stop_command`.

use rustix::process::Signal;
use serde_json::json;

use crate::daemon::Daemon;
use crate::lives::another_main;
use crate::process::{is_gone, send};
use crate::wait::eventually;

/// Ends when there is a file `please`, or is asked by TERM and notes that.
const SERVICE: &str =
    "trap 'touch asked; exit 9' TERM; touch ready; until test -e please; do sleep 0.02; done; exit 5";

fn service(command: &str) -> Daemon {
    let daemon = Daemon::start(&format!(
        "web:a:1,:respawn:{SERVICE}\nweb:a::stop_command:{command}\nweb:a::stop_timeout:infinity\n"
    ));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    daemon
}

#[test]
fn no_signal_comes_before_the_command() {
    let daemon = service("echo $CLINIT_ERRAND $CLINIT_MAINPID > told; touch please");
    let pid = daemon.pid("a");
    daemon.settle("web", "2", "DONE");
    assert_eq!(daemon.read("told"), format!("stop_command {pid}\n"));
    assert!(is_gone(pid) && !daemon.has("asked"));
    assert_eq!(daemon.entry("a")["last_exit"], json!({"kind": "exited", "code": 5}));
    assert_eq!(daemon.services(), [0; 0]);
}

#[test]
fn a_command_that_has_ended_well_may_leave_the_rest_to_time() {
    let daemon = service("touch stopped");
    let pid = daemon.pid("a");
    daemon.tell("web", "2");
    eventually("the command's end", || daemon.clinit("events").done().contains("stop_command: exited 0"));
    assert_eq!(daemon.entry("a")["state"], "stopping");
    daemon.write("please", "");
    daemon.wait_group("web", "2", "DONE");
    assert!(is_gone(pid) && !daemon.has("asked"));
}

#[test]
fn a_command_that_fails_is_followed_by_the_signal() {
    for command in ["exit 3", "./absent", "kill -KILL $$"] {
        let daemon = service(command);
        daemon.settle("web", "2", "DONE");
        assert!(daemon.has("asked"), "{command}");
        assert_eq!(daemon.entry("a")["last_exit"]["code"], 9);
    }
}

#[test]
fn a_command_that_hangs_ends_with_the_entry_when_its_time_is_over() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:trap '' TERM; while :; do sleep 0.02; done\n\
         web:a::stop_command:trap '' TERM; echo $$ > hangs; while :; do sleep 0.02; done\n\
         web:a::stop_timeout:300ms\n",
    );
    // On a busy machine its time may be over before it does anything.
    eventually("a round in which it hung", || {
        daemon.settle("web", "1", "DONE");
        let pid = daemon.pid("a");
        daemon.settle("web", "2", "DONE");
        assert!(is_gone(pid));
        assert_eq!(daemon.entry("a")["last_exit"]["signal"], "KILL");
        assert_eq!(daemon.services(), [0; 0]);
        daemon.has("hangs")
    });
    assert!(is_gone(daemon.wait_number("hangs")));
}

#[test]
fn a_restart_stops_by_the_command_and_an_end_of_its_own_needs_none() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:rm -f please; touch ready; until test -e please; do sleep 0.02; done\n\
         web:a::stop_command:echo x >> stops; touch please\nweb:a::stop_timeout:infinity\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    let first = daemon.pid("a");
    std::fs::remove_file(daemon.path("ready")).unwrap();
    send(first, Signal::KILL);
    let second = another_main(&daemon, "a", first);
    daemon.wait_file("ready");
    daemon.clinit("restart a").done();
    another_main(&daemon, "a", second);
    assert_eq!(daemon.lines("stops"), ["x"]);
}

#[test]
fn what_a_command_did_is_undone_when_its_level_is_left() {
    for mode in ["wait", "once", "test"] {
        let daemon = Daemon::start(&format!(
            "web:mount:1,2:{mode}:echo x >> done; touch mounted\n\
             web:mount::stop_command:echo $CLINIT_LEVEL >> undone; rm mounted\n\
             web:a:1,2,3:respawn:exec sleep 1000\n"
        ));
        for level in ["1", "2", "1"] {
            daemon.settle("web", level, "DONE");
        }
        daemon.wait_file("mounted");
        assert!(!daemon.has("undone"), "{mode}: it belongs to both levels");
        daemon.settle("web", "3", "DONE");
        assert!(!daemon.has("mounted"));
        assert_eq!(daemon.lines("undone").len(), 1);
        assert_eq!(daemon.entry("mount")["state"], "down");
        // Once each time.
        daemon.settle("web", "1", "DONE");
        daemon.wait_file("mounted");
        daemon.clinit("shutdown").done();
        daemon.wait_end();
        assert_eq!(
            (daemon.lines("done").len(), daemon.lines("undone").len(), daemon.has("mounted")),
            (2, 2, false)
        );
    }
}

#[test]
fn what_was_never_executed_is_not_undone() {
    let daemon = Daemon::start(
        "web:absent:1,:wait:./absent\nweb:absent::stop_command:touch undone\n\
         web:bad:1,:wait:exit 3\nweb:bad::stop_command:touch bad\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.settle("web", "2", "DONE");
    assert!(daemon.has("bad"), "one that failed may have done half of it");
    assert!(!daemon.has("undone"));
}

#[test]
fn one_that_still_runs_is_stopped_by_its_command() {
    let daemon = Daemon::start(
        "web:long:1,:wait:trap 'touch asked' TERM; touch ready; until test -e please; do sleep 0.02; done\n\
         web:long::stop_command:echo x >> stops; touch please\n\
         web:long::stop_timeout:infinity\n\
         web:next:1,:wait:touch next\n",
    );
    daemon.tell("web", "1");
    daemon.wait_file("ready");
    daemon.settle("web", "2", "DONE");
    assert_eq!(daemon.lines("stops"), ["x"], "it stops, and nothing is left to be undone");
    assert!(!daemon.has("asked") && !daemon.has("next"));
}

#[test]
fn a_command_that_undoes_and_hangs_is_killed_and_the_level_goes_on() {
    let daemon = Daemon::start(
        "web:mount:1,:wait:true\nweb:mount::stop_command:exec sleep 1000\nweb:mount::stop_timeout:300ms\n\
         web:next:2,:wait:touch next\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.settle("web", "2", "DONE");
    assert!(daemon.has("next"));
    assert_eq!(daemon.services(), [0; 0]);
}

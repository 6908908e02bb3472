//! Services that misbehave: stop themselves, close everything, leave, or never become ready.

use serde_json::json;

use crate::cgroup2;
use crate::daemon::Daemon;
use crate::lives::{another_main, wait_lines};
use crate::place::Place;
use crate::process::{is_alive, is_gone, session, state};
use crate::speaker;
use crate::wait::eventually;

#[test]
fn one_that_stops_itself_ends_when_it_is_asked() {
    let daemon = Daemon::start("web:a:1,:respawn:kill -STOP $$; touch never\nweb:a::stop_timeout:infinity\n");
    daemon.settle("web", "1", "DONE");
    let pid = daemon.pid("a");
    eventually("that it is stopped", || state(pid) == Some('T'));
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(pid) && !daemon.has("never"));
    assert_eq!(daemon.entry("a")["last_exit"]["signal"], "TERM");
}

#[test]
fn one_that_stops_itself_when_it_is_asked_is_killed_in_time() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:trap 'kill -STOP $$' TERM; touch ready; while :; do sleep 0.02; done\n\
         web:a::stop_timeout:500ms\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    let pid = daemon.pid("a");
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(pid));
    assert_eq!(daemon.entry("a")["last_exit"]["signal"], "KILL");
    assert_eq!(daemon.services(), [0; 0]);
}

#[test]
fn one_that_is_stopped_and_unwell_is_started_again() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:echo $$ >> lives; test $(wc -l < lives) -gt 1 || kill -STOP $$; exec sleep 1000\n\
         web:a::health_check:exec:test $(wc -l < lives) -gt 1 && exit 0; ! grep -q 'State:.T' /proc/$CLINIT_MAINPID/status\n\
         web:a::health_interval:10ms\nweb:a::health_threshold:1\n",
    );
    daemon.settle("web", "1", "DONE");
    wait_lines(&daemon, "lives", 2);
    let first = daemon.lines("lives")[0].parse().unwrap();
    assert_ne!(another_main(&daemon, "a", first), first);
    assert!(is_gone(first));
}

#[test]
fn one_that_closes_all_descriptors_is_looked_after_all_the_same() {
    let place = speaker::place(
        "web:a:1,:respawn:@a\nweb:a::restart:never\n",
        &[("a", "os.closerange(0, 1000)\nnote('closed')\nwait_for('end')\nos._exit(7)")],
    );
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("closed");
    let pid = daemon.pid("a");
    assert!(
        std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() <= 1,
        "but for the one that it looks with"
    );
    speaker::touch(&daemon, "end");
    let entry = daemon.wait_entry("a", "given_up");
    assert_eq!(entry["last_exit"], json!({"kind": "exited", "code": 7}));
}

#[test]
fn one_that_closes_its_descriptor_for_readiness_is_not_ready() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:exec 3>&-; touch closed; until rm end 2>&-; do sleep 0.02; done\n\
         web:a::readiness:fd:3\n\
         web:b:1,:wait:touch b\n",
    );
    daemon.tell("web", "1");
    daemon.wait_file("closed");
    daemon.wait_entry("a", "running");
    assert_eq!(daemon.group("web")["state"], "STARTING");
    // It ends, and still nobody took it for ready.
    let pid = daemon.pid("a");
    daemon.write("end", "");
    another_main(&daemon, "a", pid);
    assert!(!daemon.has("b"));
}

#[test]
fn one_that_is_never_ready_is_stopped_again_and_again_until_it_is_given_up() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:trap 'echo x >> asked; exit' TERM; echo $$ >> lives; while :; do sleep 0.02; done\n\
         web:a::readiness:fd:3\n\
         web:a::start_timeout:500ms\n\
         web:a::retry_count:1\n\
         web:a::on_failure:echo $CLINIT_FAILURE >> told\n\
         web:b:1,:wait:touch b\nweb:b::requires:a\n",
    );
    daemon.settle("web", "1", "FAILED");
    assert_eq!(daemon.entry("a")["state"], "given_up");
    assert!(!daemon.has("b"));
    eventually("what it was given up for", || {
        daemon.lines("told").last().is_some_and(|told| told == "given_up")
    });
    assert_eq!(daemon.lines("told")[0], "not_ready");
    for line in daemon.lines("lives") {
        assert!(is_gone(line.parse().unwrap()));
    }
    assert_eq!(daemon.entry("a")["restarts"], 1);
}

#[test]
fn one_that_is_never_ready_and_deaf_is_killed() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:trap '' TERM; while :; do sleep 0.02; done\nweb:a::readiness:notify\n\
         web:a::start_timeout:300ms\nweb:a::stop_timeout:300ms\nweb:a::retry_count:0\n",
    );
    daemon.settle("web", "1", "FAILED");
    let entry = daemon.entry("a");
    assert_eq!(
        (&entry["state"], &entry["last_exit"]["signal"]),
        (&json!("given_up"), &json!("KILL")),
        "{entry}"
    );
    assert_eq!(daemon.services(), [0; 0]);
}

#[test]
fn a_start_timeout_without_end_waits_for_ever() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:until test -e go; do sleep 0.02; done; echo >&3; exec sleep 1000\n\
         web:a::readiness:fd:3\nweb:a::start_timeout:infinity\n\
         other:b:1,:respawn:exec sleep 1000\nother:b::readiness:fd:3\nother:b::start_timeout:50ms\nother:b::throttle_starts:0\n",
    );
    daemon.tell("web", "1");
    let pid = daemon.pid("a");
    daemon.tell("other", "1");
    eventually("many whose time was over", || daemon.entry("b")["restarts"].as_u64() > Some(3));
    daemon.write("go", "");
    assert_eq!(daemon.wait_entry("a", "ready")["pid"], pid);
}

/// One whose child has a session of its own, which the child notes when it is there.
fn leaving(mode: &str) -> Daemon {
    let place = Place::new(&format!(
        "web:a:1,:respawn:setsid ./kid.sh & wait\nweb:a::kill_mode:{mode}\nweb:a::stop_timeout:2s\n"
    ));
    place.write_script(
        "kid.sh",
        "#!/bin/sh\ntrap 'touch asked; exit' TERM\necho $$ > kid\nwhile :; do echo x >> beats; sleep 0.02; done\n",
    );
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    let kid = daemon.wait_number("kid");
    assert_eq!(session(kid), kid);
    daemon
}

#[test]
fn who_made_a_session_of_its_own_is_not_reached_by_its_group() {
    for mode in ["group", "main"] {
        let daemon = leaving(mode);
        let (main, kid) = (daemon.pid("a"), daemon.wait_number("kid"));
        daemon.settle("web", "2", "DONE");
        assert!(is_gone(main));
        // Had anybody asked it, it would have ended before it goes on.
        let beats = daemon.lines("beats").len();
        wait_lines(&daemon, "beats", beats + 3);
        assert!(is_alive(kid) && !daemon.has("asked"), "{mode}");
    }
}

#[test]
fn who_made_a_session_of_its_own_is_reached_by_its_cgroup() {
    if cgroup2::writable().is_none() {
        return;
    }
    let daemon = leaving("cgroup");
    let (main, kid) = (daemon.pid("a"), daemon.wait_number("kid"));
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(main) && is_gone(kid) && daemon.has("asked"));
}

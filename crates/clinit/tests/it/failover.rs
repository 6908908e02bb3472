//! Too many restarts: `retry_count` and `retry_interval`, and what follows by `failover_mode`.

use serde_json::json;

use crate::daemon::Daemon;
use crate::lives::{another_main, wait_lines};
use crate::process::is_gone;
use crate::wait::eventually;

/// `a` fails until there is a file `good`, and is restarted twice; `b` has nothing to do with it.
fn failing(mode: &str) -> String {
    format!(
        "web:a:1,:respawn:echo x >> starts; test -e good || exit 3; exec sleep 1000\n\
         web:a::retry_count:2\n\
         web:a::retry_interval:1h\n\
         web:a::failover_mode:{mode}\n\
         web:b:1,:respawn:echo x >> others; exec sleep 1000\n\
         mail:c:1,:respawn:exec sleep 1000\n\
         :::throttle_starts:0\n"
    )
}

#[test]
fn an_entry_has_as_many_restarts_as_it_may_have_and_others_go_on() {
    let daemon = Daemon::start(&failing("none"));
    daemon.tell("web", "1");
    let entry = daemon.wait_entry("a", "given_up");
    assert_eq!((&entry["restarts"], &entry["last_exit"]["code"]), (&json!(2), &json!(3)), "{entry}");
    assert_eq!(daemon.lines("starts").len(), 3, "one start and two restarts");
    let b = daemon.pid("b");
    daemon.wait_group("web", "1", "FAILED");
    // It waits for somebody, and a table is nobody.
    daemon.write_table(&format!("{}web:d:1,:wait:touch d\n", failing("none")));
    daemon.reread();
    daemon.wait_file("d");
    daemon.wait_group("web", "1", "FAILED");
    assert_eq!((daemon.lines("starts").len(), daemon.entry("a")["state"].clone()), (3, json!("given_up")));
    assert_eq!((daemon.pid("b"), daemon.lines("others").len()), (b, 1));
    // A level is somebody, be it the same one.
    daemon.write("good", "");
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.pid("b"), b);
}

#[test]
fn a_reset_gives_it_all_its_restarts_again() {
    let daemon = Daemon::start(&failing("none"));
    daemon.tell("web", "1");
    daemon.wait_entry("a", "given_up");
    daemon.clinit("reset web/a");
    wait_lines(&daemon, "starts", 6);
    daemon.wait_entry("a", "given_up");
    daemon.wait_group("web", "1", "FAILED");
    assert_eq!(daemon.lines("starts").len(), 6);
    daemon.write("good", "");
    daemon.clinit("reset web/a").done();
    daemon.pid("a");
    daemon.wait_group("web", "1", "DONE");
    wait_lines(&daemon, "starts", 7);
}

#[test]
fn restarts_of_long_ago_do_not_count() {
    // Each life is longer than the interval.
    let daemon = Daemon::start(
        "web:a:1,:respawn:echo x >> starts; sleep 0.05; exit 3\nweb:a::retry_count:1\nweb:a::retry_interval:10ms\n\
         web:a::throttle_starts:0\n",
    );
    daemon.settle("web", "1", "DONE");
    wait_lines(&daemon, "starts", 10);
    assert_ne!(daemon.entry("a")["state"], "given_up");
}

#[test]
fn without_restarts_the_first_failure_is_the_last() {
    let daemon = Daemon::start(&failing("none").replace("retry_count:2", "retry_count:0"));
    daemon.tell("web", "1");
    daemon.wait_entry("a", "given_up");
    daemon.wait_group("web", "1", "FAILED");
    assert_eq!(daemon.lines("starts").len(), 1);
}

#[test]
fn who_is_unwell_too_often_is_given_up_and_gone() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:echo $$ >> starts; exec sleep 1000\nweb:a::health_check:exec:test \"$CLINIT_MAINPID\" != \"$(tail -n 1 starts)\"\n\
         web:a::health_interval:10ms\nweb:a::health_threshold:1\nweb:a::retry_count:1\n",
    );
    daemon.tell("web", "1");
    let entry = daemon.wait_entry("a", "given_up");
    assert_eq!(entry["last_failure"], "unhealthy", "{entry}");
    daemon.wait_group("web", "1", "FAILED");
    for line in daemon.lines("starts") {
        assert!(is_gone(line.parse().unwrap()));
    }
    assert_eq!(daemon.lines("starts").len(), 2);
}

#[test]
fn with_soft_its_group_goes_down_and_comes_back_when_it_is_told() {
    let daemon = Daemon::start(&failing("soft"));
    daemon.settle("mail", "1", "DONE");
    let c = daemon.pid("c");
    daemon.tell("web", "1");
    daemon.wait_group("web", "1", "FAILED");
    eventually("that its group is down", || daemon.services() == [c]);
    assert_eq!(daemon.group("web")["fallen"], true);
    for tag in ["a", "b"] {
        assert_eq!(daemon.entry(tag)["state"], "down");
    }
    let said = "web/a: given up: it failed after 2 restarts within 3600s (retry_count): clinit reset web/a";
    assert!(daemon.err().contains(said), "{}", daemon.err());
    daemon.write("good", "");
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.group("web")["fallen"], false);
    assert_ne!(daemon.pid("a"), daemon.pid("b"));
    assert_eq!((daemon.pid("c"), daemon.entry("c")["restarts"].clone()), (c, json!(0)));
    eventually("the start of the last one", || daemon.lines("starts").len() == 4);
}

#[test]
fn with_log_only_it_is_started_again_for_ever() {
    let daemon = Daemon::start(&failing("log_only"));
    daemon.settle("web", "1", "DONE");
    let b = daemon.pid("b");
    wait_lines(&daemon, "starts", 10);
    daemon.write("good", "");
    eventually("a life that stays", || daemon.entry("a")["state"] == "running");
    daemon.wait_group("web", "1", "DONE");
    assert_eq!(daemon.pid("b"), b);
}

#[test]
fn with_log_only_who_is_unwell_is_left_alone_and_recovers() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:exec sleep 1000\nweb:a::failover_mode:log_only\nweb:a::health_check:exec:\
         test ! -e ill || { echo x >> bad; exit 1; }\nweb:a::health_interval:10ms\nweb:a::health_threshold:2\n\
         web:a::health_timeout:1h\nweb:a::on_failure:echo $CLINIT_FAILURE >> told\n",
    );
    daemon.settle("web", "1", "DONE");
    let pid = daemon.pid("a");
    for round in 1..=2 {
        daemon.write("ill", "");
        eventually("that it is unwell", || daemon.entry("a")["why"] == "it is not well");
        let bad = daemon.lines("bad").len();
        wait_lines(&daemon, "bad", bad + 8);
        assert_eq!(daemon.entry("a")["last_failure"], "unhealthy");
        std::fs::remove_file(daemon.path("ill")).unwrap();
        eventually("that it is well", || daemon.entry("a")["why"] != "it is not well");
        eventually("a word about each time", || daemon.lines("told") == vec!["unhealthy"; round]);
    }
    let entry = daemon.entry("a");
    assert_eq!((&entry["pid"], &entry["restarts"]), (&json!(pid), &json!(0)), "{entry}");
    // Only its own end is one.
    crate::process::send(pid, rustix::process::Signal::KILL);
    another_main(&daemon, "a", pid);
}

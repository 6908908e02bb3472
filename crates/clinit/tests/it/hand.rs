//! Orders to single entries, and the verbs that look ahead and along.

use rustix::process::Signal;
use serde_json::Value;

use crate::command::finish;
use crate::daemon::Daemon;
use crate::process::send;
use crate::wait::eventually;

const TWO: &str = "web:a:1,:respawn:sleep 1000\nweb:b:1,:respawn:sleep 1001\n";

fn started(table: &str) -> Daemon {
    let daemon = Daemon::start(table);
    daemon.settle("web", "1", "DONE");
    daemon
}

#[test]
fn what_is_stopped_by_hand_stays_down_until_it_is_started() {
    let daemon = started(TWO);
    let b = daemon.pid("b");
    daemon.clinit("stop web/a").is(0, "web/a: down: stopped by hand\n", "");
    daemon.write_table(&format!("{TWO}web:c:1,:respawn:sleep 1002\n"));
    daemon.reread();
    daemon.settle("web", "1", "DONE");
    send(daemon.role_pid("engine"), Signal::KILL);
    daemon.wait_answer();
    let a = daemon.entry("a");
    assert_eq!((a["state"].as_str(), a["why"].as_str()), (Some("down"), Some("stopped by hand")));
    assert_eq!(daemon.pid("b"), b);
    daemon.clinit("start a").done();
    assert_eq!(daemon.entry("a")["state"], "running");
}

#[test]
fn stopped_for_now_only_it_comes_back_with_the_next_tell() {
    let daemon = started(TWO);
    daemon.clinit("stop a --now-only").done();
    daemon.reread();
    assert_eq!(daemon.entry("a")["state"], "down");
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.entry("a")["state"], "running");
}

#[test]
fn a_group_is_stopped_and_started_as_one() {
    let daemon = started(&format!("{TWO}web:other:2,:respawn:sleep 1003\n"));
    daemon.clinit("stop web").done();
    assert!(daemon.services().is_empty());
    let told = daemon.clinit("start web").done();
    assert_eq!(told.lines().count(), 2, "only what belongs to the level: {told}");
    assert_eq!(daemon.services().len(), 2);
}

#[test]
fn a_restart_returns_with_the_new_process() {
    let daemon = started(TWO);
    let (a, b) = (daemon.pid("a"), daemon.pid("b"));
    let told = daemon.clinit("restart web/a").done();
    assert_eq!(told, format!("web/a: running, pid {}\n", daemon.pid("a")));
    assert_ne!(daemon.pid("a"), a);
    assert_eq!(daemon.pid("b"), b);
}

#[test]
fn a_start_that_comes_to_nothing_says_why() {
    let daemon = started("web:a:1,:once:./absent\nweb:b:2,:once:true\nweb:c:1,:off:true\n");
    daemon.clinit("start a").fails(1, &[]);
    assert!(daemon.clinit("start a").out.contains("not executed: ./absent: No such file or directory"));
    assert!(daemon.clinit("start b").out.contains("does not belong to level 1"));
    assert!(daemon.clinit("start c").out.contains("its mode is off"));
    daemon.clinit("start nobody").fails(1, &["no such entry: nobody, nor a group"]);
}

#[test]
fn a_stop_that_takes_too_long_is_a_timeout_and_goes_on() {
    let daemon = started(
        "web:a:1,:respawn:trap '' TERM; touch deaf; while :; do sleep 0.1; done\nweb:::stop_timeout:2\n",
    );
    daemon.wait_file("deaf");
    daemon.clinit("stop a --timeout 0.2").fails(4, &["within"]);
    daemon.wait_entry("a", "down");
}

#[test]
fn a_reset_ends_the_pause_of_what_was_started_too_often() {
    let daemon = started("web:a:1,:respawn:test -e good && exec sleep 1000\n");
    daemon.wait_entry("a", "pausing");
    daemon.write("good", "");
    daemon.clinit("reset a").done();
    daemon.wait_entry("a", "running");
}

#[test]
fn a_signal_reaches_the_main_process_alone() {
    let daemon =
        started("web:a:1,:respawn:trap 'touch got' USR1; touch ready; while :; do sleep 0.1; done\n");
    daemon.wait_file("ready");
    daemon.clinit("signal a usr1").done();
    daemon.wait_file("got");
    daemon.clinit("signal a nonsense").fails(2, &["nonsense is no signal"]);
}

#[test]
fn a_plan_says_what_a_reread_would_do_and_does_nothing() {
    let daemon = started(&format!("{TWO}web:gone:1,:respawn:sleep 1002\n"));
    let before = daemon.services();
    daemon.write_table("web:a:1,:respawn:sleep 2000\nweb:b:1,:respawn:sleep 1001\nweb:b::stop_timeout:3\nweb:d:1,:once:true\n");
    let plan = daemon.clinit("plan").done();
    let steps: Vec<&str> = plan.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(steps, ["restart  web/a", "change   web/b", "start    web/d", "stop     web/gone"], "{plan}");
    assert_eq!(daemon.services(), before);
    daemon.reread();
    eventually("what was planned", || daemon.services().len() == 2);
    daemon.clinit("plan").is(0, "nothing would change\n", "");
    daemon.write("other", "web:a:1,:respwan:x\n");
    daemon.clinit(&format!("plan {}", daemon.path("other").display())).fails(1, &["unknown mode", "refused"]);
}

#[test]
fn events_tell_what_happened_and_what_happens() {
    let daemon = started(TWO);
    let past = daemon.clinit("events --json").done();
    let kinds: Vec<Value> = past.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(kinds.iter().any(|event| event["kind"] == "started" && event["tag"] == "a"), "{past}");
    let follower = daemon.begin("events -f");
    daemon.clinit("restart a").done();
    daemon.clinit("shutdown").done();
    let said = finish(follower);
    assert!(said.out.contains("web/a: stopping") && said.out.contains("web: halting"), "{}", said.out);
}

#[test]
fn an_explanation_names_cause_and_remedy() {
    let daemon = started("web:a:1,:respawn:exit 3\nweb:b:2,:once:true\ncold:c:1,:once:true\n");
    daemon.wait_entry("a", "pausing");
    let of_a = daemon.clinit("explain a").done();
    for words in ["pausing", "started 5 times", "exited 3", "started again in", "clinit reset web/a"] {
        assert!(of_a.contains(words), "{words}: {of_a}");
    }
    assert!(
        daemon.clinit("explain web/b").done().contains("clinit tell web LEVEL, with one of its levels: 2")
    );
    assert!(daemon.clinit("explain cold").done().contains("clinit tell cold LEVEL"));
}

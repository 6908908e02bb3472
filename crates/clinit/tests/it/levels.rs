//! What a level told to a group brings about.

use crate::daemon::Daemon;
use crate::place::number;
use crate::process::{is_alive, is_gone, started};
use crate::wait::eventually;

#[test]
fn an_entry_in_both_levels_is_not_touched() {
    let daemon = Daemon::start(
        "web:both:1,2:respawn:sleep 1000\n\
         web:first:1,:respawn:sleep 1000\n\
         web:second:2,:respawn:sleep 1000\n",
    );
    daemon.settle("web", "1", "DONE");
    let (both, first) = (daemon.pid("both"), daemon.pid("first"));
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(first), "the entry of the old level is gone");
    daemon.pid("second");
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.pid("both"), both);
    assert_eq!(daemon.entry("both")["restarts"], 0);
}

#[test]
fn coming_back_to_a_level_reruns_what_runs_once() {
    let daemon = Daemon::start(
        "web:prepare:1,:wait:echo wait >> log\n\
         web:check:1,:test:echo test >> log\n\
         web:announce:1,:once:echo once >> log\n\
         web:last:1,:wait:until test $(wc -l < log) = 3 -o $(wc -l < log) = 6; do sleep 0.02; done\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.settle("web", "2", "DONE");
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.lines("log"), ["wait", "test", "once", "wait", "test", "once"]);
}

#[test]
fn the_same_level_again_reruns_nothing() {
    let daemon = Daemon::start(
        "web:prepare:1,:wait:echo wait >> log\n\
         web:check:1,:test:echo test >> log; false\n\
         web:announce:1,:once:echo once >> log\n\
         web:httpd:1,:respawn:echo respawn >> log; exec sleep 1000\n",
    );
    daemon.settle("web", "1", "FAILED");
    eventually("four lines", || daemon.lines("log").len() == 4);
    let httpd = daemon.pid("httpd");
    for _ in 0..3 {
        daemon.settle("web", "1", "FAILED");
    }
    assert_eq!(daemon.pid("httpd"), httpd);
    assert_eq!(daemon.lines("log").len(), 4);
}

#[test]
fn the_old_levels_entries_are_gone_before_the_new_ones_start() {
    // Whether a process is there, a zombie too, is what `kill -0` tells.
    let daemon = Daemon::start(
        "web:old:1,:respawn:echo $$ > old; trap 'sleep 0.3; exit' TERM; touch ready; while :; do sleep 0.02; done\n\
         web:crowd:1,:respawn:echo $$ > crowd; trap 'exit' TERM; sleep 1000 & wait\n\
         web:new:2,:wait:for pid in $(cat old) $(cat crowd); do \
         kill -0 $pid && echo there; kill -0 -$pid && echo group; done > seen\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    daemon.wait_number("crowd");
    daemon.settle("web", "2", "DONE");
    assert!(daemon.has("seen"), "the new entry ran");
    assert_eq!(daemon.read("seen"), "");
}

#[test]
fn entries_start_in_file_order() {
    let daemon = Daemon::start(
        "web:one:1,:wait:sleep 0.2; echo one >> log\n\
         web:two:1,:test:sleep 0.1; echo two >> log\n\
         web:alpha:1,:respawn:sleep 1000\n\
         web:beta:1,:once:sleep 1000\n\
         web:three:1,:wait:echo three >> log\n\
         web:aaa:1,:respawn:sleep 1000\n",
    );
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.lines("log"), ["one", "two", "three"]);
    let starts = ["alpha", "beta", "aaa"].map(|tag| started(daemon.pid(tag)));
    assert!(starts.is_sorted(), "{starts:?}");
}

#[test]
fn a_test_decides_and_does_not_stop_later_entries() {
    let daemon = Daemon::start(
        "web:yes:good,bad,mixed,killed:test:true\n\
         web:no:bad,:test:false\n\
         web:dies:killed,:test:kill -9 $$\n\
         web:after:bad,killed:test:echo after >> log\n\
         web:other:mixed,:wait:true\n",
    );
    daemon.settle("web", "good", "PASSED");
    daemon.settle("web", "bad", "FAILED");
    assert_eq!(daemon.lines("log"), ["after"]);
    assert_eq!(daemon.entry("yes")["state"], "passed");
    assert_eq!(daemon.entry("no")["state"], "failed");
    daemon.settle("web", "empty", "DONE");
    daemon.settle("web", "killed", "FAILED");
    assert_eq!(daemon.lines("log"), ["after", "after"]);
    daemon.settle("web", "mixed", "DONE");
}

#[test]
fn a_failed_test_makes_a_group_failed_whatever_runs_beside_it() {
    let daemon = Daemon::start("web:no:1,:test:false\nweb:httpd:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "FAILED");
    daemon.pid("httpd");
}

#[test]
fn groups_never_wait_for_each_other() {
    let daemon = Daemon::start(
        "slow:wait:1,:wait:until test -e go; do sleep 0.02; done\n\
         stuck:deaf:1,:respawn:trap '' TERM; touch deaf; while :; do sleep 0.02; done\n\
         stuck:::stop_timeout:infinity\n\
         quick:httpd:1,:respawn:sleep 1000\n\
         quick:other:2,:test:true\n",
    );
    daemon.settle("stuck", "1", "DONE");
    daemon.wait_file("deaf");
    daemon.tell("stuck", "2");
    daemon.tell("slow", "1");
    for _ in 0..3 {
        daemon.settle("quick", "1", "DONE");
        daemon.settle("quick", "2", "PASSED");
    }
    assert_eq!(daemon.group("slow")["state"], "STARTING");
    assert_eq!(daemon.group("stuck")["state"], "STOPPING");
    daemon.write("go", "");
    daemon.wait_group("slow", "1", "DONE");
}

#[test]
fn an_unknown_level_stops_everything_with_a_warning() {
    let daemon = Daemon::start("web:httpd:run,:respawn:sleep 1000\nweb:log:run,:respawn:sleep 1000\n");
    daemon.settle("web", "run", "DONE");
    let pids = [daemon.pid("httpd"), daemon.pid("log")];
    let said = daemon.clinit("web stop");
    let warning = "clinit: warning: no entry of group web has level stop: all of them are stopped\n";
    said.is(0, "level transition started\n", warning);
    daemon.wait_group("web", "stop", "DONE");
    assert!(pids.into_iter().all(is_gone));
}

#[test]
fn level_0_and_group_0_are_ordinary() {
    let daemon = Daemon::start("0:zero:0:respawn:sleep 1000\n0:one:1:respawn:sleep 1000\n");
    daemon.settle("0", "0", "DONE");
    daemon.pid("zero");
    daemon.wait_clstat(&["0 0 DONE"]);
    daemon.settle("0", "1", "DONE");
    daemon.pid("one");
    assert_eq!(daemon.clinit("0 0").done(), "level transition started\n");
    daemon.wait_group("0", "0", "DONE");
}

#[test]
fn levels_match_as_words_lists_and_characters() {
    let daemon = Daemon::start(
        "web:word:start:respawn:sleep 1000\n\
         web:list:start,x:respawn:sleep 1000\n\
         web:digits:12:respawn:sleep 1000\n\
         web:long:x1,:respawn:sleep 1000\n",
    );
    for (level, running) in [
        ("start", &["word", "list"][..]),
        ("s", &["word"]),
        ("1", &["digits"]),
        ("2", &["digits"]),
        ("12", &["digits"]),
        ("x", &["list"]),
        ("x1", &["long"]),
        ("tart", &[]),
    ] {
        daemon.settle("web", level, "DONE");
        let group = daemon.group("web");
        let entries = group["entries"].as_array().unwrap().iter();
        let found: Vec<&str> = entries
            .filter(|entry| entry["state"] == "running")
            .map(|entry| entry["tag"].as_str().unwrap())
            .collect();
        assert_eq!(found, running, "level {level}");
    }
}

#[test]
fn a_group_takes_its_initdefault_at_start() {
    let daemon = Daemon::start(
        "web:::initdefault:run\n\
         web:httpd:run,:respawn:sleep 1000\n\
         web:debug:test,:respawn:sleep 1000\n\
         mail:smtpd:run,:respawn:sleep 1000\n",
    );
    daemon.wait_group("web", "run", "DONE");
    let httpd = daemon.pid("httpd");
    assert_eq!(daemon.group("mail")["told"], false);
    assert_eq!(daemon.entry("smtpd")["state"], "down");
    daemon.wait_clstat(&["web run DONE"]);
    // A default is for the start: a reread does not undo what was told.
    daemon.settle("web", "test", "DONE");
    daemon.reread();
    assert_eq!(daemon.group("web")["level"], "test");
    assert!(!is_alive(httpd));
}

#[test]
fn a_table_wide_initdefault_is_every_groups() {
    let daemon = Daemon::start(
        ":::initdefault:run\n\
         web:httpd:run,:respawn:sleep 1000\n\
         mail:smtpd:run,2:respawn:sleep 1000\n\
         mail:::initdefault:2\n",
    );
    daemon.wait_group("web", "run", "DONE");
    daemon.wait_group("mail", "2", "DONE");
    assert!(is_alive(number(&daemon.entry("smtpd")["pid"])));
}

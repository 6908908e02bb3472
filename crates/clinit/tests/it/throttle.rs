//! Entries that end again and again.

use serde_json::Value;

use crate::daemon::Daemon;
use crate::place::Place;
use crate::wait::eventually;

/// The milliseconds until an entry is started again.
fn pause(entry: &Value) -> u64 {
    entry["until_ms"].as_u64().unwrap()
}

#[test]
fn five_starts_bring_on_a_pause_of_a_minute() {
    let daemon =
        Daemon::start("web:hasty:1,2:respawn:echo x >> log; exit 3\nweb:calm:1,2:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    let hasty = daemon.wait_entry("hasty", "pausing");
    assert_eq!(daemon.lines("log").len(), 5);
    assert_eq!(hasty["restarts"], 4);
    assert!((30_000..=60_000).contains(&pause(&hasty)), "{hasty}");
    assert_eq!(hasty["why"], "started 5 times within 10s");
    eventually("a complaint", || {
        daemon.err().contains("web/hasty: exited 3: started 5 times too quickly: sleeping 60 seconds")
    });
    // Neither a level that it is in, too, nor a table without a change of it ends the pause.
    for level in ["1", "2"] {
        daemon.settle("web", level, "DONE");
    }
    daemon.reread();
    assert_eq!(daemon.entry("hasty")["state"], "pausing");
    assert_eq!(daemon.lines("log").len(), 5);
}

#[test]
fn an_entry_that_came_back_to_its_level_begins_anew() {
    let daemon = Daemon::start("web:hasty:1,:respawn:echo x >> log\n");
    for starts in [5, 10] {
        daemon.settle("web", "1", "DONE");
        daemon.wait_entry("hasty", "pausing");
        assert_eq!(daemon.lines("log").len(), starts);
        daemon.settle("web", "2", "DONE");
        assert_eq!(daemon.entry("hasty")["state"], "down");
    }
}

#[test]
fn starts_interval_and_pause_are_properties() {
    let daemon = Daemon::start(
        "web:hasty:1,:respawn:echo x >> log\n\
         web:hasty::throttle_starts:2\n\
         web:hasty::throttle_pause:300ms\n\
         web:::throttle_interval:1m\n",
    );
    daemon.settle("web", "1", "DONE");
    let hasty = daemon.wait_entry("hasty", "pausing");
    assert!(pause(&hasty) <= 300, "{hasty}");
    assert_eq!(hasty["why"], "started 2 times within 60s");
    eventually("three pauses", || daemon.lines("log").len() > 6);
}

#[test]
fn without_a_throttle_there_is_no_pause() {
    let daemon = Daemon::start(
        ":::throttle_starts:0\n\
         web:hasty:1,:respawn:sleep 0.02; echo x >> log\n",
    );
    daemon.settle("web", "1", "DONE");
    eventually("twenty starts", || daemon.lines("log").len() > 20);
    assert_ne!(daemon.entry("hasty")["state"], "pausing");
}

#[test]
fn a_shorter_pause_of_the_table_does_not_restart_what_runs() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    let httpd = daemon.pid("httpd");
    daemon.write_table("web:httpd:1,:respawn:sleep 1000\nweb:httpd::throttle_pause:1s\n");
    daemon.reread();
    assert_eq!(daemon.pid("httpd"), httpd);
}

#[test]
fn what_cannot_be_executed_is_throttled_too() {
    let daemon = Daemon::at(Place::new("web:absent:1,:respawn:./absent\n"));
    daemon.settle("web", "1", "DONE");
    let absent = daemon.wait_entry("absent", "pausing");
    assert_eq!(absent["why"], "started 5 times within 10s");
    assert_eq!(absent["last_exit"]["kind"], "not_executed");
}

//! When entries are started again, and who is told: `restart`, `success_exit_status`, `restart_delay`, `on_failure`.

use rustix::process::Signal;
use serde_json::json;

use crate::daemon::Daemon;
use crate::lives::{another_main, wait_lines};
use crate::process::send;
use crate::wait::wait_for;

/// One entry that exits with the code in its file, or stays; beside it `last`, which ends as often as others might.
fn ending(code: u8, restart: &str) -> Daemon {
    let daemon = Daemon::start(&format!(
        "web:a:1,:respawn:echo x >> starts; exit {code}\n\
         web:a::restart:{restart}\n\
         web:last:1,:respawn:echo x >> ends; test $(wc -l < ends) -lt 5 || exec sleep 1000\n\
         :::throttle_starts:0\n"
    ));
    daemon.tell("web", "1");
    wait_lines(&daemon, "ends", 5);
    daemon
}

#[test]
fn always_is_after_every_end() {
    for code in [0, 3] {
        let daemon = ending(code, "always");
        wait_lines(&daemon, "starts", 5);
    }
}

#[test]
fn on_failure_is_after_bad_ends() {
    let daemon = ending(3, "on-failure");
    wait_lines(&daemon, "starts", 5);
    let daemon = ending(0, "on-failure");
    let entry = daemon.wait_entry("a", "done");
    assert_eq!((daemon.lines("starts").len(), &entry["restarts"]), (1, &json!(0)), "{entry}");
    daemon.wait_group("web", "1", "DONE");
}

#[test]
fn never_is_after_none_and_a_bad_end_is_a_failure() {
    let daemon = ending(0, "never");
    daemon.wait_entry("a", "done");
    daemon.wait_group("web", "1", "DONE");
    assert_eq!(daemon.lines("starts").len(), 1);
    let daemon = ending(3, "never");
    let entry = daemon.wait_entry("a", "given_up");
    assert_eq!(entry["why"], "it ended, and it is not started again by itself");
    daemon.wait_group("web", "1", "FAILED");
    assert_eq!(daemon.lines("starts").len(), 1);
    daemon.clinit("start web/a");
    wait_lines(&daemon, "starts", 2);
}

#[test]
fn what_success_exit_status_names_is_a_good_end() {
    let daemon = Daemon::start(
        "web:code:1,:respawn:exit 3\n\
         web:signal:1,:respawn:exec sleep 1000\n\
         web:other:1,:respawn:echo x >> starts; exit 4\n\
         web:::restart:on-failure\n\
         web:::success_exit_status:3, TERM\n\
         web:::throttle_starts:0\n",
    );
    daemon.settle("web", "1", "DONE");
    let code = daemon.wait_entry("code", "done");
    assert_eq!((&code["last_exit"]["code"], &code["restarts"]), (&json!(3), &json!(0)), "{code}");
    wait_lines(&daemon, "starts", 3);
    // Another signal than the one it names is a bad end.
    let first = daemon.pid("signal");
    send(first, Signal::KILL);
    let second = another_main(&daemon, "signal", first);
    send(second, Signal::TERM);
    let signal = daemon.wait_entry("signal", "done");
    assert_eq!(
        (&signal["last_exit"]["signal"], &signal["restarts"]),
        (&json!("TERM"), &json!(1)),
        "{signal}"
    );
}

#[test]
fn what_requires_a_command_goes_by_its_good_ends() {
    let daemon = Daemon::start(
        "web:prepare:1,:wait:exit 3\nweb:prepare::success_exit_status:3\n\
         web:app:1,:respawn:exec sleep 1000\nweb:app::requires:prepare\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.pid("app");
}

/// The seconds between the starts that an entry noted, as the machine counts them.
fn gaps(lines: &[String]) -> Vec<f64> {
    let times: Vec<f64> = lines.iter().map(|line| line.parse().unwrap()).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn a_delay_doubles_up_to_its_maximum() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:cut -d' ' -f1 /proc/uptime >> starts\n\
         web:a::restart_delay:100ms\n\
         web:a::restart_delay_max:400ms\n\
         web:a::throttle_starts:0\n\
         web:a::throttle_interval:1h\n",
    );
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.wait_entry("a", "pausing")["why"], "its restart_delay has not passed");
    // If it doubled for ever, the last of these would come after minutes.
    let starts = wait_lines(&daemon, "starts", 12);
    for (gap, least) in gaps(&starts).iter().zip([0.1, 0.2, 0.4, 0.4, 0.4]) {
        // The machine tells hundredths of seconds.
        assert!(*gap > least - 0.015, "{gap} < {least}: {starts:?}");
    }
}

#[test]
fn a_delay_begins_anew_after_a_life_of_some_length() {
    // Each life is longer than throttle_interval; if it doubled, the last of these would come after an hour.
    let daemon = Daemon::start(
        "web:a:1,:respawn:echo x >> starts; sleep 0.05\nweb:a::restart_delay:50ms\nweb:a::restart_delay_max:1h\n\
         web:a::throttle_starts:0\nweb:a::throttle_interval:10ms\n",
    );
    daemon.settle("web", "1", "DONE");
    wait_lines(&daemon, "starts", 16);
}

#[test]
fn without_a_longer_maximum_a_delay_stays_as_it_is() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:echo x >> starts\nweb:a::restart_delay:50ms\nweb:a::throttle_starts:0\n",
    );
    daemon.settle("web", "1", "DONE");
    wait_lines(&daemon, "starts", 16);
}

/// What `on_failure` of an entry was told, run by run: what begins with `CLINIT_` and is about the failure.
#[track_caller]
fn told(daemon: &Daemon, count: usize) -> Vec<String> {
    let told = wait_for("what was told", || {
        Some(daemon.read("told")).filter(|told| told.matches("end\n").count() >= count)
    });
    told.split("end\n").map(|run| run.trim().replace('\n', " ")).take(count).collect()
}

/// Writes what it is told in one piece.
const TELL: &str =
    "{ env | grep -E '^CLINIT_(FAIL|EXIT|REST|ERR)' | sort; echo end; } > one.$$; cat one.$$ >> told";

#[test]
fn on_failure_is_told_how_it_failed() {
    let cases = [
        ("exit 3", "", "CLINIT_EXIT=exited 3 CLINIT_EXIT_CODE=3 CLINIT_FAILURE=exited"),
        ("kill -KILL $$", "", "CLINIT_EXIT=killed by KILL CLINIT_EXIT_SIGNAL=9 CLINIT_FAILURE=exited"),
        (
            "exec sleep 1000",
            "web:a::health_check:exec:false\nweb:a::health_interval:10ms\nweb:a::health_threshold:1\n",
            "CLINIT_EXIT=killed by TERM CLINIT_EXIT_SIGNAL=15 CLINIT_FAILURE=unhealthy",
        ),
        (
            "exec sleep 1000",
            "web:a::readiness:fd:3\nweb:a::start_timeout:100ms\n",
            "CLINIT_EXIT=killed by TERM CLINIT_EXIT_SIGNAL=15 CLINIT_FAILURE=not_ready",
        ),
    ];
    for (command, properties, expected) in cases {
        let daemon = Daemon::start(&format!(
            "web:a:1,:respawn:{command}\n{properties}web:a::on_failure:{TELL}\nweb:a::restart_delay:1h\n"
        ));
        daemon.tell("web", "1");
        let (first, second) = expected.split_once(" CLINIT_EXIT_").unwrap();
        let expected = format!("CLINIT_ERRAND=on_failure {first} CLINIT_EXIT_{second} CLINIT_RESTARTS=0");
        assert_eq!(told(&daemon, 1), [expected]);
    }
}

#[test]
fn on_failure_is_told_that_it_was_given_up() {
    let daemon = Daemon::start(&format!(
        "web:a:1,:respawn:echo x >> starts; test $(wc -l < starts) -gt 2 && exit 4; exit 3\n\
         web:a::retry_count:2\nweb:a::on_failure:{TELL}\nweb:a::restart_delay:10ms\n"
    ));
    daemon.tell("web", "1");
    daemon.wait_entry("a", "given_up");
    let last = "CLINIT_ERRAND=on_failure CLINIT_EXIT=exited 4 CLINIT_EXIT_CODE=4 CLINIT_FAILURE=given_up \
                CLINIT_RESTARTS=2";
    // Of those before, the newest is told when the one before has been.
    wait_for("the last word", || {
        told(&daemon, 1).first().and(daemon.read("told").contains("given_up").then_some(()))
    });
    let told = told(&daemon, daemon.read("told").matches("end\n").count());
    assert_eq!(told.last().unwrap(), last);
    assert!(told[..told.len() - 1].iter().all(|run| run.contains("CLINIT_FAILURE=exited ")), "{told:?}");
}

#[test]
fn a_good_end_is_no_failure() {
    let daemon = Daemon::start(&format!(
        "web:good:1,:respawn:echo x >> starts; exit 0\nweb:bad:1,:wait:until test $(wc -l < starts) -gt 3; do sleep 0.02; done; exit 5\n\
         :::on_failure:{TELL}\n:::throttle_starts:0\n"
    ));
    daemon.tell("web", "1");
    let told = told(&daemon, 1);
    assert!(told[0].contains("CLINIT_EXIT=exited 5"), "{told:?}");
}

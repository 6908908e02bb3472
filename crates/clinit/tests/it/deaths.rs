//! The daemon's own processes die, and no service notices.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::command::{CLINIT, finish};
use crate::daemon::Daemon;
use crate::place::{Place, number};
use crate::process::{is_alive, is_gone, kill, parent, send, state};
use crate::script::slow;
use crate::wait::{eventually, wait_for};

const TABLE: &str = "web:httpd:1,2:respawn:echo $$ >> lives; exec sleep 1000\n\
                     web:first:1,:respawn:sleep 1000\n\
                     web:second:2,:respawn:sleep 1000\n\
                     web:prepare:1,2:wait:echo x >> log\n";

/// A daemon at level 1.
fn running() -> Daemon {
    let daemon = Daemon::start(TABLE);
    daemon.settle("web", "1", "DONE");
    eventually("its first words", || daemon.lines("lives").len() == 1);
    daemon
}

/// Kills all that the daemon consists of.
fn kill_all(daemon: &Daemon) {
    kill(&["keeper", "engine", "logger"].map(|role| daemon.role_pid(role)));
    daemon.wait_end();
}

/// Waits until another process has a role, and returns it.
#[track_caller]
fn successor(daemon: &Daemon, role: &str, old: u32) -> u32 {
    wait_for(&format!("another {role}"), || match daemon.all_of_role(role)[..] {
        [pid] if pid != old => Some(pid),
        _ => None,
    })
}

/// Waits until the daemon answers like one that has taken everything over.
#[track_caller]
fn settled(daemon: &Daemon, level: &str) {
    daemon.wait_answer();
    eventually("that the group stands where it stood", || {
        let said = daemon.clinit("status web --json");
        let is_so = |text: &str| {
            let status: serde_json::Value = serde_json::from_str(text).unwrap();
            let group = &status["groups"][0];
            group["level"] == level && group["state"] == "DONE"
        };
        said.code == Some(0) && is_so(&said.out)
    });
}

#[test]
fn the_engine_dies_and_services_are_not_touched() {
    let daemon = running();
    let (httpd, first, keeper) = (daemon.pid("httpd"), daemon.pid("first"), daemon.role_pid("keeper"));
    let engine = daemon.role_pid("engine");
    send(engine, Signal::KILL);
    successor(&daemon, "engine", engine);
    settled(&daemon, "1");
    assert_eq!((daemon.pid("httpd"), daemon.pid("first")), (httpd, first));
    assert_eq!(daemon.role_pid("keeper"), keeper);
    daemon.settle("web", "2", "DONE");
    assert_eq!(daemon.pid("httpd"), httpd);
    assert!(is_gone(first));
    daemon.pid("second");
    assert_eq!(daemon.lines("log"), ["x"]);
    assert_eq!(daemon.lines("lives").len(), 1);
}

#[test]
fn an_engine_that_lived_a_while_is_back_within_a_second() {
    let daemon = running();
    eventually("that it lived a while", || daemon.status()["daemon"]["since_ms"].as_u64() > Some(1200));
    let engine = daemon.role_pid("engine");
    let died = Instant::now();
    send(engine, Signal::KILL);
    daemon.settle("web", "2", "DONE");
    assert!(died.elapsed() < Duration::from_secs(1), "{:?}", died.elapsed());
    assert!(number(&daemon.status()["daemon"]["engine_pid"]) != engine);
}

#[test]
fn who_asks_while_the_engine_is_dead_is_answered_by_the_next_one() {
    let daemon = running();
    let engine = daemon.role_pid("engine");
    send(engine, Signal::STOP);
    eventually("that it is stopped", || state(engine) == Some('T'));
    send(engine, Signal::KILL);
    // The socket is there all the time: nobody is refused.
    daemon.clinit("tell web 2 --wait").is(0, "web 2 DONE\n", "");
}

#[test]
fn what_ended_while_the_engine_was_dead_is_started_again() {
    let daemon = running();
    let (httpd, engine) = (daemon.pid("httpd"), daemon.role_pid("engine"));
    send(engine, Signal::STOP);
    eventually("that it is stopped", || state(engine) == Some('T'));
    send(httpd, Signal::KILL);
    eventually("that it is reaped", || is_gone(httpd));
    send(engine, Signal::KILL);
    eventually("two lives", || daemon.lines("lives").len() == 2);
    settled(&daemon, "1");
    let entry = daemon.wait_entry("httpd", "running");
    assert_eq!(entry["last_exit"]["signal"], "KILL", "the keeper saw how it ended");
    assert_eq!(daemon.lines("lives").len(), 2);
}

#[test]
fn the_table_that_held_holds_although_the_file_is_gone() {
    let daemon = running();
    let (httpd, engine) = (daemon.pid("httpd"), daemon.role_pid("engine"));
    std::fs::remove_file(daemon.path("cltab")).unwrap();
    send(engine, Signal::KILL);
    successor(&daemon, "engine", engine);
    settled(&daemon, "1");
    assert_eq!(daemon.pid("httpd"), httpd);
    let said = daemon.bare("-s init.s tell web 2 --wait");
    assert_eq!((said.code, said.out.as_str()), (Some(0), "web 2 DONE\n"), "{said:?}");
}

#[test]
fn a_halt_goes_on_after_the_engines_death() {
    let daemon = Daemon::start(&format!("web:slow:1,:respawn:{}\nweb:::stop_timeout:infinity\n", slow()));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    daemon.clinit("-k").done();
    daemon.wait_file("asked");
    let engine = daemon.role_pid("engine");
    send(engine, Signal::KILL);
    successor(&daemon, "engine", engine);
    daemon.write("go", "");
    assert_eq!(daemon.wait_end(), Some(0));
    assert!(!daemon.has("init.s") && !daemon.has("clstat"));
}

#[test]
fn the_logger_dies_under_up_and_lines_go_on() {
    let daemon = Daemon::up(
        "web:count:run,:respawn:i=0; while :; do echo \"line $i\"; i=$((i+1)); sleep 0.01; done\n",
    );
    let last = || {
        let out = daemon.out();
        let line = out.lines().rev().find_map(|line| line.strip_prefix("web/count | line "));
        line.and_then(|number| number.parse::<u32>().ok()).unwrap_or(0)
    };
    eventually("some lines", || last() > 10);
    let (logger, count) = (daemon.role_pid("logger"), daemon.pid("count"));
    send(logger, Signal::KILL);
    successor(&daemon, "logger", logger);
    let then = last();
    eventually("more lines", || last() > then + 10);
    assert_eq!(daemon.pid("count"), count);
    send(daemon.child_pid(), Signal::INT);
    assert_eq!(daemon.wait_end(), Some(0));
    let out = daemon.out();
    let numbers =
        out.lines().filter_map(|line| line.strip_prefix("web/count | line ")?.parse::<usize>().ok());
    assert!(numbers.enumerate().all(|(index, number)| index == number), "none is lost and none comes twice");
}

#[test]
fn the_keeper_dies_and_a_successor_looks_after_its_services() {
    let daemon = running();
    let (httpd, first, keeper) = (daemon.pid("httpd"), daemon.pid("first"), daemon.role_pid("keeper"));
    send(keeper, Signal::KILL);
    // Engine and logger may both start one; the first to take the lock stays.
    successor(&daemon, "keeper", keeper);
    settled(&daemon, "1");
    assert_eq!((daemon.pid("httpd"), daemon.pid("first")), (httpd, first));
    let next = number(&daemon.status()["daemon"]["keeper_pid"]);
    eventually("one keeper", || daemon.all_of_role("keeper") == [next]);
    for role in ["engine", "logger"] {
        assert_eq!(parent(daemon.role_pid(role)), next);
    }
    // It is not their parent, and sees their ends all the same.
    send(httpd, Signal::KILL);
    eventually("two lives", || daemon.lines("lives").len() == 2);
    assert_ne!(daemon.pid("httpd"), httpd);
    daemon.settle("web", "2", "DONE");
    assert!(!is_alive(first));
    daemon.clinit("shutdown").done();
    assert_eq!(daemon.services(), [0; 0]);
    assert!(!daemon.has("init.s") && !daemon.has("clstat"));
}

#[test]
fn keeper_and_engine_or_keeper_and_logger_die_together() {
    for other in ["engine", "logger"] {
        let daemon = running();
        let (httpd, keeper, other) = (daemon.pid("httpd"), daemon.role_pid("keeper"), daemon.role_pid(other));
        kill(&[keeper, other]);
        successor(&daemon, "keeper", keeper);
        settled(&daemon, "1");
        assert_eq!(daemon.pid("httpd"), httpd);
        daemon.settle("web", "2", "DONE");
        assert_eq!(daemon.pid("httpd"), httpd);
        assert_eq!(daemon.lines("lives").len(), 1);
    }
}

#[test]
fn all_three_die_and_the_next_daemon_adopts_what_runs() {
    let daemon = running();
    let (httpd, first) = (daemon.pid("httpd"), daemon.pid("first"));
    kill_all(&daemon);
    daemon.clinit("status").fails(3, &["no daemon answers"]);
    assert!(is_alive(httpd) && is_alive(first), "services live on");

    daemon.restart();
    settled(&daemon, "1");
    assert_eq!((daemon.pid("httpd"), daemon.pid("first")), (httpd, first));
    let mut services = daemon.services();
    services.sort_unstable();
    let mut expected = [httpd, first];
    expected.sort_unstable();
    assert_eq!(services, expected, "none runs twice");
    daemon.settle("web", "2", "DONE");
    assert_eq!(daemon.pid("httpd"), httpd);
    assert!(!is_alive(first));
    assert_eq!((daemon.lines("lives").len(), daemon.lines("log").len()), (1, 1));
    daemon.clinit("shutdown").done();
    assert!(!is_alive(httpd));
}

#[test]
fn the_next_daemon_reads_the_table_that_was_written_meanwhile() {
    let daemon = running();
    let (httpd, first) = (daemon.pid("httpd"), daemon.pid("first"));
    kill_all(&daemon);
    let changed = TABLE.replace("web:first:1,:respawn:sleep 1000", "web:first:1,:respawn:sleep 1001");
    daemon.write_table(&changed);
    daemon.restart();
    eventually("the change", || !is_alive(first));
    settled(&daemon, "1");
    assert_eq!(daemon.pid("httpd"), httpd);
    assert_eq!(daemon.entry("first")["command"], "sleep 1001");
}

#[test]
fn what_ended_while_no_daemon_was_there_is_started_again() {
    let daemon = running();
    let httpd = daemon.pid("httpd");
    kill_all(&daemon);
    send(httpd, Signal::KILL);
    eventually("its end", || !is_alive(httpd));
    daemon.restart();
    eventually("two lives", || daemon.lines("lives").len() == 2);
    settled(&daemon, "1");
    assert_eq!(daemon.entry("httpd")["last_exit"]["kind"], "unknown");
}

#[test]
fn an_engine_that_was_stopped_for_a_second_goes_on() {
    let daemon = running();
    let (httpd, engine) = (daemon.pid("httpd"), daemon.role_pid("engine"));
    send(engine, Signal::STOP);
    eventually("that it is stopped", || state(engine) == Some('T'));
    let waiting = daemon.begin("tell web 2 --wait");
    let stopped = Instant::now();
    wait_for("a second", || (stopped.elapsed() > Duration::from_secs(1)).then_some(()));
    assert_eq!(daemon.role_pid("engine"), engine);
    send(engine, Signal::CONT);
    finish(waiting).is(0, "web 2 DONE\n", "");
    assert_eq!((daemon.pid("httpd"), daemon.role_pid("engine")), (httpd, engine));
}

/// Names its place to the process under which nobody reaps what has lost its parent.
const NEGLIGENT: &str = "CLINIT_IT_NEGLIGENT";

/// Not a test by itself: that process.
#[test]
fn one_that_reaps_nobody() {
    let Some(words) = std::env::var_os(NEGLIGENT) else { return };
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    let mut daemon = std::process::Command::new(words);
    daemon.env_remove(NEGLIGENT).args(["-c", "cltab", "-s", "init.s", "-d"]);
    daemon.status().unwrap();
    // Until the place is cleared.
    loop {
        std::thread::park();
    }
}

#[test]
fn a_successor_does_not_wait_for_zombies_that_nobody_reaps() {
    let place = Place::new(
        "web:a:1,:respawn:exec sleep 1000\nweb:b:1,:respawn:sleep 1000 & wait\nweb:::stop_timeout:infinity\n",
    );
    let mut command = crate::command::program(std::env::current_exe().unwrap().to_str().unwrap());
    command.args(["--exact", "deaths::one_that_reaps_nobody"]).env(NEGLIGENT, CLINIT);
    command.current_dir(place.path(""));
    let daemon = Daemon::by(place, &mut command);
    daemon.settle("web", "1", "DONE");
    let (a, b, keeper) = (daemon.pid("a"), daemon.pid("b"), daemon.role_pid("keeper"));
    send(keeper, Signal::KILL);
    successor(&daemon, "keeper", keeper);
    settled(&daemon, "1");
    // It is started again, and then stopped.
    send(a, Signal::KILL);
    eventually("another life", || daemon.entry("a")["restarts"] == 1);
    daemon.settle("web", "2", "DONE");
    assert_eq!([state(a), state(b)], [Some('Z'); 2], "nobody has reaped them");
}

//! Whether entries are well: `health_check` with its interval, timeout and threshold.

use std::net::TcpListener;

use crate::daemon::Daemon;
use crate::lives::{another_main, wait_lines};
use crate::place::number;
use crate::process::{is_alive, is_gone};
use crate::speaker;
use crate::wait::{eventually, wait_for};

/// A service whose life is unwell when its number stands in the file `ill`, as a check finds out.
fn checked(check: &str) -> String {
    format!(
        "web:a:1,:respawn:exec sleep 1000\n\
         web:a::health_check:exec:{check}\n\
         web:a::health_interval:10ms\n\
         web:a::health_timeout:1h\n\
         web:a::throttle_starts:0\n"
    )
}

#[test]
fn an_entry_is_started_again_after_as_many_bad_answers_as_the_threshold_says() {
    let check = "echo x >> asked; test \"$CLINIT_MAINPID\" != \"$(cat ill)\" || { echo x >> bad; exit 1; }";
    let daemon = Daemon::start(&format!("{}web:a::health_threshold:4\n", checked(check)));
    daemon.settle("web", "1", "DONE");
    let first = daemon.pid("a");
    wait_lines(&daemon, "asked", 5);
    assert_eq!(daemon.pid("a"), first, "good answers change nothing");
    daemon.write("ill", format!("{first}\n"));
    let second = another_main(&daemon, "a", first);
    assert!(is_gone(first));
    assert_eq!(daemon.lines("bad").len(), 4);
    let entry = daemon.entry("a");
    assert_eq!((&entry["last_failure"], number(&entry["restarts"])), (&"unhealthy".into(), 1), "{entry}");
    // The next life is asked as well, and is well.
    let asked = daemon.lines("asked").len();
    wait_lines(&daemon, "asked", asked + 5);
    assert_eq!(daemon.pid("a"), second);
}

#[test]
fn a_check_is_told_for_whom_it_asks() {
    let daemon = Daemon::start(&checked("env > told.new; mv told.new told"));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("told");
    let pid = daemon.pid("a");
    let told = daemon.lines("told");
    for line in
        ["CLINIT_ERRAND=health_check", "CLINIT_GROUP=web", "CLINIT_TAG=a", &format!("CLINIT_MAINPID={pid}")]
    {
        assert!(told.iter().any(|other| other == line), "{line}: {told:?}");
    }
}

#[test]
fn one_good_answer_begins_the_count_anew() {
    // Two bad ones, a good one, and so on; in the end bad ones only.
    let check = "echo x >> asked; test ! -e ill || exit 1; test $(($(wc -l < asked) % 3)) = 0";
    let daemon = Daemon::start(&checked(check));
    daemon.settle("web", "1", "DONE");
    let pid = daemon.pid("a");
    wait_lines(&daemon, "asked", 15);
    let entry = daemon.entry("a");
    assert_eq!((number(&entry["pid"]), number(&entry["restarts"])), (pid, 0), "{entry}");
    daemon.write("ill", "");
    another_main(&daemon, "a", pid);
}

#[test]
fn a_check_that_hangs_is_a_bad_answer_and_is_killed() {
    let table = checked("trap '' TERM; sleep 1000 & echo $$ >> hung; echo $! >> hung; wait")
        .replace("health_timeout:1h", "health_timeout:300ms");
    let daemon = Daemon::start(&format!("{table}web:a::health_threshold:2\n"));
    daemon.settle("web", "1", "DONE");
    let pid = daemon.pid("a");
    another_main(&daemon, "a", pid);
    // One that had begun before its time was over: with its child it is gone.
    for line in wait_lines(&daemon, "hung", 2).iter().take(2) {
        let hung = line.parse().unwrap();
        eventually("that it is killed", || !is_alive(hung));
    }
    assert_eq!(daemon.entry("a")["last_failure"], "unhealthy");
    eventually("a word about it", || daemon.err().contains("web/a: its health check failed"));
}

#[test]
fn a_check_ends_with_the_entry_that_it_asks() {
    let daemon = Daemon::start(&checked("echo $$ > checking; exec sleep 1000"));
    daemon.settle("web", "1", "DONE");
    let check = daemon.wait_number("checking");
    daemon.settle("web", "2", "DONE");
    eventually("that it is killed", || is_gone(check));
    assert_eq!(daemon.services(), [0; 0]);
}

#[test]
fn an_entry_that_is_not_ready_is_not_asked_how_it_is() {
    let table = "web:a:1,:respawn:until test -e go; do sleep 0.02; done; touch late; echo >&3; exec sleep 1000\n\
                 web:a::readiness:fd:3\n\
                 web:a::health_check:exec:test -e late || touch early; touch asked\n\
                 web:a::health_interval:10ms\n";
    let daemon = Daemon::start(table);
    daemon.tell("web", "1");
    daemon.wait_entry("a", "running");
    daemon.write("go", "");
    daemon.wait_file("asked");
    assert!(!daemon.has("early"));
}

/// A listener of this test's own at an address that nobody else uses.
fn listener(address: &str) -> (TcpListener, String) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let at = listener.local_addr().unwrap().to_string();
    (listener, at)
}

#[test]
fn a_port_is_well_while_somebody_accepts_connections() {
    let (listener, at) = listener("127.83.1.1");
    listener.set_nonblocking(true).unwrap();
    let daemon = Daemon::start(&format!(
        "web:a:1,:respawn:exec sleep 1000\nweb:a::health_check:tcp:{at}\nweb:a::health_interval:10ms\n\
         web:a::health_threshold:2\nweb:a::health_timeout:20s\nweb:a::throttle_starts:0\n"
    ));
    daemon.settle("web", "1", "DONE");
    let pid = daemon.pid("a");
    for _ in 0..5 {
        wait_for("a connection", || listener.accept().ok());
    }
    assert_eq!(daemon.entry("a")["restarts"], 0);
    drop(listener);
    another_main(&daemon, "a", pid);
    assert!(is_gone(pid));
    assert_eq!(daemon.entry("a")["last_failure"], "unhealthy");
}

#[test]
fn a_port_that_does_not_answer_in_time_is_unwell() {
    // Its queue is full, so the machine answers nobody.
    let script = "s = socket.socket()\ns.bind(('127.83.1.2', 0))\ns.listen(0)\nkept = []\n\
                  for _ in range(5):\n    c = socket.socket()\n    c.setblocking(False)\n    \
                  c.connect_ex(s.getsockname())\n    kept.append(c)\n\
                  note('port', s.getsockname()[1])\nrest()";
    let place = speaker::place("full:full:1,:respawn:@full\n", &[("full", script)]);
    let daemon = Daemon::at(place);
    daemon.settle("full", "1", "DONE");
    daemon.wait_file("port");
    let port = daemon.read("port");
    daemon.write_table(&format!(
        "full:full:1,:respawn:python3 -u full.py\n\
         web:a:1,:respawn:exec sleep 1000\nweb:a::health_check:tcp:127.83.1.2:{port}\n\
         web:a::health_interval:10ms\nweb:a::health_timeout:100ms\nweb:a::throttle_starts:0\n"
    ));
    daemon.reread();
    daemon.settle("web", "1", "DONE");
    let pid = daemon.pid("a");
    another_main(&daemon, "a", pid);
    assert_eq!(daemon.entry("a")["last_failure"], "unhealthy");
    assert_eq!(daemon.entry("full")["restarts"], 0);
}

#[test]
fn a_check_that_cannot_be_executed_is_a_bad_answer() {
    let daemon = Daemon::start(&checked("./absent"));
    daemon.settle("web", "1", "DONE");
    let pid = daemon.pid("a");
    another_main(&daemon, "a", pid);
    assert_eq!(daemon.entry("a")["last_failure"], "unhealthy");
}

#[test]
fn a_check_that_the_table_takes_away_is_not_made_again() {
    let daemon = Daemon::start(&checked("echo x >> asked"));
    daemon.settle("web", "1", "DONE");
    let pid = daemon.pid("a");
    wait_lines(&daemon, "asked", 2);
    // The other one is asked for long enough that this one would have been, too.
    daemon.write_table(
        "web:a:1,:respawn:exec sleep 1000\nweb:a::throttle_starts:0\n\
         mail:b:1,:respawn:exec sleep 1000\nmail:b::health_check:exec:echo x >> others\nmail:b::health_interval:10ms\n",
    );
    daemon.reread();
    let asked = daemon.lines("asked").len();
    daemon.settle("mail", "1", "DONE");
    wait_lines(&daemon, "others", 20);
    assert!(daemon.lines("asked").len() <= asked + 1, "but for one that was under way");
    assert_eq!(daemon.pid("a"), pid);
}

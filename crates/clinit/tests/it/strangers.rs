//! Users who are neither root nor the daemon's own: they may read if the socket lets them in, and change nothing.

use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::command::{Said, finish, run};
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::status;
use crate::user::{STRANGER, can_be_stranger, give_to_unprivileged, unprivileged};

/// A daemon whose socket lets everybody in.
fn open() -> Daemon {
    Daemon::start("web:httpd:start,:respawn:sleep 1000\n:::socket_mode:0666\n")
}

fn clinit(daemon: &Daemon, words: &str) -> Said {
    run(&mut unprivileged(daemon, &format!("-s init.s {words}")))
}

#[test]
fn they_may_read() {
    if !can_be_stranger() {
        return;
    }
    let daemon = open();
    daemon.settle("web", "start", "DONE");
    let said = clinit(&daemon, "status --json").done();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&said).unwrap()["groups"][0]["state"], "DONE");
    daemon.wait_clstat(&["web start DONE"]);
    assert!(clinit(&daemon, "status --clstat clstat").done().contains("DONE"));
}

#[test]
fn they_may_change_nothing() {
    if !can_be_stranger() {
        return;
    }
    let daemon = open();
    daemon.settle("web", "start", "DONE");
    let httpd = daemon.pid("httpd");
    daemon.write_table("web:other:start,:respawn:sleep 1000\n");
    for words in [
        "tell web stop",
        "tell web stop --wait",
        "web stop",
        "",
        "-v",
        "-k",
        "shutdown",
        "shutdown --now",
        "start web/httpd",
        "stop web/httpd",
        "restart web/httpd",
        "reload web/httpd",
        "reset web/httpd",
        "signal web/httpd KILL",
        "run -- true",
        "plan",
        "reexec",
    ] {
        let said = clinit(&daemon, words);
        said.fails(5, &["clinit: not permitted: to ", "hint: only root and the user who runs the daemon"]);
        assert_eq!(said.out, "", "{words}");
    }
    // Where codes of a command are passed on, its own are others.
    clinit(&daemon, "run --wait -- true").fails(115, &["not permitted: to run a command"]);
    assert_eq!(daemon.pid("httpd"), httpd);
    assert!(daemon.entry("other").is_null(), "not even the table was reread");
}

#[test]
fn a_socket_that_keeps_them_out_says_whom_it_lets_in() {
    if !can_be_stranger() {
        return;
    }
    let daemon = Daemon::start("web:httpd:start,:respawn:sleep 1000\n");
    for words in ["status", "web stop"] {
        clinit(&daemon, words).fails(5, &["not permitted to use the socket", "hint: ask as root"]);
    }
}

#[test]
fn they_cannot_flood_others_out() {
    if !can_be_stranger() {
        return;
    }
    let daemon = open();
    let script =
        "i=0; while test $i -lt 40; do ./clinit -s init.s tell web start --wait & i=$((i+1)); done; wait";
    let _copied = clinit(&daemon, "--version").done();
    let mut flood = Command::new("sh");
    flood.uid(STRANGER).gid(STRANGER).args(["-c", script]).current_dir(daemon.path(""));
    let flood = flood.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let own: Vec<UnixStream> = (0..20).map(|_| UnixStream::connect(daemon.socket()).unwrap()).collect();
    daemon.settle("web", "start", "DONE");
    let said = finish(flood);
    assert!(said.err.contains("not permitted") && !said.err.contains("panicked"), "{}", said.err);
    assert_eq!(own.len(), 20);
}

#[test]
fn root_and_the_user_who_runs_the_daemon_may_change_things() {
    if !can_be_stranger() {
        return;
    }
    let place = Place::new("web:httpd:start,:respawn:sleep 1000\n");
    give_to_unprivileged(&place, "");
    let mut command = unprivileged(&place, "-c cltab -s init.s -d");
    let daemon = Daemon::by(place, &mut command);
    clinit(&daemon, "tell web start --wait").is(0, "web start DONE\n", "");
    assert!(status(daemon.pid("httpd"), "Uid").starts_with("65534\t"));
    daemon.settle("web", "start", "DONE");
    clinit(&daemon, "shutdown").is(0, "", "");
    assert_eq!(daemon.wait_end(), Some(0));
}

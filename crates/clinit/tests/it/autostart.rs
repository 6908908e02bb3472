//! `clinit [GROUP] LEVEL` starts a daemon when none answers, and nothing else does.

use crate::command::{finish, run};
use crate::place::Place;
use crate::process::{cwd, file, parent, session};
use crate::wait::eventually;

const WEB: &str = "web:httpd:start,:respawn:sleep 1000\n";

#[test]
fn a_level_starts_a_daemon() {
    let place = Place::new(WEB);
    place.clinit("web start").is(0, "level transition started\n", "");
    place.wait_group("web", "start", "DONE");
    place.clinit("shutdown").done();
    eventually("the end", || place.processes().is_empty());
}

#[test]
fn it_is_detached_from_the_caller() {
    let place = Place::new(WEB);
    let mut command = place.command();
    command.args(["-c", "cltab", "-s", "init.s", "web", "start"]).env("HELLO", "there");
    // That this returns is a part of the test: nobody holds the caller's output.
    run(&mut command).is(0, "level transition started\n", "");
    let keeper = place.role_pid("keeper");
    assert_eq!(session(keeper), keeper);
    assert_ne!(session(keeper), session(std::process::id()));
    assert_ne!(parent(keeper), std::process::id());
    for fd in ["0", "1", "2"] {
        let target = std::fs::read_link(format!("/proc/{keeper}/fd/{fd}")).unwrap();
        assert_eq!(target.to_str(), Some("/dev/null"), "{fd}");
    }
    assert_eq!(cwd(keeper), place.path("").canonicalize().unwrap());
    let httpd = place.pid("httpd");
    assert!(file(httpd, "environ").split('\0').any(|variable| variable == "HELLO=there"));
    assert_eq!(cwd(httpd), place.path("").canonicalize().unwrap());
}

#[test]
fn nothing_else_starts_one() {
    let place = Place::new(WEB);
    for words in [
        "",
        "-v",
        "-k",
        "-k -v",
        "status",
        "status --json",
        "status web",
        "tell web start",
        "tell web start --wait",
        "shutdown",
        "shutdown --now",
    ] {
        let said = place.clinit(words);
        assert_eq!((said.code, said.out.as_str()), (Some(3), ""), "{words}: {said:?}");
        let complaint = format!("clinit: no daemon answers at {}", place.socket().display());
        assert!(said.err.starts_with(&complaint), "{words}: {said:?}");
        assert!(said.err.contains("\nhint: start it with clinit -d"), "{words}: {said:?}");
    }
    place.clinit("check cltab").done();
    place.clinit("-h").fails(2, &["usage"]);
    assert!(!place.has("init.s") && !place.has("init.s.state"));
    assert_eq!(place.processes(), [0; 0]);
}

#[test]
fn an_unknown_group_is_told_by_the_daemon_that_was_started_to_say_so() {
    let place = Place::new(WEB);
    place.clinit("nothing start").is(0, "no such group: nothing\n", "");
    assert_eq!(place.group("web")["told"], false);
}

#[test]
fn a_table_with_faults_starts_what_is_right_and_names_the_rest() {
    let place = Place::new(&format!("{WEB}web:typo:start,:respwan:x\n"));
    let said = place.clinit("web start");
    assert_eq!(said.code, Some(0));
    assert!(said.out.starts_with("level transition started\n"), "{said:?}");
    assert!(said.err.contains("cltab:2:17: unknown mode `respwan`"), "{said:?}");
    place.wait_group("web", "start", "DONE");
}

#[test]
fn many_at_once_start_one() {
    let place = Place::new(WEB);
    let callers: Vec<_> = (0..8).map(|_| place.begin("web start")).collect();
    for caller in callers {
        finish(caller).is(0, "level transition started\n", "");
    }
    place.wait_group("web", "start", "DONE");
    place.role_pid("keeper");
    assert_eq!(place.services(), [place.pid("httpd")]);
}

#[test]
fn what_keeps_it_from_starting_is_told_and_leaves_nothing() {
    let place = Place::new(WEB);
    std::fs::remove_file(place.path("cltab")).unwrap();
    place.clinit("web start").fails(7, &["no table at", "cltab"]);
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 0);
}

#[test]
fn the_caller_may_go_at_once() {
    let place = Place::new("web:httpd:start,:respawn:sleep 0.1; echo x >> log; sleep 1000\n");
    place.clinit("web start").done();
    eventually("that it goes on", || place.lines("log") == ["x"]);
}

//! `clinit run`: entries that no table has.

use rustix::process::Signal;
use serde_json::json;

use crate::command::{Said, finish, run};
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{is_alive, send};
use crate::speaker;
use crate::wait::{eventually, wait_for};
use crate::wire::Wire;

const WEB: &str = "web:a:1,:respawn:sleep 1000\n";

/// `clinit run` with these words, which may hold blanks.
fn run_words(place: &Place, words: &[&str]) -> Said {
    run(place.command().args(["-s", "init.s", "run"]).args(words))
}

#[test]
fn a_command_runs_until_it_is_stopped_and_is_forgotten() {
    let daemon = Daemon::start(WEB);
    let said = daemon.clinit("run -- sleep 1001").done();
    let entry = daemon.entry("sleep");
    let pid = daemon.pid("sleep");
    assert_eq!(said, format!("run/sleep: running, pid {pid}\n"));
    assert_eq!((&entry["transient"], &entry["mode"]), (&json!(true), &json!("once")));
    assert_eq!(daemon.group("run")["transient"], true);
    let shown = daemon.clinit("status").done();
    assert!(
        shown.lines().any(|line| line.contains("  sleep ") && line.contains("transient, once")),
        "{shown}"
    );
    assert!(daemon.clinit("explain sleep").done().contains("made by hand, with clinit run"));

    daemon.clinit("stop run/sleep").is(0, "run/sleep: down: gone\n", "");
    assert!(!is_alive(pid));
    assert!(daemon.entry("sleep").is_null() && daemon.group("run").is_null());
    daemon.clinit("tell run 1").fails(1, &["no such group: run"]);
}

#[test]
fn with_wait_the_exit_code_is_the_commands() {
    let daemon = Daemon::start(WEB);
    run_words(&daemon, &["--wait", "--", "true"]).is(0, "", "");
    run_words(&daemon, &["--wait", "--", "sh", "-c", "exit 7"]).is(7, "", "clinit: run/sh: exited 7\n");
    run_words(&daemon, &["--wait", "--", "sh", "-c", "kill -KILL $$"]).fails(137, &["killed by KILL"]);
    run_words(&daemon, &["--wait", "--", "./absent"]).fails(127, &["./absent", "No such file"]);
    run_words(&daemon, &["--wait", "--mode", "test", "--", "false"]).fails(1, &["run/false: exited 1"]);
    assert!(daemon.group("run").is_null(), "whoever waited has heard of it");
}

#[test]
fn clinits_own_failures_have_codes_of_their_own_where_those_of_a_command_are_passed_on() {
    let daemon = Daemon::start(WEB);
    run_words(&daemon, &["--wait", "--timeout", "0.2", "--", "sleep", "1001"]).fails(114, &["within 200ms"]);
    assert_eq!(daemon.entry("sleep")["state"], "running", "what was begun goes on");
    run_words(&daemon, &["--wait", "--tag", "sleep", "--", "true"]).fails(111, &["run/sleep already"]);
    run_words(&daemon, &["--wait", "--property", "nice=very", "--", "true"]).fails(112, &["nice"]);
    let nobody = Place::new("");
    run_words(&nobody, &["--wait", "--", "true"]).fails(113, &["no daemon answers"]);
    run_words(&nobody, &["--", "true"]).fails(3, &["no daemon answers"]);
}

#[test]
fn a_command_that_cannot_be_executed_is_told_of_and_not_kept() {
    let daemon = Daemon::start(WEB);
    daemon.clinit("run -- ./absent").fails(1, &["run/absent", "not executed: ./absent: No such file"]);
    daemon.clinit("run --mode respawn -- ./absent").fails(1, &["not executed"]);
    eventually("that nothing is kept", || daemon.group("run").is_null());
}

#[test]
fn no_shell_sees_the_words_of_a_command() {
    let daemon = Daemon::start(WEB);
    let script = "printf '%s|' \"$@\" > words; pwd > folder; echo $CLINIT_GROUP/$CLINIT_TAG > name";
    let words = ["--wait", "--tag", "x", "--", "sh", "-c", script, "sh", "a b", "$HOME;", "--wait", ""];
    run_words(&daemon, &words).is(0, "", "");
    assert_eq!(daemon.read("words"), "a b|$HOME;|--wait||");
    assert_eq!(daemon.read("folder").trim(), daemon.path("").display().to_string().trim_end_matches('/'));
    assert_eq!(daemon.read("name"), "run/x\n");
}

#[test]
fn properties_are_those_of_the_table() {
    let daemon = Daemon::start(WEB);
    let given = ["--property", "environment=A=b c", "--property", "umask=027", "--property", "directory=/"];
    let script = format!("echo \"$A $(umask) $PWD\" > {}", daemon.path("seen").display());
    run_words(&daemon, &[&["--wait"][..], &given, &["--", "sh", "-c", &script]].concat()).is(0, "", "");
    assert_eq!(daemon.read("seen"), "b c 0027 /\n");

    let said = daemon.clinit("run --property umsk=027 --property stop_timeout=soon --property nice -- true");
    said.fails(2, &["unknown property `umsk`", "did you mean `umask`?", "`soon` for `stop_timeout`"]);
    said.fails(2, &["property nice:", "nice=VALUE"]);
    daemon.clinit("run --property socket=/x -- true").fails(2, &["`socket` is no property of an entry"]);
    daemon.clinit("run --property requires=a -- true").fails(2, &["`requires`", "set it in the table"]);
    daemon.clinit("run --mode wait -- true").fails(2, &["mode `wait`", "`respawn`"]);
    daemon.clinit("run --group pmf -- true").fails(2, &["the name is reserved"]);
    daemon.clinit("run --tag a/b -- true").fails(2, &["tag a/b"]);
    daemon.clinit("run").fails(2, &["run wants a command"]);
    assert!(daemon.group("run").is_null());
}

#[test]
fn names_are_made_of_the_programs_and_no_two_are_the_same() {
    let daemon = Daemon::start(WEB);
    for name in ["sleep", "sleep-2", "sleep-3"] {
        let said = daemon.clinit("run -- /bin/sleep 1001").done();
        assert!(said.starts_with(&format!("run/{name}: running")), "{said}");
    }
    daemon.clinit("run --tag a -- true").fails(1, &["there is an entry web/a already", "clinit stop web/a"]);
    let said = daemon.clinit("run --group web --tag b -- sleep 1001").done();
    assert!(said.starts_with("web/b: running"), "{said}");
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.pid("b"), daemon.pid("b"));
    daemon.settle("web", "2", "DONE");
    assert_eq!(daemon.entry("b")["state"], "running", "no level has it, and none takes it down");
}

#[test]
fn one_that_failed_is_kept_to_be_seen_until_it_is_stopped_or_reset() {
    let daemon = Daemon::start(WEB);
    daemon.clinit("run -- false").done();
    let failed = daemon.wait_entry("false", "done");
    assert_eq!(failed["last_exit"], json!({ "kind": "exited", "code": 1 }));
    assert!(daemon.clinit("explain false").done().contains("clinit stop run/false forgets it"));
    daemon.clinit("reset run/false").done();
    assert!(daemon.group("run").is_null());
    daemon.clinit("run -- true").done();
    eventually("that it is gone", || daemon.group("run").is_null());
}

#[test]
fn it_survives_rereads_and_the_daemons_processes_and_is_in_no_plan() {
    let daemon = Daemon::start(WEB);
    daemon.settle("web", "1", "DONE");
    daemon.clinit("run --mode respawn --tag x -- sleep 1001").done();
    let pid = daemon.pid("x");
    daemon.clinit("plan").is(0, "nothing would change\n", "");
    daemon.write_table("web:b:1,:respawn:sleep 1002\n");
    assert!(!daemon.clinit("plan").done().contains("run/x"));
    daemon.reread();
    let engine = daemon.role_pid("engine");
    send(engine, Signal::KILL);
    daemon.wait_answer();
    assert_eq!(daemon.pid("x"), pid);
    assert_eq!(daemon.entry("x")["transient"], true);
    send(pid, Signal::KILL);
    eventually("another life", || daemon.entry("x")["restarts"] == 1);
    daemon.clinit("restart run/x").done();
    daemon.clinit("stop run/x").is(0, "run/x: down: gone\n", "");
}

#[test]
fn a_client_whose_engine_dies_finds_out_how_its_command_ended() {
    let daemon = Daemon::start(WEB);
    let words = [
        "--wait",
        "--tag",
        "x",
        "--",
        "sh",
        "-c",
        "touch runs; until test -e go; do sleep 0.02; done; exit 9",
    ];
    let client = daemon.begin_into(daemon.command().args(["-s", "init.s", "run"]).args(words));
    daemon.wait_file("runs");
    // Asked for more, the daemon has answered what it was asked before.
    assert_eq!(daemon.entry("x")["state"], "running");
    let engine = daemon.role_pid("engine");
    send(engine, Signal::KILL);
    wait_for("another engine", || daemon.all_of_role("engine").into_iter().find(|&pid| pid != engine));
    daemon.wait_answer();
    daemon.write("go", "");
    finish(client).is(9, "", "clinit: run/x: exited 9\n");
    eventually("that nothing is kept", || daemon.group("run").is_null());
}

#[test]
fn one_that_ended_well_under_another_engine_is_found_among_the_events() {
    let daemon = Daemon::start(WEB);
    let words =
        ["--wait", "--tag", "x", "--", "sh", "-c", "touch runs; until test -e go; do sleep 0.02; done"];
    let client = daemon.begin_into(daemon.command().args(["-s", "init.s", "run"]).args(words));
    daemon.wait_file("runs");
    // Asked for more, the daemon has answered what it was asked before.
    assert_eq!(daemon.entry("x")["state"], "running");
    // The client sleeps while all this happens.
    send(client.id(), Signal::STOP);
    let engine = daemon.role_pid("engine");
    send(engine, Signal::KILL);
    daemon.write("go", "");
    eventually("its end", || daemon.all_of_role("engine") != [engine] && daemon.group("run").is_null());
    send(client.id(), Signal::CONT);
    finish(client).is(0, "", "");
}

#[test]
fn any_varlink_client_can_run_something() {
    let daemon = Daemon::start(WEB);
    let mut wire = Wire::connect(&daemon.socket());
    let parameters = json!({ "command": ["sh", "-c", "exit 3"], "until_ended": true });
    wire.say(&json!({ "method": "org.clinit.Init.Run", "parameters": parameters, "more": true }));
    let first = wire.hear();
    assert_eq!((&first["continues"], &first["parameters"]["tag"]), (&json!(true), &json!("sh")));
    let last = wire.hear();
    assert_eq!(last["parameters"]["exit"], json!({ "kind": "exited", "code": 3 }), "{last}");
    let refused = wire.call("org.clinit.Init.Run", &json!({ "command": ["x"], "properties": ["nice=much"] }));
    assert_eq!(refused["error"], "org.clinit.Init.InvalidEntry");
    assert_eq!(refused["parameters"]["faults"][0]["source"], "property nice=much");
    let exists = wire.call("org.clinit.Init.Run", &json!({ "command": ["x"], "tag": "a" }));
    assert_eq!(exists, json!({ "error": "org.clinit.Init.EntryExists", "parameters": { "name": "web/a" } }));
}

#[test]
fn one_with_a_readiness_is_waited_for_until_it_is_ready() {
    let script = "note('began')\nwait_for('go')\nsay('READY=1')\nrest()";
    let daemon = Daemon::at(speaker::place(WEB, &[("a", script)]));
    let words = ["--tag", "x", "--property", "readiness=notify", "--", "python3", "-u", "a.py"];
    let client = daemon.begin_into(daemon.command().args(["-s", "init.s", "run"]).args(words));
    daemon.wait_file("began");
    assert_eq!(daemon.entry("x")["why"], "not ready yet: it has not sent READY=1");
    speaker::touch(&daemon, "go");
    let said = finish(client);
    assert!(said.code == Some(0) && said.out.starts_with("run/x: ready, pid "), "{said:?}");
    speaker::touch(&daemon, "go");
    let restarted = daemon.clinit("restart run/x").done();
    assert!(restarted.starts_with("run/x: ready, pid "), "{restarted}");
}

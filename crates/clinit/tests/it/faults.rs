//! What a machine may do to clinit: it lacks processes, descriptors or room, or somebody it writes to hangs or is
//! gone. docs/faults.md names these tests.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::command::{finish, run};
use crate::daemon::Daemon;
use crate::logs_full::Disk;
use crate::place::Place;
use crate::process::{file, is_alive, send, state};
use crate::user::{give_to_unprivileged, is_root, unprivileged};
use crate::wait::eventually;

const TABLE: &str = "web:old:1,2:respawn:exec sleep 1000\nweb:new:2,:respawn:exec sleep 1000\n";

/// Limits, as prlimit(1) and as /proc call them.
const PROCESSES: (&str, &str) = ("nproc", "Max processes");
const FILES: (&str, &str) = ("nofile", "Max open files");

/// Gives a process a soft limit, as its own user may.
#[track_caller]
fn limit(pid: u32, name: &str, soft: &str) {
    let owner = fs::metadata(format!("/proc/{pid}")).unwrap();
    let mut command = Command::new("prlimit");
    command.args(["--pid", &pid.to_string(), &format!("--{name}={soft}:")]);
    if is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    run(&mut command).done();
}

/// A soft limit of a process, as /proc calls it.
fn limit_of(pid: u32, name: &str) -> String {
    let text = file(pid, "limits");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

/// An entry that could not be started says which limit to raise, and starts when that is done.
#[track_caller]
fn lacks(daemon: &Daemon, (option, name): (&str, &str), few: &str, words: &str) {
    daemon.settle("web", "1", "DONE");
    let (old, keeper) = (daemon.pid("old"), daemon.role_pid("keeper"));
    let before = limit_of(keeper, name);
    limit(keeper, option, few);
    daemon.tell("web", "2");
    eventually("a word about it", || daemon.clinit("explain web/new").out.contains(words));
    eventually("a note about it", || daemon.err().contains(words));
    assert_eq!(daemon.group("web")["state"], "STARTING");
    // The engine dies of it no more than it does otherwise: its successor waits for its turn, too.
    let engine = daemon.role_pid("engine");
    send(engine, Signal::KILL);
    eventually("its end", || !is_alive(engine));
    let waiting = daemon.begin("status web");
    limit(keeper, option, &before);
    finish(waiting).done();
    daemon.wait_group("web", "2", "DONE");
    assert!(is_alive(daemon.pid("new")));
    assert_eq!((daemon.pid("old"), daemon.role_pid("keeper")), (old, keeper));
}

#[test]
fn without_processes_to_be_had_entries_wait_and_say_which_limit_to_raise() {
    // Root has as many as there are.
    let place = Place::new("");
    give_to_unprivileged(&place, "");
    place.write_table(TABLE);
    let mut command = unprivileged(&place, "-c cltab -s init.s -d");
    lacks(&Daemon::by(place, &mut command), PROCESSES, "1", "raise the limit of processes");
}

#[test]
fn without_descriptors_entries_wait_and_say_which_limit_to_raise() {
    // A start takes no descriptor of the keeper's, but for what it is given.
    let table = "web:old:1,2:respawn:exec sleep 1000\nweb:new:2,:respawn:echo >&3; exec sleep 1000\n\
        web:new::readiness:fd:3\n";
    lacks(&Daemon::start(table), FILES, "3", "raise the limit of open files");
}

#[test]
fn without_descriptors_the_engine_lets_clients_wait_and_supervises() {
    let daemon = Daemon::start(TABLE);
    daemon.settle("web", "2", "DONE");
    let (old, engine) = (daemon.pid("old"), daemon.role_pid("engine"));
    let before = limit_of(engine, FILES.1);
    limit(engine, FILES.0, "3");
    let waiting = daemon.begin("tell web 1 --wait");
    send(old, Signal::KILL);
    eventually("another life", || {
        daemon.services().iter().any(|&pid| pid != old && file(pid, "environ").contains("TAG=old"))
    });
    limit(engine, FILES.0, &before);
    finish(waiting).is(0, "web 1 DONE\n", "");
    assert_eq!(daemon.role_pid("engine"), engine);
}

#[test]
fn a_full_state_folder_is_said_once_and_forgets_nothing_when_there_is_room() {
    let place = Place::new(TABLE);
    let Some(disk) = Disk::new(&place) else { return };
    let mut command = place.command();
    command.args(["-c", "cltab", "-s", "disk/init.s", "-d"]);
    let daemon = Daemon::begun(place, &mut command);
    let clinit = |words: &str| daemon.bare(&format!("-s disk/init.s {words}"));
    eventually("an answer", || clinit("status").code == Some(0));
    clinit("tell web 1 --wait").is(0, "web 1 DONE\n", "");
    let services = daemon.services();
    disk.fill();
    let said = || daemon.err().matches("state cannot be written to ").count();
    let mut level = "1";
    eventually("a word about it", || {
        level = if level == "1" { "2" } else { "1" };
        clinit(&format!("tell web {level} --wait")).is(0, &format!("web {level} DONE\n"), "");
        said() > 0
    });
    clinit("tell web 2 --wait").done();
    clinit("tell web rest --wait").done();
    clinit("tell web 2 --wait").done();
    assert_eq!(said(), 1);
    disk.make_room();
    // The next that happens has everything written.
    clinit("stop web/new").done();
    let engine = daemon.role_pid("engine");
    send(engine, Signal::KILL);
    eventually("another engine", || matches!(daemon.all_of_role("engine")[..], [pid] if pid != engine));
    eventually("an answer", || clinit("status").code == Some(0));
    let status: serde_json::Value = serde_json::from_str(&clinit("status web --json").done()).unwrap();
    assert_eq!((&status["groups"][0]["level"], &status["groups"][0]["state"]), (&"2".into(), &"DONE".into()));
    let shown = clinit("status web").done();
    assert!(shown.contains("stopped by hand"), "{shown}");
    assert_eq!(daemon.services().len(), services.len(), "{shown}");
    clinit("shutdown").done();
    assert_eq!(daemon.wait_end(), Some(0));
}

#[test]
fn a_full_disk_keeps_the_last_status_file_whole() {
    let place = Place::new("");
    let Some(disk) = Disk::new(&place) else { return };
    let status_file = disk.0.join("clstat");
    place.write("cltab", format!("{TABLE}:::clstat:{}\n", status_file.display()));
    let daemon = Daemon::at(place);
    let text = || fs::read_to_string(&status_file).unwrap();
    daemon.settle("web", "1", "DONE");
    eventually("a status file", || text() == "Cluster::Init::Group web 1 DONE\n");
    disk.fill();
    daemon.settle("web", "2", "DONE");
    eventually("a word about it", || daemon.err().contains("the status file cannot be written"));
    assert_eq!(text(), "Cluster::Init::Group web 1 DONE\n");
    disk.make_room();
    eventually("that it is tried again", || text() == "Cluster::Init::Group web 2 DONE\n");
}

#[test]
fn a_folder_that_is_read_only_is_refused_with_its_name() {
    let place = Place::new(TABLE);
    let Some(disk) = Disk::new(&place) else { return };
    run(Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.0)).done();
    let said = place.bare("-c cltab -s disk/init.s daemon");
    said.fails(7, &["disk/init.s.state", "Read-only file system"]);
    assert!(place.processes().is_empty());
}

#[test]
fn who_read_what_is_printed_may_go() {
    for words in [&["-c", "cltab", "-s", "init.s", "-d"][..], &["-s", "init.s", "up", "cltab"]] {
        let place = Place::new(
            "web:loud:run,:respawn:trap '' PIPE; while :; do echo x 2>/dev/null; echo x >> count; sleep 0.02; done\n\
             web:dies:run,:respawn:exec sleep 1000\nweb:::initdefault:run\n",
        );
        let mut command = place.command();
        let mut reader = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pipe = reader.stdin.take().unwrap();
        let pipe = OwnedFd::from(pipe);
        command.args(words).stderr(pipe.try_clone().unwrap()).stdout(pipe);
        let mut child = command.spawn().unwrap();
        drop(command);
        eventually("that it runs", || {
            place.clinit("status").code == Some(0) && place.lines("count").len() > 3
        });
        let (loud, dies) = (place.pid("loud"), place.pid("dies"));
        let roles = ["keeper", "engine", "logger"].map(|role| place.role_pid(role));
        reader.kill().unwrap();
        reader.wait().unwrap();
        let before = place.lines("count").len();
        eventually("that it goes on", || place.lines("count").len() > before + 10);
        // It has something to say, too.
        send(dies, Signal::KILL);
        eventually("another life", || place.pid("dies") != dies);
        assert_eq!(place.pid("loud"), loud);
        assert_eq!(["keeper", "engine", "logger"].map(|role| place.role_pid(role)), roles);
        place.clinit("shutdown").done();
        eventually("its end", || child.try_wait().unwrap().is_some());
    }
}

#[test]
fn a_logger_that_hangs_holds_up_nobody_but_who_prints() {
    let place = Place::new(
        "web:loud:1,:once:i=0; until test -e stop; do echo line $i; i=$((i+1)); done; echo end $i\n\
         other:a:1,:respawn:exec sleep 1000\nother:b:2,:respawn:exec sleep 1000\n\
         :::log_count:10000\n",
    );
    place.clinit("daemon").done();
    let daemon = place;
    daemon.settle("web", "1", "DONE");
    let logger = daemon.role_pid("logger");
    send(logger, Signal::STOP);
    eventually("that it is stopped", || state(logger) == Some('T'));
    for level in ["1", "2", "1", "2"] {
        daemon.settle("other", level, "DONE");
    }
    daemon.reread();
    daemon.write("stop", "");
    send(logger, Signal::CONT);
    daemon.wait_entry("loud", "done");
    daemon.clinit("shutdown").done();
    let lines = daemon.kept("web/loud").lines();
    let (end, lines) = lines.split_last().unwrap();
    assert!(lines.iter().enumerate().all(|(number, line)| *line == format!("line {number}")));
    assert_eq!(*end, format!("end {}", lines.len()));
}

//! What a service is started with: environment, session, descriptors, signals.

use std::process::Command;

use crate::command::{CLINIT, program};
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{file, group, session, status};
use crate::wait::eventually;

/// What a command of the group `web` at the level `run` prints into the daemon's output.
fn printed(command: &str) -> Vec<String> {
    printed_by(&Daemon::start(&format!("web:probe:run,:wait:{command}\n")))
}

fn printed_by(daemon: &Daemon) -> Vec<String> {
    daemon.settle("web", "run", "DONE");
    daemon.lines("out")
}

/// A daemon started through another command, with a table of one entry.
fn started_through(words: &[&str], command: &str) -> Daemon {
    let place = Place::new(&format!("web:probe:run,:wait:{command}\n"));
    let mut through = program(words[0]);
    through.args(&words[1..]).args([CLINIT, "-c", "cltab", "-s", "init.s", "-d"]).current_dir(place.path(""));
    Daemon::by(place, &mut through)
}

#[test]
fn the_environment_is_the_daemons_with_names_of_group_level_tag_and_socket() {
    let place = Place::new("web:probe:run,:wait:env\nweb:other:run,:wait:env\n");
    let mut command = place.command();
    command.args(["-c", "cltab", "-s", "init.s", "-d"]).env("HELLO", "there").env("CLINIT_GROUP", "outer");
    let daemon = Daemon::by(place, &mut command);
    let lines = printed_by(&daemon);
    let socket = format!("CLINIT_SOCKET={}", daemon.socket().display());
    for line in ["CLINIT_GROUP=web", "CLINIT_LEVEL=run", &socket, "HELLO=there"] {
        assert_eq!(lines.iter().filter(|found| *found == line).count(), 2, "{line}: {lines:?}");
    }
    for line in ["CLINIT_TAG=probe", "CLINIT_TAG=other"] {
        assert_eq!(lines.iter().filter(|found| *found == line).count(), 1, "{line}: {lines:?}");
    }
    assert!(!lines.contains(&"CLINIT_GROUP=outer".to_owned()), "no variable comes twice");
}

#[test]
fn the_level_is_the_one_that_begins() {
    let daemon = Daemon::start(
        "web:probe:1,2,3:wait:printenv CLINIT_LEVEL\n\
         web:fresh:2,:wait:printenv CLINIT_LEVEL\n\
         web:::initdefault:1\n",
    );
    daemon.wait_group("web", "1", "DONE");
    daemon.settle("web", "2", "DONE");
    assert_eq!(daemon.lines("out"), ["1", "2"]);
}

#[test]
fn clinit_in_a_service_speaks_to_its_own_daemon() {
    let daemon = Daemon::start(&format!(
        "web:switch:run,:once:{CLINIT} tell mail run\n\
         mail:smtpd:run,:respawn:sleep 1000\n"
    ));
    daemon.settle("web", "run", "DONE");
    daemon.wait_group("mail", "run", "DONE");
}

#[test]
fn a_service_has_a_session_and_a_group_of_its_own() {
    let daemon = Daemon::start("web:a:1,:respawn:sleep 1000\nweb:b:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    for pid in [daemon.pid("a"), daemon.pid("b")] {
        assert_eq!((group(pid), session(pid)), (pid, pid));
    }
}

#[test]
fn its_input_is_empty_and_no_descriptor_of_the_daemons_is_open() {
    let lines = printed("ls -l /proc/self/fd");
    let names = |line: &String| Some(line.split_once(" -> ")?.0.split(' ').next_back()?.to_owned());
    let fds: Vec<String> = lines.iter().filter_map(names).collect();
    assert_eq!(fds, ["0", "1", "2", "3"], "3 is the folder that ls reads: {lines:?}");
    assert!(lines.iter().any(|line| line.ends_with(" 0 -> /dev/null")), "{lines:?}");
    for (fd, name) in [("1", "out"), ("2", "err")] {
        let ending = |line: &String| line.contains(&format!(" {fd} -> ")) && line.ends_with(name);
        assert!(lines.iter().any(ending), "{fd} is the daemon's own: {lines:?}");
    }
}

#[test]
fn no_descriptor_that_the_daemon_was_started_with_is_open() {
    let words = ["sh", "-c", "exec \"$@\" 7</dev/null 8</ 9</dev/zero", "sh"];
    let daemon = started_through(&words, "ls -l /proc/self/fd");
    let lines = printed_by(&daemon);
    for word in ["/dev/zero", " 7 -> ", " 8 -> ", " 9 -> "] {
        assert!(!lines.iter().any(|line| line.contains(word)), "{lines:?}");
    }
}

#[test]
fn no_signal_is_blocked_or_ignored() {
    let words =
        ["env", "--block-signal=USR1", "--block-signal=TERM", "--ignore-signal=PIPE", "--ignore-signal=INT"];
    let daemon = started_through(&words, "cat /proc/self/status");
    let lines = printed_by(&daemon);
    let masks = lines.iter().filter(|line| line.starts_with("Sig")).cloned();
    let masks: Vec<String> =
        masks.filter(|line| !line.starts_with("SigQ") && !line.starts_with("SigPnd")).collect();
    let none = ["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "SigCgt:\t0000000000000000"];
    assert_eq!(masks, none);
}

#[test]
fn the_folder_is_the_daemons() {
    let daemon = Daemon::start("web:probe:run,:wait:pwd\n");
    assert_eq!(printed_by(&daemon), [daemon.path("").to_str().unwrap().trim_end_matches('/')]);
}

#[test]
fn limits_priority_and_umask_are_the_daemons() {
    let daemon = started_through(
        &["sh", "-c", "umask 027; ulimit -n 123; exec nice -n 3 \"$@\"", "sh"],
        "umask; nice; ulimit -n",
    );
    // `nice` adds to what it has itself, up to the most that there is.
    let inherited = rustix::process::getpriority_process(None).unwrap();
    let niceness = (inherited + 3).min(19).to_string();
    assert_eq!(printed_by(&daemon), ["0027", &niceness, "123"]);
}

#[test]
fn a_command_without_shell_characters_is_executed_directly_and_any_other_by_the_shell() {
    let daemon = Daemon::start(
        "web:direct:1,:respawn:sleep   1000\n\
         web:shell:1,:respawn:sleep 1000; true\n\
         web:colons:1,:wait:echo a:b::c\n",
    );
    daemon.settle("web", "1", "DONE");
    assert_eq!(file(daemon.pid("direct"), "cmdline"), "sleep\x001000\0");
    assert_eq!(file(daemon.pid("shell"), "cmdline"), "/bin/sh\0-c\0sleep 1000; true\0");
    assert_eq!(daemon.out(), "a:b::c\n");
}

#[test]
fn output_null_goes_nowhere() {
    let daemon = Daemon::start(
        "web:quiet:1,:wait:echo quiet; echo quiet >&2\n\
         web:quiet::output:null\n\
         web:loud:1,:wait:echo loud; echo loud >&2\n",
    );
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.out(), "loud\n");
    eventually("the other line", || daemon.err().contains("loud\n"));
    assert!(!daemon.err().contains("quiet\n"));
}

#[test]
fn the_daemons_own_processes_have_names_and_sessions_of_their_own() {
    let daemon = Daemon::start("web:a:1,:off:x\n");
    let names = [("keeper", "clinit"), ("engine", "clinit-engine"), ("logger", "clinit-logger")];
    for (role, name) in names {
        eventually(name, || status(daemon.role_pid(role), "Name") == name);
    }
    for role in ["engine", "logger"] {
        let pid = daemon.role_pid(role);
        assert_eq!(session(pid), pid, "the terminal's signals are the keeper's to hear");
    }
}

#[test]
fn a_daemon_that_was_killed_leaves_no_pipe_in_its_services() {
    // A service that outlives the daemon must not end because the daemon's output went away.
    let place = Place::new("web:a:1,:respawn:while :; do echo tick >&2; echo x >> log; sleep 0.02; done\n");
    let mut command = Command::new("sh");
    command.arg("-c").arg("exec \"$@\" 2>/dev/null").arg("sh").arg(CLINIT);
    command
        .args(["-c", "cltab", "-s", "init.s", "-d"])
        .current_dir(place.path(""))
        .env_remove("CLINIT_SOCKET");
    let daemon = Daemon::by(place, &mut command);
    daemon.settle("web", "1", "DONE");
    eventually("a few ticks", || daemon.lines("log").len() > 2);
}

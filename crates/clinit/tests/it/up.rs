//! `clinit up`: a table in the foreground.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::Signal;

use crate::command::run;
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{all, is_alive, is_gone, parent, send};
use crate::script::at_term;
use crate::user::{give_to_unprivileged, make_folder_for_unprivileged, unprivileged};
use crate::wait::{eventually, wait_for};

/// The lines of one label.
fn lines_of(text: &str, label: &str) -> Vec<String> {
    let label = format!("{label} | ");
    text.lines().filter_map(|line| line.strip_prefix(&label)).map(str::to_owned).collect()
}

/// Everything in a folder, by name.
fn names(folder: &PathBuf) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn each_line_is_labelled_with_its_entry() {
    let daemon = Daemon::up(
        "web:httpd:run,:respawn:echo hello; echo oops >&2; printf 'no end'; sleep 0.1; echo; exec sleep 1000\n\
         mail:smtpd:run,:respawn:echo ready; exec sleep 1000\n",
    );
    eventually("all lines", || lines_of(&daemon.out(), "web/httpd") == ["hello", "oops", "no end"]);
    eventually("all lines", || lines_of(&daemon.out(), "mail/smtpd") == ["ready"]);
    let first: Vec<String> = daemon.lines("out").into_iter().take(2).collect();
    let (table, socket) = (daemon.path("cltab"), daemon.socket());
    assert_eq!(
        first,
        [
            format!("clinit | running {}; Ctrl-C stops it; in another terminal:", table.display()),
            format!("clinit |   clinit -s {} status", socket.display()),
        ]
    );
}

#[test]
fn each_change_of_state_is_said() {
    let daemon = Daemon::up("web:prepare:run,:wait:exit 3\nweb:httpd:run,:respawn:exec sleep 1000\n");
    daemon.wait_group("web", "run", "DONE");
    let httpd = daemon.pid("httpd");
    send(httpd, Signal::KILL);
    eventually("another life", || daemon.entry("httpd")["restarts"] == 1);
    let again = daemon.pid("httpd");
    daemon.settle("web", "off", "DONE");
    send(daemon.child_pid(), Signal::TERM);
    assert_eq!(daemon.wait_end(), Some(0));
    let said = lines_of(&daemon.err(), "clinit");
    let mut rest = said.iter();
    for line in [
        "web: level run: starting".to_owned(),
        "web/prepare: started, pid ".to_owned(),
        "web/prepare: exited 3".to_owned(),
        format!("web/httpd: started, pid {httpd}"),
        "web: level run: DONE".to_owned(),
        "web/httpd: killed by KILL: started again".to_owned(),
        format!("web/httpd: started, pid {again}"),
        "web/httpd: stopping".to_owned(),
        "web: leaving level run for off: stopping".to_owned(),
        "web/httpd: killed by TERM".to_owned(),
        "web: level off: DONE".to_owned(),
        "shutting down: all groups halting".to_owned(),
        "all has ended".to_owned(),
    ] {
        assert!(rest.any(|found| found.starts_with(&line)), "{line:?} is not in its place in {said:#?}");
    }
    assert_eq!(said.len(), daemon.lines("err").len(), "every line has a label");
}

#[test]
fn groups_take_their_initdefault_or_their_only_level_and_others_are_named() {
    let daemon = Daemon::up(
        "both:::initdefault:b\n\
         both:first:a,:respawn:sleep 1000\n\
         both:second:b,:respawn:sleep 1000\n\
         one:only:run,:respawn:sleep 1000\n\
         two:left:start,stop:respawn:sleep 1000\n",
    );
    daemon.wait_group("both", "b", "DONE");
    daemon.wait_group("one", "run", "DONE");
    assert_eq!(daemon.group("two")["told"], false);
    let words = format!(
        "clinit | two: left alone: it has the levels start, stop and no initdefault; tell it one: \
         clinit -s {} tell two LEVEL\n",
        daemon.socket().display()
    );
    eventually("a word about it", || daemon.err().contains(&words));
    daemon.settle("two", "start", "DONE");
}

#[test]
fn int_and_term_stop_all_in_order() {
    for signal in [Signal::INT, Signal::TERM] {
        let daemon = Daemon::up(&format!("web:httpd:run,:respawn:{}\n", at_term("sleep 0.2; echo bye")));
        daemon.wait_file("ready");
        send(daemon.child_pid(), signal);
        assert_eq!(daemon.wait_end(), Some(0));
        assert!(lines_of(&daemon.out(), "web/httpd").contains(&"bye".to_owned()), "{}", daemon.out());
        assert_eq!(lines_of(&daemon.err(), "clinit").last().map(String::as_str), Some("all has ended"));
        assert_eq!(daemon.processes(), [0; 0]);
    }
}

#[test]
fn a_second_int_kills_at_once() {
    let daemon = Daemon::up(
        "web:deaf:run,:respawn:trap 'touch asked' TERM; trap '' INT; touch ready; while :; do sleep 0.02; done\n\
         web:::stop_timeout:infinity\n",
    );
    daemon.wait_file("ready");
    let deaf = daemon.pid("deaf");
    send(daemon.child_pid(), Signal::INT);
    daemon.wait_file("asked");
    assert!(is_alive(deaf));
    send(daemon.child_pid(), Signal::INT);
    assert_eq!(daemon.wait_end(), Some(0));
    assert!(is_gone(deaf));
}

#[test]
fn hup_means_that_the_terminal_is_gone() {
    let daemon = Daemon::up("web:httpd:run,:respawn:sleep 1000\n");
    daemon.wait_group("web", "run", "DONE");
    send(daemon.child_pid(), Signal::HUP);
    assert_eq!(daemon.wait_end(), Some(0));
}

#[test]
fn it_runs_beside_a_daemon_of_the_same_table() {
    let place = Place::new("web:httpd:run,:respawn:sleep 1000\n");
    let table = format!("{}:::socket:{}\n", place.read("cltab"), place.socket().display());
    place.write("cltab", table);
    let daemon = Daemon::at(place);
    daemon.settle("web", "run", "DONE");
    daemon.wait_clstat(&["web run DONE"]);
    let httpd = daemon.pid("httpd");
    let inode = |name: &str| daemon.path(name).metadata().unwrap().ino();
    let before = (inode("init.s"), inode("clstat"));

    // Without -s the socket is its own, and the table's settings are for the daemon.
    let mut up = daemon.command();
    up.args(["up", "cltab"])
        .env("CLINIT_SOCKET", daemon.socket())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut up = up.spawn().unwrap();
    let of_up = || all().into_iter().filter(|&pid| is_alive(pid) && parent(pid) == up.id()).count();
    eventually("engine, logger and a service", || of_up() == 3);
    assert_eq!(daemon.pid("httpd"), httpd);
    send(up.id(), Signal::INT);
    wait_for("its end", || up.try_wait().unwrap());
    assert_eq!((inode("init.s"), inode("clstat")), before, "neither socket nor status file was touched");
    assert_eq!(daemon.pid("httpd"), httpd);
    assert_eq!(daemon.clstat(), "Cluster::Init::Group web run DONE\n");
}

#[test]
fn nothing_is_left_on_disk() {
    let daemon = Daemon::up("web:httpd:run,:respawn:echo hello; exec sleep 1000\n");
    daemon.wait_group("web", "run", "DONE");
    send(daemon.child_pid(), Signal::INT);
    assert_eq!(daemon.wait_end(), Some(0));
    assert_eq!(names(&daemon.path("")), ["cltab", "err", "out"]);
}

#[test]
fn its_own_socket_is_in_the_users_folder_and_goes_too() {
    let place = Place::new("web:httpd:run,:respawn:touch started; exec sleep 1000\n");
    make_folder_for_unprivileged(&place, "run");
    give_to_unprivileged(&place, "");
    let mut command = unprivileged(&place, "up cltab");
    command.env("XDG_RUNTIME_DIR", place.path("run"));
    let daemon = Daemon::begun(place, &mut command);
    daemon.wait_file("started");
    let socket = names(&daemon.path("run/clinit")).remove(0);
    assert!(socket.starts_with(&format!("up-{}-", daemon.child_pid())) && socket.ends_with(".s"), "{socket}");
    assert_eq!(
        names(&daemon.path("run/clinit")),
        [socket.clone(), format!("{socket}.notify"), format!("{socket}.state")]
    );
    assert!(
        daemon.out().contains(&format!("clinit -s {}/{socket} status", daemon.path("run/clinit").display()))
    );
    daemon.bare(&format!("-s run/clinit/{socket} status")).done();
    send(daemon.child_pid(), Signal::INT);
    assert_eq!(daemon.wait_end(), Some(0));
    assert_eq!(names(&daemon.path("run/clinit")), [""; 0]);
}

#[test]
fn no_line_is_lost_and_none_comes_twice() {
    let daemon = Daemon::up(
        "web:flood:run,:once:i=0; while test $i -lt 20000; do echo \"line $i\"; i=$((i+1)); done; touch done\n\
         web:other:run,:once:i=0; while test $i -lt 20000; do echo \"other $i\"; i=$((i+1)); done; touch done2\n",
    );
    daemon.wait_file("done");
    daemon.wait_file("done2");
    send(daemon.child_pid(), Signal::INT);
    assert_eq!(daemon.wait_end(), Some(0));
    let out = daemon.out();
    for (tag, word) in [("flood", "line"), ("other", "other")] {
        let expected: Vec<String> = (0..20_000).map(|number| format!("{word} {number}")).collect();
        let found = lines_of(&out, &format!("web/{tag}"));
        assert_eq!(found.len(), expected.len());
        assert!(found == expected, "all in their order");
    }
}

#[test]
fn the_last_words_are_heard() {
    for _ in 0..10 {
        let daemon = Daemon::up(&format!("web:httpd:run,:respawn:{}\n", at_term("printf farewell")));
        daemon.wait_file("ready");
        send(daemon.child_pid(), Signal::INT);
        assert_eq!(daemon.wait_end(), Some(0));
        assert!(lines_of(&daemon.out(), "web/httpd").contains(&"farewell".to_owned()), "{}", daemon.out());
    }
}

#[test]
fn a_reader_that_has_gone_ends_nothing() {
    let place = Place::new("web:httpd:run,:respawn:while :; do echo line; echo x >> log; sleep 0.02; done\n");
    let mut command = place.command();
    command.args(["-s", "init.s", "up", "cltab"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    eventually("ten lines", || place.lines("log").len() > 10);
    assert_eq!(place.entry("httpd")["restarts"], 0);
    send(child.id(), Signal::INT);
    assert_eq!(wait_for("its end", || child.try_wait().unwrap()).code(), Some(0));
}

#[test]
fn the_faults_of_a_table_are_told_and_the_rest_runs() {
    let daemon = Daemon::up("web:httpd:run,:respawn:sleep 1000\nweb:typo:run,:respwan:x\n");
    daemon.wait_group("web", "run", "DONE");
    for words in ["cltab:2:15: unknown mode `respwan`", "1 fault in the table"] {
        assert!(daemon.err().contains(words), "{words}: {}", daemon.err());
    }
}

#[test]
fn without_a_table_it_says_what_it_wants() {
    let place = Place::new("");
    let said = run(place.command().args(["up", "absent"]));
    said.fails(7, &["no table at", "absent: write one there, or name another path"]);
}

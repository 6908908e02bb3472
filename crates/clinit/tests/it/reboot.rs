//! The machine goes down and comes back: what was told holds again.

use std::fs;

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{is_alive, send};
use crate::user::{give_to_unprivileged, make_folder_for_unprivileged, unprivileged};
use crate::wait::eventually;

const TABLE: &str = "web:a:1,:respawn:exec sleep 1000\nweb:b:2,:respawn:exec sleep 1000\n\
                     web:c:1,2:respawn:echo x >> c; exec sleep 1000\nweb:::initdefault:1\n\
                     db:d:1,:respawn:exec sleep 1000\ndb:::initdefault:1\n\
                     mail:e:1,:respawn:exec sleep 1000\n";

fn place(table: &str) -> Place {
    let place = Place::new("");
    let file = place.path("kept/remembered");
    place.write_table(&format!("{table}:::remember_file:{}\n", file.display()));
    place
}

fn remembered(place: &Place) -> String {
    place.read("kept/remembered")
}

/// Waits until the file remembers something.
#[track_caller]
fn wait_remembered(place: &Place, text: &str) {
    eventually(&format!("that {text} is remembered"), || remembered(place).contains(text));
}

/// All processes are gone at one stroke, as if the power were.
fn fail(daemon: &Daemon) {
    let all = daemon.processes();
    for signal in [Signal::STOP, Signal::KILL] {
        all.iter().for_each(|&pid| send(pid, signal));
    }
    eventually("that all are dead", || !all.iter().any(|&pid| is_alive(pid)));
    daemon.wait_end();
    fs::write(daemon.path("init.s.state/boot"), "another boot\n").unwrap();
}

#[test]
fn levels_that_were_told_come_back_and_others_take_their_initdefault() {
    let daemon = Daemon::at(place(TABLE));
    daemon.wait_group("web", "1", "DONE");
    daemon.settle("web", "2", "DONE");
    daemon.settle("mail", "1", "DONE");
    wait_remembered(&daemon, "mail");
    assert!(!remembered(&daemon).contains("db"), "{}", remembered(&daemon));
    fail(&daemon);
    daemon.restart();
    daemon.wait_group("web", "2", "DONE");
    daemon.wait_group("mail", "1", "DONE");
    daemon.wait_group("db", "1", "DONE");
    assert_eq!(daemon.entry("a")["restarts"], 0);
    assert!(daemon.entry("a")["last_exit"].is_null(), "it was never started at level 1");
    for tag in ["b", "c", "d", "e"] {
        daemon.pid(tag);
    }

    // A level that nothing has is a level: all of it is to be down.
    daemon.settle("db", "rest", "DONE");
    wait_remembered(&daemon, "rest");
    fail(&daemon);
    daemon.restart();
    daemon.wait_group("db", "rest", "DONE");
    daemon.wait_entry("d", "down");
}

#[test]
fn stops_by_hand_hold_until_somebody_starts() {
    let daemon = Daemon::at(place(TABLE));
    daemon.wait_group("web", "1", "DONE");
    eventually("its words", || daemon.lines("c").len() == 1);
    daemon.clinit("stop web/c").done();
    daemon.clinit("stop web/a --now-only").done();
    wait_remembered(&daemon, "\"tag\":\"c\"");
    fail(&daemon);
    daemon.restart();
    daemon.wait_group("web", "1", "DONE");
    daemon.pid("a");
    daemon.wait_entry("c", "down");
    assert_eq!(daemon.lines("c").len(), 1, "not for a moment was it started");
    daemon.clinit("start web/c").done();
    eventually("that it is held no longer", || !remembered(&daemon).contains("\"tag\":\"c\""));
    fail(&daemon);
    daemon.restart();
    daemon.pid("c");
}

#[test]
fn a_shutdown_is_no_level() {
    let daemon = Daemon::at(place(TABLE));
    daemon.settle("web", "2", "DONE");
    daemon.clinit("stop web/c").done();
    daemon.clinit("shutdown").done();
    assert_eq!(daemon.wait_end(), Some(0));
    let text = remembered(&daemon);
    let expected = "{\"clinit_remembers\":1}\n{\"group\":\"web\",\"level\":\"2\"}\n\
                    {\"group\":\"web\",\"tag\":\"c\",\"stopped\":true}\n";
    assert_eq!(text, expected);
    daemon.restart();
    daemon.wait_group("web", "2", "DONE");
    daemon.pid("b");
    daemon.wait_entry("c", "down");
}

#[test]
fn the_engine_may_die_before_it_is_on_disk() {
    let daemon = Daemon::at(place(TABLE));
    daemon.wait_group("web", "1", "DONE");
    for level in ["2", "1", "2"] {
        let engine = daemon.role_pid("engine");
        daemon.clinit(&format!("tell web {level}")).done();
        send(engine, Signal::KILL);
        eventually("another engine", || matches!(daemon.all_of_role("engine")[..], [pid] if pid != engine));
        daemon.wait_answer();
        wait_remembered(&daemon, &format!("\"level\":\"{level}\""));
    }
}

#[test]
fn a_group_that_is_gone_is_forgotten_and_one_that_is_only_faulty_is_not() {
    let daemon = Daemon::at(place(TABLE));
    daemon.settle("web", "2", "DONE");
    daemon.settle("mail", "1", "DONE");
    wait_remembered(&daemon, "mail");
    let whole = daemon.read("cltab");
    let without: String =
        whole.lines().filter(|line| !line.starts_with("mail")).map(|line| format!("{line}\n")).collect();
    daemon.write("cltab", &without);
    daemon.reread();
    eventually("that it is forgotten", || !remembered(&daemon).contains("mail"));

    // At a start what is faulty is left out; when it is mended, what was told holds.
    fail(&daemon);
    daemon.write("cltab", without.replace(":respawn:", ":respwan:"));
    daemon.restart();
    assert!(remembered(&daemon).contains("web"));
    daemon.write("cltab", &without);
    daemon.reread();
    daemon.wait_group("web", "2", "DONE");
    assert!(remembered(&daemon).contains("web"));
}

#[test]
fn what_cannot_be_read_is_kept_aside_and_said() {
    let daemon = Daemon::at(place(TABLE));
    daemon.settle("web", "2", "DONE");
    wait_remembered(&daemon, "web");
    for (text, why) in
        [("{\"clinit_remembers\":2}\n", "it has version 2"), ("rubbish\n", "its line 1 is damaged")]
    {
        fail(&daemon);
        daemon.write("kept/remembered", text);
        daemon.restart();
        daemon.wait_group("web", "1", "DONE");
        let err = daemon.err();
        assert!(err.contains(why) && err.contains("it is kept as"), "{err}");
        assert_eq!(daemon.read("kept/remembered.unreadable"), text);
        daemon.settle("web", "2", "DONE");
        wait_remembered(&daemon, "web");
    }
}

#[test]
fn a_disk_that_takes_nothing_is_said_once_and_tried_again() {
    let place = place(TABLE);
    place.write("kept", "in the way of the folder");
    let daemon = Daemon::at(place);
    daemon.settle("web", "2", "DONE");
    daemon.settle("web", "1", "DONE");
    daemon.settle("web", "2", "DONE");
    let said = || daemon.err().matches("what is told cannot be remembered").count();
    eventually("a word about it", || said() == 1);
    fs::remove_file(daemon.path("kept")).unwrap();
    wait_remembered(&daemon, "\"level\":\"2\"");
    eventually("a word about that", || daemon.err().contains("is remembered again"));
    assert_eq!(said(), 1);
}

#[test]
fn nothing_is_remembered_by_up_nor_where_the_table_does_not_want_it() {
    let off = place(&format!("{TABLE}:::remember:no\n"));
    let plain = Place::new(TABLE);
    for place in [off, plain] {
        let daemon = Daemon::at(place);
        daemon.settle("web", "2", "DONE");
        daemon.clinit("shutdown").done();
        assert_eq!(daemon.wait_end(), Some(0));
        assert!(!daemon.has("kept"));
        daemon.restart();
        daemon.wait_group("web", "1", "DONE");
    }
    let place = place(TABLE);
    let mut command = place.command();
    command.args(["-s", "init.s", "up", "cltab"]);
    let daemon = Daemon::by(place, &mut command);
    daemon.settle("web", "2", "DONE");
    send(daemon.child_pid(), Signal::TERM);
    assert_eq!(daemon.wait_end(), Some(0));
    assert!(!daemon.has("kept"));
}

#[test]
fn the_daemon_of_an_ordinary_users_default_socket_remembers_in_his_folder() {
    let place = Place::new(TABLE);
    for name in ["run", "state", "config"] {
        make_folder_for_unprivileged(&place, name);
    }
    give_to_unprivileged(&place, "");
    fs::rename(place.path("cltab"), place.path("config/cltab")).unwrap();
    let clinit = |words: &str| {
        let mut command = unprivileged(&place, words);
        let folders =
            [("XDG_RUNTIME_DIR", "run"), ("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config")];
        command.envs(folders.map(|(name, folder)| (name, place.path(folder))));
        crate::command::run(&mut command)
    };
    clinit("web 2").is(0, "level transition started\n", "");
    eventually("that it is remembered", || place.read("state/clinit/remembered").contains("\"level\":\"2\""));
    clinit("shutdown").done();
    clinit("mail 1").done();
    eventually("the level of before", || place.clstat().contains("Group web 2 DONE"));
    clinit("shutdown").done();
}

#[test]
fn what_the_last_boot_left_on_a_disk_is_cleaned_away() {
    let place = Place::new("web:httpd:run,:respawn:touch started; exec sleep 1000\n");
    make_folder_for_unprivileged(&place, "run");
    let own = |name: &str| {
        fs::create_dir(place.path(name)).unwrap();
        place.chmod(name, 0o700);
        give_to_unprivileged(&place, name);
    };
    own("run/clinit");
    for name in ["run/clinit/up-7-1.s.state", "run/clinit/up-8-1.s.state", "run/clinit/up-7-1.s.state.gone.9"]
    {
        own(name);
        place.write(&format!("{name}/boot"), "another boot\n");
    }
    place.write("run/clinit/up-7-1.s", "");
    place.write("run/clinit/other", "");
    give_to_unprivileged(&place, "");
    let mut command = unprivileged(&place, "up cltab");
    command.env("XDG_RUNTIME_DIR", place.path("run"));
    let daemon = Daemon::begun(place, &mut command);
    daemon.wait_file("started");
    let mut names: Vec<String> = fs::read_dir(daemon.path("run/clinit"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert!(names.iter().any(|name| name == "other"), "{names:?}");
    assert!(
        !names.iter().any(|name| name.starts_with("up-7-1.") || name.starts_with("up-8-1.")),
        "{names:?}"
    );
    send(daemon.child_pid(), Signal::INT);
    assert_eq!(daemon.wait_end(), Some(0));
}

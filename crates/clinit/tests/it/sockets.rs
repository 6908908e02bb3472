//! Who has the socket: one daemon, whatever lies around and whoever comes at the same time.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command};

use rustix::process::Signal;

use crate::command::{finish, run};
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::send;
use crate::user::{can_be_stranger, make_folder_for_unprivileged, unprivileged};
use crate::wait::{eventually, wait_for};

const WEB: &str = "web:httpd:start,:respawn:sleep 1000\n";

fn mode(place: &Place, name: &str) -> u32 {
    place.path(name).metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_second_daemon_says_who_holds_the_socket_and_goes() {
    let daemon = Daemon::start(WEB);
    daemon.settle("web", "start", "DONE");
    let httpd = daemon.pid("httpd");
    let keeper = format!("pid {}", daemon.child_pid());
    for words in ["-d", "up cltab"] {
        let said = daemon.clinit(words);
        said.fails(6, &["init.s is held by ", &keeper, "stop that first"]);
        assert_eq!(said.out, "");
    }
    assert_eq!(daemon.pid("httpd"), httpd, "the first is as it was");
    daemon.wait_clstat(&["web start DONE"]);
}

#[test]
fn who_ends_just_now_is_waited_for() {
    let place = Place::new(WEB);
    let state = place.path("init.s.state");
    fs::DirBuilder::new().mode(0o700).create(&state).unwrap();
    // As after a KILL of a daemon whose threads have not all ended: the lock is held, and its holder is gone.
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let lock = fs::File::create_new(state.join("lock")).unwrap();
    write!(&lock, "{}", gone.id()).unwrap();
    lock.lock().unwrap();
    let mut command = place.command();
    let daemon = Daemon::begun(place, command.args(["-c", "cltab", "-s", "init.s", "-d"]));
    let open_files = format!("/proc/{}/fd", daemon.child_pid());
    let is_lock =
        |file: fs::DirEntry| fs::read_link(file.path()).is_ok_and(|path| path == state.join("lock"));
    eventually("that it finds the lock", || {
        fs::read_dir(&open_files).is_ok_and(|mut files| files.any(|file| file.is_ok_and(is_lock)))
    });
    drop(lock);
    daemon.wait_answer();
    daemon.settle("web", "start", "DONE");
}

#[test]
fn a_stale_socket_is_taken_over() {
    let place = Place::new(WEB);
    drop(UnixListener::bind(place.socket()).unwrap());
    assert!(place.has("init.s"), "closed, and not removed");
    place.clinit("status").fails(3, &["no daemon answers"]);
    let daemon = Daemon::at(place);
    daemon.settle("web", "start", "DONE");
}

#[test]
fn of_many_on_a_stale_socket_exactly_one_wins() {
    for _ in 0..3 {
        let place = Place::new(WEB);
        drop(UnixListener::bind(place.socket()).unwrap());
        let mut racers: Vec<Child> = (0..8).map(|_| place.begin("-d")).collect();
        wait_for("seven losers", || {
            let ended = racers.iter_mut().filter_map(|racer| racer.try_wait().unwrap()).count();
            (ended == 7).then_some(())
        });
        let winner = racers.iter_mut().position(|racer| racer.try_wait().unwrap().is_none()).unwrap();
        let mut winner = racers.swap_remove(winner);
        for loser in racers {
            finish(loser).fails(6, &["is held by"]);
        }
        eventually("an answer", || place.clinit("status").code == Some(0));
        assert_eq!(place.role_pid("keeper"), winner.id());
        place.settle("web", "start", "DONE");
        place.clinit("shutdown").done();
        winner.wait().unwrap();
    }
}

#[test]
fn a_daemon_may_follow_another_at_once() {
    let place = Place::new(WEB);
    for _ in 0..5 {
        place.clinit("web start").is(0, "level transition started\n", "");
        place.clinit("shutdown").is(0, "", "");
        assert!(!place.has("init.s"));
    }
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let place = Place::new(WEB);
    place.write("init.s", "precious");
    for words in ["-d", "web start", "up cltab"] {
        place.clinit(words).fails(7, &["init.s exists and is not a socket"]);
    }
    assert_eq!(place.read("init.s"), "precious");
    fs::remove_file(place.socket()).unwrap();
    fs::create_dir(place.socket()).unwrap();
    place.clinit("-d").fails(7, &["init.s exists and is not a socket"]);
}

#[test]
fn a_socket_that_another_program_answers_is_left_alone() {
    let place = Place::new(WEB);
    let listener = UnixListener::bind(place.socket()).unwrap();
    place.clinit("-d").fails(6, &["init.s is held by a program that answers there"]);
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_ok(), "it was asked, and is still there");
}

#[test]
fn a_missing_folder_is_named() {
    let place = Place::new(WEB);
    place.bare("-c cltab -s absent/init.s -d").fails(7, &["absent/init.s", "No such file or directory"]);
}

#[test]
fn a_folder_of_others_is_not_trusted_with_the_state() {
    let place = Place::new(WEB);
    fs::create_dir(place.path("init.s.state")).unwrap();
    place.chmod("init.s.state", 0o777);
    place.clinit("-d").fails(7, &["init.s.state is not a folder of this user's alone"]);
}

#[test]
fn without_permission_it_says_so() {
    if !can_be_stranger() {
        return;
    }
    let place = Place::new(WEB);
    let said = run(&mut unprivileged(&place, "-c cltab -s init.s -d"));
    said.fails(5, &["init.s", "Permission denied"]);
    assert!(!place.has("init.s.state"));
}

#[test]
fn the_socket_is_its_owners_unless_the_table_says_otherwise() {
    let daemon = Daemon::start(WEB);
    assert_eq!(mode(&daemon, "init.s"), 0o600);
    assert_eq!(mode(&daemon, "init.s.state"), 0o700);
    drop(daemon);
    let daemon = Daemon::start(&format!(":::socket_mode:0666\n{WEB}"));
    assert_eq!(mode(&daemon, "init.s"), 0o666);
}

#[test]
fn an_ordinary_user_has_paths_of_the_own() {
    let place = Place::new("");
    for folder in ["run", "config"] {
        make_folder_for_unprivileged(&place, folder);
    }
    place.write("config/cltab", WEB);
    let clinit = |words: &str| {
        let mut command = unprivileged(&place, words);
        command.env("XDG_RUNTIME_DIR", place.path("run")).env("XDG_CONFIG_HOME", place.path("config"));
        run(&mut command)
    };
    clinit("web start").is(0, "level transition started\n", "");
    clinit("tell web start --wait").is(0, "web start DONE\n", "");
    assert_eq!(mode(&place, "run/clinit"), 0o700);
    assert!(place.has("run/clinit/init.s"));
    eventually("the status file", || {
        place.read("run/clinit/clstat") == "Cluster::Init::Group web start DONE\n"
    });
    clinit("shutdown").is(0, "", "");
    assert!(!place.has("run/clinit/init.s") && !place.has("run/clinit/clstat"));
}

#[test]
fn a_socket_that_was_removed_under_a_daemon_is_no_reason_for_a_second_one() {
    let daemon = Daemon::start(WEB);
    daemon.settle("web", "start", "DONE");
    fs::remove_file(daemon.socket()).unwrap();
    let keeper = format!("pid {}", daemon.child_pid());
    daemon.clinit("-d").fails(6, &["init.s is held by ", &keeper]);
    send(daemon.child_pid(), Signal::TERM);
    assert_eq!(daemon.wait_end(), Some(0));
}

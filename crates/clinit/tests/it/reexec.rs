//! Another program takes the daemon's place, or is refused; services notice neither.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::command::{CLINIT, finish, program};
use crate::daemon::Daemon;
use crate::place::{Place, number};
use crate::process::{is_alive, is_gone, parent, send, state};
use crate::speaker;
use crate::wait::{eventually, wait_for};

const TABLE: &str = "web:httpd:1,2:respawn:echo $$ >> lives; exec sleep 1000\n\
                     web:first:1,:respawn:sleep 1000\n\
                     web:second:2,:respawn:sleep 1000\n";

const ROLES: [&str; 3] = ["keeper", "engine", "logger"];

fn running() -> Daemon {
    let daemon = Daemon::start(TABLE);
    daemon.settle("web", "1", "DONE");
    eventually("its first words", || daemon.lines("lives").len() == 1);
    daemon
}

/// A copy of the program in the place: as good as another one, and told from it by its path.
fn copy(place: &Place, name: &str) -> PathBuf {
    fs::copy(CLINIT, place.path(name)).unwrap();
    place.path(name)
}

/// The program that a process runs.
fn program_of(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()
}

/// Waits until there is one process of each role, and all run this program.
#[track_caller]
fn wait_program(daemon: &Daemon, path: &Path) {
    eventually(&format!("that all run {}", path.display()), || {
        ROLES.iter().all(|role| matches!(daemon.all_of_role(role)[..], [pid] if program_of(pid) == path))
    });
}

fn pids(daemon: &Daemon) -> [u32; 3] {
    ROLES.map(|role| daemon.role_pid(role))
}

#[test]
fn another_program_takes_over_and_services_run_on() {
    let daemon = running();
    let (httpd, first, [keeper, engine, logger]) = (daemon.pid("httpd"), daemon.pid("first"), pids(&daemon));
    let next = copy(&daemon, "next");
    let said = daemon.clinit("reexec --program next");
    said.is(0, &format!("the daemon runs clinit {} now\n", env!("CARGO_PKG_VERSION")), "");
    wait_program(&daemon, &next);
    let now = pids(&daemon);
    assert_eq!(now[0], keeper, "the keeper stays");
    assert!(now[1] != engine && now[2] != logger);
    assert_eq!((daemon.pid("httpd"), daemon.pid("first"), parent(httpd)), (httpd, first, keeper));
    assert_eq!(number(&daemon.status()["daemon"]["keeper_pid"]), keeper);

    // It is their parent as before, and sees how they end.
    send(httpd, Signal::KILL);
    eventually("two lives", || daemon.lines("lives").len() == 2);
    assert_eq!(daemon.wait_entry("httpd", "running")["last_exit"]["signal"], "KILL");
    assert!(is_gone(httpd));
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(first));
    daemon.pid("second");

    // And again, to where it came from; without a name it is the one that was taken last.
    for words in ["reexec --program next", "reexec"] {
        let engine = daemon.role_pid("engine");
        daemon.clinit(words).done();
        wait_program(&daemon, &next);
        assert_ne!(daemon.role_pid("engine"), engine);
    }
    daemon.clinit("shutdown").done();
    assert_eq!(daemon.wait_end(), Some(0));
    assert_eq!(daemon.processes(), [0; 0]);
}

#[test]
fn who_dies_later_comes_back_as_the_new_program() {
    let daemon = running();
    let httpd = daemon.pid("httpd");
    let next = copy(&daemon, "next");
    daemon.clinit("reexec --program next").done();
    wait_program(&daemon, &next);
    for role in ["engine", "logger", "keeper"] {
        let old = daemon.role_pid(role);
        send(old, Signal::KILL);
        eventually(
            &format!("another {role}"),
            || matches!(daemon.all_of_role(role)[..], [pid] if pid != old),
        );
        wait_program(&daemon, &next);
        daemon.wait_answer();
        daemon.wait_group("web", "1", "DONE");
    }
    assert_eq!(daemon.pid("httpd"), httpd);
    // The keeper is not the parent any more; a program is replaced all the same.
    let third = copy(&daemon, "third");
    daemon.clinit("reexec --program third").done();
    wait_program(&daemon, &third);
    assert_eq!(daemon.pid("httpd"), httpd);
    send(httpd, Signal::KILL);
    eventually("two lives", || daemon.lines("lives").len() == 2);
    assert_eq!(daemon.lines("lives").len(), 2);
}

#[test]
fn who_ends_while_the_keeper_is_replaced_is_missed_by_nobody() {
    let daemon = Daemon::start(
        "web:brief:1,:respawn:echo $$ >> lives; sleep 0.01; exit 7\nweb:::throttle_starts:0\n\
         web:stays:1,:respawn:exec sleep 1000\n",
    );
    daemon.settle("web", "1", "DONE");
    let stays = daemon.pid("stays");
    for round in 1..=6 {
        let lives = daemon.lines("lives").len();
        let name = format!("next{round}");
        let next = copy(&daemon, &name);
        daemon.clinit(&format!("reexec --program {name}")).done();
        wait_program(&daemon, &next);
        eventually("more lives", || daemon.lines("lives").len() > lives + 3);
        let exit = wait_for("how it ended", || {
            Some(daemon.entry("brief")["last_exit"].clone()).filter(|exit| !exit.is_null())
        });
        assert_eq!(exit["code"], 7, "the keeper saw how it ended");
    }
    daemon.clinit("stop brief").done();
    let restarts = number(&daemon.entry("brief")["restarts"]) as usize;
    // A life may be stopped before its first words.
    let lives = daemon.lines("lives").len();
    assert!(lives == restarts + 1 || lives == restarts, "{lives} lives, {restarts} restarts");
    assert_eq!(daemon.pid("stays"), stays);
}

#[test]
fn a_death_and_a_signal_while_the_keeper_is_stopped_wait_for_the_new_program() {
    let daemon = running();
    let (httpd, keeper) = (daemon.pid("httpd"), daemon.role_pid("keeper"));
    let next = copy(&daemon, "next");
    send(keeper, Signal::STOP);
    eventually("that it is stopped", || state(keeper) == Some('T'));
    let asked = daemon.begin("reexec --program next");
    send(httpd, Signal::KILL);
    daemon.write_table(&TABLE.replace("web:first:1,:respawn:sleep 1000", "web:first:1,:respawn:sleep 1001"));
    send(keeper, Signal::HUP);
    eventually("that it has ended", || state(httpd) == Some('Z'));
    eventually("that the keeper is to be replaced", || daemon.err().contains("becoming "));
    send(keeper, Signal::CONT);
    finish(asked).done();
    wait_program(&daemon, &next);
    eventually("two lives", || daemon.lines("lives").len() == 2);
    assert_eq!(daemon.wait_entry("httpd", "running")["last_exit"]["signal"], "KILL");
    eventually("the changed table", || daemon.entry("first")["command"] == "sleep 1001");
}

#[test]
fn no_line_is_lost_and_none_comes_twice() {
    let daemon = Daemon::up(
        "web:count:run,:respawn:i=0; while :; do echo \"line $i\"; i=$((i+1)); sleep 0.005; done\n",
    );
    let last = || {
        let out = daemon.out();
        let line = out.lines().rev().find_map(|line| line.strip_prefix("web/count | line "));
        line.and_then(|number| number.parse::<u32>().ok()).unwrap_or(0)
    };
    eventually("some lines", || last() > 10);
    let count = daemon.pid("count");
    for round in 1..=4 {
        let name = format!("next{round}");
        let next = copy(&daemon, &name);
        daemon.clinit(&format!("reexec --program {name}")).done();
        wait_program(&daemon, &next);
        let then = last();
        eventually("more lines", || last() > then + 10);
    }
    assert_eq!(daemon.pid("count"), count);
    send(daemon.child_pid(), Signal::INT);
    assert_eq!(daemon.wait_end(), Some(0));
    let out = daemon.out();
    let numbers =
        out.lines().filter_map(|line| line.strip_prefix("web/count | line ")?.parse::<usize>().ok());
    assert!(numbers.enumerate().all(|(index, number)| index == number), "{out}");
}

#[test]
fn a_program_that_cannot_go_on_is_refused_and_all_goes_on() {
    let daemon = running();
    let (httpd, before) = (daemon.pid("httpd"), pids(&daemon));
    copy(&daemon, "closed");
    daemon.chmod("closed", 0o644);
    daemon.write_script("hangs", "#!/bin/sh\nsleep 1000 & wait\n");
    daemon.write_script("crashes", "#!/bin/sh\nkill -KILL $$\n");
    daemon.write_script("lies", "#!/bin/sh\necho reads the state: 9; exit 1\n");
    daemon.write_script("talks", "#!/bin/sh\nwhile echo reads the state: 9; do :; done\n");
    daemon.write_script("garbage", "\x7fELF and nothing more");
    let whole = fs::read(CLINIT).unwrap();
    daemon.write_script("cut", "");
    fs::write(daemon.path("cut"), &whole[..64 * 1024]).unwrap();
    for (name, reason) in [
        ("absent", "it cannot be opened"),
        (".", "it is not a regular file"),
        ("closed", "chmod +x"),
        ("hangs", "did not show within 1s"),
        ("crashes", "signal: 9"),
        ("lies", "reads the state: 9"),
        ("talks", "is not taken"),
        ("garbage", "is not taken"),
        ("cut", "is not taken"),
        ("/bin/false", "it did not show that it can go on"),
        ("/bin/true", "it did not show that it can go on"),
        ("/bin/echo", "is not taken"),
    ] {
        let said = daemon.clinit(&format!("reexec --timeout 1 --program {name}"));
        said.fails(1, &[reason, "hint: all goes on as before"]);
        assert_eq!(pids(&daemon), before, "{name}");
    }
    assert_eq!((daemon.pid("httpd"), daemon.lines("lives").len()), (httpd, 1));
    daemon.settle("web", "2", "DONE");
    eventually("that nothing of them is left", || {
        daemon.processes().iter().all(|&pid| before.contains(&pid) || daemon.services().contains(&pid))
    });
}

/// Writes another version, of one digit, into the journal of a daemon. Returns the one before.
fn set_version(daemon: &Daemon, version: char) -> char {
    let path = daemon.path("init.s.state/journal");
    let text = fs::read_to_string(&path).unwrap();
    let before = text.strip_prefix("[{\"version\":").and_then(|rest| rest.chars().next());
    // In place: the daemon has it open.
    let file = fs::File::options().write(true).open(&path).unwrap();
    let line = format!("[{{\"version\":{version}}}]\n");
    assert!(text.lines().next().is_some_and(|first| first.len() + 1 == line.len()), "{text}");
    std::os::unix::fs::FileExt::write_at(&file, line.as_bytes(), 0).unwrap();
    before.unwrap()
}

#[test]
fn state_that_a_program_cannot_read_keeps_it_out() {
    let daemon = running();
    let before = pids(&daemon);
    let ours = set_version(&daemon, '9');
    copy(&daemon, "next");
    daemon.clinit("reexec --program next").fails(1, &["it cannot read a journal of version 9"]);
    assert_eq!(pids(&daemon), before);
    set_version(&daemon, ours);
    daemon.clinit("reexec --program next").done();
}

#[test]
fn a_daemon_that_cannot_read_what_another_version_left_is_not_started_while_its_services_run() {
    let daemon = running();
    let (httpd, first) = (daemon.pid("httpd"), daemon.pid("first"));
    let all = pids(&daemon);
    for signal in [Signal::STOP, Signal::KILL] {
        all.iter().for_each(|&pid| send(pid, signal));
    }
    eventually("that they are dead", || !all.iter().any(|&pid| is_alive(pid)));
    let ours = set_version(&daemon, '9');
    let words = ["its journal has version 9", "Start the version that wrote it", &httpd.to_string()];
    daemon.clinit("-d").fails(7, &words);
    assert!(is_alive(httpd) && is_alive(first) && daemon.has("init.s.state/journal"));

    set_version(&daemon, ours);
    daemon.restart();
    daemon.wait_group("web", "1", "DONE");
    assert_eq!((daemon.pid("httpd"), daemon.pid("first")), (httpd, first));

    // Where nothing runs any more there is nothing to lose.
    let all = pids(&daemon);
    for signal in [Signal::STOP, Signal::KILL] {
        all.iter().chain(&[httpd, first]).for_each(|&pid| send(pid, signal));
    }
    eventually("that they are dead", || !all.iter().chain(&[httpd, first]).any(|&pid| is_alive(pid)));
    set_version(&daemon, '9');
    daemon.restart();
    daemon.settle("web", "1", "DONE");
}

#[test]
fn a_program_whose_file_is_replaced_runs_on_until_it_is_asked() {
    let place = Place::new(TABLE);
    let own = copy(&place, "own");
    let mut command = program("./own");
    command.current_dir(place.path("")).args(["-c", "cltab", "-s", "init.s", "-d"]);
    let daemon = Daemon::by(place, &mut command);
    daemon.settle("web", "1", "DONE");
    let httpd = daemon.pid("httpd");
    fs::remove_file(&own).unwrap();
    for role in ["engine", "logger", "keeper"] {
        let old = daemon.role_pid(role);
        send(old, Signal::KILL);
        eventually(
            &format!("another {role}"),
            || matches!(daemon.all_of_role(role)[..], [pid] if pid != old),
        );
        daemon.wait_answer();
    }
    let gone = PathBuf::from(format!("{} (deleted)", own.display()));
    wait_program(&daemon, &gone);
    daemon.clinit("reexec").fails(1, &["it cannot be opened"]);
    copy(&daemon, "own");
    daemon.clinit("reexec").done();
    wait_program(&daemon, &own);
    assert_eq!(daemon.pid("httpd"), httpd);
}

#[test]
fn what_services_say_and_where_they_listen_outlives_it() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // One has handed over to its child before, and says that it is ready afterwards; one listens.
    let forks = "child = os.fork()\nif child:\n    say('MAINPID=%d' % child)\n    os._exit(0)\n\
                 note('main', '%d\\n' % os.getpid())\nwait_for('go')\nsay('READY=1')\nwait_for('end')\n\
                 os.unlink('end')\nos._exit(7)";
    let serves = "server = socket.socket(fileno=3)\nwhile True:\n    peer, _ = server.accept()\n    \
                  peer.sendall(b'%d\\n' % os.getpid())\n    peer.close()";
    let table = format!(
        "web:main:run,:respawn:@forks\nweb:main::readiness:notify\nweb:main::start_timeout:infinity\n\
         other:server:run,:respawn:@serves\nother:server::listen:tcp:127.0.0.1:{port}\n"
    );
    let daemon = Daemon::at(speaker::place(&table, &[("forks", forks), ("serves", serves)]));
    daemon.settle("other", "run", "DONE");
    daemon.tell("web", "run");
    let main = daemon.wait_number("main");
    eventually("that it is the main process", || daemon.entry("main")["pid"] == main);
    let server = daemon.pid("server");
    // Nothing where it was killed in the middle.
    let ask = || {
        let mut text = String::new();
        let stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let _cut = std::io::Read::read_to_string(&mut { stream }, &mut text);
        text.trim().parse::<u32>().ok()
    };
    assert_eq!(ask(), Some(server));

    let next = copy(&daemon, "next");
    daemon.clinit("reexec --program next").done();
    wait_program(&daemon, &next);
    assert_eq!((daemon.entry("main")["pid"].clone(), ask()), (main.into(), Some(server)));
    speaker::touch(&daemon, "go");
    daemon.wait_entry("main", "ready");
    assert_eq!(daemon.entry("main")["restarts"], 0);
    // The socket waits for the next life, and how the other one ended is told.
    send(server, Signal::KILL);
    eventually("another one serves", || ask().is_some_and(|pid| pid != server));
    speaker::touch(&daemon, "end");
    eventually("how it ended", || daemon.entry("main")["last_exit"]["code"] == 7);
}

#[test]
fn a_script_that_passes_the_trial_is_refused_all_the_same() {
    let daemon = running();
    let (httpd, before) = (daemon.pid("httpd"), pids(&daemon));
    // It can try for another program, and not become it.
    daemon.write_script("script", &format!("#!/bin/bash\nexec -a 'clinit: trial' {CLINIT} \"$@\"\n"));
    daemon.clinit("reexec --program script").fails(1, &["it is a script"]);
    assert_eq!((pids(&daemon), daemon.pid("httpd")), (before, httpd));
    daemon.settle("web", "2", "DONE");
    let next = copy(&daemon, "next");
    daemon.clinit("reexec --program next").done();
    wait_program(&daemon, &next);
}

#[test]
fn a_keeper_that_dies_at_its_birth_brings_the_program_before_back() {
    let daemon = running();
    let (httpd, first, keeper) = (daemon.pid("httpd"), daemon.pid("first"), daemon.role_pid("keeper"));
    // A program of which no keeper can live: what it cannot do without is not there.
    let mut bytes = fs::read(CLINIT).unwrap();
    let places: Vec<usize> =
        (0..bytes.len() - 9).filter(|&at| bytes[at..].starts_with(b"/dev/null")).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at + 8] = b'x');
    daemon.write_script("broken", "");
    fs::write(daemon.path("broken"), bytes).unwrap();
    daemon.clinit("reexec --program broken").fails(1, &["its keeper did not live"]);
    let own = fs::canonicalize(CLINIT).unwrap();
    wait_program(&daemon, &own);
    assert_ne!(daemon.role_pid("keeper"), keeper);
    daemon.wait_group("web", "1", "DONE");
    assert_eq!((daemon.pid("httpd"), daemon.pid("first")), (httpd, first));
    assert_eq!(daemon.lines("lives").len(), 1);
    daemon.settle("web", "2", "DONE");
}

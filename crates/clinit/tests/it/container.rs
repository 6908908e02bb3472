//! `clinit up` as process 1 of a container, and tables that end with one of their entries.

use std::fs;
use std::ops::Deref;
use std::process::Command;

use rustix::process::Signal;

use crate::command::{CLINIT, program, run};
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{all, is_alive, is_gone, parent, send, send_if, state, status};
use crate::script::{at_term, deaf};
use crate::user::{is_root, skip};
use crate::wait::{eventually, wait_for};

/// Whether containers can be made here; says so if not.
fn can_contain() -> bool {
    let mut command = program("unshare");
    let can = is_root() && run(command.args(["--pid", "--fork", "--mount-proc", "true"])).code == Some(0);
    if !can {
        skip("no namespaces can be made here");
    }
    can
}

/// A container around this place's table: a shell prepares its mounts, and becomes process 1. What it runs is in
/// /mnt, which is the place.
fn contained(place: Place, mounts: &str) -> Container {
    fs::copy(CLINIT, place.path("clinit")).unwrap();
    let script = format!("mount --bind . /mnt && cd /mnt && {mounts} exec ./clinit up cltab");
    let mut command: Command = program("unshare");
    command.current_dir(place.path("")).args(["--pid", "--fork", "--mount-proc", "sh", "-c", &script]);
    Container(Daemon::begun(place, &mut command))
}

/// A daemon in a container, which ends with the test: its processes are found by none of the place's paths.
struct Container(Daemon);

impl Deref for Container {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.0
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        firsts(self).for_each(|pid| send_if(pid, Signal::KILL, |pid| firsts(self).any(|first| first == pid)));
    }
}

/// The process 1 that a container was given, if it lives.
fn firsts(container: &Container) -> impl Iterator<Item = u32> {
    let of = container.child_pid();
    all().into_iter().filter(move |&pid| parent(pid) == of && status(pid, "NSpid").ends_with("\t1"))
}

/// Everything is read-only but /run.
const READ_ONLY: &str =
    "mount -t tmpfs tmpfs /run && mount -o bind,remount,ro /mnt && mount -o bind,remount,ro / &&";

/// Process 1 of the container, as it is called outside.
#[track_caller]
fn first(container: &Container) -> u32 {
    wait_for("process 1", || firsts(container).next())
}

/// The children of a process.
fn children(of: u32) -> Vec<u32> {
    all().into_iter().filter(|&pid| parent(pid) == of).collect()
}

#[test]
fn process_one_stops_all_in_order_when_it_is_asked_to() {
    if !can_contain() {
        return;
    }
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let stopping = at_term("sleep 0.2; echo bye").replace("touch ready", "echo ready");
        let daemon = contained(Place::new(&format!("app:main:run,:respawn:{stopping}\n")), READ_ONLY);
        eventually("that it is ready", || daemon.out().contains("app/main | ready"));
        send(first(&daemon), signal);
        assert_eq!(daemon.wait_end(), Some(0), "{}", daemon.err());
        assert!(daemon.out().contains("app/main | bye"), "{}", daemon.out());
        assert!(daemon.err().contains("clinit | all has ended"), "{}", daemon.err());
    }
}

#[test]
fn process_one_reaps_whoever_is_left_to_it() {
    if !can_contain() {
        return;
    }
    let daemon = contained(
        Place::new("app:main:run,:respawn:(sleep 0.1 & sleep 0.2 & exit) ; echo left; exec sleep 1000\n"),
        READ_ONLY,
    );
    eventually("its children", || daemon.out().contains("app/main | left"));
    let first = first(&daemon);
    // A stranger in the container, such as a runtime executes there, leaves children, too.
    let mut stranger = program("nsenter");
    let target = first.to_string();
    stranger.args(["--target", &target, "--pid", "--mount", "sh", "-c", "(setsid sleep 0.1 &) ; echo done"]);
    assert_eq!(run(&mut stranger).done(), "done\n");
    // Keeper: engine, logger and the service are what is left.
    eventually("that all are reaped", || children(first).len() == 3);
    assert!(!children(first).iter().any(|&pid| state(pid) == Some('Z')));
    send(first, Signal::TERM);
    assert_eq!(daemon.wait_end(), Some(0));
}

#[test]
fn process_one_survives_the_death_of_the_two_others() {
    if !can_contain() {
        return;
    }
    let daemon = contained(Place::new("app:main:run,:respawn:echo alive; exec sleep 1000\n"), READ_ONLY);
    eventually("its words", || daemon.out().contains("app/main | alive"));
    let first = first(&daemon);
    let service = wait_for("the service", || {
        children(first).into_iter().find(|&pid| crate::process::file(pid, "comm") == "sleep\n")
    });
    for comm in ["clinit-engine\n", "clinit-logger\n"] {
        let find = || children(first).into_iter().find(|&pid| crate::process::file(pid, "comm") == comm);
        let old = wait_for("one to kill", find);
        send(old, Signal::KILL);
        eventually("another one", || find().is_some_and(|pid| pid != old));
    }
    assert!(is_alive(service));
    send(first, Signal::TERM);
    assert_eq!(daemon.wait_end(), Some(0), "{}", daemon.err());
    assert!(is_gone(service));
}

#[test]
fn process_one_exits_with_the_status_of_its_entry() {
    if !can_contain() {
        return;
    }
    let daemon =
        contained(Place::new("app:main:run,:once:echo hello; exit 7\n:::exit_with:main\n"), READ_ONLY);
    assert_eq!(daemon.wait_end(), Some(7), "{}", daemon.err());
    assert!(daemon.out().contains("app/main | hello"));
}

#[test]
fn where_run_is_closed_its_socket_is_in_tmp() {
    if !can_contain() {
        return;
    }
    let mounts = "mount -t tmpfs tmpfs /tmp && mount -o bind,remount,ro /mnt && mount -t tmpfs -o ro tmpfs /run && \
                  mount -o bind,remount,ro / &&";
    let table = "app:main:run,:once:./clinit -s $CLINIT_SOCKET status\n:::exit_with:main\n";
    let daemon = contained(Place::new(table), mounts);
    assert_eq!(daemon.wait_end(), Some(0), "{}", daemon.err());
    assert!(daemon.out().contains("clinit -s /tmp/clinit-0/up-1-"), "{}", daemon.out());
}

#[test]
fn a_shutdown_takes_no_longer_than_it_may() {
    let table =
        format!("web:deaf:run,:respawn:{}\nweb:::stop_timeout:infinity\n:::shutdown_timeout:0.3\n", deaf());
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = Daemon::up(&table);
        daemon.wait_file("ready");
        let pid = daemon.pid("deaf");
        send(daemon.child_pid(), signal);
        assert_eq!(daemon.wait_end(), Some(0));
        assert!(is_gone(pid));
        assert!(daemon.err().contains("the shutdown took too long"), "{}", daemon.err());
    }
    // An engine that is started anew goes on with it.
    let daemon = Daemon::up(&table.replace(":0.3", ":2"));
    daemon.wait_file("ready");
    send(daemon.child_pid(), Signal::TERM);
    eventually("that it stops", || daemon.err().contains("halting"));
    send(daemon.role_pid("engine"), Signal::KILL);
    assert_eq!(daemon.wait_end(), Some(0));
}

#[test]
fn a_table_ends_with_its_entry_and_its_status() {
    for (entry, code) in [
        ("app:main:run,:once:exit 3", 3),
        ("app:main:run,:wait:exit 0", 0),
        ("app:main:run,:test:exit 9", 9),
        ("app:main:run,:once:kill -KILL $$", 137),
        ("app:main:run,:once:/nonexistent/program", 127),
        ("app:main:run,:respawn:exit 4\napp:main::retry_count:0", 4),
    ] {
        let stopping = at_term("touch stopped");
        let table = format!("app:other:run,:respawn:{stopping}\n{entry}\n:::exit_with:main\n");
        let place = Place::new(&table);
        let mut command = place.command();
        command.args(["-s", "init.s", "up", "cltab"]);
        let daemon = Daemon::begun(place, &mut command);
        assert_eq!(daemon.wait_end(), Some(code), "{entry}: {}", daemon.err());
        assert!(daemon.err().contains("main is over"), "{}", daemon.err());
        assert_eq!(daemon.processes(), [0; 0]);
    }
}

#[test]
fn what_is_stopped_or_started_again_has_not_ended() {
    let daemon = Daemon::start(
        "app:main:1,2:respawn:echo x >> lives; test -e go || exec sleep 1000; exit 5\napp:main::retry_count:1\n\
         app:other:3,:respawn:exec sleep 1000\n:::exit_with:main\n",
    );
    daemon.settle("app", "1", "DONE");
    daemon.clinit("stop main").done();
    daemon.clinit("start main").done();
    daemon.settle("app", "3", "DONE");
    daemon.settle("app", "2", "DONE");
    send(daemon.pid("main"), Signal::KILL);
    eventually("another life", || daemon.lines("lives").len() == 4);
    daemon.write("go", "");
    send(daemon.pid("main"), Signal::TERM);
    // Given up: its status outlives the engine.
    assert!(matches!(daemon.wait_end(), Some(5 | 143)), "{}", daemon.err());
}

#[test]
fn a_tag_that_no_entry_has_is_doubtful() {
    let place = Place::new("app:main:run,:once:true\n:::exit_with:mian\n");
    let said = place.clinit("check cltab");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("there is no entry `mian`") || said.err.contains("there is no entry `mian`"),
        "{said:?}"
    );
}

#[test]
fn the_table_of_the_documentation_does_what_it_says() {
    if !can_contain() {
        return;
    }
    let page = include_str!("../../../../docs/containers.md");
    let (_, behind) = page.split_once("```cltab app.cltab\n").unwrap();
    let place = Place::new("");
    place.write("cltab", behind.split_once("```").unwrap().0);
    let container = contained(place, READ_ONLY);
    assert_eq!(container.wait_end(), Some(3), "{}", container.err());
    let out = container.out();
    for line in ["app/prepare | preparing", "app/helper | helping", "app/main | working", "app/main | done"] {
        assert!(out.lines().any(|said| said == line), "{line}: {out}");
    }
}

#[test]
fn process_one_is_replaced_in_place() {
    if !can_contain() {
        return;
    }
    let place = Place::new("app:main:run,:respawn:echo alive; exec sleep 1000\n");
    fs::copy(CLINIT, place.path("next")).unwrap();
    let container = contained(place, READ_ONLY);
    eventually("its words", || container.out().contains("app/main | alive"));
    let first = first(&container);
    let out = container.out();
    let socket = out.split_whitespace().skip_while(|word| *word != "-s").nth(1).unwrap();
    let mut command = program("nsenter");
    let target = first.to_string();
    command.args(["--target", &target, "--pid", "--mount", "--wd=/mnt"]);
    command.args(["/mnt/next", "-s", socket, "reexec", "--program", "/mnt/next"]);
    run(&mut command).done();
    assert_eq!(firsts(&container).collect::<Vec<_>>(), [first]);
    eventually("the new program in all three", || {
        let exe = |pid: u32| fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let ours = children(first).into_iter().filter(|&pid| exe(pid).ends_with("next")).count();
        exe(first).ends_with("next") && ours == 2
    });
    assert_eq!(container.out().matches("alive").count(), 1);
    send(first, Signal::TERM);
    assert_eq!(container.wait_end(), Some(0), "{}", container.err());
}

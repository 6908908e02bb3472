//! What services say of themselves: that they are ready, well, reloading, somebody else.

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::place::{Place, number};
use crate::process::{is_alive, kill, send};
use crate::speaker::{has_cgroups, place, touch};
use crate::user::can_be_stranger;
use crate::wait::{eventually, wait_for};

/// An entry that notifies, and whatever it runs.
const NOTIFIER: &str = "web:a:run,:respawn:@a\nweb:a::readiness:notify\n";

fn notifier(script: &str) -> Daemon {
    Daemon::at(place(NOTIFIER, &[("a", script)]))
}

/// Waits until an entry has another main process than this.
#[track_caller]
fn another_main(daemon: &Daemon, tag: &str, old: u32) -> u32 {
    wait_for("another main process", || {
        let pid = daemon.entry(tag)["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        pid.filter(|&pid| pid != old)
    })
}

/// What somebody has sent to the daemon from outside.
fn send_as_stranger(place: &Place, text: &str) {
    UnixDatagram::unbound().unwrap().send_to(text.as_bytes(), place.path("init.s.notify")).unwrap();
}

#[test]
fn a_service_is_ready_when_it_says_so() {
    let daemon = notifier("note('began')\nwait_for('go')\nsay('READY=1')\nrest()");
    daemon.tell("web", "run");
    daemon.wait_file("began");
    let entry = daemon.wait_entry("a", "running");
    assert!(entry["why"].as_str().unwrap().contains("READY=1"), "{entry}");
    assert_eq!(daemon.group("web")["state"], "STARTING");
    touch(&daemon, "go");
    daemon.wait_entry("a", "ready");
    daemon.wait_group("web", "run", "DONE");
}

#[test]
fn a_child_may_say_it_and_what_else_it_says_is_kept() {
    let daemon = notifier(
        "if os.fork() == 0:\n    say('X_MINE=1\\nREADY=1\\nSTATUS=all is \\x1b well\\n')\n    rest()\nrest()",
    );
    daemon.settle("web", "run", "DONE");
    let journal = daemon.read("init.s.state/journal");
    assert!(journal.contains("all is \u{fffd} well"), "{journal}");
}

#[test]
fn a_message_sent_just_before_the_end_comes_before_the_end() {
    for _ in 0..5 {
        let daemon = Daemon::at(place(
            "web:a:run,:once:@a\nweb:a::readiness:notify\nweb:b:run,:once:touch after\n",
            &[("a", "say('READY=1')\nos._exit(3)")],
        ));
        daemon.tell("web", "run");
        daemon.wait_file("after");
        let entry = daemon.wait_entry("a", "done");
        assert_eq!(entry["last_exit"]["code"], 3, "{entry}");
    }
}

#[test]
fn reloading_ends_with_ready() {
    let daemon = notifier(
        "say('READY=1')\nwhile not os.path.exists('end'):\n    say('RELOADING=1')\n    say('READY=1')\n    \
         time.sleep(0.1)\nsay('STOPPING=1')\nrest()",
    );
    daemon.settle("web", "run", "DONE");
    let pid = number(&daemon.entry("a")["pid"]);
    eventually("a word about it", || {
        daemon.clinit("events").done().contains("has read its configuration again")
    });
    touch(&daemon, "end");
    assert_eq!(daemon.entry("a")["pid"], pid, "it goes on as it was");
}

#[test]
fn a_watchdog_that_is_not_heard_restarts_the_service() {
    let daemon = Daemon::at(place(
        "web:a:run,:respawn:@a\nweb:a::watchdog:1s\n",
        &[(
            "a",
            "note('told', os.environ['WATCHDOG_USEC'] + ' ' + os.environ['WATCHDOG_PID'] + ' ' + str(os.getpid()))\n\
             while not os.path.exists('silent'):\n    say('WATCHDOG=1')\n    time.sleep(0.1)\nrest()",
        )],
    ));
    daemon.settle("web", "run", "DONE");
    daemon.wait_file("told");
    let pid = daemon.pid("a");
    assert_eq!(daemon.read("told"), format!("1000000 {pid} {pid}"));
    touch(&daemon, "silent");
    another_main(&daemon, "a", pid);
    assert!(daemon.err().contains("did not say in time that it is well"), "{}", daemon.err());
}

#[test]
fn a_trigger_restarts_it_at_once() {
    let daemon = Daemon::at(place(
        "web:a:run,:respawn:@a\nweb:a::watchdog:1h\n",
        &[(
            "a",
            "wait_for('go')\nif not os.path.exists('once'):\n    note('once')\n    say('WATCHDOG=trigger')\nrest()",
        )],
    ));
    daemon.settle("web", "run", "DONE");
    let pid = daemon.pid("a");
    touch(&daemon, "go");
    another_main(&daemon, "a", pid);
}

#[test]
fn more_time_can_be_asked_for() {
    let table = format!("{NOTIFIER}web:a::start_timeout:1s\n");
    let script = "say('EXTEND_TIMEOUT_USEC=60000000')\ntime.sleep(2)\nsay('READY=1')\nrest()";
    let daemon = Daemon::at(place(&table, &[("a", script)]));
    daemon.settle("web", "run", "DONE");
    assert_eq!(daemon.entry("a")["restarts"], 0);
}

#[test]
fn a_barrier_is_lifted_when_all_before_it_was_heard() {
    let daemon = notifier(
        "ours, theirs = os.pipe()\nsay('READY=1')\nsay('BARRIER=1', [theirs])\nos.close(theirs)\n\
         os.read(ours, 1)\nnote('lifted')\nrest()",
    );
    daemon.tell("web", "run");
    daemon.wait_file("lifted");
    assert_eq!(daemon.entry("a")["state"], "ready");
}

#[test]
fn descriptors_to_be_kept_are_closed() {
    let daemon = notifier("for _ in range(300):\n    say('FDSTORE=1', [0, 1, 2])\nsay('READY=1')\nrest()");
    let engine = || daemon.role_pid("engine");
    let count = || std::fs::read_dir(format!("/proc/{}/fd", engine())).unwrap().count();
    let before = count();
    daemon.settle("web", "run", "DONE");
    eventually("that none is left", || count() <= before + 3);
}

#[test]
fn a_stranger_is_not_heard() {
    let daemon = Daemon::at(place(
        &format!("{NOTIFIER}web:b:run,:respawn:@b\nother:c:run,:respawn:@c\nother:c::readiness:notify\n"),
        &[
            ("a", "note('began')\nwait_for('go')\nsay('READY=1')\nrest()"),
            // It is not told the address, and finds it all the same.
            ("b", "os.environ['NOTIFY_SOCKET'] = 'init.s.notify'\nsay('READY=1')\nnote('lied')\nrest()"),
            // What it says is said of itself.
            ("c", "say('READY=1')\nnote('said')\nrest()"),
        ],
    ));
    daemon.tell("web", "run");
    daemon.tell("other", "run");
    daemon.wait_file("began");
    daemon.wait_file("said");
    for _ in 0..100 {
        send_as_stranger(&daemon, "READY=1\nMAINPID=1");
    }
    daemon.wait_entry("c", "ready");
    assert_eq!(daemon.entry("a")["state"], "running");
    let told = daemon.err().lines().filter(|line| line.contains("NOTIFY_SOCKET was dropped")).count();
    assert_eq!(told, 1, "{}", daemon.err());
    touch(&daemon, "go");
    daemon.wait_file("lied");
    daemon.wait_group("web", "run", "DONE");
}

#[test]
fn another_user_is_heard_as_a_process_of_the_entry_alone() {
    if !can_be_stranger() {
        return;
    }
    let daemon = notifier(
        "if os.fork() == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n    wait_for('go')\n    \
         say('MAINPID=' + str(os.getppid()) + '\\nMAINPID=1')\n    say('READY=1')\n    rest()\n\
         note('began')\nrest()",
    );
    daemon.tell("web", "run");
    daemon.wait_file("began");
    let mut stranger = crate::command::program("python3");
    let script = "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); \
                  s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(sys.argv[1]); s.send(b'READY=1')";
    crate::command::run(stranger.args(["-c", script]).arg(daemon.path("init.s.notify"))).is(0, "", "");
    assert_eq!(daemon.wait_entry("a", "running")["state"], "running");
    let pid = daemon.entry("a")["pid"].clone();
    touch(&daemon, "go");
    let entry = daemon.wait_entry("a", "ready");
    assert_eq!(entry["pid"], pid, "it may not name a process of another user");
}

#[test]
fn a_line_at_its_descriptor_makes_a_service_ready() {
    let daemon = Daemon::at(place(
        "web:a:run,:respawn:@a\nweb:a::readiness:fd:7\nweb:b:run,:respawn:echo >&3; exec sleep 1000\n\
         web:b::readiness:fd:3\n",
        &[(
            "a",
            "os.write(7, b'not yet')\nnote('began')\nwait_for('go')\nos.write(7, b'x\\n')\n\
             wait_for('more')\ntry:\n    for _ in range(1000):\n        os.write(7, b'y' * 1000 + b'\\n')\n\
             except BrokenPipeError:\n    note('broken', ' '.join(sorted(os.listdir('/proc/self/fd'))))\nrest()",
        )],
    ));
    daemon.tell("web", "run");
    daemon.wait_file("began");
    let entry = daemon.wait_entry("a", "running");
    assert!(entry["why"].as_str().unwrap().contains("descriptor 7"), "{entry}");
    touch(&daemon, "go");
    daemon.wait_group("web", "run", "DONE");
    daemon.wait_entry("a", "ready");
    daemon.wait_entry("b", "ready");
    touch(&daemon, "more");
    daemon.wait_file("broken");
    assert_eq!(daemon.read("broken"), "0 1 2 3 7", "3 is the folder that is being read");
    assert_eq!(daemon.entry("a")["restarts"], 0);
}

#[test]
fn one_who_floods_its_descriptor_keeps_nobody_else_waiting() {
    let daemon = Daemon::at(place(
        "web:a:run,:respawn:@a\nweb:a::readiness:fd:5\nmail:b:run,:respawn:echo >&3; exec sleep 1000\n\
         mail:b::readiness:fd:3\n",
        &[(
            "a",
            "note('began')\nwhile not os.path.exists('end'):\n    os.write(5, b'no line')\nos.write(5, b'\\n')\nrest()",
        )],
    ));
    daemon.tell("web", "run");
    daemon.wait_file("began");
    daemon.settle("mail", "run", "DONE");
    assert_eq!(daemon.entry("a")["state"], "running");
    touch(&daemon, "end");
    daemon.wait_group("web", "run", "DONE");
}

#[test]
fn whoever_closes_all_descriptors_can_still_speak() {
    let daemon = notifier("os.closerange(0, 1000)\nsay('READY=1')\nrest()");
    daemon.settle("web", "run", "DONE");
}

#[test]
fn a_thousand_children_may_speak() {
    let daemon = notifier(
        "for number in range(1000):\n    if os.fork() == 0:\n        say('STATUS=child %d' % number)\n        os._exit(0)\n\
         for _ in range(1000):\n    os.wait()\nsay('READY=1')\nrest()",
    );
    daemon.settle("web", "run", "DONE");
    assert!(!daemon.err().contains("lost"), "{}", daemon.err());
}

#[test]
fn a_port_that_is_open_makes_a_service_ready() {
    let place = place(
        "web:a:run,:respawn:@a\n",
        &[(
            "a",
            "wait_for('go')\ns = socket.create_server(('127.0.0.1', int(open('port').read())))\nnote('open')\nrest()",
        )],
    );
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    place.write("port", port.to_string());
    place.write_table(&format!("web:a:run,:respawn:python3 a.py\nweb:a::readiness:tcp:{port}\n"));
    let daemon = Daemon::at(place);
    daemon.tell("web", "run");
    let entry = daemon.wait_entry("a", "running");
    assert!(entry["why"].as_str().unwrap().contains(&port.to_string()), "{entry}");
    touch(&daemon, "go");
    daemon.wait_file("open");
    daemon.wait_entry("a", "ready");
}

/// A daemon that leaves its parent behind; `setsid` says whether it leaves its session, too.
fn forking(setsid: &str) -> String {
    format!(
        "child = os.fork()\nif child:\n    say('MAINPID=%d' % child)\n    os._exit(0)\n{setsid}\n\
         note('main', '%d\\n' % os.getpid())\nwait_for('go')\nsay('READY=1')\nwait_for('end')\nos.unlink('end')\nos._exit(7)"
    )
}

fn a_daemon_is_followed(setsid: &str) {
    let daemon = notifier(&forking(setsid));
    daemon.tell("web", "run");
    let main = daemon.wait_number("main");
    eventually("that it is the main process", || daemon.entry("a")["pid"] == main);
    touch(&daemon, "go");
    daemon.wait_group("web", "run", "DONE");
    assert_eq!(daemon.entry("a")["restarts"], 0);
    for role in ["engine", "keeper"] {
        let old = daemon.role_pid(role);
        send(old, Signal::KILL);
        eventually("another one", || matches!(daemon.all_of_role(role)[..], [pid] if pid != old));
        daemon.wait_answer();
        assert_eq!(daemon.wait_entry("a", "ready")["pid"], main, "{role}");
    }
    touch(&daemon, "end");
    another_main(&daemon, "a", main);
    eventually("the next life", || daemon.wait_number("main") != main);
    let next = daemon.wait_number("main");
    daemon.wait_entry("a", "ready");
    daemon.settle("web", "off", "DONE");
    assert!(!is_alive(next));
}

#[test]
fn a_daemon_that_names_its_child_is_followed() {
    a_daemon_is_followed("");
}

#[test]
fn a_daemon_that_leaves_its_session_is_followed() {
    if has_cgroups() {
        a_daemon_is_followed("os.setsid()");
    }
}

#[test]
fn how_a_followed_process_ended_is_told() {
    let daemon = notifier(&forking(""));
    daemon.tell("web", "run");
    touch(&daemon, "go");
    let main = daemon.wait_number("main");
    daemon.wait_entry("a", "ready");
    assert_eq!(daemon.entry("a")["pid"], main);
    touch(&daemon, "end");
    another_main(&daemon, "a", main);
    let entry = daemon.wait_entry("a", "ready");
    assert_eq!(entry["last_exit"]["code"], 7, "{entry}");
}

#[test]
fn a_process_of_somebody_else_is_not_followed() {
    let daemon = Daemon::at(place(
        &format!("{NOTIFIER}other:b:run,:respawn:exec sleep 1000\n"),
        &[("a", "wait_for('victim')\nsay('MAINPID=' + open('victim').read())\nsay('READY=1')\nrest()")],
    ));
    daemon.settle("other", "run", "DONE");
    let victim = daemon.pid("b");
    daemon.write("victim", victim.to_string());
    daemon.settle("web", "run", "DONE");
    let pid = daemon.entry("a")["pid"].clone();
    daemon.settle("web", "off", "DONE");
    assert_ne!(pid, victim);
    assert!(is_alive(victim));
}

/// Roles that die at one moment; the third brings them back.
const DEATHS: [&[&str]; 5] =
    [&["engine"], &["keeper"], &["engine", "keeper"], &["engine", "logger"], &["keeper", "logger"]];

fn readiness_outlives(table: &str, script: &str) {
    for roles in DEATHS {
        let daemon = Daemon::at(place(table, &[("a", script)]));
        daemon.tell("web", "run");
        daemon.wait_file("began");
        daemon.wait_entry("a", "running");
        let pids: Vec<u32> = roles.iter().map(|role| daemon.role_pid(role)).collect();
        pids.iter().for_each(|&pid| send(pid, Signal::STOP));
        touch(&daemon, "go");
        daemon.wait_file("said");
        kill(&pids);
        daemon.wait_answer();
        daemon.wait_group("web", "run", "DONE");
        let entry = daemon.wait_entry("a", "ready");
        assert_eq!(entry["restarts"], 0, "{roles:?}: {entry}");
    }
}

#[test]
fn what_was_said_outlives_any_two_of_the_daemon() {
    readiness_outlives(NOTIFIER, "note('began')\nwait_for('go')\nsay('READY=1')\nnote('said')\nrest()");
}

#[test]
fn what_was_written_outlives_any_two_of_the_daemon() {
    readiness_outlives(
        "web:a:run,:respawn:@a\nweb:a::readiness:fd:4\n",
        "note('began')\nwait_for('go')\nos.write(4, b'\\n')\nos.close(4)\nnote('said')\nrest()",
    );
}

#[test]
fn after_all_of_the_daemon_died_services_are_heard_again() {
    for (table, say) in [
        (NOTIFIER, "say('READY=1')"),
        ("web:a:run,:respawn:@a\nweb:a::readiness:fd:4\n", "os.write(4, b'\\n')"),
    ] {
        let script = format!("note('began')\nwait_for('go')\n{say}\nrest()");
        let daemon = Daemon::at(place(table, &[("a", &script)]));
        daemon.tell("web", "run");
        daemon.wait_file("began");
        let pid = daemon.wait_entry("a", "running")["pid"].clone();
        let pids = ["keeper", "engine", "logger"].map(|role| daemon.role_pid(role));
        kill(&pids);
        daemon.wait_end();
        daemon.restart();
        daemon.wait_entry("a", "running");
        touch(&daemon, "go");
        assert_eq!(daemon.wait_entry("a", "ready")["pid"], pid);
    }
}

#[test]
fn what_the_daemon_was_told_by_its_own_parent_no_service_is() {
    let place = Place::new("web:a:run,:wait:env\n");
    let mut command = place.command();
    command.args(["-c", "cltab", "-s", "init.s", "-d"]);
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"] {
        command.env(name, "1");
    }
    let daemon = Daemon::by(place, command.env("HELLO", "there"));
    daemon.settle("web", "run", "DONE");
    let out = daemon.out();
    assert!(out.contains("HELLO=there"), "{out}");
    assert!(!["NOTIFY_", "WATCHDOG_", "LISTEN_"].iter().any(|name| out.contains(name)), "{out}");
}

#[test]
fn the_socket_is_for_everybody_and_goes_with_the_daemon() {
    use std::os::unix::fs::PermissionsExt;
    let daemon = Daemon::start("web:a:run,:off:true\n");
    let mode = daemon.path("init.s.notify").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    daemon.clinit("shutdown").done();
    daemon.wait_end();
    assert!(!daemon.has("init.s.notify") && !daemon.has("init.s"));
}

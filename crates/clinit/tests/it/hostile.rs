//! What users, services, tables and files that mean harm can do: docs/security.md names each of these tests.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::{Child, Stdio};

use serde_json::json;

use crate::command::{program, run};
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::is_gone;
use crate::speaker::{place, touch};
use crate::user::{STRANGER, can_be_stranger, is_root, skip, unprivileged};
use crate::wait::{eventually, wait_for};
use crate::wire::Wire;

/// What a terminal would obey: its title, then the screen, in both ways to say so.
const ESCAPES: &str = "\\033]0;owned\\007 \\033[2J \\302\\233\\062J";

/// A script of strangers that runs until it is killed.
struct Strangers(Child);

impl Strangers {
    /// Runs `script`, in which `leave(uid)` becomes somebody else for ever.
    fn start(place: &Place, script: &str) -> Self {
        let begin = "import os, socket, sys, time\ndef leave(uid):\n    if os.getuid() == 0:\n        \
                     os.setgroups([]); os.setgid(uid); os.setuid(uid)\n";
        let mut command = program("python3");
        command.args(["-c", &format!("{begin}{script}")]).current_dir(place.path(""));
        Self(command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap())
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        let _ended = (self.0.kill(), self.0.wait());
    }
}

#[test]
fn strangers_who_hold_every_place_do_not_keep_root_out() {
    if !can_be_stranger() {
        return;
    }
    let daemon = Daemon::start("web:httpd:start,:respawn:sleep 1000\n:::socket_mode:0666\n");
    // Each user may have 16 connections, and the daemon has 128.
    let _strangers = Strangers::start(
        &daemon,
        "call = b'{\"method\":\"org.clinit.Init.Events\",\"parameters\":{\"follow\":true},\"more\":true}\\0'\n\
         held = []\n\
         for uid in range(60001, 60010):\n    os.setresuid(uid, uid, 0)\n    \
             for _ in range(16):\n        s = socket.socket(socket.AF_UNIX)\n        s.connect('init.s')\n        \
                 s.send(call); held.append(s)\n    os.setresuid(0, 0, 0)\n\
         open('full', 'w').close()\ntime.sleep(1000)\n",
    );
    daemon.wait_file("full");
    daemon.settle("web", "start", "DONE");
    let waits: Vec<Child> = (0..20).map(|_| daemon.begin("events -f")).collect();
    daemon.clinit("tell web start --wait").done();
    for mut wait in waits {
        assert!(wait.try_wait().unwrap().is_none(), "none of root's was sent away");
        wait.kill().unwrap();
        wait.wait().unwrap();
    }
}

#[test]
fn strangers_who_connect_without_end_keep_nobody_waiting() {
    if !can_be_stranger() {
        return;
    }
    let daemon = Daemon::start("web:httpd:start,:respawn:sleep 1000\n:::socket_mode:0666\n");
    let engine = daemon.role_pid("engine");
    let flood = || {
        Strangers::start(
            &daemon,
            "open('begun', 'w').close()\nleave(65534)\nwhile True:\n    s = socket.socket(socket.AF_UNIX)\n    \
             s.setblocking(False)\n    try:\n        s.connect('init.s')\n    except OSError:\n        pass\n    \
             s.close()\n",
        )
    };
    let _floods = [flood(), flood(), flood()];
    daemon.wait_file("begun");
    daemon.settle("web", "start", "DONE");
    daemon.pid("httpd");
    assert_eq!(daemon.role_pid("engine"), engine);
}

#[test]
fn a_flood_of_strangers_words_keeps_no_service_from_being_heard() {
    let daemon = Daemon::at(place(
        "web:a:run,:respawn:@a\nweb:a::readiness:notify\n",
        &[("a", "note('began')\nwait_for('go')\nsay('READY=1')\nrest()")],
    ));
    daemon.tell("web", "run");
    daemon.wait_file("began");
    let _strangers = Strangers::start(
        &daemon,
        "leave(65534)\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.connect('init.s.notify')\n\
         os.fork()\nparent = os.getppid()\nwhile os.getppid() == parent:\n    s.send(b'READY=1\\nMAINPID=1\\n' * 100)\n",
    );
    eventually("that strangers are noted", || daemon.err().contains("NOTIFY_SOCKET was dropped"));
    assert_eq!(daemon.entry("a")["state"], "running");
    touch(&daemon, "go");
    daemon.wait_entry("a", "ready");
    daemon.settle("web", "run", "DONE");
    let told = daemon.err().lines().filter(|line| line.contains("NOTIFY_SOCKET was dropped")).count();
    assert!(told <= 3, "a line a minute at most: {}", daemon.err());
}

/// Sends what looks as if a process and user had sent it; only root can.
fn forge(daemon: &Daemon, pid: u32, uid: u32, text: &str) {
    let script = "import socket, struct, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
                  s.connect(sys.argv[1])\n\
                  who = struct.pack('3i', int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[3]))\n\
                  s.sendmsg([sys.argv[4].encode()], [(socket.SOL_SOCKET, 2, who)])\n";
    let mut command = program("python3");
    command.args(["-c", script]).arg(daemon.path("init.s.notify"));
    run(command.args([&pid.to_string(), &uid.to_string(), text])).is(0, "", "");
}

/// Waits until all that was sent before was heard.
#[track_caller]
fn wait_heard(daemon: &Daemon, pid: u32, word: &str) {
    forge(daemon, pid, 0, &format!("STATUS={word}"));
    eventually("to be heard", || daemon.entry("a")["says"] == word);
}

#[test]
fn who_has_the_number_of_a_service_by_chance_does_not_speak_for_it() {
    if !can_be_stranger() {
        return;
    }
    let daemon = Daemon::at(place(
        "web:a:run,:respawn:@a\nweb:a::readiness:notify\n",
        &[(
            "a",
            "child = os.fork()\nif child == 0:\n    say('STATUS=a child')\n    wait_for('go')\n    os._exit(0)\n\
             note('child', str(child) + '\\n')\nos.waitpid(child, 0)\nrest()",
        )],
    ));
    daemon.tell("web", "run");
    let child = daemon.wait_number("child");
    eventually("the child", || daemon.entry("a")["says"] == "a child");
    let main = daemon.pid("a");
    // Both live, and are not that user's: it sent something, and has left its number to them.
    for pid in [main, child] {
        forge(&daemon, pid, STRANGER, "READY=1\nSTATUS=lies");
    }
    wait_heard(&daemon, main, "one");
    touch(&daemon, "go");
    eventually("its end", || is_gone(child));
    // The child is gone and known; whoever had its number after it is gone, too.
    forge_gone(&daemon, child);
    wait_heard(&daemon, main, "two");
    let entry = daemon.entry("a");
    assert_eq!((&entry["state"], &entry["restarts"]), (&json!("running"), &json!(0)), "{entry}");
}

/// The kernel takes no number that nobody has: a process gets that of one that is gone, sends and ends.
fn forge_gone(daemon: &Daemon, pid: u32) {
    let script = "import os, socket, sys, time\nwanted = int(sys.argv[2])\n\
                  try:\n    open('/proc/sys/kernel/ns_last_pid', 'w').write(str(wanted - 1))\n\
                  except OSError:\n    sys.exit(0)\n\
                  child = os.fork()\n\
                  if child == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n    \
                      s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(sys.argv[1])\n    \
                      s.send(b'READY=1\\nSTATUS=lies'); os._exit(0)\nos.waitpid(child, 0)\n";
    let mut command = program("python3");
    command.args(["-c", script]).arg(daemon.path("init.s.notify")).arg(pid.to_string());
    run(&mut command).done();
}

#[test]
fn nothing_that_a_service_says_is_obeyed_by_a_terminal() {
    let place = place(
        &format!("web:a:run,:respawn:@a\nweb:b:run,:once:printf '{ESCAPES}\\n'; exit 3\n"),
        &[("a", "say('READY=1\\nSTATUS=\\x1b]0;owned\\x07\\xc2\\x9b2J')\nrest()")],
    );
    let table = place.read("cltab");
    place.write_table(&format!(
        "{table}web:a::readiness:notify\nweb:::output:file:{}\n",
        place.path("logs").display()
    ));
    let daemon = Daemon::at(place);
    daemon.tell("web", "run");
    daemon.wait_entry("a", "ready");
    daemon.wait_entry("b", "done");
    eventually("its line", || daemon.read("logs/web/b/current").contains("owned"));
    let made =
        daemon.command().args(["-s", "init.s", "run", "--", "\u{1b}[2J\u{9b}2Jabsent"]).output().unwrap();
    assert_ne!(made.status.code(), Some(0));
    let obeyed = |text: &str| text.chars().any(|c| c.is_control() && !"\n\t".contains(c));
    assert!(!obeyed(&String::from_utf8_lossy(&made.stderr)), "{made:?}");
    for verb in [
        "status",
        "status --json",
        "explain web",
        "explain web/b",
        "explain web/a",
        "events",
        "events --json",
    ] {
        let said = daemon.clinit(verb);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(!obeyed(&said.out) && !obeyed(&said.err), "{verb}: {said:?}");
    }
    let logs = daemon.clinit("logs web/b");
    assert!(logs.out.contains("\u{1b}]0;owned\u{7}"), "a program gets them as they are: {logs:?}");
    let shown = at_terminal(&daemon, "logs web/b");
    assert!(shown.contains("owned") && !obeyed(&shown.replace('\r', "")), "{shown:?}");
}

/// What `clinit WORDS` prints when its output is a terminal.
fn at_terminal(place: &Place, words: &str) -> String {
    let script = "import os, pty, sys\npty.spawn(sys.argv[1:])\n";
    let clinit = crate::command::CLINIT;
    let mut command = program("python3");
    command.args(["-c", script, clinit, "-c", "cltab", "-s", "init.s"]).args(words.split_whitespace());
    run(command.current_dir(place.path(""))).done()
}

#[test]
fn who_answers_in_a_daemons_place_is_not_obeyed_by_a_terminal() {
    let place = Place::new("");
    let listener = std::os::unix::net::UnixListener::bind(place.socket()).unwrap();
    let client = place.begin("status");
    let (stream, _) = listener.accept().unwrap();
    let error = json!({ "error": "org.clinit.Init.NotPermitted",
        "parameters": { "what": "to \u{9b}2J \u{1b}[2J", "remedy": "\u{1b}]0;owned\u{7}" } });
    std::io::Write::write_all(&mut &stream, format!("{error}\0").as_bytes()).unwrap();
    let said = crate::command::finish(client);
    said.fails(5, &["not permitted", "owned"]);
    assert!(!said.err.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
}

#[test]
fn a_link_in_the_place_of_a_file_of_the_daemons_leads_nowhere() {
    let place = Place::new("");
    place.write_table(&format!(
        "web:httpd:start,:respawn:sleep 1000\n:::log:{}\n:::remember_file:{}\n",
        place.path("log").display(),
        place.path("remembered").display()
    ));
    let files = ["clstat", "log", "remembered", "remembered.new"];
    for name in files {
        place.write(&format!("victim-{name}"), "as it was");
        symlink(place.path(&format!("victim-{name}")), place.path(name)).unwrap();
    }
    let daemon = Daemon::at(place);
    daemon.settle("web", "start", "DONE");
    daemon.wait_clstat(&["web start DONE"]);
    eventually("what is remembered", || daemon.read("remembered").contains("start"));
    eventually("a complaint", || daemon.err().contains("it is a link: name the file itself"));
    for name in files {
        assert_eq!(daemon.read(&format!("victim-{name}")), "as it was", "{name}");
    }
    for name in ["clstat", "remembered"] {
        assert!(daemon.path(name).symlink_metadata().unwrap().is_file(), "{name} is its own now");
    }
}

#[test]
fn a_link_in_the_place_of_the_state_folder_is_not_followed() {
    let place = Place::new("web:httpd:start,:respawn:sleep 1000\n");
    fs::create_dir(place.path("victim")).unwrap();
    place.chmod("victim", 0o700);
    place.write("victim/journal", "as it was");
    symlink(place.path("victim"), place.path("init.s.state")).unwrap();
    place.clinit("-d").fails(7, &["init.s.state is not a folder of this user's alone"]);
    assert_eq!(place.read("victim/journal"), "as it was");
    assert!(!place.has("victim/lock") && !place.has("init.s"));
}

#[test]
fn up_takes_no_folder_that_somebody_else_has_put_in_its_way() {
    if !can_be_stranger() {
        return;
    }
    let place = Place::new("web:httpd:start,:respawn:sleep 1000\n");
    fs::create_dir(place.path("victim")).unwrap();
    place.chmod("victim", 0o711);
    // A user whom nobody else is, and who has no folder yet.
    let uid = 61_000 + std::process::id() % 4000;
    let ways = ["/tmp", "/dev/shm"].map(|folder| format!("{folder}/clinit-{uid}"));
    for way in &ways {
        symlink(place.path("victim"), way).unwrap();
    }
    let mut command = unprivileged(&place, "up cltab");
    std::os::unix::process::CommandExt::uid(&mut command, uid);
    command.env_remove("XDG_RUNTIME_DIR").env_remove("HOME");
    let said = run(&mut command);
    ways.iter().for_each(|way| fs::remove_file(way).unwrap());
    said.fails(7, &["is not a folder of this user's alone"]);
    let victim = place.path("victim");
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
    assert_eq!(victim.metadata().unwrap().permissions().mode() & 0o777, 0o711);
}

#[test]
fn what_root_becomes_and_loads_may_not_be_written_by_everybody() {
    if !is_root() {
        return skip("this concerns root alone");
    }
    let place = Place::new("web:a:start,:wait:true\nweb:a::environment_file:env\n");
    place.write("env", "A=1\n");
    place.chmod("env", 0o646);
    place.write("table", "web:a:start,:wait:true\n");
    fs::copy(crate::command::CLINIT, place.path("next")).unwrap();
    place.chmod("next", 0o757);
    let path = place.path("env").display().to_string();
    let table = place.read("cltab").replace("environment_file:env", &format!("environment_file:{path}"));
    place.write("cltab", table);
    let daemon = Daemon::at(place);
    daemon.clinit("tell web start --wait");
    let entry = daemon.wait_entry("a", "done");
    assert_eq!(entry["last_exit"]["kind"], "not_executed", "{entry}");
    let engine = daemon.role_pid("engine");
    let mut reexec = Wire::connect(&daemon.socket());
    let next = daemon.path("next").display().to_string();
    let refused = reexec.call("org.clinit.Init.Reexec", &json!({ "program": next }));
    assert_eq!(refused["error"], "org.clinit.Init.ProgramRefused", "{refused}");
    assert!(refused["parameters"]["reason"].as_str().unwrap().contains("chmod o-w"), "{refused}");
    assert_eq!(daemon.role_pid("engine"), engine);
}

#[test]
fn an_entry_that_floods_its_log_keeps_no_other_waiting_and_no_disk_full() {
    let place = Place::new("");
    place.write_table(&format!(
        "web:flood:run,:respawn:yes flood\nweb:quiet:run,:wait:echo heard\nweb:::output:file:{}\n\
         web:flood::log_size:65536\nweb:flood::log_count:3\n",
        place.path("logs").display()
    ));
    let daemon = Daemon::at(place);
    daemon.settle("web", "run", "DONE");
    eventually("its line", || daemon.read("logs/web/quiet/current").contains("heard"));
    let flood = daemon.path("logs/web/flood");
    let kept = || {
        let files = fs::read_dir(&flood).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).collect::<Vec<u64>>()
    };
    wait_for("the folder to be full", || (kept().len() >= 4).then_some(()));
    for _ in 0..50 {
        let sizes = kept();
        // A file may be about to be removed.
        assert!(sizes.len() <= 5 && sizes.iter().sum::<u64>() < 5 * 65_536, "{sizes:?}");
    }
    assert_eq!(daemon.clinit("status").code, Some(0));
}

#[test]
fn a_service_cannot_read_the_daemons_state() {
    if !can_be_stranger() {
        return;
    }
    let daemon = Daemon::start(&format!(
        "web:a:run,:wait:for f in init.s.state init.s.state/journal init.s.state/out/*; do test -r $f && echo $f; \
         done; test -w init.s && echo init.s; true\nweb:a::run_user:{STRANGER}\nweb:a::output:inherit\n"
    ));
    daemon.settle("web", "run", "DONE");
    assert_eq!(daemon.out(), "");
    for name in ["init.s.state", "init.s"] {
        assert_eq!(daemon.path(name).metadata().unwrap().mode() & 0o077, 0, "{name}");
    }
}

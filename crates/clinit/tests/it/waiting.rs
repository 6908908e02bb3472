//! What people see who wait, and what they are told in the end: readiness, requirements, causes.

use std::io::Read;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::json;

use crate::command::finish;
use crate::daemon::Daemon;
use crate::place::number;
use crate::wait::{eventually, wait_for};

/// `app` requires `db`, which is ready when there is a file `ok`.
const PAIR: &str = "web:db:1,:respawn:sleep 1000\n\
                    web:db::readiness:exec:test -e ok\n\
                    web:app:1,:respawn:sleep 1001\n\
                    web:app::requires:db\n";

/// `db` fails at once, and is given up after two restarts; `app` requires it.
const GIVEN_UP: &str = "web:db:1,:respawn:exit 3\n\
                        web:db::retry_count:2\n\
                        web:db::retry_interval:60\n\
                        web:app:1,:respawn:sleep 1001\n\
                        web:app::requires:db\n\
                        web:other:1,:respawn:sleep 1002\n";

#[test]
fn a_wait_is_for_readiness() {
    let daemon = Daemon::start(PAIR);
    let told = daemon.begin("tell web 1 --wait");
    let db = daemon.wait_entry("db", "running");
    assert_eq!(db["why"], "not ready yet: the command of its readiness has not succeeded");
    let app = daemon.entry("app");
    assert_eq!((&app["state"], &app["waits_for"]), (&json!("down"), &json!("web/db")));
    assert!(
        app["why"].as_str().unwrap().starts_with("it waits for web/db, which is not ready yet: "),
        "{app}"
    );
    daemon.write("ok", "");
    finish(told).is(0, "web 1 DONE\n", "");
    assert_eq!(daemon.entry("db")["state"], "ready");
    let restarted = daemon.clinit("restart web/db").done();
    assert!(restarted.starts_with("web/db: ready, pid "), "{restarted}");
}

#[test]
fn an_entry_that_is_not_ready_in_time_is_named() {
    let daemon = Daemon::start(&format!("{PAIR}web:db::start_timeout:200ms\nweb:db::retry_count:0\n"));
    let said = daemon.clinit("tell web 1 --wait");
    assert_eq!((said.code, said.out.as_str()), (Some(1), "web 1 FAILED\n"));
    for words in
        ["web/db: given_up", "web/app: down: it requires web/db, which was given up", "clinit explain web"]
    {
        assert!(said.err.contains(words), "{words}: {said:?}");
    }
    let started = daemon.clinit("start app");
    assert_eq!(started.code, Some(1));
    assert!(started.out.contains("it requires web/db, which was given up"), "{started:?}");
    let explained = daemon.clinit("explain app").done();
    assert!(explained.contains("it was not ready within its start_timeout"), "{explained}");
}

#[test]
fn one_that_was_given_up_and_is_not_wanted_any_more_is_down_for_its_level() {
    let daemon = Daemon::start(GIVEN_UP);
    daemon.tell("web", "1");
    daemon.wait_entry("db", "given_up");
    daemon.settle("web", "2", "DONE");
    assert_eq!(daemon.entry("db")["why"], json!(null));
    let explained = daemon.clinit("explain db").done();
    assert!(explained.contains("group web has level 2, and it does not belong to it"), "{explained}");
}

#[test]
fn what_is_wrong_is_named_with_its_remedy() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:sleep 1000\nweb:b:1,:respawn:./absent\nweb:c:1,:respawn:echo x; exec sleep 1000\n\
         web:c::output:file:/proc/none\n",
    );
    daemon.tell("web", "1");
    daemon.clinit("signal a FOO").fails(2, &["FOO is no signal", "such as HUP"]);
    daemon.clinit("stop nobody").fails(1, &["no such entry: nobody", "clinit status shows what there is"]);
    let missing = daemon.clinit("plan absent.cltab");
    assert_eq!(missing.err.matches("absent.cltab").count(), 1, "{missing:?}");
    let alone = daemon.clinit("frobnicate");
    assert!(alone.err.contains("clinit help lists the commands"), "{alone:?}");
    daemon.wait_entry("b", "pausing");
    let explained = daemon.clinit("explain b").done();
    assert!(explained.contains("it was not executed: ./absent: "), "{explained}");
    eventually("a word about its lines", || {
        daemon.clinit("status").out.contains(": /proc/none/web/c: No such")
    });
    let explained = daemon.clinit("explain c").done();
    assert!(explained.contains("change its output in the table"), "{explained}");
}

#[test]
fn state_and_exit_code_are_of_the_moment_at_which_they_are_told() {
    let daemon = Daemon::start(
        "web:db:1,:respawn:until test -e bad; do sleep 0.02; done; test -e good && exec sleep 1000; exit 3\n\
         web:db::restart:never\n",
    );
    let slow = "until test -e slow.$1; do sleep 0.02; done; echo >&3; exec sleep 1000";
    for (number, end, code) in [("1", "web 1 FAILED\n", 1), ("2", "web 1 DONE\n", 0)] {
        // Nobody hears of the end before it is known what becomes of this one, for which no group waits.
        let mut run = daemon.command();
        run.args(["-s", "init.s", "run", "--group", "web", "--tag", &format!("slow{number}")]);
        run.args(["--property", "readiness=fd:3", "--", "sh", "-c", slow, "sh", number]);
        let running = daemon.begin_into(&mut run);
        daemon.wait_entry(&format!("slow{number}"), "running");
        let told = daemon.begin("tell web 1 --wait");
        if code == 1 {
            daemon.wait_group("web", "1", "DONE");
            daemon.write("bad", "");
            daemon.wait_group("web", "1", "FAILED");
        } else {
            daemon.wait_group("web", "1", "FAILED");
            daemon.write("good", "");
            daemon.clinit("start db").done();
            daemon.wait_group("web", "1", "DONE");
        }
        daemon.write(&format!("slow.{number}"), "");
        let said = finish(told);
        assert_eq!((said.code, said.out.as_str()), (Some(code), end), "{said:?}");
        assert_eq!(said.err.contains("web/db: given_up: "), code == 1, "{said:?}");
        finish(running).done();
    }
}

#[test]
fn an_explanation_follows_the_causes_to_their_lines() {
    let daemon = Daemon::start(GIVEN_UP);
    daemon.tell("web", "1");
    daemon.wait_entry("db", "given_up");
    daemon.wait_entry("app", "down");
    let explained = daemon.clinit("explain web/app").done();
    let place = |line: u32| format!("({}:{line})", daemon.path("cltab").display());
    for words in [
        "web/app: down, for".to_owned(),
        format!("it requires web/db, which was given up  {}", place(5)),
        format!("web/db was given up: it failed after 2 restarts within 60s  {}", place(2)),
        "web/db exited 3, ".to_owned(),
        "clinit explain web/db".to_owned(),
    ] {
        assert!(explained.contains(&words), "{words}: {explained}");
    }
    let explained = daemon.clinit("explain db").done();
    for words in
        ["web/db: given up, for", "nothing, until somebody starts or resets it", "clinit reset web/db"]
    {
        assert!(explained.contains(words), "{words}: {explained}");
    }
    let shown = daemon.clinit("status").done();
    assert!(
        shown.contains("given_up") && shown.contains("it requires web/db, which was given up"),
        "{shown}"
    );
    daemon.write_table(&GIVEN_UP.replace("exit 3", "sleep 1000"));
    daemon.reread();
    daemon.clinit("reset db").done();
    daemon.wait_group("web", "1", "DONE");
    assert_eq!(daemon.entry("app")["state"], "running");
}

#[test]
fn a_group_that_fell_says_for_whom() {
    let daemon = Daemon::start(&format!("{GIVEN_UP}web:db::failover_mode:soft\n"));
    daemon.tell("web", "1");
    daemon.wait_group("web", "1", "FAILED");
    assert_eq!(daemon.group("web")["fallen"], true);
    eventually("that all is down", || daemon.services().is_empty());
    let shown = daemon.clinit("status web").done();
    assert!(shown.contains("taken down: an entry was given up"), "{shown}");
    let explained = daemon.clinit("explain other").done();
    let line = format!("({}:7)", daemon.path("cltab").display());
    let words =
        format!("its group was taken down: web/db was given up, and its failover_mode is soft  {line}");
    assert!(explained.contains(&words), "{explained}");
    assert!(explained.contains("web/db was given up: it failed after 2 restarts"), "{explained}");
    assert!(daemon.clinit("explain web").done().contains("clinit reset web"));
}

#[test]
fn what_was_stopped_by_hand_holds_those_that_require_it() {
    let daemon = Daemon::start(&PAIR.replace("web:db::readiness:exec:test -e ok\n", ""));
    daemon.settle("web", "1", "DONE");
    daemon.clinit("stop db").done();
    eventually("that both are down", || daemon.services().is_empty());
    let app = daemon.entry("app");
    assert_eq!(app["why"], "it requires web/db, which was stopped by hand");
    assert_eq!((&daemon.entry("db")["hold"], &app["hold"]), (&json!("until_started"), &json!("free")));
    assert!(daemon.clinit("explain app").done().contains("web/db was stopped by hand"));
    daemon.clinit("start db").done();
    daemon.wait_entry("app", "running");
}

#[test]
fn health_is_shown() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:sleep 1000\nweb:a::health_check:exec:test ! -e ill\nweb:a::health_interval:50ms\n\
         web:a::failover_mode:log_only\nweb:a::health_threshold:3\n",
    );
    daemon.settle("web", "1", "DONE");
    assert_eq!((&daemon.entry("a")["misses"], &daemon.entry("a")["misses_max"]), (&json!(0), &json!(3)));
    daemon.write("ill", "");
    let ill =
        wait_for("that it is unwell", || Some(daemon.entry("a")).filter(|a| a["why"] == "it is not well"));
    assert!(number(&ill["misses"]) >= 3 && ill["troubled"] == true && ill["last_failure"] == "unhealthy");
    assert!(daemon.clinit("status a").done().contains("health check failed"));
    let explained = daemon.clinit("explain a").done();
    assert!(explained.contains("its health check failed too often"), "{explained}");
}

#[test]
fn a_terminal_is_told_what_is_waited_for_and_nothing_else_is() {
    let daemon = Daemon::start(PAIR);
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = std::fs::File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut command = daemon.command();
    command.args(["-s", "init.s", "tell", "web", "1", "--wait"]).stdout(Stdio::piped()).stderr(slave);
    let waits = command.spawn().unwrap();
    drop(command);
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut terminal = std::fs::File::from(master);
        let mut bytes = [0; 1024];
        while let Ok(size @ 1..) = terminal.read(&mut bytes) {
            let _nobody_listens = sender.send(String::from_utf8_lossy(&bytes[..size]).into_owned());
        }
    });
    let mut said = String::new();
    wait_for("a line", || {
        said.extend(lines.try_iter());
        let line = "web: starting: waits for web/db (not ready yet: the command of its readiness";
        said.contains(line).then_some(())
    });
    daemon.write("ok", "");
    finish(waits).is(0, "web 1 DONE\n", "");
    wait_for("that the line is gone", || {
        said.extend(lines.try_iter());
        said.ends_with("\r\u{1b}[K").then_some(())
    });
}

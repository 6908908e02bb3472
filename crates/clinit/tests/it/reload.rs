//! `clinit reload`

use crate::command::finish;
use crate::daemon::Daemon;
use crate::speaker;
use crate::wait::eventually;

const TABLE: &str = "web:command:1,:respawn:sleep 1000\n\
                     web:command::reload_command:touch began; until test -e go; do sleep 0.02; done; test ! -e bad\n\
                     web:signal:1,:respawn:trap 'touch heard' USR1; touch ready; while :; do sleep 0.02; done\n\
                     web:signal::reload_signal:USR1\n\
                     web:neither:1,:respawn:sleep 1001\n\
                     web:cold:2,:respawn:sleep 1002\n\
                     web:cold::reload_signal:HUP\n";

fn started() -> Daemon {
    let daemon = Daemon::start(TABLE);
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    daemon
}

#[test]
fn a_reload_returns_when_its_command_has_ended() {
    let daemon = started();
    let client = daemon.begin("reload web/command");
    daemon.wait_file("began");
    eventually("that it reloads", || daemon.entry("command")["reloading"] == true);
    assert!(daemon.clinit("status command").done().contains("reloading"));
    let pid = daemon.pid("command");
    daemon.write("go", "");
    finish(client).is(0, &format!("web/command: running, pid {pid}: reloaded\n"), "");
    assert_eq!(daemon.entry("command")["reloading"], false);
}

#[test]
fn a_reload_that_failed_says_how() {
    let daemon = started();
    daemon.write("go", "");
    daemon.write("bad", "");
    let said = daemon.clinit("reload command");
    assert_eq!((said.code, said.err.as_str()), (Some(1), ""));
    assert!(said.out.ends_with(": its reload_command failed: exited 1\n"), "{said:?}");
}

#[test]
fn a_reload_that_takes_too_long_is_a_timeout_and_goes_on() {
    let daemon = started();
    daemon.clinit("reload command --timeout 0.2").fails(4, &["did not finish within 200ms", "goes on"]);
    daemon.write("go", "");
    eventually("its end", || daemon.entry("command")["reloading"] == false);
}

#[test]
fn a_command_that_exceeds_its_time_is_killed() {
    let daemon = Daemon::start(
        "web:a:1,:respawn:sleep 1000\nweb:a::reload_command:sleep 1000\nweb:a::reload_timeout:200ms\n",
    );
    daemon.settle("web", "1", "DONE");
    let said = daemon.clinit("reload a");
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("killed by KILL (it has 200ms: reload_timeout)"), "{said:?}");
}

#[test]
fn a_signal_is_sent_and_not_waited_for() {
    let daemon = started();
    let pid = daemon.pid("signal");
    daemon.clinit("reload signal").is(0, &format!("web/signal: running, pid {pid}: sent USR1\n"), "");
    daemon.wait_file("heard");
    assert_eq!(daemon.pid("signal"), pid);
}

#[test]
fn what_cannot_reload_says_why_and_what_to_do() {
    let daemon = started();
    let said = daemon.clinit("reload web/neither");
    assert_eq!(said.code, Some(1));
    assert!(
        said.out.contains("neither reload_command nor reload_signal: clinit restart web/neither"),
        "{said:?}"
    );
    let said = daemon.clinit("reload cold");
    assert_eq!((said.code, said.out.as_str()), (Some(1), "web/cold: down: it does not run\n"));
    daemon.clinit("reload nobody").fails(1, &["no such entry: nobody, nor a group"]);
}

#[test]
fn of_a_group_those_reload_that_can() {
    let daemon = started();
    daemon.write("go", "");
    let said = daemon.clinit("reload web").done();
    let names: Vec<&str> = said.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(names, ["web/command", "web/signal"]);
}

#[test]
fn an_entry_that_ends_meanwhile_has_not_reloaded() {
    let daemon = started();
    let client = daemon.begin("reload web/command");
    daemon.wait_file("began");
    daemon.clinit("restart web/command").done();
    let said = finish(client);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("it ended before it had read its configuration again"), "{said:?}");
}

#[test]
fn one_that_says_that_it_reloads_is_waited_for_until_it_is_ready_again() {
    let script = "def reload(*_):\n    say('RELOADING=1')\n    note('heard')\n    wait_for('go')\n    say('READY=1')\n\
                  signal.signal(signal.SIGHUP, reload)\nsay('READY=1\\nSTATUS=serving 3 clients')\nrest()";
    let table = "web:a:1,:respawn:@a\nweb:a::readiness:notify\nweb:a::reload_signal:HUP\n";
    let daemon = Daemon::at(speaker::place(table, &[("a", script)]));
    daemon.settle("web", "1", "DONE");
    let client = daemon.begin("reload a");
    daemon.wait_file("heard");
    eventually("that it reloads", || daemon.entry("a")["reloading"] == true);
    let shown = daemon.clinit("status a").done();
    assert!(shown.contains("reloading; says: serving 3 clients"), "{shown}");
    let explained = daemon.clinit("explain a").done();
    for words in ["says     serving 3 clients", "it goes on when it has read its configuration"] {
        assert!(explained.contains(words), "{words}: {explained}");
    }
    speaker::touch(&daemon, "go");
    let said = finish(client);
    assert!(said.code == Some(0) && said.out.ends_with(": sent HUP\n"), "{said:?}");
    assert_eq!(daemon.entry("a")["reloading"], false);
}

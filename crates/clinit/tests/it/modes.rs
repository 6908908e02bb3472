//! How entries run, each by its mode.

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::process::{is_gone, send};
use crate::wait::eventually;

#[test]
fn wait_holds_the_next_entry_and_its_exit_does_not_matter() {
    let daemon = Daemon::start(
        "web:first:1,:wait:until test -e go; do sleep 0.02; done; exit 3\n\
         web:second:1,:wait:touch second\n",
    );
    daemon.tell("web", "1");
    daemon.pid("first");
    assert_eq!(daemon.entry("second")["state"], "down");
    assert_eq!(daemon.group("web")["state"], "STARTING");
    daemon.write("go", "");
    daemon.wait_group("web", "1", "DONE");
    assert!(daemon.has("second"));
    let first = daemon.entry("first");
    assert_eq!(first["state"], "done");
    assert_eq!(first["last_exit"]["kind"], "exited");
    assert_eq!(first["last_exit"]["code"], 3);
}

#[test]
fn once_and_respawn_do_not_hold_the_next_entry() {
    let daemon = Daemon::start(
        "web:once:1,:once:sleep 1000\n\
         web:respawn:1,:respawn:sleep 1000\n\
         web:last:1,:wait:true\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.pid("once");
    daemon.pid("respawn");
}

#[test]
fn once_is_not_started_again_and_stops_with_its_level() {
    let daemon = Daemon::start("web:brief:1,:once:echo x >> log\nweb:long:1,:once:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    daemon.wait_entry("brief", "done");
    let long = daemon.pid("long");
    send(long, Signal::KILL);
    let entry = daemon.wait_entry("long", "done");
    assert_eq!(entry["last_exit"]["signal"], "KILL");
    assert_eq!(daemon.lines("log"), ["x"]);

    daemon.settle("web", "2", "DONE");
    daemon.settle("web", "1", "DONE");
    let long = daemon.pid("long");
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(long));
}

#[test]
fn respawn_is_started_again_whenever_it_ends() {
    let daemon =
        Daemon::start("web:httpd:1,:respawn:sleep 1000\nweb:brief:1,:respawn:echo x >> log; exit 7\n");
    daemon.settle("web", "1", "DONE");
    let first = daemon.pid("httpd");
    send(first, Signal::TERM);
    eventually("another process", || daemon.entry("httpd")["restarts"] == 1);
    let httpd = daemon.wait_entry("httpd", "running");
    assert_ne!(httpd["pid"], first);
    assert_eq!(httpd["last_exit"]["kind"], "signalled");
    assert_eq!(httpd["last_exit"]["signal"], "TERM");
    let brief = daemon.wait_entry("brief", "pausing");
    assert_eq!(brief["last_exit"]["code"], 7);
    assert_eq!(brief["restarts"], 4);
    assert_eq!(daemon.group("web")["state"], "DONE");
}

#[test]
fn off_never_runs() {
    let daemon = Daemon::start(
        "web:never:1,:off:touch never\n\
         web:last:1,:wait:true\n",
    );
    daemon.settle("web", "1", "DONE");
    let never = daemon.entry("never");
    assert_eq!(never["state"], "down");
    assert_eq!(never["wanted"], false);
    assert!(!daemon.has("never"));
}

#[test]
fn an_entry_that_is_switched_off_and_on_stops_and_starts() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    let httpd = daemon.pid("httpd");
    daemon.write_table("web:httpd:1,:off:sleep 1000\n");
    daemon.reread();
    eventually("its end", || is_gone(httpd));
    daemon.write_table("web:httpd:1,:respawn:sleep 1000\n");
    daemon.reread();
    daemon.pid("httpd");
}

//! Tables that change while the daemon runs.

use std::fs::{File, FileTimes};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{is_alive, is_gone, send};
use crate::script::at_term;
use crate::wait::eventually;

#[test]
fn a_changed_entry_is_stopped_gracefully_and_started() {
    let httpd = at_term("echo bye >> log");
    let daemon = Daemon::start(&format!("web:httpd:1,:respawn:{httpd}\nweb:other:1,:respawn:sleep 1000\n"));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    let (pid, other) = (daemon.pid("httpd"), daemon.pid("other"));
    daemon.write_table(
        "web:httpd:1,:respawn:echo hello >> log; exec sleep 1000\nweb:other:1,:respawn:sleep 1000\n",
    );
    daemon.reread();
    eventually("the change", || daemon.lines("log") == ["bye", "hello"]);
    assert!(is_gone(pid));
    daemon.wait_group("web", "1", "DONE");
    assert_eq!(daemon.pid("other"), other, "an unchanged entry is not touched");
}

#[test]
fn a_deleted_entry_is_stopped_gracefully_and_forgotten() {
    let httpd = at_term("touch bye");
    let daemon = Daemon::start(&format!("web:httpd:1,:respawn:{httpd}\nweb:other:1,:respawn:sleep 1000\n"));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    let (pid, other) = (daemon.pid("httpd"), daemon.pid("other"));
    daemon.write_table("web:other:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    assert!(is_gone(pid) && daemon.has("bye"));
    assert!(daemon.entry("httpd").is_null());
    assert_eq!(daemon.pid("other"), other);
}

#[test]
fn a_child_killed_by_a_change_of_the_table_is_gone_within_a_second_of_the_tell() {
    let daemon = Daemon::start(
        "web:changed:1,:respawn:sleep 1000\nweb:deleted:1,:respawn:sleep 1000\nweb:x:1,:off:x\n",
    );
    daemon.settle("web", "1", "DONE");
    let pids = [daemon.pid("changed"), daemon.pid("deleted")];
    daemon.write_table("web:changed:1,:respawn:sleep 1001\nweb:x:1,:off:x\n");
    let told = Instant::now();
    daemon.tell("web", "1");
    while !pids.into_iter().all(is_gone) {
        assert!(told.elapsed() < Duration::from_secs(1));
        std::thread::yield_now();
    }
}

#[test]
fn content_counts_and_time_does_not() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    let first = daemon.pid("httpd");
    let time = daemon.path("cltab").metadata().unwrap().modified().unwrap();
    let set_time = |time| {
        let times = FileTimes::new().set_modified(time);
        File::options().write(true).open(daemon.path("cltab")).unwrap().set_times(times).unwrap();
    };

    set_time(time + Duration::from_secs(3600));
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.pid("httpd"), first, "a newer table of the same content changes nothing");

    daemon.write_table("web:httpd:1,:respawn:sleep 1001\n");
    set_time(time - Duration::from_secs(3600));
    daemon.settle("web", "1", "DONE");
    assert_ne!(daemon.pid("httpd"), first, "an older table of another content does");
}

#[test]
fn hup_no_operands_and_every_tell_reread() {
    let daemon = Daemon::start("web:a:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    daemon.write_table("web:a:1,:respawn:sleep 1000\nweb:b:1,:respawn:sleep 1000\n");
    send(daemon.child_pid(), Signal::HUP);
    daemon.pid("b");
    daemon.write_table("web:c:1,:respawn:sleep 1000\nmail:d:1,:respawn:sleep 1000\n");
    daemon.clinit("").is(0, "", "");
    daemon.pid("c");
    daemon.write_table("web:e:1,:respawn:sleep 1000\nmail:d:1,:respawn:sleep 1000\n");
    daemon.clinit("mail 1").is(0, "level transition started\n", "");
    daemon.pid("e");
}

#[test]
fn a_change_of_policy_or_levels_alone_restarts_nothing() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    let httpd = daemon.pid("httpd");
    daemon.write_table(
        "web:httpd:1,2:respawn:sleep 1000\nweb:httpd::stop_timeout:3\nweb:httpd::stop_signal:INT\n",
    );
    daemon.reread();
    assert_eq!(daemon.pid("httpd"), httpd);
    daemon.settle("web", "2", "DONE");
    assert_eq!(daemon.pid("httpd"), httpd);
    daemon.settle("web", "3", "DONE");
    assert_eq!(daemon.entry("httpd")["last_exit"]["signal"], "INT", "the new policy holds");
}

#[test]
fn an_entry_that_the_level_has_no_longer_is_stopped_and_a_new_one_starts() {
    let daemon = Daemon::start("web:a:1,:respawn:sleep 1000\nweb:b:2,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    let a = daemon.pid("a");
    daemon.write_table("web:a:2,:respawn:sleep 1000\nweb:b:1,:respawn:sleep 1000\n");
    daemon.reread();
    daemon.pid("b");
    assert!(is_gone(a));
}

#[test]
fn a_deleted_group_is_stopped_and_a_new_one_waits_or_takes_its_initdefault() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\nmail:smtpd:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    daemon.settle("mail", "1", "DONE");
    let (httpd, smtpd) = (daemon.pid("httpd"), daemon.pid("smtpd"));
    daemon.write_table(
        "mail:smtpd:1,:respawn:sleep 1000\n\
         news:feed:1,:respawn:sleep 1000\n\
         ftp:ftpd:1,:respawn:sleep 1000\n\
         ftp:::initdefault:1\n",
    );
    daemon.reread();
    eventually("its end", || is_gone(httpd) && daemon.group("web").is_null());
    daemon.wait_group("ftp", "1", "DONE");
    assert_eq!(daemon.group("news")["told"], false);
    assert_eq!(daemon.pid("smtpd"), smtpd);
    daemon.wait_clstat(&["ftp 1 DONE", "mail 1 DONE"]);
    daemon.clinit("web 1").is(0, "no such group: web\n", "");
}

#[test]
fn settings_persist_when_their_lines_vanish() {
    let place = Place::new("");
    let settings = ":::socket:table.s\n:::clstat:table.clstat\n:::log:table.log\n";
    place.write("cltab", format!("{settings}web:httpd:1,:respawn:echo said; exec sleep 1000\n"));
    let mut command = place.command();
    command.args(["-c", "cltab", "-d"]);
    let daemon = Daemon::begun(place, &mut command);
    eventually("an answer", || daemon.bare("-s table.s status").code == Some(0));

    daemon.write("cltab", "web:httpd:1,:respawn:echo said; exec sleep 1000\n");
    daemon.bare("-s table.s").done();
    daemon.bare("-s table.s tell web 1 --wait").done();
    eventually("the status file", || daemon.read("table.clstat") == "Cluster::Init::Group web 1 DONE\n");
    eventually("the entry's output", || daemon.out() == "said\n");
    eventually("the log", || daemon.read("table.log").contains(" clinit: web: level 1: DONE\n"));
    assert_eq!(daemon.err(), "");
    daemon.bare("-s table.s shutdown").done();
    assert!(!daemon.has("table.s") && !daemon.has("table.clstat"));
}

#[test]
fn the_place_of_an_entry_in_the_file_may_change_while_it_runs() {
    let daemon = Daemon::start("web:a:1,:respawn:sleep 1000\nweb:b:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    let (a, b) = (daemon.pid("a"), daemon.pid("b"));
    daemon.write_table("# another order\nweb:b:1,:respawn:sleep 1000\n\nweb:a:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    assert!(is_alive(a) && is_alive(b));
    assert_eq!((daemon.pid("a"), daemon.pid("b")), (a, b));
}

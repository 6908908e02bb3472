//! Every entry has a cgroup of its own, where one can be made.

use std::path::Path;

use rustix::process::Signal;

use crate::cgroup2;
use crate::daemon::Daemon;
use crate::process::{is_alive, is_gone, send};
use crate::wait::eventually;

/// The folder of a process's cgroup.
fn folder(own: &Path, pid: u32) -> std::path::PathBuf {
    let path = cgroup2::of(pid);
    let name = cgroup2::of(std::process::id());
    own.join(path.strip_prefix(&name).unwrap_or(&path).trim_start_matches('/'))
}

#[test]
fn every_entry_has_its_own_and_it_goes_with_the_entry() {
    let Some(own) = cgroup2::writable() else { return };
    let daemon = Daemon::start(
        "web:a:1,:respawn:sleep 1000\n\
         web:b:1,:respawn:sleep 1000\n\
         web:plain:1,:respawn:sleep 1000\n\
         web:plain::cgroup:no\n",
    );
    daemon.settle("web", "1", "DONE");
    let paths = ["a", "b"].map(|tag| cgroup2::of(daemon.pid(tag)));
    assert_ne!(paths[0], paths[1]);
    assert!(paths[0].contains("/web_a.") && paths[1].contains("/web_b."), "{paths:?}");
    let plain = cgroup2::of(daemon.pid("plain"));
    assert_eq!(plain, cgroup2::of(daemon.role_pid("keeper")), "without one it is in the daemon's");
    let folders = ["a", "b"].map(|tag| folder(&own, daemon.pid(tag)));
    assert!(folders.iter().all(|folder| folder.exists()), "{folders:?}");

    daemon.settle("web", "2", "DONE");
    eventually("that they are gone", || folders.iter().all(|folder| !folder.exists()));
}

#[test]
fn a_shutdown_leaves_no_cgroup_behind() {
    let Some(own) = cgroup2::writable() else { return };
    let daemon = Daemon::start("web:a:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    let folder = folder(&own, daemon.pid("a"));
    let of_the_daemon = folder.parent().unwrap().to_owned();
    assert_ne!(of_the_daemon, own);
    daemon.clinit("shutdown").done();
    daemon.wait_end();
    assert!(!folder.exists(), "{} is left", folder.display());
    assert!(!of_the_daemon.exists(), "{} is left", of_the_daemon.display());
}

#[test]
fn the_next_life_is_in_the_same_cgroup() {
    let Some(_) = cgroup2::writable() else { return };
    let daemon = Daemon::start("web:a:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    let first = daemon.pid("a");
    let path = cgroup2::of(first);
    send(first, Signal::KILL);
    eventually("another life", || daemon.entry("a")["restarts"] == 1);
    assert_eq!(cgroup2::of(daemon.pid("a")), path);
}

#[test]
fn kill_mode_cgroup_reaches_who_has_left_the_process_group() {
    let Some(_) = cgroup2::writable() else { return };
    let daemon = Daemon::start(
        "web:a:1,:respawn:setsid sleep 1000 & echo $! > kid; wait\n\
         web:deaf:1,:respawn:setsid sh -c 'trap \"\" TERM; echo $$ > deaf; while :; do sleep 0.02; done' & wait\n\
         web:::kill_mode:cgroup\n\
         web:::stop_timeout:300ms\n",
    );
    daemon.settle("web", "1", "DONE");
    let (kid, deaf) = (daemon.wait_number("kid"), daemon.wait_number("deaf"));
    assert!(is_alive(kid) && is_alive(deaf));
    daemon.settle("web", "2", "DONE");
    assert!(is_gone(kid) && is_gone(deaf));
}

#[test]
fn with_kill_mode_cgroup_nobody_of_the_old_life_is_left_when_the_next_begins() {
    let Some(_) = cgroup2::writable() else { return };
    let daemon = Daemon::start(
        "web:a:1,:respawn:test -e kid && kill -0 $(cat kid) && touch both; setsid sleep 1000 & echo $! > kid; wait\n\
         web:::kill_mode:cgroup\n",
    );
    daemon.settle("web", "1", "DONE");
    let kid = daemon.wait_number("kid");
    send(daemon.pid("a"), Signal::KILL);
    eventually("another child", || daemon.wait_number("kid") != kid);
    assert!(!is_alive(kid) && !daemon.has("both"));
}

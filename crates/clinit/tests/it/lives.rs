//! One life after the other, of entries and of the daemon's own processes.

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{is_alive, send};
use crate::wait::{eventually, wait_for};

/// Waits until an entry has another main process than this, and returns it.
#[track_caller]
pub(crate) fn another_main(place: &Place, tag: &str, old: u32) -> u32 {
    wait_for(&format!("another main process of {tag}"), || {
        let pid = place.entry(tag)["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        pid.filter(|&pid| pid != old)
    })
}

/// Waits until a script has written so many lines, or more.
#[track_caller]
pub(crate) fn wait_lines(place: &Place, name: &str, count: usize) -> Vec<String> {
    wait_for(&format!("{count} lines in {name}"), || {
        Some(place.lines(name)).filter(|lines| lines.len() >= count)
    })
}

/// Kills the daemon's process of a role, and waits until the next one answers.
#[track_caller]
pub(crate) fn lose(daemon: &Daemon, role: &str) {
    let old = daemon.role_pid(role);
    send(old, Signal::KILL);
    eventually(&format!("another {role}"), || {
        matches!(daemon.all_of_role(role)[..], [pid] if pid != old) && !is_alive(old)
    });
    daemon.wait_answer();
}

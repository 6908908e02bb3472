//! Processes, as /proc tells of them.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use crate::wait::eventually;

/// The numbers and letters of /proc/PID/stat behind the name: state, parent, process group, session.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind_the_name) = text.rsplit_once(')')?;
    Some(behind_the_name.split_whitespace().map(str::to_owned).collect())
}

fn number(pid: u32, index: usize) -> u32 {
    stat(pid).and_then(|fields| fields.get(index)?.parse().ok()).unwrap_or(0)
}

/// Its state as a letter; none when there is no such process.
pub(crate) fn state(pid: u32) -> Option<char> {
    stat(pid)?.first()?.chars().next()
}

/// Whether it runs; a zombie does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

/// Whether nothing is left of it, not even a zombie.
pub(crate) fn is_gone(pid: u32) -> bool {
    state(pid).is_none()
}

/// Its parent.
pub(crate) fn parent(pid: u32) -> u32 {
    number(pid, 1)
}

/// Its process group.
pub(crate) fn group(pid: u32) -> u32 {
    number(pid, 2)
}

/// Its session.
pub(crate) fn session(pid: u32) -> u32 {
    number(pid, 3)
}

/// When it was started, in ticks since boot.
pub(crate) fn started(pid: u32) -> u32 {
    number(pid, 19)
}

/// A file of its in /proc; nothing when it is gone.
pub(crate) fn file(pid: u32, name: &str) -> String {
    let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A line of /proc/PID/status.
pub(crate) fn status(pid: u32, name: &str) -> String {
    let text = file(pid, "status");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_default().trim().to_owned()
}

/// Its folder.
pub(crate) fn cwd(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/cwd")).unwrap()
}

/// All processes.
pub(crate) fn all() -> Vec<u32> {
    let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).collect()
}

/// Sends a signal to a process that is known to be the test's own.
pub(crate) fn send(pid: u32, signal: Signal) {
    let _gone = kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal);
}

/// Kills processes at one moment: stopped first, so that none sees another die.
#[track_caller]
pub(crate) fn kill(pids: &[u32]) {
    for signal in [Signal::STOP, Signal::KILL] {
        pids.iter().for_each(|&pid| send(pid, signal));
    }
    eventually("that they are dead", || !pids.iter().any(|&pid| is_alive(pid)));
}

/// Sends a signal to a process if it is still the one that `is_it` knows, whoever else has its number now.
pub(crate) fn send_if(pid: u32, signal: Signal, is_it: impl Fn(u32) -> bool) {
    let pid_of = |pid: u32| Pid::from_raw(i32::try_from(pid).ok()?);
    let Some(pidfd) = pid_of(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return };
    if is_it(pid) {
        let _gone = pidfd_send_signal(&pidfd, signal);
    }
}

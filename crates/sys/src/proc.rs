//! What /proc tells of a process (proc_pid_stat(5)).

use std::collections::HashSet;
use std::fs;

/// What is needed of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// `R`, `S`, `D`, `Z`, `T`, ...
    pub state: u8,
    /// Its parent.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// When it started, in nanoseconds since boot, exact to a clock tick (10 ms).
    pub started_nanos: u64,
}

/// One clock tick of /proc, in nanoseconds: `USER_HZ` is 100 on every Linux that people run.
pub const TICK_NANOS: u64 = 10_000_000;

impl Stat {
    /// Whether it has ended and waits to be reaped.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

/// What can be found out about a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// There is a process.
    There(Stat),
    /// There is none.
    Gone,
    /// The machine lacks what it takes to find out.
    Unknown,
}

/// Reads `/proc/PID/stat`.
#[must_use]
pub fn look(pid: u32) -> Look {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(text) => parse(&text).map_or(Look::Unknown, Look::There),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Look::Gone,
        Err(_) => Look::Unknown,
    }
}

/// Reads `/proc/PID/stat`; `None` when there is no such process.
#[must_use]
pub fn stat(pid: u32) -> Option<Stat> {
    match look(pid) {
        Look::There(stat) => Some(stat),
        Look::Gone | Look::Unknown => None,
    }
}

fn parse(text: &[u8]) -> Option<Stat> {
    // The name may hold blanks and parentheses: fields are counted behind the last one.
    let rest = text.get(text.iter().rposition(|&byte| byte == b')')? + 1..)?;
    let mut fields = std::str::from_utf8(rest).ok()?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    let ticks: u64 = fields.nth(15)?.parse().ok()?;
    Some(Stat { state, parent, group, session, started_nanos: ticks.checked_mul(TICK_NANOS)? })
}

/// The real, effective and saved user of a process (proc_pid_status(5)); `None` when there is no such process. The
/// owner of `/proc/PID` tells less: it is root where a program may not be looked into.
#[must_use]
pub fn users(pid: u32) -> Option<[u32; 3]> {
    parse_users(&fs::read(format!("/proc/{pid}/status")).ok()?)
}

fn parse_users(text: &[u8]) -> Option<[u32; 3]> {
    // The name, which may hold anything but a line's end, stands in a line of its own before it.
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    let mut numbers = std::str::from_utf8(line).ok()?.split_ascii_whitespace().map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

/// The process groups of which only zombies are left, as far as can be seen, and such as others have to reap. Reads
/// all of /proc: for the rare case only.
#[must_use]
pub fn dead_groups() -> HashSet<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten();
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let own = std::process::id();
    let is_dead = |stat: &Stat| stat.is_zombie() && stat.parent != own;
    let (dead, living): (Vec<Stat>, Vec<Stat>) = numbers.filter_map(stat).partition(is_dead);
    let living: HashSet<u32> = living.iter().map(|stat| stat.group).collect();
    dead.iter().map(|stat| stat.group).filter(|group| !living.contains(group)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text =
            b"42 (a) R 1 (b) S 7 8 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123 4096 1 18446744073709551615";
        let stat = parse(text).unwrap();
        assert_eq!((stat.state, stat.parent, stat.group, stat.session), (b'S', 7, 8, 9));
        assert_eq!(stat.started_nanos, 123 * TICK_NANOS);
    }

    #[test]
    fn users_are_those_of_the_line_and_not_of_the_name() {
        let text = b"Name:\tUid:\\n1 2 3\nUmask:\t0022\nUid:\t7\t8\t9\t10\nGid:\t1\t1\t1\t1\n";
        assert_eq!(parse_users(text), Some([7, 8, 9]));
        assert_eq!(parse_users(b"Name:\tx\nUid:\t7\n"), None);
        let own = rustix::process::geteuid().as_raw();
        assert!(users(std::process::id()).unwrap().contains(&own));
        assert_eq!(users(u32::MAX >> 1), None);
    }

    #[test]
    fn this_process_is_there_and_lives() {
        let stat = stat(std::process::id()).unwrap();
        assert!(!stat.is_zombie());
        assert!(!dead_groups().contains(&stat.group));
    }
}

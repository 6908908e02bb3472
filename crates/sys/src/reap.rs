//! Waiting for children (waitid(2)).

use std::mem::MaybeUninit;

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this status.
    Code(u8),
    /// This signal ended it.
    Signal(u8),
}

/// A child that has ended and was not reaped: its pid cannot be given to another process yet.
#[must_use]
pub fn next_ended() -> Option<(u32, Ended)> {
    wait(libc::P_ALL, 0, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
}

/// How a process has ended, if it is a child that has and was not reaped.
#[must_use]
pub fn ended(pid: u32) -> Option<Ended> {
    wait(libc::P_PID, pid, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT).map(|(_, ended)| ended)
}

/// Reaps a child that has ended.
pub fn reap(pid: u32) {
    wait(libc::P_PID, pid, libc::WEXITED | libc::WNOHANG);
}

/// Whether this process has children at all.
#[must_use]
pub fn has_children() -> bool {
    // SAFETY: with WNOWAIT and no record to fill the call has no effect but its result.
    let result = unsafe {
        libc::waitid(libc::P_ALL, 0, std::ptr::null_mut(), libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
    };
    result == 0
}

/// Whether a process is a child of this one, ended or not, that was not reaped.
#[must_use]
pub fn is_child(pid: u32) -> bool {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: with WNOWAIT and no record to fill the call has no effect but its result.
    pid > 0 && unsafe { libc::waitid(libc::P_PID, pid, std::ptr::null_mut(), options) } == 0
}

fn wait(which: libc::idtype_t, id: u32, options: i32) -> Option<(u32, Ended)> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: `info` has room for the record; zeroed, it says "nobody" (pid 0) when none is written.
    let (pid, status, code) = unsafe {
        if libc::waitid(which, id, info.as_mut_ptr(), options) != 0 {
            return None;
        }
        let info = info.assume_init();
        (info.si_pid(), info.si_status(), info.si_code)
    };
    let pid = u32::try_from(pid).ok().filter(|&pid| pid > 0)?;
    let status = u8::try_from(status & 0xff).unwrap_or(0);
    Some((pid, if code == libc::CLD_EXITED { Ended::Code(status) } else { Ended::Signal(status) }))
}

//! Signal masks, dispositions, signalfd and names (sigprocmask(2), sigaction(2), signalfd(2), signal(7)).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Names of the standard signals, by number; index 0 is unused.
const NAMES: [&str; 32] = [
    "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// `SIGTERM` for 15; `SIGRTMIN+N` for the real-time ones; the bare number for none of these.
#[must_use]
pub fn name(signal: u8) -> String {
    match NAMES.get(usize::from(signal)) {
        Some(name) if !name.is_empty() => format!("SIG{name}"),
        _ if (34..=64).contains(&signal) => format!("SIGRTMIN+{}", signal - 34),
        _ => signal.to_string(),
    }
}

/// The number of a signal: by its name, with or without SIG in any case, or by its number.
#[must_use]
pub fn number(text: &str) -> Option<u8> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let known = NAMES.iter().position(|&known| !known.is_empty() && known == name);
    let real_time = || name.strip_prefix("RTMIN+").and_then(|plus| plus.parse::<u8>().ok()?.checked_add(34));
    let number = known.and_then(|number| u8::try_from(number).ok()).or_else(real_time);
    number.or_else(|| name.parse().ok()).filter(|number| (1..=64).contains(number))
}

/// Blocks every signal in this thread and gives each the default disposition, so that a child needs one
/// call to have a clean state. Rust's start-up code leaves SIGPIPE ignored; this undoes it.
///
/// # Errors
/// sigprocmask(2) failed.
pub fn block_all_and_reset() -> io::Result<()> {
    // The kernel's own calls: the C library keeps signals 32 and 33 to itself, and whoever started us through
    // posix_spawn may have left them ignored.
    let (all, default) = (u64::MAX, [0u64; 4]);
    // SAFETY: the kernel reads a mask of 8 bytes, and an action of at most 32, which all zeroes is SIG_DFL with an
    // empty mask. Signals that cannot be changed fail with EINVAL, which is meant to be ignored.
    unsafe {
        let none = std::ptr::null_mut::<u64>();
        if libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const all, none, 8usize) != 0 {
            return Err(io::Error::last_os_error());
        }
        for signal in 1..=64 {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, 8usize);
        }
    }
    Ok(())
}

/// A descriptor from which blocked signals are read.
#[derive(Debug)]
pub struct SignalFd(OwnedFd);

impl SignalFd {
    /// Takes these signals, which have to be blocked. Non-blocking, close-on-exec.
    ///
    /// # Errors
    /// signalfd(2) failed.
    pub fn new(signals: &[i32]) -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: `set` is written by sigemptyset before it is read; the descriptor is new and ours.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for &signal in signals {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(OwnedFd::from_raw_fd(fd))) }
        }
    }

    /// The next signal that is pending, if one is.
    pub fn next(&self) -> Option<Pending> {
        let mut record = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the kernel writes whole records, and `record` has room for one.
        let got = unsafe { libc::read(self.0.as_raw_fd(), record.as_mut_ptr().cast(), size) };
        // SAFETY: a record was written whole.
        let record = (usize::try_from(got) == Ok(size)).then(|| unsafe { record.assume_init() })?;
        Some(Pending { signal: record.ssi_signo.try_into().unwrap_or(0), sender: record.ssi_pid })
    }
}

/// A signal that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub signal: i32,
    /// Who sent it. Of CHLD it is a child that has ended; others may have meanwhile, for a signal that is pending is not
    /// sent twice.
    pub sender: u32,
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Sends `signal` to every process of the group that `leader` leads or led. False when it has none.
#[must_use]
pub fn send_to_group(leader: u32, signal: i32) -> bool {
    let Ok(leader) = i32::try_from(leader) else { return false };
    // A "group" of 0 or 1 would be the caller's own, or everybody.
    // SAFETY: kill(2) has no memory effects.
    leader > 1 && unsafe { libc::kill(-leader, signal) } == 0
}

/// Whether the group that `leader` leads or led has members. One that may not be signalled is one, too.
#[must_use]
pub fn group_exists(leader: u32) -> bool {
    let Ok(leader) = i32::try_from(leader) else { return false };
    // SAFETY: kill(2) has no memory effects.
    let found = leader > 1 && unsafe { libc::kill(-leader, 0) } == 0;
    found || (leader > 1 && io::Error::last_os_error().raw_os_error() == Some(libc::EPERM))
}

/// Sends `signal` to one process that cannot have been reaped by anybody else. False when it is gone.
#[must_use]
pub fn send_to_child(pid: u32, signal: i32) -> bool {
    let Ok(pid) = i32::try_from(pid) else { return false };
    // SAFETY: kill(2) has no memory effects.
    pid > 1 && unsafe { libc::kill(pid, signal) } == 0
}

/// Sends `signal` through a pidfd (pidfd_send_signal(2)). False when the process is gone.
#[must_use]
pub fn send_to_pidfd(pidfd: BorrowedFd<'_>, signal: i32) -> bool {
    // SAFETY: no siginfo is passed; the call has no memory effects.
    unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        ) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_their_names() {
        assert_eq!(name(15), "SIGTERM");
        assert_eq!(name(9), "SIGKILL");
        assert_eq!(name(31), "SIGSYS");
        assert_eq!(name(34), "SIGRTMIN+0");
        assert_eq!(name(0), "0");
    }

    #[test]
    fn signals_are_found_by_name_and_number() {
        for (text, number_of) in [("TERM", 15), ("sigterm", 15), ("15", 15), ("SIGRTMIN+3", 37), ("hup", 1)] {
            assert_eq!(number(text), Some(number_of), "{text}");
        }
        for text in ["", "SIG", "0", "65", "NOSUCH", "-1", "RTMIN+40"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn group_zero_and_one_are_never_signalled() {
        assert!(!send_to_group(0, 0) && !send_to_group(1, 0));
    }
}

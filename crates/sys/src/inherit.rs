//! Descriptors that a process is started with, by number (fcntl(2)).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Which numbers were taken: a descriptor has one owner.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// Takes an inherited descriptor into possession, and makes it close-on-exec.
///
/// # Errors
/// It is not open, is one of the standard three or not below 64, or was taken before.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    let bad = || io::Error::from_raw_os_error(libc::EBADF);
    let bit = u32::try_from(number).ok().filter(|bit| (3..64).contains(bit)).ok_or_else(bad)?;
    if TAKEN.fetch_or(1 << bit, Ordering::AcqRel) & 1 << bit != 0 {
        return Err(bad());
    }
    // SAFETY: fcntl with F_SETFD has no memory effects.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and `TAKEN` says that nobody else has taken it. Programs call this first of all,
    // before they open anything that could have been given the number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Takes descriptors into possession that another program was before this one in the same process, and left
/// open for it; makes them close-on-exec. To be called once, before anything is opened.
///
/// # Errors
/// One is not open, is not above the standard three, or stands there twice; or it was called before.
pub fn take_left(numbers: &[RawFd]) -> io::Result<Vec<OwnedFd>> {
    static CALLED: AtomicBool = AtomicBool::new(false);
    let bad = || io::Error::from_raw_os_error(libc::EBADF);
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let is_doubtful =
        sorted.first().is_some_and(|&first| first < 3) || sorted.windows(2).any(|two| two[0] == two[1]);
    if is_doubtful || CALLED.swap(true, Ordering::AcqRel) {
        return Err(bad());
    }
    for &number in numbers {
        let is_taken = u32::try_from(number)
            .is_ok_and(|bit| bit < 64 && TAKEN.fetch_or(1 << bit, Ordering::AcqRel) & 1 << bit != 0);
        // SAFETY: fcntl with F_SETFD has no memory effects.
        if is_taken || unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            return Err(bad());
        }
    }
    // SAFETY: each is open, stands there once, and was taken by nobody else; nothing was opened before that could
    // have been given its number.
    Ok(numbers.iter().map(|&number| unsafe { OwnedFd::from_raw_fd(number) }).collect())
}

/// Closes every descriptor from `first` on: what the program was started with and never asked for. To be called
/// before anything is opened.
pub fn close_from(first: u32) {
    // SAFETY: close_range has no memory effects; nobody in this process owns a descriptor yet but the standard
    // three and the inherited ones below `first`.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
}

/// A duplicate with a number of at least `least`, close-on-exec.
///
/// # Errors
/// No descriptor is left.
pub fn duplicate_above(fd: BorrowedFd<'_>, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl with F_DUPFD_CLOEXEC has no memory effects; the new descriptor is ours.
    unsafe {
        let number = libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least);
        if number < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(number)) }
    }
}

/// Puts a descriptor at `number`, to be inherited by the next program; what was there is closed.
///
/// # Errors
/// dup2(2) failed, or `number` is one of the standard three or not below 64.
pub fn place(fd: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    if !(3..64).contains(&number) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: dup2 has no memory effects. The number is one that no owner in this process has: programs
    // call this last of all, with their own descriptors above the numbers that they place.
    let result = unsafe { libc::dup2(fd.as_raw_fd(), number) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

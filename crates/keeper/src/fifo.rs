//! The FIFOs into which entries print for the logger to read.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, mkfifoat, openat};
use rustix::io::Errno;

/// The folder in the daemon's state where they are, each named by its slot.
pub(crate) const FOLDER: &str = "out";

/// Opens a slot's FIFO for reading and writing, so that neither side ever sees the other gone. As long as anybody
/// holds it, what was printed into it is there: keeper, engine and logger all do.
///
/// # Errors
/// It cannot be made or opened.
pub fn open(state: BorrowedFd<'_>, slot: u32, flags: OFlags) -> io::Result<OwnedFd> {
    let path = format!("{FOLDER}/{slot}");
    match mkfifoat(state, &path, Mode::from_raw_mode(0o600)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(openat(state, &path, flags | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?)
}

/// Opens a FIFO that an earlier keeper made, if it did.
pub(crate) fn reopen(state: BorrowedFd<'_>, slot: u32) -> Option<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    openat(state, format!("{FOLDER}/{slot}"), flags, Mode::empty()).ok()
}

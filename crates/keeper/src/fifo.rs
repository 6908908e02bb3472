//! The FIFOs into which entries print for the logger to read: one for each stream.
//!
//! A stream is what an entry prints in all its lives. Its number is never another's, so whatever is in a FIFO is of
//! that entry. The logger removes the FIFO when its entry is gone, all was read, and nobody is left who has it
//! open for writing. So whoever only sees to it that nothing is lost holds it for reading alone.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, fstat, mkfifoat, openat, unlinkat};
use rustix::io::Errno;

/// The folder in the daemon's state where they are, each named by the number of its stream.
pub(crate) const FOLDER: &str = "out";

/// How many may be held beyond twice those that there were, before it is looked for ones that were removed.
const REMOVED_MAX: usize = 16;

fn path(stream: u64) -> String {
    format!("{FOLDER}/{stream}")
}

fn make(state: BorrowedFd<'_>, stream: u64, flags: OFlags) -> io::Result<OwnedFd> {
    match mkfifoat(state, path(stream), Mode::from_raw_mode(0o600)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(openat(state, path(stream), flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?)
}

/// Opens a stream's FIFO for reading and writing, so that neither side ever sees the other gone; made when missing.
///
/// # Errors
/// It cannot be made or opened.
pub fn open(state: BorrowedFd<'_>, stream: u64, flags: OFlags) -> io::Result<OwnedFd> {
    make(state, stream, flags | OFlags::RDWR)
}

/// Opens it for reading, without waiting for a writer: whoever reads sees when there is none any more.
///
/// # Errors
/// It cannot be made or opened.
pub fn open_end(state: BorrowedFd<'_>, stream: u64) -> io::Result<OwnedFd> {
    make(state, stream, OFlags::RDONLY | OFlags::NONBLOCK)
}

/// Removes it: nobody prints into it any more.
pub fn remove(state: BorrowedFd<'_>, stream: u64) {
    let _not_there = unlinkat(state, path(stream), AtFlags::empty());
}

/// FIFOs that are held: as long as anybody does, what was printed into them is there. Keeper, engine and logger do.
#[derive(Debug, Default)]
pub struct Fifos {
    held: BTreeMap<u64, OwnedFd>,
    /// When there are so many, some may have been removed.
    look_at: usize,
}

impl Fifos {
    /// Holds all that there are.
    #[must_use]
    pub fn find(state: BorrowedFd<'_>) -> Self {
        let folder = openat(state, FOLDER, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let names = folder.and_then(Dir::read_from).into_iter().flatten().flatten();
        let mut fifos = Self::default();
        for stream in names.filter_map(|name| name.file_name().to_str().ok()?.parse().ok()) {
            let _removed_meanwhile = fifos.hold(state, stream);
        }
        fifos
    }

    /// Holds one more; it is made when missing.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub fn hold(&mut self, state: BorrowedFd<'_>, stream: u64) -> io::Result<()> {
        if self.held.contains_key(&stream) {
            return Ok(());
        }
        if self.held.len() >= self.look_at {
            self.forget_removed();
            self.look_at = 2 * self.held.len() + REMOVED_MAX;
        }
        self.held.insert(stream, open_end(state, stream)?);
        Ok(())
    }

    /// Forgets those that the logger has removed.
    pub fn forget_removed(&mut self) {
        self.held.retain(|_, fifo| fstat(fifo).is_ok_and(|stat| stat.st_nlink > 0));
    }

    /// Their streams.
    pub fn streams(&self) -> impl Iterator<Item = u64> {
        self.held.keys().copied()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.held.values().map(AsFd::as_fd)
    }
}

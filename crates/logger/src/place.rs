//! Keeping the place: what a logger has to know of the one before it.
//!
//! ```text
//!   FIFO ── splice(2) ──> staged (a file) ── stamped ──> current (a file)
//!              │                                  │
//!              └ moves bytes within the kernel:   └ written at its end: its size tells how much
//!                the size of `staged` tells how     of the piece that was noted before is there
//!                many have left the FIFO
//! ```
//!
//! No moment of the way is lost, whatever ends the logger: bytes are in the FIFO or in `staged`, since one system
//! call moves them from one to the other; and what of them was written tells the size of the file, since a note
//! says how long that was before, and which bytes with which time were to follow. The next logger makes the same
//! piece again and writes what is missing of it.
//!
//! A note has several words. Two records take turns, and one word says which of them holds; so there is always a
//! whole one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use clinit_sys::words::Words;
use rustix::fs::{Mode, OFlags, openat};

use crate::feed::StampKind;

/// "logger" and the version of the layout.
const MAGIC: u64 = u64::from_le_bytes(*b"logger\x00\x02");

/// The word that says which record holds: 1 or 2.
const HOLDS: usize = 1;

/// The word that counts what was read.
const SERIAL: usize = 2;

/// The words before the records, and those of a record.
const HEAD_WORDS: usize = 8;
pub(crate) const NOTE_WORDS: usize = 8;

/// Where the bytes are that a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// In the file into which all FIFOs are read.
    Staged,
    /// In the file of a stream whose bytes could not be written.
    Held,
}

/// What a logger is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Note {
    /// Counts what was read, so that a note and a held file tell which of them is newer.
    pub(crate) serial: u64,
    pub(crate) stream: u64,
    pub(crate) source: Source,
    /// From here on the bytes of the source are not known to be written; those before `to` may be, at the end of
    /// a file. All of them are the stream's.
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// The size and the number of the file before they were.
    pub(crate) base: u64,
    pub(crate) inode: u64,
    /// What stands before each of their lines.
    pub(crate) stamp: StampKind,
    pub(crate) time: Duration,
    /// Whether the first of them goes on with a line.
    pub(crate) is_mid: bool,
}

impl Note {
    /// That nothing of a stream's bytes is written from `from` on.
    pub(crate) fn unwritten(serial: u64, stream: u64, source: Source, from: u32) -> Self {
        let (base, inode, stamp, time) = (0, 0, StampKind::None, Duration::ZERO);
        Self { serial, stream, source, from, to: from, base, inode, stamp, time, is_mid: false }
    }

    pub(crate) fn to_words(self) -> [u64; NOTE_WORDS] {
        let bits = u64::from(self.source == Source::Held) | u64::from(self.is_mid) << 1;
        [
            self.serial,
            self.stream,
            u64::from(self.from) | u64::from(self.to) << 32,
            self.base,
            self.inode,
            self.time.as_secs(),
            self.time.subsec_nanos().into(),
            bits | u64::from(self.stamp.to_byte()) << 8,
        ]
    }

    pub(crate) fn from_words(words: [u64; NOTE_WORDS]) -> Option<Self> {
        let [serial, stream, range, base, inode, seconds, nanos, bits] = words;
        let low = |word: u64| u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0);
        let high = |word: u64| low(word >> 32);
        let bits = bits.to_le_bytes();
        Some(Self {
            serial,
            stream,
            source: if bits[0] & 1 == 0 { Source::Staged } else { Source::Held },
            from: low(range),
            to: high(range),
            base,
            inode,
            stamp: StampKind::from_byte(bits[1])?,
            time: Duration::new(seconds, low(nanos).min(999_999_999)),
            is_mid: bits[0] & 2 != 0,
        })
    }
}

/// The memory in which the note is.
#[derive(Debug)]
pub(crate) struct Place {
    words: Words,
}

impl Place {
    /// Opens the file in a folder, or makes it.
    pub(crate) fn open(folder: BorrowedFd<'_>) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = openat(folder.as_fd(), "place", flags, Mode::from_raw_mode(0o600))?;
        let words = Words::open(&file.into())?;
        if words.get(0) == 0 {
            words.set(0, MAGIC);
        } else if words.get(0) != MAGIC {
            return Err(io::Error::other("the logger's place is not one, or of another version"));
        }
        Ok(Self { words })
    }

    /// The note that holds, if any.
    pub(crate) fn note(&self) -> Option<Note> {
        let begin = self.begin_of(self.words.get(HOLDS))?;
        Note::from_words(std::array::from_fn(|index| self.words.get(begin + index)))
    }

    /// The last number that was counted.
    pub(crate) fn serial(&self) -> u64 {
        self.words.get(SERIAL)
    }

    /// Notes something: from the last store on it holds, and until then what was noted before.
    pub(crate) fn set(&self, note: Note) {
        let next = if self.words.get(HOLDS) == 1 { 2 } else { 1 };
        let Some(begin) = self.begin_of(next) else { return };
        self.words.set(SERIAL, note.serial.max(self.serial()));
        for (index, word) in note.to_words().into_iter().enumerate() {
            self.words.set(begin + index, word);
        }
        self.words.set(HOLDS, next);
    }

    /// Nothing is on its way.
    pub(crate) fn clear(&self) {
        self.words.set(HOLDS, 0);
    }

    fn begin_of(&self, record: u64) -> Option<usize> {
        match record {
            1 => Some(HEAD_WORDS),
            2 => Some(HEAD_WORDS + NOTE_WORDS),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;

    fn note(serial: u64) -> Note {
        Note {
            serial,
            stream: u64::MAX - 1,
            source: Source::Held,
            from: 5,
            to: u32::MAX,
            base: 1 << 40,
            inode: 77,
            stamp: StampKind::Iso,
            time: Duration::new(1_780_000_000, 999_999_999),
            is_mid: true,
        }
    }

    #[test]
    fn the_next_logger_finds_the_last_note() {
        let scratch = Scratch::new();
        let place = Place::open(scratch.fd()).unwrap();
        assert_eq!(place.note(), None);
        for serial in 1..5 {
            place.set(note(serial));
            assert_eq!(Place::open(scratch.fd()).unwrap().note(), Some(note(serial)));
        }
        let other = Note::unwritten(9, 3, Source::Staged, 12);
        place.set(other);
        assert_eq!(place.note(), Some(other));
        place.clear();
        assert_eq!(Place::open(scratch.fd()).unwrap().note(), None);
    }
}

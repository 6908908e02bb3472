//! Bytes that have left a FIFO and could not be written, in a file of the stream in the state folder.
//!
//! The file is made beside and renamed, so there is always a whole one. It begins with the note under which its
//! bytes were to be written, and with what was dropped since; the latter is changed in place.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

use crate::place::{NOTE_WORDS, Note};
use crate::step::step;

const MAGIC: u64 = u64::from_le_bytes(*b"held\x00\x00\x00\x02");

/// The words before the bytes.
const HEAD_WORDS: usize = 16;
const HEAD_BYTES: usize = HEAD_WORDS * size_of::<u64>();

/// The word of the head where it stands what was dropped.
const DROPPED: usize = 1 + NOTE_WORDS;

/// What was dropped because it could not be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    /// Whether the last of it is a line without its end.
    pub(crate) is_mid: bool,
}

impl Dropped {
    /// Counts what is dropped.
    pub(crate) fn count(&mut self, bytes: &[u8]) {
        let ends = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let begins = u64::from(!self.is_mid);
        let is_mid = bytes.last().map_or(self.is_mid, |&byte| byte != b'\n');
        // Each line counts where it begins.
        self.lines +=
            ends + if bytes.is_empty() { 0 } else { begins } - u64::from(!is_mid && !bytes.is_empty());
        self.bytes += bytes.len() as u64;
        self.is_mid = is_mid;
    }
}

/// A stream's bytes that could not be written.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) file: File,
    /// About them: `from` is 0, the place of the first.
    pub(crate) note: Note,
    pub(crate) dropped: Dropped,
}

/// The name of a stream's file.
fn name(stream: u64) -> String {
    format!("held.{stream}")
}

impl Held {
    /// Keeps bytes; what was kept of the stream before is replaced.
    pub(crate) fn write(
        folder: BorrowedFd<'_>,
        note: Note,
        bytes: &[u8],
        dropped: Dropped,
    ) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut file = File::from(openat(folder, "held.new", flags, Mode::from_raw_mode(0o600))?);
        let mut words = [0; HEAD_WORDS];
        words[0] = MAGIC;
        words[1..=NOTE_WORDS].copy_from_slice(&note.to_words());
        words[DROPPED..DROPPED + 3].copy_from_slice(&to_words(dropped));
        let head: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        step();
        file.write_all(&head)?;
        file.write_all(bytes)?;
        step();
        renameat(folder, "held.new", folder, name(note.stream))?;
        step();
        Ok(Self { file, note, dropped })
    }

    /// What is kept of a stream, with its bytes.
    pub(crate) fn read(folder: BorrowedFd<'_>, stream: u64) -> Option<(Self, Vec<u8>)> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut file = File::from(openat(folder, name(stream), flags, Mode::empty()).ok()?);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
        let word =
            |index: usize| head.as_chunks::<8>().0.get(index).map_or(0, |word| u64::from_le_bytes(*word));
        let note = Note::from_words(std::array::from_fn(|index| word(1 + index)))?;
        let dropped =
            Dropped { lines: word(DROPPED), bytes: word(DROPPED + 1), is_mid: word(DROPPED + 2) != 0 };
        (word(0) == MAGIC).then(|| (Self { file, note, dropped }, rest.to_vec()))
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> io::Result<Vec<u8>> {
        let length = self.file.metadata()?.len().saturating_sub(HEAD_BYTES as u64);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, HEAD_BYTES as u64)?;
        Ok(bytes)
    }

    /// Counts what is dropped.
    pub(crate) fn drop_bytes(&mut self, bytes: &[u8]) {
        self.dropped.count(bytes);
        let words: Vec<u8> = to_words(self.dropped).into_iter().flat_map(u64::to_le_bytes).collect();
        // The room is there: it is written over.
        let _counted_here = self.file.write_all_at(&words, (DROPPED * size_of::<u64>()) as u64);
    }

    /// Nothing is kept of a stream any more.
    pub(crate) fn remove(folder: BorrowedFd<'_>, stream: u64) {
        let _not_there = unlinkat(folder, name(stream), AtFlags::empty());
        step();
    }
}

fn to_words(dropped: Dropped) -> [u64; 3] {
    [dropped.lines, dropped.bytes, dropped.is_mid.into()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Source;
    use crate::testing::Scratch;

    #[test]
    fn what_is_held_is_found_again_with_what_was_dropped() {
        let scratch = Scratch::new();
        let note = Note { to: 4, ..Note::unwritten(7, 3, Source::Held, 0) };
        let mut held = Held::write(scratch.fd(), note, b"some bytes", Dropped::default()).unwrap();
        held.drop_bytes(b"one\ntwo");
        let (found, bytes) = Held::read(scratch.fd(), 3).unwrap();
        assert_eq!((found.note, found.dropped, &bytes[..]), (note, held.dropped, &b"some bytes"[..]));
        assert_eq!(found.bytes().unwrap(), bytes);
        Held::write(scratch.fd(), note, b"others", held.dropped).unwrap();
        assert_eq!(Held::read(scratch.fd(), 3).unwrap().1, b"others");
        Held::remove(scratch.fd(), 3);
        assert!(Held::read(scratch.fd(), 3).is_none());
        std::fs::write(scratch.path("held.3"), b"rubbish").unwrap();
        assert!(Held::read(scratch.fd(), 3).is_none());
    }

    #[test]
    fn each_dropped_line_counts_once_however_it_is_cut() {
        let text = b"one\n\nthree\nno end";
        for size in 1..=text.len() {
            let mut dropped = Dropped::default();
            text.chunks(size).for_each(|chunk| dropped.count(chunk));
            assert_eq!(dropped, Dropped { lines: 4, bytes: 17, is_mid: true }, "{size}");
            dropped.count(b"\n");
            assert_eq!((dropped.lines, dropped.is_mid), (4, false));
        }
    }
}

//! The engine's memory: what it must know if it is killed and started again.
//!
//! A file in the state folder to which every turn of the loop appends one line, before it acts: a JSON
//! array of [`Item`]s. A line is whole or it is not there: one that was cut by a kill has no end, and
//! what it announced was not done. The file lives on tmpfs as long as the daemon and is never synced.
//! When it has grown to a multiple of what it says, it is written anew and replaced by rename.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};

use clinit_engine::name::{EntryKey, GroupName, Level};
use clinit_engine::record::Record;
use clinit_engine::time::Instant;
use rustix::fs::{Mode, OFlags, openat, renameat};
use serde::{Deserialize, Serialize};

/// The version of the format, and of what it says; another one is refused.
pub(crate) const VERSION: u32 = 2;

/// The file is not written anew below this size.
const COMPACT_BYTES_MIN: u64 = 1 << 20;

/// ... nor before it has grown to this many times what it was when it was new.
const COMPACT_FACTOR: u64 = 4;

/// What is kept of the room in which a line is made.
const LINE_BYTES_KEPT: usize = 1 << 16;

const NAME: &str = "journal";
const NEW_NAME: &str = "journal.new";

/// One thing to remember.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Item {
    /// The format; first of all.
    Version(u32),
    /// When the daemon was started.
    Started(Instant),
    /// Which of the tables in the state folder holds.
    Table(u64),
    /// A change in the node.
    Node(Record),
    /// A group was told a level by hand.
    Told(GroupName, Level),
    /// A group that was told a level is gone.
    Untold(GroupName),
    /// An entry that no table has named yet was stopped by hand before the machine went down.
    Held(EntryKey),
    /// What the daemon is going to exit with.
    Status(u8),
}

/// The open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    state: OwnedFd,
    file: Option<File>,
    bytes: u64,
    bytes_when_new: u64,
    line: Vec<u8>,
}

/// What a journal says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Memory {
    pub(crate) started: Option<Instant>,
    pub(crate) table: Option<u64>,
    pub(crate) records: Vec<Record>,
    /// What people told.
    pub(crate) told: BTreeMap<GroupName, Level>,
    pub(crate) held: BTreeSet<EntryKey>,
    pub(crate) status: u8,
    /// A whole line was not understood, and what stands behind it was not read.
    pub(crate) has_gap: bool,
}

/// What a journal is found to be.
#[derive(Debug, PartialEq)]
pub(crate) enum Found {
    /// Of this version.
    Ours(Memory),
    /// Of another one.
    OfVersion(u32),
    /// Damaged from the first line on.
    Unreadable,
}

/// Reads the journal in a state folder without touching it.
pub(crate) fn look(state: impl AsFd) -> io::Result<Found> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(read(&File::from(openat(state, NAME, flags, Mode::empty())?)))
}

impl Journal {
    /// Reads what there is. Nothing is an empty memory; so is what is damaged from the first line on: then the file
    /// is set aside. What another version wrote is left as it is.
    ///
    /// # Errors
    /// It cannot be read, or another version wrote it.
    pub(crate) fn open(state: OwnedFd) -> io::Result<(Self, Memory)> {
        let file = open(&state, NAME, OFlags::empty())?;
        let bytes = file.metadata()?.len();
        let memory = match read(&file) {
            Found::Ours(memory) => memory,
            Found::OfVersion(version) => {
                let message = format!("its journal has version {version}, and this clinit reads {VERSION}");
                return Err(io::Error::other(message));
            }
            Found::Unreadable => {
                let _kept_for_a_reader = renameat(&state, NAME, &state, "journal.unreadable");
                Memory::default()
            }
        };
        let journal = Self { state, file: None, bytes, bytes_when_new: bytes, line: Vec::new() };
        Ok((journal, memory))
    }

    /// Remembers `items`. `everything` is asked for when the file is to be written anew: at first, when it
    /// has grown too long, and after a failure.
    ///
    /// # Errors
    /// They are not remembered; the next call tries to remember everything.
    pub(crate) fn append(
        &mut self,
        items: &[Item],
        everything: impl FnOnce() -> Vec<Item>,
    ) -> io::Result<()> {
        let long = self.bytes >= COMPACT_BYTES_MIN.max(COMPACT_FACTOR * self.bytes_when_new);
        // Gone unless all goes well: behind a line that may have been cut nothing may be appended.
        let Some(mut file) = self.file.take().filter(|_| !long) else {
            return self.write_anew(&everything());
        };
        write_line(&mut self.line, items)?;
        file.write_all(&self.line)?;
        self.file = Some(file);
        self.bytes += self.line.len() as u64;
        self.line.clear();
        self.line.shrink_to(LINE_BYTES_KEPT);
        Ok(())
    }

    fn write_anew(&mut self, everything: &[Item]) -> io::Result<()> {
        self.file = None;
        let mut file = open(&self.state, NEW_NAME, OFlags::TRUNC)?;
        write_line(&mut self.line, &[Item::Version(VERSION)])?;
        let mut text = std::mem::take(&mut self.line);
        write_line(&mut self.line, everything)?;
        text.append(&mut self.line);
        file.write_all(&text)?;
        renameat(&self.state, NEW_NAME, &self.state, NAME)?;
        self.bytes = text.len() as u64;
        self.bytes_when_new = self.bytes;
        self.file = Some(file);
        Ok(())
    }
}

fn open(state: &OwnedFd, name: &str, more: OFlags) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW | more;
    Ok(File::from(openat(state, name, flags, Mode::from_raw_mode(0o600))?))
}

fn write_line(line: &mut Vec<u8>, items: &[Item]) -> io::Result<()> {
    line.clear();
    serde_json::to_writer(&mut *line, items)?;
    line.push(b'\n');
    Ok(())
}

/// The first line says the version. A damaged line ends the reading: what follows a gap is no state.
fn read(file: &File) -> Found {
    let mut memory = Memory::default();
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut first = true;
    while reader.read_until(b'\n', &mut line).is_ok_and(|size| size > 0) {
        let Some(text) = line.strip_suffix(b"\n") else { break };
        if std::mem::take(&mut first) {
            match serde_json::from_slice::<Vec<Item>>(text).as_deref() {
                Ok([Item::Version(VERSION), ..]) => {}
                Ok([Item::Version(version), ..]) => return Found::OfVersion(*version),
                Ok(_) | Err(_) => return Found::Unreadable,
            }
        }
        let Ok(items) = serde_json::from_slice::<Vec<Item>>(text) else {
            memory.has_gap = true;
            break;
        };
        for item in items {
            match item {
                Item::Version(_) => {}
                Item::Started(at) => memory.started = Some(at),
                Item::Table(revision) => memory.table = Some(revision),
                Item::Node(record) => memory.records.push(record),
                Item::Told(group, level) => drop(memory.told.insert(group, level)),
                Item::Untold(group) => drop(memory.told.remove(&group)),
                Item::Status(status) => memory.status = status,
                Item::Held(key) => drop(memory.held.insert(key)),
            }
        }
        line.clear();
    }
    if first && !line.is_empty() { Found::Unreadable } else { Found::Ours(memory) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clinit_engine::event::EntryId;
    use rustix::fs::open as open_path;
    use std::path::PathBuf;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("clinit-journal-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn state(&self) -> OwnedFd {
            let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
            open_path(&self.0, flags, Mode::empty()).unwrap()
        }

        fn open(&self) -> (Journal, Memory) {
            Journal::open(self.state()).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn forgotten(id: u32) -> Item {
        Item::Node(Record::EntryForgotten(EntryId(id)))
    }

    #[test]
    fn what_was_appended_is_remembered() {
        let folder = Folder::new("remember");
        let (mut journal, memory) = folder.open();
        assert!(memory.records.is_empty() && memory.table.is_none());
        journal.append(&[Item::Table(1)], || vec![Item::Table(1), forgotten(0)]).unwrap();
        journal.append(&[forgotten(1), Item::Table(2)], || unreachable!()).unwrap();
        let (_, memory) = folder.open();
        assert_eq!(memory.table, Some(2));
        assert_eq!(memory.records, [Record::EntryForgotten(EntryId(0)), Record::EntryForgotten(EntryId(1))]);
    }

    #[test]
    fn a_cut_line_never_happened() {
        let folder = Folder::new("cut");
        let (mut journal, _) = folder.open();
        journal.append(&[], || vec![forgotten(0)]).unwrap();
        let whole = std::fs::read(folder.0.join(NAME)).unwrap();
        journal.append(&[forgotten(1)], || unreachable!()).unwrap();
        let longer = std::fs::read(folder.0.join(NAME)).unwrap();
        for end in whole.len()..longer.len() {
            std::fs::write(folder.0.join(NAME), &longer[..end]).unwrap();
            assert_eq!(folder.open().1.records.len(), 1, "cut at {end}");
        }
    }

    #[test]
    fn it_is_written_anew_when_it_has_grown() {
        let folder = Folder::new("compact");
        let (mut journal, _) = folder.open();
        journal.append(&[], || vec![forgotten(7)]).unwrap();
        let many: Vec<Item> = (0..1000).map(forgotten).collect();
        for _ in 0..200 {
            journal.append(&many, || vec![forgotten(7)]).unwrap();
            assert!(std::fs::metadata(folder.0.join(NAME)).unwrap().len() < 2 * COMPACT_BYTES_MIN);
        }
    }

    #[test]
    fn another_versions_journal_is_left_as_it_is() {
        let folder = Folder::new("version");
        let text = "[{\"version\":99}]\n[{\"table\":1}]\n";
        std::fs::write(folder.0.join(NAME), text).unwrap();
        let error = Journal::open(folder.state()).unwrap_err();
        assert!(error.to_string().contains("version 99"), "{error}");
        assert_eq!(look(folder.state()).unwrap(), Found::OfVersion(99));
        assert_eq!(std::fs::read_to_string(folder.0.join(NAME)).unwrap(), text);
    }

    #[test]
    fn what_is_damaged_from_the_first_line_on_is_set_aside() {
        let folder = Folder::new("damaged");
        for text in ["[{\"vers", "no journal\n", "[]\n"] {
            std::fs::write(folder.0.join(NAME), text).unwrap();
            assert_eq!(look(folder.state()).unwrap(), Found::Unreadable, "{text}");
            assert_eq!(folder.open().1, Memory::default());
            assert!(folder.0.join("journal.unreadable").exists());
        }
    }
}

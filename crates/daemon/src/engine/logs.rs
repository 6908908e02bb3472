//! What the logger is told, and what it tells.
//!
//! The engine says where the lines of each slot go. It holds the FIFOs, too: keeper and logger may die at once,
//! and what an entry has printed last is in them.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use clinit_control::interface::{GroupStatus, LogStatus};
use clinit_engine::entry::Entry;
use clinit_engine::event::EntryId;
use clinit_engine::name::EntryKey;
use clinit_engine::time::Instant;
use clinit_keeper::fifo;
use clinit_keeper::protocol::Output;
use clinit_logger::feed::{FEED_BYTES_MAX, Feed, FileSink, Sink, Word};
use rustix::fs::OFlags;

use super::packets::Received;
use super::{Engine, exits};
use crate::start::fnv;

/// How long the logger may take to carry all that is left: longer than it waits for a full disk.
const FINISH_TIME: Duration = Duration::from_secs(10);

/// The engine's side of the logger.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    /// Slots whose FIFO the logger reads: what tells what it was told of them, and the FIFO.
    followed: BTreeMap<u32, (u64, Option<OwnedFd>)>,
    /// Slots whose lines cannot be written, or could not.
    faults: BTreeMap<u32, LogFault>,
    /// Until when the end may wait for the logger; `None` before the end.
    finish_by: Option<Instant>,
}

/// What is wrong with a slot's lines.
#[derive(Debug)]
struct LogFault {
    errno: i32,
    is_dropping: bool,
    dropped_lines: u64,
}

impl Logs {
    /// When the end waits no longer.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.finish_by
    }
}

impl Engine {
    /// Tells the logger where a slot's lines go, unless it knows.
    pub(super) fn follow(&mut self, id: EntryId) {
        let Some(entry) = self.node.entry(id) else { return };
        let Some(sink) = self.lowering.sink(entry) else { return };
        let label = entry_label(&entry.key().to_string(), self.setup.color).into_bytes();
        let packet = Feed::Follow { slot: id.0, label, sink }.encode();
        let told = fnv(&packet);
        if self.logs.followed.get(&id.0).is_some_and(|(before, _)| *before == told) {
            return;
        }
        let state = self.reviver.state().as_fd();
        let held = self.logs.followed.remove(&id.0).and_then(|(_, fifo)| fifo);
        let fifo = held.or_else(|| fifo::open(state, id.0, OFlags::NONBLOCK).ok());
        self.feed.send(packet);
        self.logs.followed.insert(id.0, (told, fifo));
    }

    /// Another table holds: lines may go elsewhere, without a restart.
    pub(super) fn follow_anew(&mut self) {
        let slots: Vec<u32> = self.logs.followed.keys().copied().collect();
        for slot in slots {
            // One that is on its way out, or is to be replaced, prints as it did until then.
            let carries = |entry: &Entry| self.lowering.output(&entry.spec().program) == Output::Fifo;
            if self.node.entry(EntryId(slot)).is_some_and(carries) {
                self.follow(EntryId(slot));
            }
        }
    }

    /// Tells a new logger, or one that a new engine finds, all that it has to know.
    pub(super) fn brief_logger(&mut self) {
        self.feed.send(Feed::Reset.encode());
        if let Some(log) = &self.setup.log {
            let path = log.as_os_str().as_bytes().to_vec();
            self.feed.send(Feed::LogFile { path }.encode());
        }
        // It knows by itself of what has printed; nobody knows any more of entries that are gone.
        self.logs.followed.values_mut().for_each(|(told, _)| *told = 0);
        let has_printed = |entry: &Entry| {
            entry.generation().0 > 0 && self.lowering.output(&entry.spec().program) == Output::Fifo
        };
        let printing: Vec<EntryId> =
            self.node.entries().filter(|(_, entry)| has_printed(entry)).map(|(id, _)| id).collect();
        printing.into_iter().for_each(|id| self.follow(id));
        if self.logs.finish_by.is_some() {
            self.feed.send(Feed::Finish { number: std::process::id() }.encode());
        }
    }

    /// Hears what the logger has to say.
    pub(super) fn take_words(&mut self, now: Instant) {
        let mut packet = [0; FEED_BYTES_MAX];
        while let Received::Packet(size) = self.feed.receive(&mut packet) {
            match Word::decode(&packet[..size]) {
                Some(Word::Fault { slot, errno, is_dropping, dropped_lines }) => {
                    if errno == 0 && dropped_lines == 0 {
                        self.logs.faults.remove(&slot);
                    } else {
                        self.logs.faults.insert(slot, LogFault { errno, is_dropping, dropped_lines });
                    }
                }
                Some(Word::Finished { number }) if number == std::process::id() => {
                    self.logs.finish_by = Some(now);
                }
                Some(Word::Finished { .. }) | None => {}
            }
        }
    }

    /// All entries have ended: asks the logger to carry what they have printed, and tells whether it has, or need
    /// not be waited for.
    pub(super) fn are_logs_finished(&mut self, now: Instant) -> bool {
        if self.logs.followed.is_empty() {
            return true;
        }
        let by = *self.logs.finish_by.get_or_insert_with(|| {
            self.feed.send(Feed::Finish { number: std::process::id() }.encode());
            now + FINISH_TIME
        });
        now >= by
    }

    /// Says of entries where their lines are, and what is wrong with that.
    pub(super) fn tell_logs(&self, group: &mut GroupStatus) {
        for status in &mut group.entries {
            let key = EntryKey { group: group.name.clone(), tag: status.tag.clone() };
            let Some(id) = self.node.entry_id(&key) else { continue };
            let sink = self.node.entry(id).and_then(|entry| self.lowering.sink(entry));
            status.log = match sink {
                None | Some(Sink::Terminal) => None,
                Some(Sink::File(files)) => Some(self.log_status(id, Some(folder_of(&files)))),
                Some(Sink::Syslog { .. }) => Some(self.log_status(id, None)),
            };
        }
    }

    fn log_status(&self, id: EntryId, folder: Option<PathBuf>) -> LogStatus {
        let fault = self.logs.faults.get(&id.0);
        let holding = fault.filter(|fault| fault.errno != 0);
        LogStatus {
            folder: folder.map(|path| path.to_string_lossy().into_owned()),
            fault: holding.map(|fault| exits::errno_text(fault.errno)),
            dropping: holding.is_some_and(|fault| fault.is_dropping),
            dropped_lines: fault.map_or(0, |fault| fault.dropped_lines),
        }
    }
}

fn folder_of(files: &FileSink) -> PathBuf {
    let part = |bytes: &[u8]| PathBuf::from(std::ffi::OsStr::from_bytes(bytes));
    part(&files.base).join(part(&files.name))
}

/// The label before an entry's lines; each entry keeps its colour.
fn entry_label(name: &str, color: bool) -> String {
    const COLORS: [u8; 6] = [36, 33, 32, 35, 34, 31];
    if !color {
        return format!("{name} | ");
    }
    let sum = name.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("\u{1b}[{}m{name}\u{1b}[0m | ", COLORS[sum % COLORS.len()])
}

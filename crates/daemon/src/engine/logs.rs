//! What the logger is told, and what it tells.
//!
//! The engine says where the lines of each entry go. It holds the FIFOs, too: keeper and logger may die at once,
//! and what an entry has printed last is in them. A FIFO is the entry's, and no other has it after it: when the entry
//! is gone, the logger carries what is left, however late.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use clinit_control::interface::{GroupStatus, LogStatus};
use clinit_engine::entry::Entry;
use clinit_engine::event::{EntryId, Generation};
use clinit_engine::name::EntryKey;
use clinit_engine::record::Record;
use clinit_engine::time::Instant;
use clinit_keeper::fifo::Fifos;
use clinit_logger::feed::{FEED_BYTES_MAX, Feed, FileSink, Sink, Word};
use clinit_logger::keep_for_good;

use super::packets::Received;
use super::{Engine, exits};

/// How long the logger may take to carry all that is left: longer than it waits for a full disk.
const FINISH_TIME: Duration = Duration::from_secs(10);

/// The engine's side of the logger.
#[derive(Debug)]
pub(crate) struct Logs {
    /// Streams that the logger carries, with what it was told of them.
    followed: BTreeMap<u64, Vec<u8>>,
    /// All FIFOs, those of entries that are gone, too.
    fifos: Fifos,
    /// Streams that have ended in this turn.
    ended: Vec<u64>,
    /// There is a logger that knows nothing of this engine.
    is_logger_new: bool,
    /// Streams whose lines cannot be written, or could not.
    faults: BTreeMap<u64, LogFault>,
    /// Until when the end may wait for the logger; `None` before the end.
    finish_by: Option<Instant>,
}

/// What is wrong with a stream's lines.
#[derive(Debug)]
struct LogFault {
    errno: i32,
    is_dropping: bool,
    dropped_lines: u64,
}

impl Logs {
    pub(crate) fn new(state: BorrowedFd<'_>) -> Self {
        Self {
            followed: BTreeMap::new(),
            fifos: Fifos::find(state),
            ended: Vec::new(),
            is_logger_new: false,
            faults: BTreeMap::new(),
            finish_by: None,
        }
    }

    /// There is another logger, or this engine is a new one.
    pub(crate) fn has_new_logger(&mut self) {
        self.is_logger_new = true;
    }

    /// When the end waits no longer.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.finish_by
    }
}

impl Engine {
    /// Tells the logger where an entry's lines go, unless it knows.
    pub(super) fn follow(&mut self, id: EntryId) {
        let Some(entry) = self.node.entry(id) else { return };
        let Some(sink) = self.lowering.sink(entry) else { return };
        let stream = entry.stream().0;
        let label = entry_label(&entry.key().to_string(), self.setup.color).into_bytes();
        let packet = Feed::Follow { stream, label, sink }.encode();
        if self.logs.followed.get(&stream) == Some(&packet) {
            return;
        }
        let _only_another_holder = self.logs.fifos.hold(self.reviver.state().as_fd(), stream);
        self.feed.send(packet.clone());
        self.logs.followed.insert(stream, packet);
    }

    /// Another table holds: lines may go elsewhere, without a restart.
    pub(super) fn follow_anew(&mut self) {
        // One that is on its way out, or is to be replaced, prints as it did until then.
        let is_followed = |entry: &Entry| self.logs.followed.contains_key(&entry.stream().0);
        let ids: Vec<EntryId> =
            self.node.entries().filter(|(_, entry)| is_followed(entry)).map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| self.follow(id));
    }

    /// Streams end: their entries are about to be forgotten. Where they go is written down before, since the logger
    /// may not have heard of it, and nobody else knows any more.
    pub(super) fn end_streams(&mut self, records: &[Record]) {
        for record in records {
            let Record::StreamEnded(Generation(stream)) = *record else { continue };
            if let Some(follow) = self.logs.followed.remove(&stream) {
                let _as_far_as_there_is_room = keep_for_good(self.reviver.state().as_fd(), stream, &follow);
                self.logs.ended.push(stream);
            }
            self.logs.faults.remove(&stream);
        }
    }

    /// Tells the logger what this turn brought, or if it is a new one all that it has to know.
    pub(super) fn tell_logger(&mut self) {
        let ended = std::mem::take(&mut self.logs.ended);
        if std::mem::take(&mut self.logs.is_logger_new) {
            return self.brief_logger();
        }
        ended.into_iter().for_each(|stream| self.feed.send(Feed::Ended { stream }.encode()));
    }

    fn brief_logger(&mut self) {
        self.feed.send(Feed::Reset.encode());
        if let Some(log) = &self.setup.log {
            let path = log.as_os_str().as_bytes().to_vec();
            self.feed.send(Feed::LogFile { path }.encode());
        }
        let entries = self.node.entries().map(|(_, entry)| entry.stream().0);
        let streams: BTreeSet<u64> =
            entries.chain(self.node.tasks().map(|(_, task)| task.stream().0)).collect();
        self.logs.fifos.forget_removed();
        for stream in self.logs.fifos.streams().filter(|stream| !streams.contains(stream)) {
            self.feed.send(Feed::Ended { stream }.encode());
        }
        self.logs.followed.clear();
        let printing: Vec<EntryId> =
            self.node.entries().filter(|(_, entry)| entry.stream().0 > 0).map(|(id, _)| id).collect();
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
                Some(Word::Fault { stream, errno, is_dropping, dropped_lines }) => {
                    if (errno == 0 && dropped_lines == 0) || !self.logs.followed.contains_key(&stream) {
                        self.logs.faults.remove(&stream);
                    } else {
                        self.logs.faults.insert(stream, LogFault { errno, is_dropping, dropped_lines });
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
        if self.logs.finish_by.is_none() {
            self.logs.fifos.forget_removed();
            if self.logs.fifos.is_empty() {
                return true;
            }
            self.feed.send(Feed::Finish { number: std::process::id() }.encode());
        }
        let by = *self.logs.finish_by.get_or_insert(now + FINISH_TIME);
        now >= by
    }

    /// Says of entries where their lines are, and what is wrong with that.
    pub(super) fn tell_logs(&self, group: &mut GroupStatus) {
        for status in &mut group.entries {
            let key = EntryKey { group: group.name.clone(), tag: status.tag.clone() };
            let Some(entry) = self.node.entry_id(&key).and_then(|id| self.node.entry(id)) else { continue };
            status.log = match self.lowering.sink(entry) {
                None | Some(Sink::Terminal) => None,
                Some(Sink::File(files)) => Some(self.log_status(entry, Some(folder_of(&files)))),
                Some(Sink::Syslog { .. }) => Some(self.log_status(entry, None)),
            };
        }
    }

    fn log_status(&self, entry: &Entry, folder: Option<PathBuf>) -> LogStatus {
        let fault = self.logs.faults.get(&entry.stream().0);
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

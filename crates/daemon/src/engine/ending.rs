//! The end of the daemon: with whose end it comes, how long it may take, and the status that it exits with.

use std::time::Duration;

use clinit_engine::entry::State;
use clinit_engine::event::{Event, Exit};
use clinit_engine::name::EntryKey;
use clinit_engine::time::Instant;
use clinit_table::Parsed;
use rustix::io::Errno;

use super::Engine;
use super::journal::Item;

/// What shells exit with where a command is not found, or not executable.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Nobody knows how the entry ended.
const UNKNOWN: u8 = 1;

/// What the table says of the end, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// The entry with whose end the daemon ends.
    with: Option<EntryKey>,
    /// How long a shutdown may take.
    timeout: Option<Duration>,
    /// When what is left is killed.
    hurry_at: Option<Instant>,
    /// What the daemon exits with.
    pub(crate) status: u8,
}

impl Ending {
    pub(crate) fn new(parsed: &Parsed, status: u8) -> Self {
        Self { status, ..Self::default() }.with(parsed)
    }

    fn with(self, parsed: &Parsed) -> Self {
        let (settings, groups) = (&parsed.settings, &parsed.table.groups);
        let with = settings.exit_with.as_ref().and_then(|tag| {
            let group = groups.iter().find(|group| group.entries.iter().any(|entry| entry.tag == *tag))?;
            Some(EntryKey { group: group.name.clone(), tag: tag.clone() })
        });
        Self { with, timeout: settings.shutdown_timeout, ..self }
    }
}

impl Engine {
    /// Another table holds.
    pub(super) fn take_ending(&mut self, parsed: &Parsed) {
        self.ending = std::mem::take(&mut self.ending).with(parsed);
    }

    /// Shuts down when the entry that the table names is over, and kills what takes too long.
    pub(super) fn look_at_ending(&mut self, now: Instant) {
        if self.node.is_halting() {
            let timeout = self.ending.timeout;
            let hurry_at = *self.ending.hurry_at.get_or_insert(now + timeout.unwrap_or(Duration::MAX));
            if timeout.is_some() && hurry_at <= now {
                // Once: it is killed again by its own machine.
                self.ending.hurry_at = Some(now + Duration::MAX);
                self.notes.say("the shutdown took too long: killing what is left");
                self.happen(Event::HurryRequested, now);
            }
        } else if let Some((key, status)) = self.over() {
            self.notes.say(&format!("{key} is over, and exit_with names it: the daemon exits with {status}"));
            self.ending.status = status;
            self.items.push(Item::Status(status));
            self.halt(false, now);
        }
    }

    /// When [`Self::look_at_ending`] has to be called although nothing happened.
    pub(super) fn next_hurry(&self) -> Option<Instant> {
        self.ending.hurry_at.filter(|_| self.ending.timeout.is_some() && self.node.is_halting())
    }

    /// The entry with whose end the daemon ends, if it is over, and the status for that.
    fn over(&self) -> Option<(EntryKey, u8)> {
        let entry = self.node.entry(self.node.entry_id(self.ending.with.as_ref()?)?)?;
        let is_over = match entry.state() {
            State::Done { .. } | State::GivenUp { .. } => true,
            State::Down | State::Starting | State::Running { .. } | State::Ready => false,
            State::Clearing { .. } | State::Pausing { .. } => false,
            State::Stopping { .. } | State::Killing { .. } => false,
        };
        let exit = entry.history().last_exit.map_or(Exit::Unknown, |(exit, _)| exit);
        is_over.then(|| (entry.key().clone(), status(exit)))
    }
}

/// As shells have it.
fn status(exit: Exit) -> u8 {
    match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => signal.saturating_add(128),
        Exit::NotExecuted(fault) if fault.errno == Errno::NOENT.raw_os_error() => NOT_FOUND,
        Exit::NotExecuted(_) => NOT_EXECUTABLE,
        Exit::Unknown => UNKNOWN,
    }
}

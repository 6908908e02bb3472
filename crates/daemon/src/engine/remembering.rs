//! What outlives the machine: levels that were told and stops by hand, written off the loop.

use std::io;

use clinit_engine::entry::Hold;
use clinit_engine::name::{GroupName, Level};
use clinit_engine::time::Instant;

use super::Engine;
use super::journal::Item;
use super::turn::STATUS_RETRY;
use crate::remembered;

impl Engine {
    /// A group was told a level by hand.
    pub(super) fn told(&mut self, group: &GroupName, level: &Level) {
        if self.told.insert(group.clone(), level.clone()).as_ref() != Some(level) {
            self.items.push(Item::Told(group.clone(), level.clone()));
            self.remembering.is_stale = true;
        }
    }

    /// A group is gone.
    pub(super) fn untold(&mut self, group: &GroupName) {
        if self.told.remove(group).is_some() {
            self.items.push(Item::Untold(group.clone()));
            self.remembering.is_stale = true;
        }
    }

    /// Has the file written, unless it is being written, or was tried just now.
    pub(super) fn write_remembered(&mut self, now: Instant) {
        let Some(path) = &self.setup.remember else { return };
        let state = &mut self.remembering;
        if !state.is_stale || state.is_being_written || state.not_before > now {
            return;
        }
        (state.is_stale, state.is_being_written) = (false, true);
        let entries = self.node.entries().map(|(_, entry)| entry);
        let held = entries
            .filter(|entry| entry.hold() == Hold::UntilStarted && !entry.is_transient())
            .map(clinit_engine::entry::Entry::key);
        let text = remembered::text(&self.told, held.chain(&self.node.recalled().held));
        self.disk.remember(path, text);
    }

    /// When it has to be written although nothing happened.
    pub(super) fn next_remembering(&self) -> Option<Instant> {
        let state = &self.remembering;
        let is_due = state.is_stale && !state.is_being_written && self.setup.remember.is_some();
        is_due.then_some(state.not_before)
    }

    /// It was written, or not: that is said once.
    pub(super) fn remembered(&mut self, result: io::Result<()>, now: Instant) {
        self.remembering.is_being_written = false;
        match (result, self.remembering.has_failed) {
            (Ok(()), false) => {}
            (Ok(()), true) => {
                self.remembering.has_failed = false;
                self.notes.say("what is told is remembered again");
            }
            (Err(error), has_failed) => {
                self.remembering.is_stale = true;
                self.remembering.has_failed = true;
                self.remembering.not_before = now + STATUS_RETRY;
                if let (false, Some(path)) = (has_failed, &self.setup.remember) {
                    let path = path.display();
                    self.notes
                        .say(&format!("what is told cannot be remembered: {path}: {error}; trying again"));
                }
            }
        }
    }
}

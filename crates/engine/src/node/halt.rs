//! The end of everything: all groups at once, each entry with the grace it has.

use super::{Goal, Node};
use crate::entry::EntryEvent;
use crate::event::{Action, EntryId};
use crate::group::Phase;
use crate::record::Record;
use crate::time::Instant;

impl Node {
    pub(super) fn halt(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.goal == Goal::Halt {
            return;
        }
        self.goal = Goal::Halt;
        self.once.push(Record::Halting);
        self.halt_groups(now, out);
        self.hurry_tasks(now);
    }

    /// Stops every entry of every group. Done again after a restore it changes nothing.
    pub(super) fn halt_groups(&mut self, now: Instant, out: &mut Vec<Action>) {
        for id in 0..u32::try_from(self.groups.len()).unwrap_or(u32::MAX) {
            let Some(group) = self.groups[id as usize].as_mut() else { continue };
            group.waiting_on = None;
            for member in group.members.clone() {
                if let Some(entry) = self.entries[member.0 as usize].as_mut() {
                    (entry.wanted, entry.blocked) = (false, false);
                }
            }
            self.renew_graph(id);
            self.part(id, now, out);
            let group = self.groups[id as usize].as_ref();
            if group.is_some_and(|group| group.target.is_some() || group.leaving > 0) {
                self.pass(id, Phase::Halting, now, out);
                self.halted(id, now, out);
            }
        }
    }

    /// Kills what still runs; before a shutdown it means nothing.
    pub(super) fn hurry(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.goal == Goal::Run {
            return;
        }
        let alive: Vec<EntryId> = self
            .entries()
            .filter(|(_, entry)| entry.is_alive() || entry.is_ending())
            .map(|(id, _)| id)
            .collect();
        for id in alive {
            self.happen(id, EntryEvent::Hurry, now, out);
        }
        self.kill_tasks(now, out);
    }

    /// A halting group of which nothing runs any more is as if it had never been told.
    pub(super) fn halted(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) {
        if self.groups[id as usize].as_ref().is_some_and(|group| group.leaving == 0) {
            self.pass(id, Phase::Configured, now, out);
        }
    }

    pub(super) fn leave_if_halted(&mut self, out: &mut Vec<Action>) {
        if self.halting == 0 && self.tasks.is_empty() && !self.left && self.resuming.is_none() {
            self.left = true;
            out.push(Action::Leave);
        }
    }
}

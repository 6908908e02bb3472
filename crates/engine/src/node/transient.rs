//! Entries that no table has: made through the socket, run at every level of their group, and gone when they have
//! ended well.

use super::{Goal, Node};
use crate::entry::{Entry, EntryEvent, Fate, State};
use crate::event::{Action, EntryId};
use crate::group::{Group, Phase};
use crate::name::{EntryKey, GroupName};
use crate::spec::{EntrySpec, Mode};
use crate::time::Instant;

impl Node {
    pub(super) fn add(&mut self, name: &GroupName, spec: EntrySpec, now: Instant, out: &mut Vec<Action>) {
        let key = EntryKey { group: name.clone(), tag: spec.tag.clone() };
        if self.goal == Goal::Halt || self.entry_ids.contains_key(&key) || spec.mode == Mode::Off {
            return;
        }
        let group = self.group_ids.get(name).copied().unwrap_or_else(|| {
            let mut group = Group::new(name.clone(), now);
            group.transient = true;
            self.insert_group(group)
        });
        if let Some(dying) = self.groups[group as usize].as_mut().filter(|group| group.forget) {
            // The table has it no longer, but it goes on for this entry.
            (dying.forget, dying.transient) = (false, true);
            (dying.initdefault, dying.target, dying.fallen) = (None, None, false);
            self.mark_group(group);
        }
        // A group that is starting its entries counts its place in them.
        if self.groups[group as usize].as_ref().is_some_and(|group| group.phase != Phase::Starting) {
            self.compact(group);
        }
        let mut entry = Entry::new(key, group, spec, now);
        entry.transient = true;
        entry.wanted = true;
        let id = self.insert_entry(entry);
        if let Some(group) = self.groups[group as usize].as_mut() {
            // A group that has started its last entry has started this one, too.
            group.next += usize::from(group.next >= group.members.len());
            group.members.push(id);
            group.is_graph_stale = true;
        }
        self.happen(id, EntryEvent::Start, now, out);
    }

    /// One that has ended well is over; one that failed is kept for people to see until it is stopped or reset.
    pub(super) fn end_transient(&mut self, id: EntryId, now: Instant, out: &mut Vec<Action>) {
        let Some(entry) = self.entries[id.0 as usize].as_mut().filter(|entry| entry.transient) else {
            return;
        };
        let is_over = match entry.state {
            State::Done { leftovers: false, .. } => !entry.has_failed(),
            State::Down | State::Done { leftovers: true, .. } | State::GivenUp { .. } => false,
            State::Starting | State::Running { .. } | State::Ready | State::Clearing { .. } => false,
            State::Pausing { .. } | State::Stopping { .. } | State::Killing { .. } => false,
        };
        if is_over {
            entry.fate = Fate::Forget;
            self.apply(id, EntryEvent::Stop, now, out);
        }
    }

    /// One that failed was seen, and need not be kept.
    pub(super) fn reset_transient(&mut self, id: EntryId, now: Instant, out: &mut Vec<Action>) {
        let Some(entry) = self.entries[id.0 as usize].as_mut().filter(|entry| entry.transient) else {
            return;
        };
        if let State::Done { leftovers: false, .. } = entry.state {
            entry.fate = Fate::Forget;
            self.apply(id, EntryEvent::Stop, now, out);
        }
    }

    /// A group that no table has is gone with its last entry.
    pub(super) fn forget_transient_group(&mut self, id: u32, out: &mut Vec<Action>) {
        let Some(group) = self.groups[id as usize].as_ref().filter(|group| group.transient) else { return };
        let mut members = group.members.iter().filter_map(|&member| self.entry(member)).peekable();
        if self.goal == Goal::Halt {
            return;
        }
        if members.peek().is_none() {
            return self.forget_group(id, out);
        }
        let is_left = !members.any(Entry::is_transient);
        // What is left was the table's, and has still to go.
        if let Some(group) = self.groups[id as usize].as_mut().filter(|_| is_left) {
            (group.transient, group.forget, group.target) = (false, true, None);
            self.mark_group(id);
        }
    }

    /// Of a group without a level nothing is started but what needs none.
    pub(super) fn start_transient(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) {
        let Some(group) = self.groups[id as usize].as_ref() else { return };
        for member in group.members.clone() {
            if self.entry(member).is_some_and(|entry| entry.transient && entry.wanted) {
                self.apply(member, EntryEvent::Start, now, out);
            }
        }
    }
}

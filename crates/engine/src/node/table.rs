//! What an accepted table changes, compared by content.
//!
//! An unchanged entry is never touched. A changed or dropped one that has something running (or has run
//! at this level) keeps what it was started with until it is gone: that is its [`Fate`]. A change of
//! policy alone holds at once.

use std::collections::BTreeSet;

use super::{Goal, Node};
use crate::entry::{Entry, Fate, Hold, State};
use crate::event::{Action, EntryId, Notice};
use crate::group::{Group, Phase};
use crate::name::EntryKey;
use crate::record::Record;
use crate::spec::{EntrySpec, GroupSpec, Table};
use crate::time::Instant;

/// What a table did to a group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Changed,
    New,
}

impl Node {
    pub(super) fn accept(&mut self, table: Table, now: Instant, out: &mut Vec<Action>) {
        if self.goal == Goal::Halt {
            return;
        }
        for (id, change) in self.adopt(table, now) {
            let Some(group) = self.groups[id as usize].as_mut() else { continue };
            match change {
                Change::None => {}
                Change::New => {
                    group.target.clone_from(&group.initdefault);
                    self.settle_in(id, now, out);
                }
                Change::Changed => self.settle_in(id, now, out),
            }
        }
    }

    /// Takes over what the table says, without acting on it.
    pub(super) fn adopt(&mut self, table: Table, now: Instant) -> Vec<(u32, Change)> {
        let mut changes = Vec::new();
        let mut named = BTreeSet::new();
        for spec in table.groups {
            named.insert(spec.name.clone());
            changes.push(self.accept_group(spec, now));
        }
        let vanished: Vec<u32> =
            self.group_ids.iter().filter(|(name, _)| !named.contains(*name)).map(|(_, &id)| id).collect();
        for id in vanished {
            self.drop_group(id);
            changes.push((id, Change::Changed));
        }
        changes
    }

    fn accept_group(&mut self, spec: GroupSpec, now: Instant) -> (u32, Change) {
        let (id, mut change) = match self.group_ids.get(&spec.name) {
            Some(&id) => (id, Change::None),
            None => (self.insert_group(Group::new(spec.name.clone(), now)), Change::New),
        };
        self.compact(id);
        let Some(group) = self.groups[id as usize].as_mut() else { return (id, Change::None) };
        group.initdefault = spec.initdefault;
        if std::mem::take(&mut group.forget) {
            // Back before it was gone: a new group with an old one's remains.
            change = Change::New;
            group.level = None;
        }
        let before = std::mem::take(&mut group.members);
        let mut members = Vec::with_capacity(spec.entries.len());
        for entry in spec.entries {
            let key = EntryKey { group: spec.name.clone(), tag: entry.tag.clone() };
            let (member, changed) = match self.entry_ids.get(&key) {
                Some(&member) => (member, self.accept_entry(member, entry)),
                None => (self.insert_entry(Entry::new(key, id, entry, now)), true),
            };
            if changed && change == Change::None {
                change = Change::Changed;
            }
            members.push(member);
        }
        let kept: BTreeSet<EntryId> = members.iter().copied().collect();
        for &member in before.iter().filter(|member| !kept.contains(member)) {
            self.doom(member, Fate::Forget);
            members.push(member);
            if change == Change::None {
                change = Change::Changed;
            }
        }
        if let Some(group) = self.groups[id as usize].as_mut() {
            // A group that is starting its entries counts its place in them.
            if change == Change::None && members != before {
                change = Change::Changed;
            }
            group.members = members;
        }
        if change != Change::None {
            self.mark_group(id);
        }
        (id, change)
    }

    /// Whether the entry has to be looked at by its group.
    fn accept_entry(&mut self, id: EntryId, spec: EntrySpec) -> bool {
        let Some(entry) = self.entries[id.0 as usize].as_mut() else { return false };
        if entry.spec == spec && entry.fate == Fate::Keep {
            return false;
        }
        if entry.fate == Fate::Forget {
            // Back before it was gone: a new entry with an old one's remains.
            entry.hold = Hold::Free;
        }
        let same_life = entry.spec.program == spec.program && entry.spec.mode == spec.mode;
        if same_life || entry.state == State::Down {
            let moved = entry.spec.levels != spec.levels || !same_life || entry.fate != Fate::Keep;
            entry.spec = spec;
            entry.fate = Fate::Keep;
            self.mark(id);
            return moved;
        }
        self.doom(id, Fate::Replace(Box::new(spec)));
        true
    }

    fn doom(&mut self, id: EntryId, fate: Fate) {
        if let Some(entry) = self.entries[id.0 as usize].as_mut() {
            entry.fate = fate;
            self.mark(id);
        }
    }

    fn drop_group(&mut self, id: u32) {
        let Some(group) = self.groups[id as usize].as_mut() else { return };
        group.forget = true;
        for member in group.members.clone() {
            self.doom(member, Fate::Forget);
        }
        self.mark_group(id);
    }

    /// Lets a changed group find its way. Of a group that was never told nothing runs, and nothing starts.
    fn settle_in(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) {
        let Some(group) = self.groups[id as usize].as_ref() else { return };
        let untold = group.target.is_none() && !group.forget && group.leaving == 0;
        if untold && group.phase == Phase::Configured {
            for member in group.members.clone() {
                self.turn_over(member);
            }
            self.compact(id);
            return;
        }
        self.reconcile(id, now, out);
    }

    pub(super) fn insert_group(&mut self, group: Group) -> u32 {
        let id = self.free_groups.pop().unwrap_or_else(|| {
            self.groups.push(None);
            u32::try_from(self.groups.len() - 1).unwrap_or(u32::MAX)
        });
        self.group_ids.insert(group.name.clone(), id);
        self.dirty_groups.push(id);
        self.groups[id as usize] = Some(group);
        id
    }

    fn insert_entry(&mut self, entry: Entry) -> EntryId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            EntryId(u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX))
        });
        self.entry_ids.insert(entry.key.clone(), id);
        self.dirty_entries.push(id);
        self.entries[id.0 as usize] = Some(entry);
        id
    }

    pub(super) fn forget_group(&mut self, id: u32, out: &mut Vec<Action>) {
        self.compact(id);
        let Some(group) = self.groups[id as usize].take() else { return };
        self.group_ids.remove(&group.name);
        self.free_groups.push(id);
        self.once.push(Record::GroupForgotten(group.name.clone()));
        out.push(Action::Notice(Notice::GroupForgotten { group: group.name }));
    }
}

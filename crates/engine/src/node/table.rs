//! What an accepted table changes, compared by content.
//!
//! An unchanged entry is never touched. A changed or dropped one that has something running (or has run
//! at this level) keeps what it was started with until it is gone: that is its [`Fate`]. A change of
//! policy alone holds at once.

use std::collections::BTreeSet;

use super::{Goal, Node, count};
use crate::care::Errand;
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
        for (id, change) in self.adopt(table, now, out) {
            if self.groups[id as usize].is_none() {
                continue;
            }
            match change {
                Change::None => {}
                Change::New => {
                    let level = self.first_level(id);
                    if let Some(group) = self.groups[id as usize].as_mut() {
                        group.target = level;
                    }
                    self.settle_in(id, now, out);
                }
                Change::Changed => self.settle_in(id, now, out),
            }
        }
    }

    /// Takes over what the table says, without bringing groups to it.
    pub(super) fn adopt(&mut self, table: Table, now: Instant, out: &mut Vec<Action>) -> Vec<(u32, Change)> {
        let mut changes = Vec::new();
        let mut named = BTreeSet::new();
        for spec in table.groups {
            named.insert(spec.name.clone());
            changes.push(self.accept_group(spec, now, out));
        }
        let vanished: Vec<u32> =
            self.group_ids.iter().filter(|(name, _)| !named.contains(*name)).map(|(_, &id)| id).collect();
        for id in vanished {
            // What no table had before is not touched by this one.
            if self.groups[id as usize].as_ref().is_some_and(|group| !group.transient) {
                self.drop_group(id);
                changes.push((id, Change::Changed));
            }
        }
        changes
    }

    fn accept_group(&mut self, spec: GroupSpec, now: Instant, out: &mut Vec<Action>) -> (u32, Change) {
        let (id, mut change) = match self.group_ids.get(&spec.name) {
            Some(&id) => (id, Change::None),
            None => (self.insert_group(Group::new(spec.name.clone(), now)), Change::New),
        };
        self.compact(id);
        let Some(group) = self.groups[id as usize].as_mut() else { return (id, Change::None) };
        group.initdefault = spec.initdefault;
        // No table had it before.
        let is_first = std::mem::take(&mut group.transient) && group.target.is_none();
        // Back before it was gone: a new group with an old one's remains.
        let is_back = std::mem::take(&mut group.forget);
        if is_first || is_back {
            change = Change::New;
            (group.level, group.fallen) = (None, false);
        }
        let before = std::mem::take(&mut group.members);
        let mut members = Vec::with_capacity(spec.entries.len());
        for entry in spec.entries {
            let key = EntryKey { group: spec.name.clone(), tag: entry.tag.clone() };
            let (member, changed) = match self.entry_ids.get(&key) {
                Some(&member) => (member, self.accept_entry(member, entry, now, out)),
                None => {
                    let member = self.insert_entry(Entry::new(key, id, entry, now));
                    self.hold_recalled(member);
                    (member, true)
                }
            };
            if changed && change == Change::None {
                change = Change::Changed;
            }
            members.push(member);
        }
        let kept: BTreeSet<EntryId> = members.iter().copied().collect();
        for &member in before.iter().filter(|member| !kept.contains(member)) {
            members.push(member);
            if self.entry(member).is_some_and(Entry::is_transient) {
                continue;
            }
            self.doom(member, Fate::Forget);
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
            group.is_graph_stale |= change != Change::None;
        }
        if change != Change::None {
            self.mark_group(id);
        }
        (id, change)
    }

    /// Whether the entry has to be looked at by its group.
    fn accept_entry(&mut self, id: EntryId, spec: EntrySpec, now: Instant, out: &mut Vec<Action>) -> bool {
        let Some(entry) = self.entries[id.0 as usize].as_mut() else { return false };
        if entry.spec == spec && entry.fate == Fate::Keep && !entry.transient {
            return false;
        }
        let unconfirmed = entry.is_unconfirmed();
        let was_transient = std::mem::take(&mut entry.transient);
        if let Some(group) = self.groups[entry.group as usize].as_mut() {
            count(&mut group.unconfirmed, unconfirmed, entry.is_unconfirmed());
        }
        if entry.fate == Fate::Forget {
            // Back before it was gone: a new entry with an old one's remains.
            entry.hold = Hold::Free;
        }
        let same_life = entry.spec.program == spec.program && entry.spec.mode == spec.mode;
        if !same_life && entry.state != State::Down {
            self.doom(id, Fate::Replace(Box::new(spec)));
            return true;
        }
        let moved = entry.spec.levels != spec.levels || entry.spec.links != spec.links;
        let moved = moved || was_transient || !same_life || entry.fate != Fate::Keep;
        if entry.is_asked_otherwise(&spec) {
            self.drop_errand(id, Errand::Health, now, out);
        }
        self.change_entry(id, spec, now) || moved
    }

    /// The life of an entry goes on with another content. Returns whether it has come to fail by that, or ceased to.
    fn change_entry(&mut self, id: EntryId, spec: EntrySpec, now: Instant) -> bool {
        let Some(entry) = self.entries[id.0 as usize].as_mut() else { return false };
        let (deadline, had_failed) = (entry.deadline(), entry.has_failed());
        entry.fate = Fate::Keep;
        entry.take_spec(spec, now);
        // Which ends are good ones is the table's to say, of those that were, too.
        let turned = had_failed != entry.has_failed();
        self.timers.change(id, deadline, entry.deadline());
        self.mark(id);
        turned
    }

    fn doom(&mut self, id: EntryId, fate: Fate) {
        if let Some(entry) = self.entries[id.0 as usize].as_mut() {
            // One that the table brings back is as it was: what was to come back was another.
            entry.renewed &= fate != Fate::Forget;
            entry.fate = fate;
            self.mark(id);
        }
    }

    fn drop_group(&mut self, id: u32) {
        let Some(group) = self.groups[id as usize].as_mut() else { return };
        let members = group.members.clone();
        let is_transient = |&member: &EntryId| self.entry(member).is_some_and(Entry::is_transient);
        let has_transient = members.iter().any(is_transient);
        let doomed: Vec<EntryId> = members.iter().filter(|member| !is_transient(member)).copied().collect();
        doomed.into_iter().for_each(|member| self.doom(member, Fate::Forget));
        let Some(group) = self.groups[id as usize].as_mut() else { return };
        (group.transient, group.forget, group.is_graph_stale) = (has_transient, !has_transient, true);
        if has_transient {
            (group.initdefault, group.target, group.fallen) = (None, None, false);
        }
        self.mark_group(id);
    }

    /// Lets a changed group find its way. Of a group that was never told nothing runs, and nothing starts.
    fn settle_in(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) {
        let Some(group) = self.groups[id as usize].as_ref() else { return };
        let is_down = |&member: &EntryId| self.entry(member).is_none_or(|entry| entry.state == State::Down);
        let untold = group.target.is_none() && !group.forget && group.members.iter().all(is_down);
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

    pub(super) fn insert_entry(&mut self, entry: Entry) -> EntryId {
        let id = self.free_place();
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

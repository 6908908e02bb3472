//! Going on after the process that ran the engine was lost.
//!
//! Records come before acts, so a record may name an act that was never done; what really runs, the
//! keeper knows. So: take the records, let the keeper tell of all that it holds (as ordinary events), and
//! at [`Event::InventoryTaken`](crate::Event::InventoryTaken) give up what it did not tell of and repeat
//! the orders that may not have reached it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::levels::wants;
use super::{Goal, Node, count};
use crate::entry::{Context, Entry, EntryEvent, Fate, State};
use crate::event::{Action, EntryId, Generation};
use crate::group::{Group, Phase};
use crate::name::{EntryKey, GroupName, Level};
use crate::record::{EntryRecord, FateRecord, GroupRecord, Record};
use crate::spec::{Command, EntrySpec, Levels, Mode, Output, Policy, Program, Table, ThrottlePolicy};
use crate::time::Instant;

impl Node {
    /// A node as the records left it, over the table that held then.
    #[must_use]
    pub fn restore(table: Table, records: impl IntoIterator<Item = Record>, now: Instant) -> Self {
        let mut node = Self::new();
        let mut entries: BTreeMap<EntryId, EntryRecord> = BTreeMap::new();
        let mut groups: BTreeMap<GroupName, GroupRecord> = BTreeMap::new();
        for record in records {
            match record {
                Record::Entry(entry) => drop(entries.insert(entry.id, *entry)),
                Record::EntryForgotten(id) => drop(entries.remove(&id)),
                Record::Group(group) => drop(groups.insert(group.name.clone(), group)),
                Record::GroupForgotten(name) => drop(groups.remove(&name)),
                Record::Generation(generation) => node.generations = node.generations.max(generation),
                Record::Halting => node.goal = Goal::Halt,
            }
        }
        let mut specs: BTreeMap<EntryKey, EntrySpec> = BTreeMap::new();
        for group in &table.groups {
            for entry in &group.entries {
                let key = EntryKey { group: group.name.clone(), tag: entry.tag.clone() };
                specs.insert(key, entry.clone());
            }
        }
        for record in groups.into_values() {
            node.restore_group(record);
        }
        for record in entries.into_values() {
            let spec = specs.get(&record.key);
            node.restore_entry(record, spec, now);
        }
        node.free = (0u32..)
            .zip(&node.entries)
            .filter(|(_, entry)| entry.is_none())
            .map(|(id, _)| EntryId(id))
            .collect();
        node.resuming = Some(node.generations);
        node.merge(table, now);
        node
    }

    /// Brings the members into the order of the file, adds what no record names, and finds out what is
    /// wanted. Nothing is done about it before the inventory is taken.
    fn merge(&mut self, table: Table, now: Instant) {
        self.adopt(table, now);
        for id in 0..self.groups.len() {
            let Some(group) = self.groups[id].as_ref() else { continue };
            self.halting += u32::from(group.phase == Phase::Halting);
            for member in &group.members {
                if let Some(entry) = self.entries[member.0 as usize].as_mut() {
                    entry.wanted = self.goal == Goal::Run && wants(entry, group.target.as_ref());
                }
            }
        }
    }

    fn restore_group(&mut self, record: GroupRecord) {
        let mut group = Group::new(record.name, record.since);
        group.level = record.level;
        group.target = record.target;
        group.phase = record.phase;
        group.forget = record.forget;
        self.insert_group(group);
    }

    fn restore_entry(&mut self, record: EntryRecord, spec: Option<&EntrySpec>, now: Instant) {
        let Some(&group) = self.group_ids.get(&record.key.group) else { return };
        let keep = record.fate == FateRecord::Keep;
        let spec_of_life = spec.filter(|_| keep).cloned().unwrap_or_else(|| lost_spec(&record));
        let mut entry = Entry::new(record.key, group, spec_of_life, now);
        entry.fate = match spec {
            Some(_) if keep => Fate::Keep,
            Some(spec) => Fate::Replace(Box::new(spec.clone())),
            None => Fate::Forget,
        };
        entry.state = record.state;
        entry.since = record.since;
        entry.generation = record.generation;
        entry.pid = record.pid;
        entry.throttle = record.throttle;
        entry.hold = record.hold;
        entry.history = record.history;
        entry.unverified = entry.is_alive();
        let id = record.id;
        while self.entries.len() <= id.0 as usize {
            self.entries.push(None);
        }
        self.generations = self.generations.max(entry.generation);
        self.timers.change(id, None, entry.deadline());
        self.entry_ids.insert(entry.key.clone(), id);
        self.dirty_entries.push(id);
        if let Some(group) = self.groups[group as usize].as_mut() {
            group.members.push(id);
            group.leaving += u32::from(entry.is_leaving());
            group.unconfirmed += u32::from(entry.is_unconfirmed());
        }
        self.entries[id.0 as usize] = Some(entry);
    }

    /// The keeper holds a later life than the records tell of: they could not be written (no room), and what the
    /// keeper holds is so. The entry is taken to run, and its group finds out whether it should.
    pub(super) fn take_life(&mut self, id: EntryId, generation: Generation) {
        let entry = self.entries.get_mut(id.0 as usize).and_then(Option::as_mut);
        let Some(entry) = entry.filter(|entry| entry.generation < generation) else { return };
        let (deadline, group) = (entry.deadline(), entry.group);
        let (leaving, unconfirmed) = (entry.is_leaving(), entry.is_unconfirmed());
        entry.generation = generation;
        entry.state = State::Running;
        self.generations = self.generations.max(generation);
        self.timers.change(id, deadline, None);
        if let Some(group) = self.groups[group as usize].as_mut() {
            count(&mut group.leaving, leaving, false);
            count(&mut group.unconfirmed, unconfirmed, false);
            if self.goal == Goal::Run && (group.target.is_some() || group.forget) {
                group.phase = Phase::Starting;
                group.next = 0;
            }
        }
        self.mark(id);
        self.mark_group(group);
    }

    /// After the keeper told of all that it holds.
    pub(super) fn resume(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.resuming = None;
        let ids: Vec<EntryId> = self.entries().map(|(id, _)| id).collect();
        for id in ids {
            let Some(entry) = self.entries[id.0 as usize].as_mut() else { continue };
            if std::mem::take(&mut entry.unverified) {
                self.happen(id, EntryEvent::Missing, now, out);
            } else {
                let mut generations = self.generations;
                entry.repeat_order(&mut Context { now, id, generations: &mut generations, out });
                self.turn_over(id);
            }
        }
        if self.goal == Goal::Halt {
            self.halt_groups(now, out);
            return;
        }
        for id in 0..u32::try_from(self.groups.len()).unwrap_or(u32::MAX) {
            let Some(group) = self.groups[id as usize].as_ref() else { continue };
            match group.phase {
                Phase::Configured if group.target.is_none() && !group.forget => {}
                // Finds out where it stands; on a settled group it changes nothing.
                Phase::Configured | Phase::Starting | Phase::Checking => self.reconcile(id, now, out),
                Phase::Stopping | Phase::Dumping | Phase::Halting => self.reconcile(id, now, out),
                Phase::Done | Phase::Passed | Phase::Failed => {}
            }
        }
    }
}

/// What is left of an entry's content when the table has it no longer, or has another: enough to stop it.
fn lost_spec(record: &EntryRecord) -> EntrySpec {
    EntrySpec {
        tag: record.key.tag.clone(),
        levels: Levels::Labels(Box::<[Level]>::default()),
        mode: Mode::Off,
        program: Arc::new(Program {
            command: Command::Direct(Box::default()),
            output: Output::Null,
            cgroup: false,
            surroundings: None,
        }),
        policy: Policy { stop: record.stop, throttle: ThrottlePolicy::default() },
    }
}

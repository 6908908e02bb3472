//! Going on after the process that ran the engine was lost.
//!
//! Records come before acts, so a record may name an act that was never done; what really runs, the
//! keeper knows. So: take the records, let the keeper tell of all that it holds (as ordinary events), and
//! at [`Event::InventoryTaken`](crate::Event::InventoryTaken) give up what it did not tell of and repeat
//! the orders that may not have reached it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Goal, Node, count};
use crate::care::Errand;
use crate::entry::{Context, Entry, EntryEvent, Fate, State};
use crate::event::{Action, EntryId, Generation};
use crate::group::{Group, Phase};
use crate::name::{EntryKey, GroupName, Level};
use crate::record::{EntryRecord, FateRecord, GroupRecord, Record, TaskRecord};
use crate::spec::{Command, EntrySpec, KillScope, Levels, Mode, Output, Policy, Program, Table};
use crate::time::Instant;

impl Node {
    /// A node as the records left it, over the table that held then.
    #[must_use]
    pub fn restore(table: Table, records: impl IntoIterator<Item = Record>, now: Instant) -> Self {
        let mut node = Self::new();
        let mut entries: BTreeMap<EntryId, EntryRecord> = BTreeMap::new();
        let mut tasks: BTreeMap<EntryId, TaskRecord> = BTreeMap::new();
        let mut groups: BTreeMap<GroupName, GroupRecord> = BTreeMap::new();
        for record in records {
            match record {
                Record::Entry(entry) => drop(entries.insert(entry.id, *entry)),
                Record::Task(task) => drop(tasks.insert(task.id, *task)),
                Record::EntryForgotten(id) => {
                    entries.remove(&id);
                    tasks.remove(&id);
                }
                Record::Group(group) => drop(groups.insert(group.name.clone(), group)),
                Record::GroupForgotten(name) => drop(groups.remove(&name)),
                Record::StreamEnded(_) => {}
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
            let is_known = table.groups.iter().any(|group| group.name == record.name);
            node.restore_group(record, is_known);
        }
        for record in entries.into_values() {
            let spec = specs.get(&record.key);
            node.restore_entry(record, spec, now);
        }
        for record in tasks.into_values() {
            node.restore_task(record);
        }
        let places = (0u32..).zip(&node.entries).map(|(id, entry)| (EntryId(id), entry));
        let free = places.filter(|(id, entry)| entry.is_none() && !node.tasks.contains_key(id));
        node.free = free.map(|(id, _)| id).collect();
        node.resuming = Some(node.generations);
        node.merge(table, now);
        node
    }

    /// Brings the members into the order of the file, adds what no record names, and finds out what is
    /// wanted. Nothing is done about it before the inventory is taken.
    fn merge(&mut self, table: Table, now: Instant) {
        // The table that held changes nothing that runs.
        self.adopt(table, now, &mut Vec::new());
        for id in 0..u32::try_from(self.groups.len()).unwrap_or(u32::MAX) {
            let Some(group) = self.groups[id as usize].as_ref() else { continue };
            self.halting += u32::from(group.phase == Phase::Halting);
            let (members, target) = (group.members.clone(), group.target.clone());
            self.want_all(id, target.as_ref());
            for member in members {
                if self.goal == Goal::Halt
                    && let Some(entry) = self.entries[member.0 as usize].as_mut()
                {
                    entry.wanted = false;
                }
                // Whom it waits for is found out when it is known what runs; till then it does not come back.
                let waits =
                    self.entry(member).is_some_and(|entry| entry.has_to_leave() && !entry.is_ending());
                self.postpone(member, waits);
            }
        }
    }

    fn restore_group(&mut self, record: GroupRecord, is_known: bool) {
        let mut group = Group::new(record.name, record.since);
        group.level = record.level;
        group.target = record.target;
        group.phase = record.phase;
        group.forget = record.forget;
        group.transient = !is_known && !record.forget;
        group.fallen = record.fallen;
        self.insert_group(group);
    }

    fn restore_entry(&mut self, record: EntryRecord, of_table: Option<&EntrySpec>, now: Instant) {
        let Some(&group) = self.group_ids.get(&record.key.group) else { return };
        let keep = record.fate == FateRecord::Keep;
        let fate = match of_table {
            Some(_) if keep => Fate::Keep,
            Some(next) => Fate::Replace(Box::new(next.clone())),
            None if keep && record.transient => Fate::Keep,
            None => Fate::Forget,
        };
        let spec = record.spec.clone().or_else(|| of_table.cloned());
        let spec = spec.unwrap_or_else(|| lost_spec(&record));
        let mut entry = Entry::new(record.key, group, spec, now);
        entry.fate = fate;
        entry.state = record.state;
        entry.since = record.since;
        (entry.generation, entry.stream) = (record.generation, record.stream);
        entry.pid = record.pid;
        entry.throttle = record.throttle;
        entry.hold = record.hold;
        entry.history = record.history;
        entry.transient = record.transient;
        (entry.again, entry.retries, entry.streak) = (record.again, record.retries, record.streak);
        entry.renewed = record.renewed;
        entry.vigil = record.vigil.map(Box::new);
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
    /// Where no entry is, it was a task's, of which nobody waits for anything.
    pub(super) fn take_life(&mut self, id: EntryId, generation: Generation, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.get_mut(id.0 as usize).and_then(Option::as_mut) else {
            self.generations = self.generations.max(generation);
            out.push(Action::Kill { entry: id, generation, scope: KillScope::Group });
            return;
        };
        if entry.generation >= generation {
            return;
        }
        let (deadline, group) = (entry.deadline(), entry.group);
        let (leaving, unconfirmed) = (entry.is_leaving(), entry.is_unconfirmed());
        entry.generation = generation;
        entry.begin_stream();
        entry.state = State::Starting;
        entry.unverified = true;
        (entry.again, entry.vigil, entry.renewed) = (None, None, false);
        self.generations = self.generations.max(generation);
        self.timers.change(id, deadline, None);
        if let Some(group) = self.groups[group as usize].as_mut() {
            count(&mut group.leaving, leaving, false);
            count(&mut group.unconfirmed, unconfirmed, true);
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
            let has_no_end = entry.is_ending() && !entry.is_alive() && entry.errand(Errand::Stop).is_none();
            if std::mem::take(&mut entry.unverified) || has_no_end {
                self.happen(id, EntryEvent::Missing, now, out);
            } else {
                let (mut generations, mut wishes) = (self.generations, Vec::new());
                let generations = &mut generations;
                entry.repeat_order(&mut Context { now, id, generations, out, wishes: &mut wishes });
                let (deadline, vigil) = (entry.deadline(), entry.vigil.clone());
                entry.resume_care(now);
                self.timers.change(id, deadline, entry.deadline());
                if entry.vigil != vigil {
                    self.mark(id);
                }
                self.turn_over(id);
            }
        }
        self.resume_tasks(now, out);
        if self.goal == Goal::Halt {
            self.halt_groups(now, out);
            return;
        }
        for id in 0..u32::try_from(self.groups.len()).unwrap_or(u32::MAX) {
            let Some(group) = self.groups[id as usize].as_ref() else { continue };
            if group.leaving > 0 {
                self.reconcile(id, now, out);
                continue;
            }
            match group.phase {
                Phase::Configured if group.target.is_none() && !group.forget => {}
                // Finds out where it stands; on a settled group it changes nothing.
                Phase::Configured | Phase::Starting | Phase::Checking => self.reconcile(id, now, out),
                Phase::Stopping | Phase::Dumping | Phase::Halting => self.reconcile(id, now, out),
                // What requires somebody may have to leave.
                Phase::Done | Phase::Passed | Phase::Failed if group.graph.is_some() => {
                    self.reconcile(id, now, out);
                }
                Phase::Done | Phase::Passed | Phase::Failed => {}
            }
        }
    }
}

/// What is left of an entry's content when the table that holds is not read as it was, by another version: enough
/// to stop it.
fn lost_spec(record: &EntryRecord) -> EntrySpec {
    EntrySpec {
        tag: record.key.tag.clone(),
        levels: Arc::new(Levels::Labels(Box::<[Level]>::default())),
        mode: Mode::Off,
        program: Arc::new(Program {
            output: Output::Null,
            cgroup: false,
            ..Program::plain(Command::Direct(Box::default()))
        }),
        policy: Arc::new(Policy { stop: record.stop, ..Policy::default() }),
        links: None,
    }
}

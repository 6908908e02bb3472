//! One node: all groups and entries of one machine, driven by [`Node::step`].
//!
//! | file | room for |
//! |---|---|
//! | `levels` | what a level told to a group brings about: stop, start in order, settle |
//! | `graph` | the order of a group whose entries follow each other |
//! | `errands` | the commands that run for entries |
//! | `transient` | entries that no table has |
//! | `audit` | books that have to agree |
//! | `table` | what an accepted table changes |
//! | `hand` | what people ask of single entries |
//! | `plan` | what a table would change, without changing it |
//! | `halt` | the end of everything |
//! | `recall` | what was told before the machine went down |
//! | `restore` | going on after the process that ran the engine was lost |

mod audit;
mod errands;
mod graph;
mod halt;
mod hand;
mod levels;
mod plan;
mod recall;
mod restore;
mod table;
mod transient;

use std::collections::BTreeMap;

pub(crate) use graph::Graph;

pub use plan::{Planned, Step};
pub use recall::Recall;

use crate::care::Failover;
use crate::entry::{Context, Entry, EntryEvent, Fate, State, Vigil};
use crate::event::{Action, EntryId, Event, Generation, Notice};
use crate::group::Group;
use crate::name::{EntryKey, GroupName, Level};
use crate::record::{EntryRecord, FateRecord, GroupRecord, Record};
use crate::task::{Task, TaskEvent};
use crate::time::Instant;
use crate::timers::Timers;

/// What the node as a whole is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Run,
    Halt,
}

/// The machine of one node.
#[derive(Debug)]
pub struct Node {
    goal: Goal,
    left: bool,
    /// Restored from records that know lives up to this one, and not yet told of all that the keeper holds.
    resuming: Option<Generation>,
    /// How many groups are halting.
    halting: u32,
    groups: Vec<Option<Group>>,
    free_groups: Vec<u32>,
    group_ids: BTreeMap<GroupName, u32>,
    entries: Vec<Option<Entry>>,
    entry_ids: BTreeMap<EntryKey, EntryId>,
    free: Vec<EntryId>,
    /// Commands that run for entries; their places are none of an entry's.
    tasks: BTreeMap<EntryId, Task>,
    generations: Generation,
    timers: Timers,
    recall: Recall,
    dirty_entries: Vec<EntryId>,
    dirty_groups: Vec<u32>,
    /// Records that are not of a state but of its end.
    once: Vec<Record>,
}

impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

impl Node {
    /// A node without groups.
    #[must_use]
    pub fn new() -> Self {
        Self {
            goal: Goal::Run,
            left: false,
            resuming: None,
            halting: 0,
            groups: Vec::new(),
            free_groups: Vec::new(),
            group_ids: BTreeMap::new(),
            entries: Vec::new(),
            entry_ids: BTreeMap::new(),
            free: Vec::new(),
            tasks: BTreeMap::new(),
            generations: Generation::default(),
            timers: Timers::default(),
            recall: Recall::default(),
            dirty_entries: Vec::new(),
            dirty_groups: Vec::new(),
            once: Vec::new(),
        }
    }

    /// Takes an event at `now`, and appends what is to be done to `out`, in order. Deadlines that `now`
    /// has reached are acted on first; after a restore none before it is known what runs.
    pub fn step(&mut self, now: Instant, event: Event, out: &mut Vec<Action>) {
        while let Some(id) = self.due(now) {
            if self.tasks.contains_key(&id) {
                self.happen_to_task(id, TaskEvent::Due, now, out);
            } else {
                self.happen(id, EntryEvent::Due, now, out);
            }
        }
        match event {
            Event::TimePassed => {}
            Event::TableAccepted(table) => self.accept(table, now, out),
            Event::Told { group, level } => self.tell(&group, level, now, out),
            Event::Added { group, spec } => self.add(&group, *spec, now, out),
            Event::Ordered { entries, order } => self.obey(&entries, order, now, out),
            Event::ShutdownRequested => self.halt(now, out),
            Event::HurryRequested => self.hurry(now, out),
            Event::Spawned { entry, generation, pid } => {
                self.seen(entry, generation, EntryEvent::Spawned(pid), now, out);
            }
            Event::SpawnFailed { entry, generation, errno } => {
                self.seen(entry, generation, EntryEvent::SpawnFailed(errno), now, out);
            }
            Event::Exited { entry, generation, exit, leftovers } => {
                self.seen(entry, generation, EntryEvent::Exited { exit, leftovers }, now, out);
            }
            Event::Emptied { entry, generation } => {
                self.seen(entry, generation, EntryEvent::Emptied, now, out);
            }
            Event::Notified { entry, generation, said } => {
                self.seen(entry, generation, EntryEvent::Said(said), now, out);
            }
            Event::Probed { entry, generation, accepted } => {
                self.seen(entry, generation, EntryEvent::Probed(accepted), now, out);
            }
            Event::NotFollowed { entry, generation } => {
                self.seen(entry, generation, EntryEvent::NotFollowed, now, out);
            }
            Event::InventoryTaken => self.resume(now, out),
        }
        if self.goal == Goal::Halt {
            self.leave_if_halted(out);
        }
    }

    /// When [`Node::step`] has to be called although nothing happened.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.resuming.is_some() { None } else { self.timers.next() }
    }

    fn due(&mut self, now: Instant) -> Option<EntryId> {
        if self.resuming.is_some() { None } else { self.timers.pop_due(now) }
    }

    /// Whether the table has this group.
    #[must_use]
    pub fn has_group(&self, name: &GroupName) -> bool {
        self.group(name).is_some_and(|group| !group.forget)
    }

    /// A group by name.
    #[must_use]
    pub fn group(&self, name: &GroupName) -> Option<&Group> {
        self.group_ids.get(name).and_then(|&id| self.groups[id as usize].as_ref())
    }

    /// All groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.group_ids.values().filter_map(|&id| self.groups[id as usize].as_ref())
    }

    /// An entry by place.
    #[must_use]
    pub fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.entries.get(id.0 as usize).and_then(Option::as_ref)
    }

    /// An entry's place by name.
    #[must_use]
    pub fn entry_id(&self, key: &EntryKey) -> Option<EntryId> {
        self.entry_ids.get(key).copied()
    }

    /// All entries, by place.
    pub fn entries(&self) -> impl Iterator<Item = (EntryId, &Entry)> {
        (0u32..).zip(&self.entries).filter_map(|(id, entry)| Some((EntryId(id), entry.as_ref()?)))
    }

    /// Whether any entry of the group runs at `level`.
    #[must_use]
    pub fn has_level(&self, group: &Group, level: &Level) -> bool {
        group.members.iter().filter_map(|&id| self.entry(id)).any(|entry| entry.spec.levels.contains(level))
    }

    /// The levels that the group's entries name, in file order.
    #[must_use]
    pub fn named_levels(&self, group: &Group) -> Vec<Level> {
        let mut levels = Vec::new();
        for entry in group.members.iter().filter_map(|&id| self.entry(id)) {
            for level in entry.spec.levels.named() {
                if !levels.contains(&level) {
                    levels.push(level);
                }
            }
        }
        levels
    }

    /// Whether everything ends.
    #[must_use]
    pub fn is_halting(&self) -> bool {
        self.goal == Goal::Halt
    }

    /// Takes the records of all that changed since the last call.
    pub fn take_records(&mut self, into: &mut Vec<Record>) {
        into.append(&mut self.once);
        for id in std::mem::take(&mut self.dirty_groups) {
            if let Some(group) = self.groups[id as usize].as_mut() {
                group.dirty = false;
                into.push(group_record(group));
            }
        }
        for id in std::mem::take(&mut self.dirty_entries) {
            if let Some(entry) = self.entries[id.0 as usize].as_mut() {
                entry.dirty = false;
                into.push(entry_record(id, entry));
            } else if let Some(task) = self.tasks.get_mut(&id) {
                task.dirty = false;
                into.push(errands::task_record(id, task));
            }
        }
    }

    /// The records of everything, as if all had changed.
    #[must_use]
    pub fn all_records(&self) -> Vec<Record> {
        let halting = (self.goal == Goal::Halt).then_some(Record::Halting);
        let generation = Record::Generation(self.generations);
        let groups = self.groups().map(group_record);
        let entries = self.entries().map(|(id, entry)| entry_record(id, entry));
        let tasks = self.tasks().map(|(id, task)| errands::task_record(id, task));
        halting.into_iter().chain([generation]).chain(groups).chain(entries).chain(tasks).collect()
    }

    /// An event that the keeper saw. One of an older life is dropped; if it says that this life has ended,
    /// the keeper is told to forget it, for a release may have been lost with the engine that gave it.
    fn seen(
        &mut self,
        id: EntryId,
        generation: Generation,
        event: EntryEvent,
        now: Instant,
        out: &mut Vec<Action>,
    ) {
        if self.seen_task(id, generation, &event, now, out) {
            return;
        }
        if self.resuming.is_some_and(|recorded| generation > recorded) {
            self.take_life(id, generation, out);
        }
        let entry = self.entries.get_mut(id.0 as usize).and_then(Option::as_mut);
        if let Some(entry) = entry.filter(|entry| entry.generation == generation) {
            entry.unverified &= !event.is_the_keepers();
            self.happen(id, event, now, out);
        } else if event.is_the_last() {
            out.push(Action::Release { entry: id, generation });
        }
    }

    /// Lets an event happen to an entry, and its group react to what came of it.
    fn happen(&mut self, id: EntryId, event: EntryEvent, now: Instant, out: &mut Vec<Action>) {
        let fares = |entry: &Entry| (entry.has_failed(), entry.is_failing());
        let (had_failed, was_failing) = self.entry(id).map_or((false, false), fares);
        let Some(group) = self.apply(id, event, now, out) else { return };
        self.end_transient(id, now, out);
        let (has_failed, is_failing) = self.entry(id).map_or((false, false), fares);
        if let Some(group) = self.groups[group as usize].as_mut() {
            group.is_doubtful |= was_failing != is_failing;
        }
        let turned = had_failed != has_failed;
        if turned && self.is_the_groups_end(id) {
            return self.fall(group, id, now, out);
        }
        self.turn_over(id);
        self.react(group, id, turned, now, out);
        self.forget_transient_group(group, out);
    }

    /// Whether the failure of an entry takes its group down.
    fn is_the_groups_end(&self, id: EntryId) -> bool {
        let Some(entry) = self.entry(id) else { return false };
        let is_given_up = matches!(entry.state, State::GivenUp { .. });
        is_given_up && entry.wanted && entry.spec.policy.care().failover == Failover::Soft
    }

    fn fall(&mut self, group: u32, id: EntryId, now: Instant, out: &mut Vec<Action>) {
        let Some(fallen) = self.groups[group as usize].as_mut() else { return };
        if self.goal == Goal::Halt || std::mem::replace(&mut fallen.fallen, true) {
            return;
        }
        out.push(Action::Notice(Notice::Fallen { group: fallen.name.clone(), entry: id }));
        self.mark_group(group);
        self.reconcile(group, now, out);
    }

    /// Lets an event happen to an entry and keeps the books: deadline, counts, changes. Returns its group.
    fn apply(&mut self, id: EntryId, event: EntryEvent, now: Instant, out: &mut Vec<Action>) -> Option<u32> {
        let entry = self.entries.get_mut(id.0 as usize)?.as_mut()?;
        let (was_dirty, deadline) = (entry.dirty, entry.deadline());
        let (leaving, unconfirmed) = (entry.is_leaving(), entry.is_unconfirmed());
        let is_due = event == EntryEvent::Due;
        let mut wishes = Vec::new();
        let generations = &mut self.generations;
        entry.step(event, &mut Context { now, id, generations, out, wishes: &mut wishes });
        // A deadline that was due has left the table; `change` does not mind.
        self.timers.change(id, if is_due { None } else { deadline }, entry.deadline());
        if entry.dirty && !was_dirty {
            self.dirty_entries.push(id);
        }
        let group_id = entry.group;
        let group = self.groups[group_id as usize].as_mut()?;
        count(&mut group.leaving, leaving, entry.is_leaving());
        count(&mut group.unconfirmed, unconfirmed, entry.is_unconfirmed());
        if !wishes.is_empty() {
            self.grant(id, wishes, now, out);
        }
        Some(group_id)
    }

    /// What becomes of an entry of which nothing runs any more.
    fn turn_over(&mut self, id: EntryId) {
        let Some(entry) = self.entries[id.0 as usize].as_mut() else { return };
        if entry.is_alive() || entry.is_ending() || entry.postponed || entry.deadline().is_some() {
            return;
        }
        match std::mem::replace(&mut entry.fate, Fate::Keep) {
            // Stopped, one that no table has is over.
            Fate::Keep if entry.transient && entry.state == State::Down && !entry.wanted => {
                self.forget_entry(id);
            }
            Fate::Keep => {}
            Fate::Replace(spec) => {
                entry.spec = *spec;
                let group = entry.group;
                if let Some(group) = self.groups[group as usize].as_mut() {
                    group.is_graph_stale = true;
                }
                self.mark(id);
            }
            Fate::Forget => self.forget_entry(id),
        }
    }

    /// Its id is free when its group has compacted its members.
    fn forget_entry(&mut self, id: EntryId) {
        let Some(entry) = self.entries[id.0 as usize].take() else { return };
        self.timers.change(id, entry.deadline(), None);
        self.entry_ids.remove(&entry.key);
        if let Some(group) = self.groups[entry.group as usize].as_mut() {
            group.is_graph_stale = true;
        }
        self.leave_tasks(&entry);
        self.forget_place(id, entry.generation);
        self.end_stream(&entry.key, entry.stream);
    }

    /// An entry is gone, or a command that ran for one: nobody is left who prints its stream if that was the last.
    fn end_stream(&mut self, key: &EntryKey, stream: Generation) {
        let entry = self.entry_id(key).and_then(|id| self.entry(id));
        let has_entry = entry.is_some_and(|entry| entry.stream == stream);
        let was_begun = stream != Generation::default();
        if was_begun && !has_entry && self.tasks.values().all(|task| task.stream != stream) {
            self.once.push(Record::StreamEnded(stream));
        }
    }

    /// What had this place is gone.
    fn forget_place(&mut self, id: EntryId, generation: Generation) {
        self.once.push(Record::EntryForgotten(id));
        if generation == self.generations {
            self.once.push(Record::Generation(self.generations));
        }
    }

    /// A place for an entry or a task.
    fn free_place(&mut self) -> EntryId {
        self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            EntryId(u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX))
        })
    }

    /// Drops forgotten entries from a group's members.
    fn compact(&mut self, id: u32) {
        let Some(group) = self.groups[id as usize].as_mut() else { return };
        group.members.retain(|&member| {
            let lives = self.entries[member.0 as usize].is_some();
            if !lives {
                self.free.push(member);
            }
            lives
        });
    }

    fn mark(&mut self, id: EntryId) {
        if let Some(entry) = self.entries[id.0 as usize].as_mut().filter(|entry| !entry.dirty) {
            entry.dirty = true;
            self.dirty_entries.push(id);
        }
    }

    fn mark_group(&mut self, id: u32) {
        if let Some(group) = self.groups[id as usize].as_mut().filter(|group| !group.dirty) {
            group.dirty = true;
            self.dirty_groups.push(id);
        }
    }
}

fn count(counter: &mut u32, before: bool, after: bool) {
    *counter = (*counter + u32::from(after)).saturating_sub(u32::from(before));
}

fn group_record(group: &Group) -> Record {
    Record::Group(GroupRecord {
        name: group.name.clone(),
        level: group.level.clone(),
        target: group.target.clone(),
        phase: group.phase,
        since: group.since,
        forget: group.forget,
        fallen: group.fallen,
    })
}

fn entry_record(id: EntryId, entry: &Entry) -> Record {
    Record::Entry(Box::new(EntryRecord {
        id,
        key: entry.key.clone(),
        fate: match entry.fate {
            Fate::Keep => FateRecord::Keep,
            Fate::Replace(_) => FateRecord::Replace,
            Fate::Forget => FateRecord::Forget,
        },
        hold: entry.hold,
        state: entry.state,
        since: entry.since,
        generation: entry.generation,
        stream: entry.stream,
        pid: entry.pid,
        throttle: entry.throttle.clone(),
        history: entry.history,
        stop: entry.spec.policy.stop,
        again: entry.again,
        renewed: entry.renewed,
        retries: entry.retries.clone(),
        streak: entry.streak,
        vigil: entry.vigil.as_deref().and_then(Vigil::remembered),
        transient: entry.transient,
        spec: (entry.transient || entry.fate != Fate::Keep).then(|| entry.spec.clone()),
    }))
}

//! One node: all groups and entries of one machine, driven by [`Node::step`].
//!
//! | file | room for |
//! |---|---|
//! | `levels` | what a level told to a group brings about: stop, start in order, settle |
//! | `table` | what an accepted table changes |
//! | `hand` | what people ask of single entries |
//! | `plan` | what a table would change, without changing it |
//! | `halt` | the end of everything |
//! | `restore` | going on after the process that ran the engine was lost |

mod halt;
mod hand;
mod levels;
mod plan;
mod restore;
mod table;

use std::collections::{BTreeMap, BTreeSet};

pub use plan::{Planned, Step};

use crate::entry::{Context, Entry, EntryEvent, Fate};
use crate::event::{Action, EntryId, Event, Generation};
use crate::group::{Group, Phase};
use crate::name::{EntryKey, GroupName, Level};
use crate::record::{EntryRecord, FateRecord, GroupRecord, Record};
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
    generations: Generation,
    timers: Timers,
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
            generations: Generation::default(),
            timers: Timers::default(),
            dirty_entries: Vec::new(),
            dirty_groups: Vec::new(),
            once: Vec::new(),
        }
    }

    /// Takes an event at `now`, and appends what is to be done to `out`, in order. Deadlines that `now`
    /// has reached are acted on first.
    pub fn step(&mut self, now: Instant, event: Event, out: &mut Vec<Action>) {
        while let Some(id) = self.timers.pop_due(now) {
            self.happen(id, EntryEvent::Due, now, out);
        }
        match event {
            Event::TimePassed => {}
            Event::TableAccepted(table) => self.accept(table, now, out),
            Event::Told { group, level } => self.tell(&group, level, now, out),
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
            Event::InventoryTaken => self.resume(now, out),
        }
        if self.goal == Goal::Halt {
            self.leave_if_halted(out);
        }
    }

    /// When [`Node::step`] has to be called although nothing happened.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
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
        halting.into_iter().chain([generation]).chain(groups).chain(entries).collect()
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
        if self.resuming.is_some_and(|recorded| generation > recorded) {
            self.take_life(id, generation);
        }
        let entry = self.entries.get_mut(id.0 as usize).and_then(Option::as_mut);
        if let Some(entry) = entry.filter(|entry| entry.generation == generation) {
            entry.unverified = false;
            self.happen(id, event, now, out);
        } else if event.is_the_last() {
            out.push(Action::Release { entry: id, generation });
        }
    }

    /// Lets an event happen to an entry, and its group react to what came of it.
    fn happen(&mut self, id: EntryId, event: EntryEvent, now: Instant, out: &mut Vec<Action>) {
        if let Some(group) = self.apply(id, event, now, out) {
            self.turn_over(id);
            self.react(group, id, now, out);
        }
    }

    /// Lets an event happen to an entry and keeps the books: deadline, counts, changes. Returns its group.
    fn apply(&mut self, id: EntryId, event: EntryEvent, now: Instant, out: &mut Vec<Action>) -> Option<u32> {
        let entry = self.entries.get_mut(id.0 as usize)?.as_mut()?;
        let (was_dirty, deadline) = (entry.dirty, entry.deadline());
        let (leaving, unconfirmed) = (entry.is_leaving(), entry.is_unconfirmed());
        entry.step(event, &mut Context { now, id, generations: &mut self.generations, out });
        // A deadline that was due has left the table; `change` does not mind.
        self.timers.change(id, if event == EntryEvent::Due { None } else { deadline }, entry.deadline());
        if entry.dirty && !was_dirty {
            self.dirty_entries.push(id);
        }
        let group = self.groups[entry.group as usize].as_mut()?;
        count(&mut group.leaving, leaving, entry.is_leaving());
        count(&mut group.unconfirmed, unconfirmed, entry.is_unconfirmed());
        Some(entry.group)
    }

    /// What becomes of an entry of which nothing runs any more.
    fn turn_over(&mut self, id: EntryId) {
        let Some(entry) = self.entries[id.0 as usize].as_mut() else { return };
        if entry.is_alive() || entry.deadline().is_some() {
            return;
        }
        match std::mem::replace(&mut entry.fate, Fate::Keep) {
            Fate::Keep => {}
            Fate::Replace(spec) => {
                entry.spec = *spec;
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
        self.once.push(Record::EntryForgotten(id));
        if entry.generation == self.generations {
            self.once.push(Record::Generation(self.generations));
        }
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

    /// Books that have to agree with what they count. For tests and the simulation.
    ///
    /// # Errors
    /// The first disagreement, as a sentence.
    pub fn audit(&self) -> Result<(), String> {
        let mut deadlines = 0;
        for (id, entry) in self.entries() {
            deadlines += usize::from(entry.deadline().is_some());
            if self.entry_ids.get(&entry.key) != Some(&id) {
                return Err(format!("{} is not found by its name", entry.key));
            }
            if entry.fate != Fate::Keep && !entry.is_alive() {
                return Err(format!("{} has ended and was not turned over", entry.key));
            }
            if entry.generation > self.generations {
                return Err(format!("{} is of a generation that was never given", entry.key));
            }
        }
        if deadlines != self.timers.len() {
            return Err(format!("{deadlines} deadlines, {} timers", self.timers.len()));
        }
        for group in self.groups() {
            let members = || group.members.iter().filter_map(|&id| self.entry(id));
            let leaving = members().filter(|entry| entry.is_leaving()).count();
            let unconfirmed = members().filter(|entry| entry.is_unconfirmed()).count();
            if (group.leaving as usize, group.unconfirmed as usize) != (leaving, unconfirmed) {
                return Err(format!("group {} counts wrong: {group:?}", group.name));
            }
            let waits = match group.phase {
                Phase::Stopping | Phase::Dumping | Phase::Halting => leaving > 0,
                Phase::Starting => {
                    unconfirmed > 0 || group.waiting_on.is_some_and(|id| self.entry(id).is_some())
                }
                Phase::Checking => false,
                Phase::Configured | Phase::Done | Phase::Passed | Phase::Failed => true,
            };
            if !waits && self.resuming.is_none() {
                return Err(format!("group {} is {} and waits for nobody", group.name, group.phase));
            }
        }
        self.audit_places()
    }

    /// Every place is used, free, or about to be freed by the group that had it.
    fn audit_places(&self) -> Result<(), String> {
        let gone = self.groups().flat_map(|group| &group.members).filter(|&&id| self.entry(id).is_none());
        let spare: BTreeSet<EntryId> = gone.chain(&self.free).copied().collect();
        let unused = self.entries.iter().filter(|entry| entry.is_none()).count();
        if spare.len() != unused || spare.iter().any(|&id| self.entry(id).is_some()) {
            return Err(format!("{unused} entries' places are empty, {spare:?} can be used"));
        }
        let unused = self.groups.iter().filter(|group| group.is_none()).count();
        if self.free_groups.len() != unused {
            return Err(format!("{unused} groups' places are empty, {:?} can be used", self.free_groups));
        }
        Ok(())
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
        pid: entry.pid,
        throttle: entry.throttle.clone(),
        history: entry.history,
        stop: entry.spec.policy.stop,
    }))
}

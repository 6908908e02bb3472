//! What the machine was asked for, and what it did about it so far: the yardstick of the promises.
//!
//! Where a turn of the engine is lost in a crash, because its records were not written, the model goes back
//! to what it was before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clinit_engine::entry::{Hold, PauseReason, State};
use clinit_engine::event::{Action, EntryId, Event, Exit, Generation, Notice, Order};
use clinit_engine::group::Phase;
use clinit_engine::name::{EntryKey, GroupName, Level};
use clinit_engine::spec::{EntrySpec, Mode, Program, Table};
use clinit_engine::time::Instant;

use crate::moment::{Before, Step};

/// What an entry runs: a change of it is a restart.
pub(crate) type Content = (Mode, Arc<Program>);

/// The latest life that was ordered of an entry.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) key: EntryKey,
    pub(crate) generation: Generation,
    pub(crate) content: Content,
    /// There was no process to be had for it.
    pub(crate) failed: bool,
    /// When it was asked to stop, and how long it may take.
    pub(crate) asked: Option<(Instant, Option<Duration>)>,
    /// When it was last killed.
    pub(crate) killed: Option<Instant>,
}

/// Where a group was last said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) phase: Phase,
    pub(crate) level: Option<Level>,
}

/// What is asked for, and what was done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) table: Table,
    /// What each group was told last.
    pub(crate) targets: BTreeMap<GroupName, Level>,
    /// Who was stopped by hand.
    holds: BTreeMap<EntryKey, Hold>,
    pub(crate) halting: bool,
    pub(crate) hurried: bool,
    /// Whom the table and the levels want, and with which content.
    pub(crate) wanted: BTreeMap<EntryKey, Content>,
    /// Who was started since it was last wanted anew.
    pub(crate) started: BTreeMap<EntryKey, Content>,
    pub(crate) lives: BTreeMap<EntryId, Life>,
    pub(crate) newest: Generation,
    /// When respawning entries started, since they were told to or were last made to pause.
    pub(crate) starts: BTreeMap<EntryKey, Vec<Instant>>,
    pub(crate) exits: BTreeMap<EntryKey, Exit>,
    pub(crate) standings: BTreeMap<GroupName, Standing>,
}

impl Default for Standing {
    fn default() -> Self {
        Self { phase: Phase::Configured, level: None }
    }
}

impl Model {
    /// An event as the operator or the keeper means it.
    pub(crate) fn take(&mut self, event: &Event, before: &BTreeMap<EntryId, Before>) {
        match event {
            Event::TableAccepted(table) if !self.halting => self.read(table),
            Event::Told { group, level } if !self.halting => {
                if self.table.groups.iter().any(|spec| &spec.name == group) {
                    self.targets.insert(group.clone(), level.clone());
                    self.holds.retain(|key, hold| &key.group != group || *hold == Hold::UntilStarted);
                }
            }
            Event::Ordered { entries, order } if !self.halting => {
                entries.iter().filter_map(|id| before.get(id)).for_each(|entry| self.obey(entry, *order));
            }
            Event::ShutdownRequested => self.halting = true,
            Event::HurryRequested => self.hurried |= self.halting,
            Event::SpawnFailed { entry, generation, .. } => {
                if let Some(life) = self.life_mut(*entry, *generation).filter(|life| !life.failed) {
                    life.failed = true;
                    let key = life.key.clone();
                    self.starts.get_mut(&key).and_then(Vec::pop);
                }
                return;
            }
            Event::Exited { entry, generation, exit, .. } => {
                if let Some(life) = self.life(*entry, *generation) {
                    self.exits.insert(life.key.clone(), *exit);
                }
                return;
            }
            Event::TableAccepted(_) | Event::Told { .. } | Event::Ordered { .. } => return,
            Event::Spawned { .. } | Event::Emptied { .. } => return,
            Event::InventoryTaken | Event::TimePassed => return,
        }
        self.want();
    }

    fn obey(&mut self, entry: &Before, order: Order) {
        let key = &entry.key;
        if self.spec(key).is_none() {
            return;
        }
        let starts_anew = match order {
            Order::Signal(_) => return,
            Order::Stop { hold } => {
                self.holds.insert(key.clone(), hold);
                return;
            }
            Order::Start => matches!(entry.state, State::Pausing { .. } | State::Done { .. }),
            Order::Reset => matches!(entry.state, State::Pausing { .. }),
            Order::Restart => true,
        };
        self.holds.remove(key);
        self.starts.remove(key);
        if starts_anew {
            self.started.remove(key);
        }
    }

    fn read(&mut self, table: &Table) {
        let mut targets = BTreeMap::new();
        for group in &table.groups {
            let known = self.table.groups.iter().any(|old| old.name == group.name);
            let target = if known { self.targets.remove(&group.name) } else { group.initdefault.clone() };
            targets.extend(target.map(|level| (group.name.clone(), level)));
        }
        self.targets = targets;
        self.table = table.clone();
        let holds = std::mem::take(&mut self.holds);
        self.holds = holds.into_iter().filter(|(key, _)| self.spec(key).is_some()).collect();
    }

    fn want(&mut self) {
        self.wanted.clear();
        for group in self.table.groups.iter().filter(|_| !self.halting) {
            let Some(target) = self.targets.get(&group.name) else { continue };
            for spec in &group.entries {
                if spec.mode != Mode::Off && spec.levels.contains(target) {
                    let key = EntryKey { group: group.name.clone(), tag: spec.tag.clone() };
                    if !self.holds.contains_key(&key) {
                        self.wanted.insert(key, (spec.mode, Arc::clone(&spec.program)));
                    }
                }
            }
        }
        self.started.retain(|key, content| self.wanted.get(key) == Some(content));
    }

    /// What the engine did in a step that kept all promises.
    pub(crate) fn note(&mut self, step: &Step<'_>) {
        for action in step.actions {
            match action {
                Action::Spawn { entry, generation, .. } => self.note_spawn(*entry, *generation, step),
                Action::Stop { entry, generation, .. } => {
                    let policy = step.node.entry(*entry).map(|entry| entry.spec().policy.stop);
                    if let Some(life) = self.life_mut(*entry, *generation) {
                        let timeout = policy.and_then(|policy| policy.timeout);
                        life.asked.get_or_insert((step.now, timeout));
                    }
                }
                Action::Kill { entry, generation, .. } => {
                    if let Some(life) = self.life_mut(*entry, *generation) {
                        // A new engine repeats what its predecessor may not have sent; that counts for one.
                        let repeated = life.killed.filter(|_| matches!(step.event, Event::InventoryTaken));
                        life.killed = repeated.or(Some(step.now));
                    }
                }
                Action::Notice(Notice::GroupChanged { group, phase, level, .. }) => {
                    let standing = Standing { phase: *phase, level: level.clone() };
                    self.standings.insert(group.clone(), standing);
                }
                Action::Notice(Notice::GroupForgotten { group }) => drop(self.standings.remove(group)),
                Action::Signal { .. } | Action::Release { .. } | Action::Notice(_) | Action::Leave => {}
            }
        }
        for (id, entry) in step.node.entries() {
            if is_jailed(entry.state()) && !step.before.get(&id).is_some_and(|b| is_jailed(b.state)) {
                self.starts.remove(entry.key());
            }
        }
    }

    fn note_spawn(&mut self, id: EntryId, generation: Generation, step: &Step<'_>) {
        if self.life(id, generation).is_some() {
            return;
        }
        let Some(entry) = step.node.entry(id) else { return };
        let (key, spec) = (entry.key().clone(), entry.spec());
        let content = (spec.mode, Arc::clone(&spec.program));
        if step.is_fresh(id) {
            self.starts.remove(&key);
            self.started.insert(key.clone(), content.clone());
        }
        if spec.mode == Mode::Respawn {
            // No more are remembered than count: a policy that is widened later does not look further back.
            let starts = self.starts.entry(key.clone()).or_default();
            starts.push(step.now);
            let too_many = starts.len().saturating_sub(spec.policy.throttle.starts.into());
            starts.drain(..too_many);
        }
        self.newest = self.newest.max(generation);
        self.lives.insert(id, Life { key, generation, content, failed: false, asked: None, killed: None });
    }

    pub(crate) fn life(&self, id: EntryId, generation: Generation) -> Option<&Life> {
        self.lives.get(&id).filter(|life| life.generation == generation)
    }

    fn life_mut(&mut self, id: EntryId, generation: Generation) -> Option<&mut Life> {
        self.lives.get_mut(&id).filter(|life| life.generation == generation)
    }

    /// What the table says of an entry.
    pub(crate) fn spec(&self, key: &EntryKey) -> Option<&EntrySpec> {
        let group = self.table.groups.iter().find(|group| group.name == key.group)?;
        group.entries.iter().find(|spec| spec.tag == key.tag)
    }

    /// Whether what runs of an entry is what is wanted of it.
    pub(crate) fn wants(&self, key: &EntryKey, content: &Content) -> bool {
        self.wanted.get(key) == Some(content)
    }

    /// How many starts of an entry count against its throttle at `now`.
    pub(crate) fn recent_starts(&self, key: &EntryKey, interval: Duration, now: Instant) -> usize {
        let starts = self.starts.get(key).map_or(&[][..], Vec::as_slice);
        starts.iter().filter(|&&start| now.since(start) < interval).count()
    }
}

/// Whether an entry waits because it was started too often.
pub(crate) fn is_jailed(state: State) -> bool {
    matches!(state, State::Pausing { reason: PauseReason::TooOften, .. })
}

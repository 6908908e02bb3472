//! What the machine was asked for, and what it did about it so far: the yardstick of the promises.
//!
//! Where a turn of the engine is lost in a crash, because its records were not written, the model goes back
//! to what it was before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use clinit_engine::entry::{Entry, Hold, PauseReason, State};
use clinit_engine::event::{Action, EntryId, Event, Exit, Generation, Notice, Order};
use clinit_engine::group::Phase;
use clinit_engine::name::{EntryKey, GroupName, Level, Tag};
use clinit_engine::spec::{EntrySpec, GroupSpec, Mode, Program, Table};
use clinit_engine::time::Instant;

use crate::moment::{Before, Step};
use crate::watch::Watches;

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
    /// Who is to leave and come back, because people want that or because of one that it requires.
    pub(crate) renewed: BTreeSet<EntryKey>,
    pub(crate) lives: BTreeMap<EntryId, Life>,
    pub(crate) newest: Generation,
    /// When respawning entries started, since they were told to or were last made to pause.
    pub(crate) starts: BTreeMap<EntryKey, Vec<Instant>>,
    /// Whether the last end of each was as it should be.
    pub(crate) ended_well: BTreeMap<EntryKey, bool>,
    pub(crate) standings: BTreeMap<GroupName, Standing>,
    /// Entries that no table has.
    pub(crate) transients: BTreeMap<EntryKey, EntrySpec>,
    /// Groups that were taken down because an entry was given up.
    pub(crate) fallen: BTreeSet<GroupName>,
    pub(crate) watches: Watches,
}

impl Default for Standing {
    fn default() -> Self {
        Self { phase: Phase::Configured, level: None }
    }
}

impl Model {
    /// An event as the operator or the keeper means it.
    pub(crate) fn take(&mut self, event: &Event, before: &BTreeMap<EntryId, Before>, now: Instant) {
        self.watches.take(event, now);
        match event {
            Event::TableAccepted(table) if !self.halting => self.read(table),
            Event::Told { group, level } if !self.halting => {
                let is_transient = self.transients.keys().any(|key| &key.group == group);
                if is_transient || self.table.groups.iter().any(|spec| &spec.name == group) {
                    self.fallen.remove(group);
                    let tried_again = before.values().filter(|entry| {
                        &entry.key.group == group && matches!(entry.state, State::GivenUp { .. })
                    });
                    tried_again.for_each(|entry| drop(self.started.remove(&entry.key)));
                    self.targets.insert(group.clone(), level.clone());
                    self.holds.retain(|key, hold| &key.group != group || *hold == Hold::UntilStarted);
                }
            }
            Event::Ordered { entries, order } if !self.halting => {
                entries.iter().filter_map(|id| before.get(id)).for_each(|entry| self.obey(entry, *order));
            }
            Event::Added { group, spec } if !self.halting => {
                let key = EntryKey { group: group.clone(), tag: spec.tag.clone() };
                if spec.mode == Mode::Off || before.values().any(|entry| entry.key == key) {
                    return;
                }
                self.transients.insert(key, (**spec).clone());
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
            Event::TableAccepted(_) | Event::Told { .. } | Event::Ordered { .. } => return,
            Event::Spawned { .. } | Event::Exited { .. } | Event::Emptied { .. } => return,
            Event::Notified { .. }
            | Event::Added { .. }
            | Event::Probed { .. }
            | Event::NotFollowed { .. } => return,
            Event::InventoryTaken | Event::TimePassed => return,
        }
        self.want();
        self.renew(before);
    }

    fn obey(&mut self, entry: &Before, order: Order) {
        let key = &entry.key;
        if matches!(order, Order::Start | Order::Restart | Order::Reset) {
            self.fallen.remove(&key.group);
        }
        if self.spec(key).is_none() {
            return;
        }
        let starts_anew = match order {
            Order::Signal(_) | Order::Reload => return,
            Order::Stop { hold } => {
                self.holds.insert(key.clone(), hold);
                return;
            }
            Order::Start => {
                matches!(entry.state, State::Pausing { .. } | State::Done { .. } | State::GivenUp { .. })
            }
            Order::Reset => matches!(entry.state, State::Pausing { .. } | State::GivenUp { .. }),
            Order::Restart => true,
        };
        self.holds.remove(key);
        self.starts.remove(key);
        self.watches.restarts.remove(key);
        if starts_anew {
            self.started.remove(key);
        }
        let nothing_runs = matches!(entry.state, State::Pausing { .. } | State::GivenUp { .. });
        if order == Order::Restart || (starts_anew && !nothing_runs) {
            self.renewed.insert(key.clone());
        }
    }

    fn read(&mut self, table: &Table) {
        let mut targets: BTreeMap<GroupName, Level> = BTreeMap::new();
        for group in &table.groups {
            let known = self.table.groups.iter().any(|old| old.name == group.name);
            if !known && !self.targets.contains_key(&group.name) {
                self.fallen.remove(&group.name);
            }
            let target = if known { self.targets.remove(&group.name) } else { group.initdefault.clone() };
            let target =
                target.or_else(|| self.targets.remove(&group.name).filter(|_| self.is_bare(&group.name)));
            targets.extend(target.map(|level| (group.name.clone(), level)));
        }
        // What no table had before is not touched by this one.
        let mut bare = std::mem::take(&mut self.targets);
        bare.retain(|name, _| self.is_bare(name));
        targets.extend(bare);
        self.targets = targets;
        self.fallen.retain(|name| self.targets.contains_key(name));
        self.table = table.clone();
        let transients = std::mem::take(&mut self.transients);
        self.transients = transients.into_iter().filter(|(key, _)| self.spec(key).is_none()).collect();
        let holds = std::mem::take(&mut self.holds);
        self.holds = holds.into_iter().filter(|(key, _)| self.spec(key).is_some()).collect();
    }

    fn want(&mut self) {
        self.wanted.clear();
        let (groups, halting) = (std::mem::take(&mut self.table.groups), self.halting);
        for group in groups.iter().filter(|_| !halting) {
            let Some(target) = self.targets.get(&group.name) else { continue };
            for spec in &group.entries {
                let may = spec.mode != Mode::Off && !self.fallen.contains(&group.name);
                if may && spec.levels.contains(target) {
                    let key = EntryKey { group: group.name.clone(), tag: spec.tag.clone() };
                    if !self.holds.contains_key(&key) {
                        self.wanted.insert(key, (spec.mode, Arc::clone(&spec.program)));
                    }
                }
            }
            self.want_what_is_required(group);
        }
        self.table.groups = groups;
        for (key, spec) in self.transients.iter().filter(|_| !self.halting) {
            if spec.mode != Mode::Off && !self.holds.contains_key(key) {
                self.wanted.insert(key.clone(), (spec.mode, Arc::clone(&spec.program)));
            }
        }
        self.started.retain(|key, content| self.wanted.get(key) == Some(content));
    }

    /// What requires somebody who is not wanted is not wanted either.
    fn want_what_is_required(&mut self, group: &GroupSpec) {
        let key = |tag: &Tag| EntryKey { group: group.name.clone(), tag: tag.clone() };
        loop {
            let in_vain =
                group.entries.iter().map(|spec| (key(&spec.tag), &spec.links)).find(|(own, links)| {
                    let required = links.iter().flat_map(|links| &links.requires);
                    self.wanted.contains_key(own)
                        && required.into_iter().any(|tag| !self.wanted.contains_key(&key(tag)))
                });
            let Some((own, _)) = in_vain else { return };
            self.wanted.remove(&own);
        }
    }

    /// Whether a group is known for entries alone that no table has.
    fn is_bare(&self, name: &GroupName) -> bool {
        let is_of_the_table = self.table.groups.iter().any(|group| &group.name == name);
        !is_of_the_table && self.transients.keys().any(|key| &key.group == name)
    }

    /// The engine that asked is gone, and with it the answers.
    pub(crate) fn lose_answers(&mut self) {
        self.watches.lose_answers();
    }

    /// What the engine did in a step that kept all promises.
    pub(crate) fn note(&mut self, step: &Step<'_>) {
        self.watches.note(step);
        for action in step.actions {
            match action {
                Action::Spawn { entry, generation, .. } => self.note_spawn(*entry, *generation, step),
                Action::Notice(Notice::Stopping { entry }) => {
                    let Some(stopping) = step.node.entry(*entry) else { continue };
                    let timeout = stopping.spec().policy.stop.timeout;
                    if let Some(life) = self.life_mut(*entry, stopping.generation()) {
                        life.asked.get_or_insert((step.now, timeout));
                    }
                }
                Action::Notice(Notice::Ended { entry, exit, .. }) => self.note_end(*entry, *exit, step),
                Action::Notice(Notice::Fallen { group, .. }) => drop(self.fallen.insert(group.clone())),
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
                Action::Stop { .. } | Action::Signal { .. } | Action::Release { .. } => {}
                Action::Notice(_) | Action::Leave => {}
                Action::Probe { .. } | Action::Follow { .. } => {}
            }
        }
        for (id, entry) in step.node.entries() {
            if is_jailed(entry.state()) && !step.before.get(&id).is_some_and(|b| is_jailed(b.state)) {
                self.starts.remove(entry.key());
            }
        }
        self.note_ends(step);
        self.note_renewed(step);
    }

    /// A main process has ended. A keeper may tell of that more often; the first time it is judged.
    fn note_end(&mut self, id: EntryId, exit: Exit, step: &Step<'_>) {
        let Some(before) = step.before.get(&id) else { return };
        let is_success = |spec: &EntrySpec| spec.policy.care().success.contains(&exit);
        let is_well = exit == Exit::Code(0) || self.spec(&before.key).is_some_and(is_success);
        self.ended_well.insert(before.key.clone(), is_well);
    }

    /// What ceased to be in a step.
    fn note_ends(&mut self, step: &Step<'_>) {
        let is_known = |key: &EntryKey| step.node.entry_id(key).is_some();
        let transients = self.transients.len();
        let fallen = step.notices().any(|notice| matches!(notice, Notice::Fallen { .. }));
        self.transients.retain(|key, _| is_known(key));
        self.holds.retain(|key, _| is_known(key));
        for (_, entry) in step.node.entries().filter(|(_, entry)| entry.is_blocked()) {
            self.started.remove(entry.key());
        }
        // Who was to leave, waited for others, and is wanted again meanwhile has never left.
        for (id, before) in step.before.iter().filter(|(_, before)| before.postponed) {
            let stays =
                |entry: &&Entry| !entry.is_postponed() && entry.is_wanted() && entry.state() == before.state;
            if let Some(entry) = step.node.entry(*id).filter(stays) {
                let content = (entry.spec().mode, Arc::clone(&entry.spec().program));
                if self.wants(entry.key(), &content) {
                    self.started.insert(entry.key().clone(), content);
                }
            }
        }
        if self.transients.len() == transients && !fallen {
            return;
        }
        if self.transients.len() != transients {
            let is_of_the_table =
                |name: &GroupName| self.table.groups.iter().any(|group| &group.name == name);
            let bare = self.targets.keys().filter(|name| !is_of_the_table(name) && !self.is_bare(name));
            let bare: Vec<_> = bare.cloned().collect();
            bare.iter().for_each(|name| drop(self.targets.remove(name)));
        }
        self.want();
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
            self.renewed.remove(&key);
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
        let group = self.table.groups.iter().find(|group| group.name == key.group);
        let spec = group.and_then(|group| group.entries.iter().find(|spec| spec.tag == key.tag));
        spec.or_else(|| self.transients.get(key))
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

//! One step of the engine, and all that it can be judged by.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use clinit_engine::Node;
use clinit_engine::entry::{Entry, State};
use clinit_engine::event::{Action, EntryId, Event, Generation, Notice, Order};
use clinit_engine::name::{EntryKey, GroupName};
use clinit_engine::node::Planned;
use clinit_engine::task::Task;
use clinit_engine::time::Instant;

use crate::keeper::{self, Keeper};
use crate::model::{Content, Model};

/// An entry before the step.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    pub(crate) key: EntryKey,
    pub(crate) state: State,
    pub(crate) generation: Generation,
    /// It was on its way down in order to come back.
    pub(crate) again: bool,
    /// It waited for those that follow it to leave first.
    pub(crate) postponed: bool,
    /// It was on its way down, or to leave as soon as it may.
    pub(crate) leaves: bool,
}

/// Whether an entry goes down, or will as soon as it may.
pub(crate) fn leaves(entry: &Entry) -> bool {
    let goes = matches!(entry.state(), State::Down | State::Stopping { .. } | State::Killing { .. });
    goes || entry.is_postponed() || entry.is_renewed()
}

/// Places before the step: of entries, and of tasks with those that they ran for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    pub(crate) entries: BTreeMap<EntryId, Before>,
    pub(crate) tasks: BTreeMap<EntryId, EntryKey>,
    /// What the engine says that the table of the event will change.
    pub(crate) plan: Vec<Planned>,
}

impl Places {
    pub(crate) fn of(node: &Node, event: &Event) -> Self {
        let entries = node.entries().map(|(id, entry)| {
            let (key, state, generation) = (entry.key().clone(), entry.state(), entry.generation());
            let (again, postponed) = (entry.restarts_because().is_some(), entry.is_postponed());
            (id, Before { key, state, generation, again, postponed, leaves: leaves(entry) })
        });
        let tasks = node.tasks().map(|(id, task)| (id, task.owner().clone()));
        let plan = if let Event::TableAccepted(table) = event { node.plan(table) } else { Vec::new() };
        Self { entries: entries.collect(), tasks: tasks.collect(), plan }
    }
}

/// What happened, and what the engine made of it.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) now: Instant,
    pub(crate) event: &'a Event,
    pub(crate) before: &'a BTreeMap<EntryId, Before>,
    pub(crate) tasks_before: &'a BTreeMap<EntryId, EntryKey>,
    pub(crate) plan: &'a [Planned],
    pub(crate) actions: &'a [Action],
    pub(crate) node: &'a Node,
}

/// A step with what was asked for and what really runs.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) step: &'a Step<'a>,
    pub(crate) model: &'a Model,
    pub(crate) keeper: &'a Keeper,
    /// Orders of earlier steps that the keeper has not seen.
    pub(crate) in_flight: &'a VecDeque<keeper::Order>,
    /// A new engine has not yet heard all that the keeper holds.
    pub(crate) is_resuming: bool,
}

impl Step<'_> {
    /// Whether an entry was started by its level in this step, rather than again after it ended.
    pub(crate) fn is_fresh(&self, id: EntryId) -> bool {
        self.node.entry(id).is_some_and(|entry| {
            let before = self.before.get(&id).map_or(Generation::default(), |before| before.generation);
            entry.generation() != before && entry.history().restarts == 0
        })
    }

    /// The spawns of entries; those of tasks are others.
    pub(crate) fn spawns(&self) -> impl Iterator<Item = (EntryId, Generation, &EntryKey)> {
        self.actions.iter().filter_map(|action| match action {
            Action::Spawn { entry, generation, .. } => {
                Some((*entry, *generation, self.node.entry(*entry)?.key()))
            }
            Action::Stop { .. } | Action::Kill { .. } | Action::Signal { .. } => None,
            Action::Release { .. } | Action::Notice(_) | Action::Leave => None,
            Action::Probe { .. } | Action::Follow { .. } => None,
        })
    }

    /// The tasks that were started in this step.
    pub(crate) fn tasks_spawned(&self) -> impl Iterator<Item = (EntryId, &Task)> {
        self.actions.iter().filter_map(|action| match action {
            Action::Spawn { entry, generation, .. } => {
                Some((*entry, self.node.task(*entry).filter(|task| task.generation() == *generation)?))
            }
            Action::Stop { .. } | Action::Kill { .. } | Action::Signal { .. } => None,
            Action::Release { .. } | Action::Notice(_) | Action::Leave => None,
            Action::Probe { .. } | Action::Follow { .. } => None,
        })
    }

    pub(crate) fn notices(&self) -> impl Iterator<Item = &Notice> {
        self.actions.iter().filter_map(|action| match action {
            Action::Notice(notice) => Some(notice),
            Action::Spawn { .. } | Action::Stop { .. } | Action::Kill { .. } => None,
            Action::Signal { .. } | Action::Release { .. } | Action::Leave => None,
            Action::Probe { .. } | Action::Follow { .. } => None,
        })
    }

    pub(crate) fn fresh_spawns(&self) -> impl Iterator<Item = (EntryId, &EntryKey)> {
        self.spawns().filter(|&(id, ..)| self.is_fresh(id)).map(|(id, _, key)| (id, key))
    }

    pub(crate) fn state_before(&self, id: EntryId) -> State {
        self.before.get(&id).map_or(State::Down, |before| before.state)
    }

    /// Whether people asked for this entry to be stopped or started again.
    pub(crate) fn is_meddled_with(&self, id: EntryId) -> bool {
        matches!(
            self.event,
            Event::Ordered { entries, order: Order::Start | Order::Restart } if entries.contains(&id)
        )
    }

    pub(crate) fn group_of(&self, id: EntryId) -> Option<&GroupName> {
        let before = self.before.get(&id).map(|before| &before.key.group);
        let before = before.or_else(|| Some(&self.tasks_before.get(&id)?.group));
        before
            .or_else(|| Some(&self.node.entry(id)?.key().group))
            .or_else(|| Some(&self.node.task(id)?.owner().group))
    }
}

impl Moment<'_> {
    /// Every life of an entry that has a process, or will have one when the orders arrive.
    pub(crate) fn alive(&self) -> impl Iterator<Item = (EntryId, &EntryKey, Content)> {
        let held =
            self.keeper.lives().filter(|(_, slot)| slot.is_alive()).map(|(id, slot)| (id, &slot.content));
        let ordered = self.in_flight.iter().filter_map(|order| match order.action {
            Action::Spawn { entry, .. } => {
                Some((entry, order.content.as_ref().filter(|content| content.errand.is_none())?))
            }
            Action::Stop { .. } | Action::Kill { .. } | Action::Signal { .. } => None,
            Action::Release { .. } | Action::Notice(_) | Action::Leave => None,
            Action::Probe { .. } | Action::Follow { .. } => None,
        });
        held.chain(ordered)
            .map(|(id, content)| (id, &content.key, (content.mode, Arc::clone(&content.program))))
    }
}

//! One step of the engine, and all that it can be judged by.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use clinit_engine::Node;
use clinit_engine::entry::State;
use clinit_engine::event::{Action, EntryId, Event, Generation, Order};
use clinit_engine::name::{EntryKey, GroupName};
use clinit_engine::time::Instant;

use crate::keeper::{self, Keeper};
use crate::model::{Content, Model};

/// An entry before the step.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    pub(crate) key: EntryKey,
    pub(crate) state: State,
    pub(crate) generation: Generation,
}

/// What happened, and what the engine made of it.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) now: Instant,
    pub(crate) event: &'a Event,
    pub(crate) before: &'a BTreeMap<EntryId, Before>,
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
}

impl Step<'_> {
    /// Whether an entry was started by its level in this step, rather than again after it ended.
    pub(crate) fn is_fresh(&self, id: EntryId) -> bool {
        self.node.entry(id).is_some_and(|entry| {
            let before = self.before.get(&id).map_or(Generation::default(), |before| before.generation);
            entry.generation() != before && entry.history().restarts == 0
        })
    }

    pub(crate) fn spawns(&self) -> impl Iterator<Item = (EntryId, Generation, &EntryKey)> {
        self.actions.iter().filter_map(|action| match action {
            Action::Spawn { entry, generation, .. } => {
                Some((*entry, *generation, self.node.entry(*entry)?.key()))
            }
            Action::Stop { .. } | Action::Kill { .. } | Action::Signal { .. } => None,
            Action::Release { .. } | Action::Notice(_) | Action::Leave => None,
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
        before.or_else(|| Some(&self.node.entry(id)?.key().group))
    }
}

impl Moment<'_> {
    /// Every life that has a process, or will have one when the orders arrive.
    pub(crate) fn alive(&self) -> impl Iterator<Item = (EntryId, &EntryKey, Content)> {
        let held =
            self.keeper.slots().filter(|(_, slot)| slot.is_alive()).map(|(id, slot)| (id, &slot.content));
        let ordered = self.in_flight.iter().filter_map(|order| match order.action {
            Action::Spawn { entry, .. } => Some((entry, order.content.as_ref()?)),
            Action::Stop { .. } | Action::Kill { .. } | Action::Signal { .. } => None,
            Action::Release { .. } | Action::Notice(_) | Action::Leave => None,
        });
        held.chain(ordered)
            .map(|(id, content)| (id, &content.key, (content.mode, Arc::clone(&content.program))))
    }
}

//! One simulated machine: an engine, a keeper, the two channels between them, and what is on disk.

use std::collections::VecDeque;
use std::sync::Arc;

use clinit_engine::Node;
use clinit_engine::event::{Action, EntryId, Event};
use clinit_engine::record::Record;
use clinit_engine::spec::{KillScope, Mode, Program, Table};
use clinit_engine::time::Instant;

use crate::keeper::{Keeper, Order, Surroundings};
use crate::model::Model;
use crate::moment::{Moment, Places, Step};
use crate::operator::Operator;
use crate::promises::PROMISES;
use crate::rng::Rng;
use crate::run::Scenario;
use crate::sights::Sights;
use crate::slot::Content;
use crate::trace::{Trace, action_words, event_words};

/// A promise that was broken.
#[derive(Debug)]
pub(crate) struct Breach {
    pub(crate) promise: &'static str,
    pub(crate) how: String,
}

/// Where in a turn the engine's process dies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Crash {
    /// The turn's records are not written, so nothing of it happened.
    BeforeRecords,
    /// The records are written, and at most so many of the orders are sent.
    AfterOrders(usize),
}

/// The machine.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    pub(crate) node: Node,
    pub(crate) keeper: Keeper,
    pub(crate) to_keeper: VecDeque<Order>,
    pub(crate) to_engine: VecDeque<Event>,
    pub(crate) operator: Operator,
    pub(crate) model: Model,
    pub(crate) trace: Trace,
    pub(crate) sights: Sights,
    /// No process is to be had.
    pub(crate) starved: bool,
    /// The engine said that it leaves.
    pub(crate) has_left: bool,
    /// A new engine has not yet heard all that the keeper holds.
    pub(crate) inventory_pending: bool,
    /// Where in `to_keeper` the orders of this turn begin, which are not sent before its end.
    unsent_from: usize,
    /// The table that held when records were last written.
    pub(crate) table: Table,
    pub(crate) log: Vec<Record>,
}

impl Machine {
    pub(crate) fn new(scenario: &Scenario, seed: u64, trace: bool) -> Self {
        Self {
            now: Instant::from_nanos(0),
            rng: Rng::new(seed),
            node: Node::new(),
            keeper: Keeper::default(),
            to_keeper: VecDeque::new(),
            to_engine: VecDeque::new(),
            operator: Operator::new(scenario.cared, scenario.linked),
            model: Model::default(),
            trace: Trace::new(trace),
            sights: Sights::default(),
            starved: false,
            has_left: false,
            inventory_pending: false,
            unsent_from: 0,
            table: Table::default(),
            log: Vec::new(),
        }
    }

    /// The engine's turn: it takes some events, each after what was due, then writes its records, then sends
    /// its orders. It may die on the way.
    pub(crate) fn feed(&mut self, events: &[Event], crash: Option<Crash>) -> Result<(), Breach> {
        let model = crash.map(|_| self.model.clone());
        self.unsent_from = self.to_keeper.len();
        let mut table = None;
        for event in events {
            if self.node.next_deadline().is_some_and(|at| at <= self.now) {
                self.step(&Event::TimePassed)?;
            }
            if let Event::TableAccepted(accepted) = event
                && !self.node.is_halting()
            {
                table = Some(accepted);
            }
            self.step(event)?;
        }
        if let (Some(Crash::BeforeRecords), Some(model)) = (crash, model) {
            self.model = model;
            self.to_keeper.truncate(self.unsent_from);
            return self.restart_engine("before its records");
        }
        self.node.take_records(&mut self.log);
        if let Some(table) = table {
            self.table = table.clone();
        }
        if let Some(Crash::AfterOrders(sent)) = crash {
            self.to_keeper.truncate(self.unsent_from + sent);
        }
        self.has_left |= self.to_keeper.iter().any(|order| order.action == Action::Leave);
        match crash {
            Some(_) if !self.has_left => {
                self.check_records()?;
                self.restart_engine("with orders on the way")
            }
            Some(_) | None => self.check_quiet(),
        }
    }

    fn step(&mut self, event: &Event) -> Result<(), Breach> {
        let before = Places::of(&self.node, event);
        self.trace.note(self.now, || event_words(event, &self.node));
        let mut actions = Vec::new();
        self.node.step(self.now, event.clone(), &mut actions);
        for action in &actions {
            self.trace.note(self.now, || format!("    {}", action_words(action, &self.node)));
        }
        self.inventory_pending &= !matches!(event, Event::InventoryTaken);
        self.judge(event, &before, &actions)?;
        self.order(actions);
        Ok(())
    }

    fn judge(&mut self, event: &Event, before: &Places, actions: &[Action]) -> Result<(), Breach> {
        self.model.take(event, &before.entries, self.now);
        let (tasks_before, plan, before) = (&before.tasks, &before.plan, &before.entries);
        let step = Step { now: self.now, event, before, tasks_before, plan, actions, node: &self.node };
        let (model, keeper, in_flight) = (&self.model, &self.keeper, &self.to_keeper);
        let is_resuming = self.inventory_pending;
        let moment = Moment { step: &step, model, keeper, in_flight, is_resuming };
        for (promise, holds) in PROMISES {
            holds(&moment).map_err(|how| Breach { promise, how })?;
        }
        self.sights.see(&step);
        self.model.note(&step);
        Ok(())
    }

    fn order(&mut self, actions: Vec<Action>) {
        for action in actions {
            let content = match action {
                Action::Spawn { entry, .. } => self.content(entry),
                Action::Stop { .. } | Action::Kill { .. } | Action::Signal { .. } => None,
                Action::Release { .. } | Action::Probe { .. } | Action::Follow { .. } | Action::Leave => None,
                Action::Notice(_) => continue,
            };
            self.to_keeper.push_back(Order { action, content });
        }
    }

    /// What is spawned at a place.
    fn content(&self, id: EntryId) -> Option<Content> {
        if let Some(task) = self.node.task(id) {
            return Some(Content {
                key: task.owner().clone(),
                errand: Some(task.errand()),
                mode: Mode::Once,
                program: Arc::new(Program::plain(task.command().clone())),
                scope: KillScope::Group,
            });
        }
        self.node.entry(id).map(|entry| Content {
            key: entry.key().clone(),
            errand: None,
            mode: entry.spec().mode,
            program: Arc::clone(&entry.spec().program),
            scope: entry.spec().policy.stop.scope,
        })
    }

    /// The keeper carries out the oldest order.
    pub(crate) fn deliver_order(&mut self) -> Result<(), Breach> {
        let Some(order) = self.to_keeper.pop_front() else { return Ok(()) };
        let around = Surroundings {
            now: self.now,
            starved: self.starved && self.rng.chance(80),
            rng: &mut self.rng,
            tell: &mut self.to_engine,
        };
        let done = self.keeper.obey(order, around);
        done.map_err(|how| Breach { promise: "the keeper can do what it is ordered", how })?;
        self.check_quiet()
    }

    /// The engine hears the oldest events in one turn.
    pub(crate) fn deliver_events(&mut self, most: usize, crash: Option<Crash>) -> Result<(), Breach> {
        let events: Vec<Event> = self.to_engine.drain(..most.min(self.to_engine.len())).collect();
        self.feed(&events, crash)
    }

    /// One of the processes whose time has come ends.
    pub(crate) fn reap(&mut self) {
        let due = self.keeper.due(self.now);
        if let Some(&(id, member)) = self.rng.pick(&due) {
            self.trace.note(self.now, || format!("{member:?} of {id} ends"));
            self.keeper.reap(id, member, self.now, &mut self.to_engine);
        }
    }
}

//! One simulated machine: an engine, a keeper, the two channels between them, and what is on disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use clinit_engine::Node;
use clinit_engine::event::{Action, EntryId, Event};
use clinit_engine::record::Record;
use clinit_engine::spec::Table;
use clinit_engine::time::Instant;

use crate::keeper::{Content, Keeper, Order, Surroundings};
use crate::model::Model;
use crate::moment::{Before, Moment, Step};
use crate::operator::Operator;
use crate::promises::PROMISES;
use crate::rng::Rng;
use crate::sights::Sights;
use crate::trace::{Trace, action_words, event_words};

/// A promise that was broken.
#[derive(Debug)]
pub(crate) struct Breach {
    pub(crate) promise: &'static str,
    pub(crate) how: String,
}

/// Where in a step the engine's process dies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Crash {
    /// The step's records are not written, so nothing of it happened.
    BeforeRecords,
    /// The records are written, and so many of the orders are sent.
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
    inventory_pending: bool,
    /// The table of the last step whose records were written.
    table: Table,
    log: Vec<Record>,
}

impl Machine {
    pub(crate) fn new(seed: u64, trace: bool) -> Self {
        Self {
            now: Instant::from_nanos(0),
            rng: Rng::new(seed),
            node: Node::new(),
            keeper: Keeper::default(),
            to_keeper: VecDeque::new(),
            to_engine: VecDeque::new(),
            operator: Operator::new(),
            model: Model::default(),
            trace: Trace::new(trace),
            sights: Sights::default(),
            starved: false,
            has_left: false,
            inventory_pending: false,
            table: Table::default(),
            log: Vec::new(),
        }
    }

    /// The engine takes an event, after what was due.
    pub(crate) fn feed(&mut self, event: &Event, crash: Option<Crash>) -> Result<(), Breach> {
        if self.node.next_deadline().is_some_and(|at| at <= self.now) {
            self.step(&Event::TimePassed, None)?;
        }
        if self.has_left { Ok(()) } else { self.step(event, crash) }
    }

    fn step(&mut self, event: &Event, crash: Option<Crash>) -> Result<(), Breach> {
        let before = self.entries_now();
        let was_halting = self.node.is_halting();
        self.trace.note(self.now, || event_words(event, &self.node));
        let mut actions = Vec::new();
        self.node.step(self.now, event.clone(), &mut actions);
        for action in &actions {
            self.trace.note(self.now, || format!("    {}", action_words(action, &self.node)));
        }
        if matches!(crash, Some(Crash::BeforeRecords)) {
            return self.restart_engine("before its records");
        }
        self.node.take_records(&mut self.log);
        match event {
            Event::TableAccepted(table) if !was_halting => self.table = table.clone(),
            Event::InventoryTaken => self.inventory_pending = false,
            Event::TableAccepted(_) | Event::Told { .. } | Event::TimePassed => {}
            Event::ShutdownRequested | Event::HurryRequested => {}
            Event::Spawned { .. } | Event::SpawnFailed { .. } => {}
            Event::Exited { .. } | Event::Emptied { .. } => {}
        }
        self.judge(event, &before, &actions)?;
        match crash {
            Some(Crash::AfterOrders(sent)) if sent < actions.len() => {
                self.send(actions.into_iter().take(sent));
                self.check_records()?;
                self.restart_engine("before all its orders")
            }
            Some(Crash::AfterOrders(_) | Crash::BeforeRecords) | None => {
                self.send(actions.into_iter());
                self.check_quiet()
            }
        }
    }

    fn entries_now(&self) -> BTreeMap<EntryId, Before> {
        let entries = self.node.entries().map(|(id, entry)| {
            let (key, state, generation) = (entry.key().clone(), entry.state(), entry.generation());
            (id, Before { key, state, generation })
        });
        entries.collect()
    }

    fn judge(
        &mut self,
        event: &Event,
        before: &BTreeMap<EntryId, Before>,
        actions: &[Action],
    ) -> Result<(), Breach> {
        self.model.take(event);
        let step = Step { now: self.now, event, before, actions, node: &self.node };
        let (model, keeper, in_flight) = (&self.model, &self.keeper, &self.to_keeper);
        let moment = Moment { step: &step, model, keeper, in_flight };
        for (promise, holds) in PROMISES {
            holds(&moment).map_err(|how| Breach { promise, how })?;
        }
        self.sights.see(&step);
        self.model.note(&step);
        Ok(())
    }

    fn send(&mut self, actions: impl Iterator<Item = Action>) {
        for action in actions {
            match action {
                Action::Spawn { entry, .. } => {
                    let content = self.node.entry(entry).map(|entry| Content {
                        key: entry.key().clone(),
                        mode: entry.spec().mode,
                        program: Arc::clone(&entry.spec().program),
                        scope: entry.spec().policy.stop.scope,
                    });
                    self.to_keeper.push_back(Order { action, content });
                }
                Action::Stop { .. } | Action::Kill { .. } | Action::Release { .. } => {
                    self.to_keeper.push_back(Order { action, content: None });
                }
                Action::Notice(_) => {}
                Action::Leave => self.has_left = true,
            }
        }
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

    /// The engine hears the oldest event.
    pub(crate) fn deliver_event(&mut self, crash: Option<Crash>) -> Result<(), Breach> {
        match self.to_engine.pop_front() {
            Some(event) => self.feed(&event, crash),
            None => Ok(()),
        }
    }

    /// One of the processes whose time has come ends.
    pub(crate) fn reap(&mut self) {
        let due = self.keeper.due(self.now);
        if let Some(&(id, member)) = self.rng.pick(&due) {
            self.trace.note(self.now, || format!("{member:?} of {id} ends"));
            self.keeper.reap(id, member, self.now, &mut self.to_engine);
        }
    }

    /// The engine's process dies, and another goes on from what is on disk. Of the orders that it sent, the
    /// keeper gets the first few, before it takes the inventory. What it told meanwhile may be lost.
    pub(crate) fn restart_engine(&mut self, when: &'static str) -> Result<(), Breach> {
        self.trace.note(self.now, || format!("the engine dies {when}"));
        self.sights.note("engine died");
        self.inventory_pending = true;
        let kept = self.rng.below(self.to_keeper.len() + 1);
        self.to_keeper.truncate(kept);
        while !self.to_keeper.is_empty() {
            self.deliver_order()?;
        }
        if self.rng.chance(40) {
            self.now = self.now + self.rng.millis(0, 4_000);
            while self.rng.chance(80) && !self.keeper.due(self.now).is_empty() {
                self.reap();
            }
        }
        // An inventory is for the engine that asked for it.
        let all_is_lost = self.rng.chance(70);
        self.to_engine.retain(|event| !all_is_lost && !matches!(event, Event::InventoryTaken));
        self.node = Node::restore(self.table.clone(), self.log.iter().cloned(), self.now);
        self.keeper.take_inventory(&mut self.to_engine);
        Ok(())
    }

    /// The log says what the engine knows, and so does a snapshot in its place.
    pub(crate) fn check_records(&mut self) -> Result<(), Breach> {
        let breach = |how: String| Breach { promise: "the records say all", how };
        let snapshot = self.node.all_records();
        let restore = |log: &[Record]| Node::restore(self.table.clone(), log.iter().cloned(), self.now);
        let (from_log, from_snapshot) = (restore(&self.log), restore(&snapshot));
        if from_log.all_records() != snapshot {
            return Err(breach(format!("{:#?}\nis not\n{snapshot:#?}", from_log.all_records())));
        }
        if format!("{from_log:?}") != format!("{from_snapshot:?}") {
            return Err(breach(format!("{from_log:#?}\nis not\n{from_snapshot:#?}")));
        }
        if self.rng.chance(50) {
            self.log = snapshot;
        }
        Ok(())
    }

    /// When nobody has anything to say, the keeper holds nothing that has ended.
    fn check_quiet(&self) -> Result<(), Breach> {
        if self.inventory_pending || !self.to_keeper.is_empty() || !self.to_engine.is_empty() {
            return Ok(());
        }
        match self.keeper.slots().find(|(_, slot)| !slot.is_alive()) {
            Some((_, slot)) => {
                let how = format!("{} {:?}", slot.content.key, slot.generation);
                Err(Breach { promise: "what has ended is released", how })
            }
            None => Ok(()),
        }
    }
}

//! The engine's process dies, and another goes on from what is on disk.

use clinit_engine::Node;
use clinit_engine::entry::{Entry, State};
use clinit_engine::event::Event;
use clinit_engine::record::Record;

use crate::machine::{Breach, Machine};

impl Machine {
    /// Of the orders that the old engine sent, the keeper gets the first few, before it takes the inventory
    /// for the new one. What it told the old one may be lost.
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
        // Dear, and what it finds that the records do not show is rare.
        if self.rng.chance(10) && format!("{from_log:?}") != format!("{from_snapshot:?}") {
            return Err(breach(format!("{from_log:#?}\nis not\n{from_snapshot:#?}")));
        }
        if self.rng.chance(50) {
            self.log = snapshot;
        }
        Ok(())
    }

    /// When nobody has anything to say, the keeper holds nothing that has ended, and has done what the
    /// engine has on record.
    pub(crate) fn check_quiet(&self) -> Result<(), Breach> {
        if self.inventory_pending || !self.to_keeper.is_empty() || !self.to_engine.is_empty() {
            return Ok(());
        }
        for (id, slot) in self.keeper.slots() {
            let how = || format!("{} {:?}", slot.content.key, slot.generation);
            if !slot.is_alive() {
                return Err(Breach { promise: "what has ended is released", how: how() });
            }
            let done = match self.node.entry(id).map(Entry::state) {
                Some(State::Stopping { .. }) => slot.asked,
                Some(State::Killing { .. }) => slot.killed,
                Some(State::Down | State::Starting | State::Running | State::Clearing { .. }) => true,
                Some(State::Pausing { .. } | State::Done { .. }) | None => true,
            };
            if !done {
                return Err(Breach { promise: "an order on record is given", how: how() });
            }
        }
        Ok(())
    }
}

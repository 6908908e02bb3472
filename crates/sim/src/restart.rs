//! The engine's process dies, and another goes on from what is on disk.

use clinit_engine::Node;
use clinit_engine::entry::{Entry, State};
use clinit_engine::event::Event;
use clinit_engine::record::Record;
use clinit_engine::task::TaskState;

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
        self.go_on_anew()
    }

    /// The keeper dies, and with it what it told nobody. Another adopts what runs, and starts an engine anew.
    pub(crate) fn restart_keeper(&mut self) -> Result<(), Breach> {
        self.trace.note(self.now, || "the keeper dies".to_owned());
        self.sights.note("keeper died");
        self.inventory_pending = true;
        self.to_keeper.clear();
        if self.rng.chance(40) {
            self.now = self.now + self.rng.millis(0, 4_000);
        }
        self.keeper.die(&mut self.rng, self.now);
        self.go_on_anew()
    }

    fn go_on_anew(&mut self) -> Result<(), Breach> {
        self.model.lose_answers();
        // An inventory is for the engine that asked for it.
        let all_is_lost = self.rng.chance(70);
        let rng = &mut self.rng;
        self.to_engine.retain(|event| match event {
            // What nobody has read stays in its socket.
            Event::Notified { .. } => rng.chance(70),
            // An engine's own connections end with it.
            Event::InventoryTaken | Event::Probed { .. } => false,
            _ => !all_is_lost,
        });
        self.node = Node::restore(self.table.clone(), self.log.iter().cloned(), self.now);
        self.keeper.take_inventory(&mut self.to_engine);
        Ok(())
    }

    /// The log says what the engine knows, and so does a snapshot in its place.
    pub(crate) fn check_records(&mut self) -> Result<(), Breach> {
        let breach = |how: String| Breach { promise: "the records say all", how };
        let snapshot = self.node.all_records();
        // Dear: a sample of crashes is looked at, and a sample of these closely.
        if self.rng.chance(25) {
            let restore = |log: &[Record]| Node::restore(self.table.clone(), log.iter().cloned(), self.now);
            let from_log = restore(&self.log);
            let restored = from_log.all_records();
            let pairs = restored.iter().zip(&snapshot);
            if let Some((one, other)) = pairs.into_iter().find(|(one, other)| one != other) {
                return Err(breach(format!("{one:?}\nis not\n{other:?}")));
            }
            if restored.len() != snapshot.len() {
                return Err(breach(format!("{restored:?}\nis not\n{snapshot:?}")));
            }
            let from_snapshot = self.rng.chance(25).then(|| restore(&snapshot));
            if let Some(other) = from_snapshot.filter(|other| format!("{from_log:?}") != format!("{other:?}"))
            {
                return Err(breach(format!("{from_log:#?}\nis not\n{other:#?}")));
            }
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
        if self.node.next_deadline().is_some_and(|at| at <= self.now) {
            return Ok(());
        }
        for (id, slot) in self.keeper.slots() {
            let how = || format!("{} {:?}", slot.content.key, slot.generation);
            if !slot.is_alive() {
                return Err(Breach { promise: "what has ended is released", how: how() });
            }
            let is_told = self.node.task(id).is_none_or(|task| task.state() != TaskState::Killing);
            if slot.content.errand.is_some() {
                if !slot.killed && !is_told && slot.has_main() {
                    return Err(Breach { promise: "an order on record is given", how: how() });
                }
                continue;
            }
            let done = match self.node.entry(id).map(Entry::state) {
                Some(State::Stopping { signalled, .. }) => slot.asked || !signalled,
                Some(State::Killing { .. }) => slot.killed,
                Some(State::Down | State::Starting | State::Running { .. } | State::Ready) => true,
                Some(State::Clearing { .. } | State::Pausing { .. } | State::Done { .. }) => true,
                Some(State::GivenUp { .. }) | None => true,
            };
            if !done {
                return Err(Breach { promise: "an order on record is given", how: how() });
            }
        }
        Ok(())
    }
}

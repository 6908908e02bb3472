//! What happens next: the seed chooses among all that can.

use clinit_engine::event::Event;

use crate::machine::{Breach, Crash, Machine};
use crate::operator::Operator;
use crate::run::Scenario;

#[derive(Debug, Clone, Copy)]
enum Turn {
    Order,
    Event,
    Process,
    Time,
    Operator,
    Crash,
    Famine,
}

/// What the operator can do.
#[derive(Debug, Clone, Copy)]
enum Act {
    Tell,
    TellAgain,
    ByHand,
    Add,
    Reread,
    Shutdown,
    Hurry,
}

impl Machine {
    /// One thing happens.
    pub(crate) fn turn(&mut self, scenario: &Scenario) -> Result<(), Breach> {
        let can = |weight: u32, possible: bool| if possible { weight } else { 0 };
        let turns = [
            (can(30, !self.to_keeper.is_empty()), Turn::Order),
            (can(30, !self.to_engine.is_empty()), Turn::Event),
            (can(20, !self.keeper.due(self.now).is_empty()), Turn::Process),
            (12, Turn::Time),
            (scenario.operator, Turn::Operator),
            (scenario.crashes, Turn::Crash),
            (scenario.famines, Turn::Famine),
        ];
        match self.rng.weigh(&turns).unwrap_or(Turn::Time) {
            Turn::Order => self.deliver_order(),
            Turn::Event => {
                let (most, crash) = (1 + self.rng.below(3), self.crash(scenario));
                self.deliver_events(most, crash)
            }
            Turn::Process => {
                self.reap();
                Ok(())
            }
            Turn::Time => self.let_time_pass(scenario),
            Turn::Operator => self.operate(scenario),
            Turn::Crash if self.rng.chance(20) => self.restart_keeper(),
            Turn::Crash => {
                self.check_records()?;
                self.restart_engine("between two turns")
            }
            Turn::Famine => {
                self.starved = !self.starved;
                Ok(())
            }
        }
    }

    fn crash(&mut self, scenario: &Scenario) -> Option<Crash> {
        let dies = self.rng.chance(scenario.crashes);
        dies.then(|| {
            if self.rng.chance(50) { Crash::BeforeRecords } else { Crash::AfterOrders(self.rng.below(6)) }
        })
    }

    /// Until something is due, or a bit.
    fn let_time_pass(&mut self, scenario: &Scenario) -> Result<(), Breach> {
        let next = self.next_time().filter(|_| self.rng.chance(60));
        self.now = next.unwrap_or(self.now + self.rng.millis(1, 500));
        if self.node.next_deadline().is_some_and(|at| at <= self.now) && self.rng.chance(80) {
            let crash = self.crash(scenario);
            return self.feed(&[Event::TimePassed], crash);
        }
        Ok(())
    }

    /// When something happens by itself that has not happened yet.
    pub(crate) fn next_time(&self) -> Option<clinit_engine::Instant> {
        let times = [self.node.next_deadline(), self.keeper.next_end()];
        times.into_iter().flatten().min().filter(|&at| at > self.now)
    }

    fn operate(&mut self, scenario: &Scenario) -> Result<(), Breach> {
        let acts = [
            (60, Act::Tell),
            (10, Act::TellAgain),
            (scenario.by_hand, Act::ByHand),
            (scenario.transients, Act::Add),
            (scenario.rereads, Act::Reread),
            (scenario.shutdowns, Act::Shutdown),
            (scenario.shutdowns, Act::Hurry),
        ];
        let event = match self.rng.weigh(&acts).unwrap_or(Act::Tell) {
            Act::Tell => self.operator.tell(&mut self.rng),
            Act::TellAgain => {
                let told: Vec<_> = self.model.targets.iter().collect();
                let told = self.rng.pick(&told).copied();
                told.map(|(group, level)| Event::Told { group: group.clone(), level: level.clone() })
            }
            Act::ByHand => {
                let entries: Vec<_> = self.node.entries().map(|(id, _)| id).collect();
                Operator::ask_by_hand(&mut self.rng, &entries)
            }
            Act::Add => self.operator.add(&mut self.rng),
            Act::Reread => Some(Event::TableAccepted(self.operator.edit(&mut self.rng, &self.model.table))),
            Act::Shutdown => Some(Event::ShutdownRequested),
            Act::Hurry => Some(Event::HurryRequested),
        };
        let Some(event) = event else { return Ok(()) };
        let crash = self.crash(scenario);
        self.feed(&[event], crash)
    }
}

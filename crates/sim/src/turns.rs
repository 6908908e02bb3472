//! What happens next: the seed chooses among all that can.

use clinit_engine::event::Event;
use clinit_engine::name::{GroupName, Level};

use crate::machine::{Breach, Crash, Machine};
use crate::operator::Act;
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
                let crash = self.crash(scenario);
                self.deliver_event(crash)
            }
            Turn::Process => {
                self.reap();
                Ok(())
            }
            Turn::Time => self.let_time_pass(scenario),
            Turn::Operator => self.operate(scenario),
            Turn::Crash => {
                self.check_records()?;
                self.restart_engine("between two steps")
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
            return self.feed(&Event::TimePassed, crash);
        }
        Ok(())
    }

    /// When something happens by itself that has not happened yet.
    pub(crate) fn next_time(&self) -> Option<clinit_engine::Instant> {
        let times = [self.node.next_deadline(), self.keeper.next_end()];
        times.into_iter().flatten().min().filter(|&at| at > self.now)
    }

    fn operate(&mut self, scenario: &Scenario) -> Result<(), Breach> {
        let acts =
            [(60, 0), (scenario.rereads, 1), (10, 2), (scenario.shutdowns, 3), (scenario.shutdowns, 4)];
        let act = match self.rng.weigh(&acts) {
            Some(1) => Some(Act::Reread(self.operator.edit(&mut self.rng, &self.model.table))),
            Some(2) => self.same_level_again(),
            Some(3) => Some(Act::Shutdown),
            Some(4) => Some(Act::Hurry),
            Some(_) | None => self.operator.tell(&mut self.rng),
        };
        let Some(act) = act else { return Ok(()) };
        let crash = self.crash(scenario);
        self.act(act, crash)
    }

    fn same_level_again(&mut self) -> Option<Act> {
        let told: Vec<(&GroupName, &Level)> = self.model.targets.iter().collect();
        self.rng.pick(&told).map(|&(group, level)| Act::Tell(group.clone(), level.clone()))
    }

    pub(crate) fn act(&mut self, act: Act, crash: Option<Crash>) -> Result<(), Breach> {
        let event = match act {
            Act::Tell(group, level) => Event::Told { group, level },
            Act::Reread(table) => Event::TableAccepted(table),
            Act::Shutdown => Event::ShutdownRequested,
            Act::Hurry => Event::HurryRequested,
        };
        self.feed(&event, crash)
    }
}

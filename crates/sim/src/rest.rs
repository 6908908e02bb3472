//! The operator rests: within bounded time everything is as it was asked for, or there is a reason.

use std::time::Duration;

use clinit_engine::entry::{Entry, Outcome, State};
use clinit_engine::event::{Event, Exit};
use clinit_engine::group::{Group, Phase};
use clinit_engine::name::EntryKey;
use clinit_engine::spec::Mode;

use crate::keeper::Slot;
use crate::machine::{Breach, Machine};

/// How long a machine may take to come to rest. Ten entries that wait for slow processes, stop timeouts
/// and kernels one after the other take minutes.
const REST_MAX: Duration = Duration::from_secs(3_600);

/// How many turns that may take: a guard against standing still.
const TURNS_MAX: u32 = 200_000;

impl Machine {
    /// Lets everything happen, fairly, until `at_rest`; false when nothing more will.
    fn settle(&mut self, what: &'static str, at_rest: fn(&Self) -> bool) -> Result<bool, Breach> {
        self.starved = false;
        let (limit, mut turns) = (self.now + REST_MAX, 0);
        loop {
            turns += 1;
            if self.now > limit || turns > TURNS_MAX {
                return Err(Breach { promise: what, how: self.standings() });
            }
            if !self.to_keeper.is_empty() {
                self.deliver_order()?;
            } else if !self.to_engine.is_empty() && !self.has_left {
                self.deliver_events(1, None)?;
            } else if !self.keeper.due(self.now).is_empty() {
                self.reap();
            } else if self.node.next_deadline().is_some_and(|at| at <= self.now) && !self.has_left {
                self.feed(&[Event::TimePassed], None)?;
            } else if at_rest(self) {
                return Ok(true);
            } else if let Some(next) = self.next_time() {
                self.now = next;
            } else {
                return Ok(false);
            }
        }
    }

    /// Comes to rest and looks whether everything is as it was asked for.
    pub(crate) fn rest(&mut self) -> Result<(), Breach> {
        let promise = "a told group settles";
        if self.model.halting {
            return Ok(());
        }
        let rests = self.settle(promise, |machine| machine.node.groups().all(|g| machine.is_settled(g)))?;
        if !rests {
            return Err(Breach { promise, how: self.standings() });
        }
        self.sights.note("rested");
        self.check_records()?;
        self.check_table()?;
        self.node.groups().filter(|group| !self.is_stuck(group)).try_for_each(|group| self.check_group(group))
    }

    /// Lets a shutdown come to its end; without grace if it must.
    pub(crate) fn finish(&mut self) -> Result<(), Breach> {
        let promise = "a shutdown ends";
        let is_over = |machine: &Self| machine.has_left || machine.is_anything_stuck();
        if !self.settle(promise, is_over)? || !self.has_left {
            self.feed(&[Event::HurryRequested], None)?;
        }
        if !self.settle(promise, |machine| machine.has_left)? {
            return Err(Breach { promise, how: self.standings() });
        }
        if let Some((_, slot)) = self.keeper.slots().next() {
            let how = format!("{} is still held", slot.content.key);
            return Err(Breach { promise: "a shutdown leaves nothing behind", how });
        }
        Ok(())
    }

    fn is_anything_stuck(&self) -> bool {
        self.node.groups().any(|group| self.is_stuck(group))
    }

    fn is_settled(&self, group: &Group) -> bool {
        let is_settled = match self.model.targets.get(group.name()) {
            Some(target) => group.phase().is_settled() && group.level() == Some(target),
            None => group.phase() == Phase::Configured && self.node.has_group(group.name()),
        };
        is_settled || self.is_stuck(group)
    }

    /// Whether a group waits for a process that nothing will ever end.
    fn is_stuck(&self, group: &Group) -> bool {
        self.keeper.slots().filter(|(_, slot)| slot.has_endless()).any(|(id, slot)| {
            let Some(entry) = self.node.entry(id).filter(|e| &e.key().group == group.name()) else {
                return false;
            };
            match group.phase() {
                Phase::Stopping | Phase::Dumping | Phase::Halting => {
                    matches!(entry.state(), State::Stopping { kill_at: None })
                }
                Phase::Starting => slot.has_main() && entry.spec().mode.holds_the_next(),
                Phase::Checking | Phase::Configured => false,
                Phase::Done | Phase::Passed | Phase::Failed => false,
            }
        })
    }

    /// The node has what the table has, and nothing else; but for what cannot end.
    fn check_table(&self) -> Result<(), Breach> {
        let breach = |how: String| Err(Breach { promise: "the table holds", how });
        for group in &self.model.table.groups {
            let Some(known) = self.node.group(&group.name) else {
                return breach(format!("{} is not known", group.name));
            };
            for spec in &group.entries {
                let key = EntryKey { group: group.name.clone(), tag: spec.tag.clone() };
                let entry = self.node.entry_id(&key).and_then(|id| self.node.entry(id));
                if entry.is_none_or(|entry| entry.spec() != spec) && !self.is_stuck(known) {
                    return breach(format!("{key} is not as the table says"));
                }
            }
        }
        for (_, entry) in self.node.entries() {
            let group = self.node.group(&entry.key().group);
            if self.model.spec(entry.key()).is_none() && !group.is_some_and(|group| self.is_stuck(group)) {
                return breach(format!("{} is not forgotten", entry.key()));
            }
        }
        Ok(())
    }

    /// What is wanted was started, what is not is down, and the tests say what the phase says.
    fn check_group(&self, group: &Group) -> Result<(), Breach> {
        let breach = |how: String| Breach { promise: "a settled group is as it was told", how };
        let mut results = Vec::new();
        for entry in group.members().iter().filter_map(|&id| self.node.entry(id)) {
            self.check_entry(entry).map_err(|how| breach(format!("{} {how}", entry.key())))?;
            if let Some((mode, _)) = self.model.wanted.get(entry.key()) {
                results.push((*mode == Mode::Test).then(|| self.has_ended_well(entry)));
            }
        }
        let all_passed = !results.is_empty() && results.iter().all(|result| *result == Some(true));
        let phase = match group.level() {
            None => Phase::Configured,
            Some(_) if results.contains(&Some(false)) => Phase::Failed,
            Some(_) if all_passed => Phase::Passed,
            Some(_) => Phase::Done,
        };
        if group.phase() == phase { Ok(()) } else { Err(breach(format!("{} is not {phase}", group.name()))) }
    }

    fn check_entry(&self, entry: &Entry) -> Result<(), String> {
        let (key, state) = (entry.key(), entry.state());
        let slot = self.keeper.slots().map(|(_, slot)| slot).find(|slot| &slot.content.key == key);
        let Some(content @ (mode, program)) = self.model.wanted.get(key) else {
            let is_down = state == State::Down && slot.is_none();
            return if is_down { Ok(()) } else { Err(format!("is not wanted and {state:?}")) };
        };
        if self.model.started.get(key) != Some(content) {
            return Err("is wanted and was never started".to_owned());
        }
        let is_right = |slot: &Slot| (slot.content.mode, &slot.content.program) == (*mode, program);
        let runs = slot.is_some_and(|slot| slot.has_main() && is_right(slot));
        let right = match (mode, state) {
            (Mode::Respawn, State::Starting | State::Running) | (Mode::Once, State::Running) => runs,
            (Mode::Respawn, State::Pausing { .. } | State::Clearing { .. }) => !runs,
            (Mode::Once | Mode::Wait, State::Done { outcome, .. }) => !runs && outcome == Outcome::Done,
            (Mode::Test, State::Done { outcome: Outcome::Passed, .. }) => !runs && self.has_ended_well(entry),
            (Mode::Test, State::Done { outcome: Outcome::Failed, .. }) => {
                !runs && !self.has_ended_well(entry)
            }
            (Mode::Respawn | Mode::Once | Mode::Wait | Mode::Test | Mode::Off, _) => false,
        };
        if right { Ok(()) } else { Err(format!("is {state:?}")) }
    }

    fn has_ended_well(&self, entry: &Entry) -> bool {
        self.model.exits.get(entry.key()) == Some(&Exit::Code(0))
    }

    fn standings(&self) -> String {
        let mut words = String::new();
        for group in self.node.groups() {
            words +=
                &format!("{} {} {:?} -> {:?}\n", group.name(), group.phase(), group.level(), group.target());
        }
        for (_, entry) in self.node.entries() {
            words += &format!("{} {:?} {:?}\n", entry.key(), entry.spec().mode, entry.state());
        }
        words
    }
}

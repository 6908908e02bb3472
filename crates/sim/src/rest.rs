//! The operator rests: within bounded time everything is as it was asked for, or there is a reason.

use std::time::Duration;

use clinit_engine::care::{Errand, Readiness};
use clinit_engine::entry::{Entry, Outcome, PauseReason, State};
use clinit_engine::event::{EntryId, Event};
use clinit_engine::group::{Group, Phase};
use clinit_engine::name::EntryKey;
use clinit_engine::spec::Mode;

use crate::machine::{Breach, Machine};
use crate::slot::Slot;

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
        (is_settled && self.members(group).all(|(_, entry)| is_still(entry))) || self.is_stuck(group)
    }

    fn members(&self, group: &Group) -> impl Iterator<Item = (EntryId, &Entry)> {
        group.members().iter().filter_map(|&id| Some((id, self.node.entry(id)?)))
    }

    /// Whether a group waits for a process that nothing will ever end, or for one that will never be ready.
    fn is_stuck(&self, group: &Group) -> bool {
        let never_stops = |id, entry: &Entry| {
            matches!(entry.state(), State::Stopping { kill_at: None, .. }) && self.has_endless(id, entry)
        };
        self.members(group).any(|(id, entry)| match group.phase() {
            _ if never_stops(id, entry) => true,
            Phase::Stopping | Phase::Dumping | Phase::Halting => false,
            Phase::Starting | Phase::Done | Phase::Passed | Phase::Failed | Phase::Configured
                if is_never_ready(entry) =>
            {
                true
            }
            Phase::Starting => {
                let slot = self.keeper.lives().find(|&(other, _)| other == id).map(|(_, slot)| slot);
                slot.is_some_and(|slot| slot.has_endless() && slot.has_main())
                    && entry.spec().mode.holds_the_next()
            }
            Phase::Checking | Phase::Configured => false,
            Phase::Done | Phase::Passed | Phase::Failed => false,
        })
    }

    /// Whether a process of an entry, or its stop command, will live until somebody interferes.
    fn has_endless(&self, id: EntryId, entry: &Entry) -> bool {
        self.keeper.slots().any(|(other, slot)| {
            let is_of_it = other == id || slot.content.errand == Some(Errand::Stop);
            is_of_it && &slot.content.key == entry.key() && slot.has_endless()
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

    /// What is wanted was started, what is not is down, and the entries say what the phase says.
    fn check_group(&self, group: &Group) -> Result<(), Breach> {
        let breach = |how: String| Breach { promise: "a settled group is as it was told", how };
        let is_graph = self.members(group).any(|(_, entry)| entry.spec().links.is_some());
        let (mut results, mut fails) = (Vec::new(), self.model.fallen.contains(group.name()));
        for (id, entry) in self.members(group) {
            self.check_entry(id, entry)
                .map_err(|how| breach(format!("{} {how}\n{}", entry.key(), self.standings())))?;
            let Some((mode, _)) = self.model.wanted.get(entry.key()) else { continue };
            let has_failed = *mode == Mode::Test && !self.has_ended_well(entry);
            let has_to_be_ready = entry.spec().program.readiness != Readiness::Started;
            fails |= match entry.state() {
                State::GivenUp { .. } => true,
                State::Done { .. } => has_failed,
                State::Pausing { .. } => has_to_be_ready,
                State::Down => is_graph,
                State::Starting | State::Running { .. } | State::Ready | State::Clearing { .. } => false,
                State::Stopping { .. } | State::Killing { .. } => false,
            };
            if !entry.is_transient() {
                results.push(*mode == Mode::Test && !has_failed);
            }
        }
        let all_passed = !results.is_empty() && results.iter().all(|&passed| passed);
        let phase = match group.level() {
            None => Phase::Configured,
            Some(_) if fails => Phase::Failed,
            Some(_) if all_passed => Phase::Passed,
            Some(_) => Phase::Done,
        };
        if group.phase() == phase {
            Ok(())
        } else {
            Err(breach(format!("{} is not {phase}\n{}", group.name(), self.standings())))
        }
    }

    fn check_entry(&self, id: EntryId, entry: &Entry) -> Result<(), String> {
        let (key, state) = (entry.key(), entry.state());
        let slot = self.keeper.lives().map(|(_, slot)| slot).find(|slot| &slot.content.key == key);
        let is_down = state == State::Down && slot.is_none();
        let Some(content @ (mode, program)) = self.model.wanted.get(key) else {
            return if is_down { Ok(()) } else { Err(format!("is not wanted and {state:?}")) };
        };
        if entry.is_blocked() || self.node.waits_for(id).is_some() {
            return if is_down { Ok(()) } else { Err(format!("may not run and is {state:?}")) };
        }
        if self.model.started.get(key) != Some(content) {
            return Err("is wanted and was never started".to_owned());
        }
        let is_right = |slot: &Slot| (slot.content.mode, &slot.content.program) == (*mode, program);
        let runs = slot.is_some_and(|slot| slot.has_main() && is_right(slot));
        // One that named another main process may be between the two.
        let runs_or_so = runs || (program.notifies() && slot.is_some_and(is_right));
        let right = match (mode, state) {
            // It waits for nobody, and nobody for it.
            (Mode::Wait | Mode::Test, State::Running { .. } | State::Ready) if entry.is_transient() => {
                runs_or_so
            }
            (Mode::Respawn, State::Starting | State::Running { .. } | State::Ready) => runs_or_so,
            (Mode::Once, State::Running { .. } | State::Ready) => runs_or_so,
            (Mode::Respawn, State::Pausing { .. } | State::Clearing { .. }) => !runs,
            (Mode::Respawn, State::Done { outcome, .. }) => {
                !runs && outcome == Outcome::Done && self.has_ended_well(entry)
            }
            (Mode::Once | Mode::Wait, State::Done { outcome, .. }) => !runs && outcome == Outcome::Done,
            (Mode::Test, State::Done { outcome: Outcome::Passed, .. }) => !runs && self.has_ended_well(entry),
            (Mode::Test, State::Done { outcome: Outcome::Failed, .. }) => {
                !runs && !self.has_ended_well(entry)
            }
            (_, State::GivenUp { .. }) => slot.is_none() && entry.history().given_up.is_some(),
            (Mode::Respawn | Mode::Once | Mode::Wait | Mode::Test | Mode::Off, _) => false,
        };
        if right { Ok(()) } else { Err(format!("is {state:?}")) }
    }

    fn has_ended_well(&self, entry: &Entry) -> bool {
        self.model.ended_well.get(entry.key()) == Some(&true)
    }

    fn standings(&self) -> String {
        let mut words = String::new();
        for group in self.node.groups() {
            words +=
                &format!("{} {} {:?} -> {:?}\n", group.name(), group.phase(), group.level(), group.target());
        }
        for (_, entry) in self.node.entries() {
            let (key, spec) = (entry.key(), entry.spec());
            let blocked = if entry.is_blocked() { " blocked" } else { "" };
            words +=
                &format!("{key} {:?} {:?} {:?}{blocked}", spec.mode, spec.program.readiness, entry.state());
            words += &spec.links.as_ref().map_or(String::new(), |links| format!(" {links:?}"));
            words += "\n";
        }
        words
    }
}

/// Whether nothing has to be seen of an entry.
fn is_still(entry: &Entry) -> bool {
    match entry.state() {
        State::Starting | State::Stopping { .. } | State::Killing { .. } => false,
        State::Pausing { reason: PauseReason::NoProcess(_), .. } => false,
        State::Running { .. } => entry.is_up() || entry.is_transient(),
        State::Clearing { .. } => entry.spec().program.readiness == Readiness::Started,
        State::Pausing { reason: PauseReason::TooOften | PauseReason::Delay, .. } => true,
        State::Down | State::Ready | State::Done { .. } | State::GivenUp { .. } => true,
    }
}

/// Whether an entry is waited for in vain, for ever or in one life after the other.
fn is_never_ready(entry: &Entry) -> bool {
    let is_waited_for = match entry.state() {
        State::Running { ready_by } => !entry.is_up() && (ready_by.is_none() || entry.history().restarts > 0),
        State::Starting | State::Stopping { .. } | State::Killing { .. } | State::Clearing { .. } => {
            entry.history().restarts > 0
        }
        State::Down | State::Ready | State::Pausing { .. } => false,
        State::Done { .. } | State::GivenUp { .. } => false,
    };
    is_waited_for && entry.spec().program.readiness != Readiness::Started
}

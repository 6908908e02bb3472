//! What was seen over many runs, so that a run that sees nothing is not taken for one that finds nothing.

use std::collections::BTreeMap;
use std::fmt;

use clinit_engine::entry::State;
use clinit_engine::event::{Action, Event, Exit, Notice, Order};

use crate::moment::Step;

/// How often each thing was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sights {
    seen: BTreeMap<&'static str, u64>,
}

impl Sights {
    /// What every larger campaign has to see.
    pub const ALL: [&str; 41] = [
        // States of entries.
        "down",
        "starting",
        "running",
        "clearing",
        "pausing",
        "stopping",
        "killing",
        "done",
        "done with leftovers",
        // Phases of groups.
        "CONFIGURED",
        "STOPPING",
        "DUMPING",
        "STARTING",
        "CHECKING",
        "DONE",
        "PASSED",
        "FAILED",
        "HALTING",
        // Events.
        "table accepted",
        "told",
        "start by hand",
        "stop by hand",
        "restart by hand",
        "reset by hand",
        "signal by hand",
        "shutdown requested",
        "hurry requested",
        "spawned",
        "spawn failed",
        "exited",
        "exited with leftovers",
        "not executed",
        "emptied",
        "inventory taken",
        "time passed",
        // Ends of things, and going on after them.
        "release",
        "kill",
        "group forgotten",
        "engine died",
        "rested",
        "leave",
    ];

    /// How often something was seen.
    #[must_use]
    pub fn count(&self, what: &str) -> u64 {
        self.seen.get(what).copied().unwrap_or(0)
    }

    /// Adds what another run saw.
    pub fn merge(&mut self, other: &Self) {
        for (what, count) in &other.seen {
            *self.seen.entry(what).or_default() += count;
        }
    }

    pub(crate) fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Looks at one step.
    pub(crate) fn see(&mut self, step: &Step<'_>) {
        self.note("step");
        self.note(match step.event {
            Event::TableAccepted(_) => "table accepted",
            Event::Told { .. } => "told",
            Event::Ordered { order, .. } => match order {
                Order::Start => "start by hand",
                Order::Stop { .. } => "stop by hand",
                Order::Restart => "restart by hand",
                Order::Reset => "reset by hand",
                Order::Signal(_) => "signal by hand",
                Order::Reload => "reload by hand",
            },
            Event::ShutdownRequested => "shutdown requested",
            Event::HurryRequested => "hurry requested",
            Event::Spawned { .. } => "spawned",
            Event::SpawnFailed { .. } => "spawn failed",
            Event::Exited { exit: Exit::NotExecuted(_), .. } => "not executed",
            Event::Exited { leftovers: true, .. } => "exited with leftovers",
            Event::Exited { .. } => "exited",
            Event::Emptied { .. } => "emptied",
            Event::Added { .. } => "added",
            Event::Notified { .. } => "notified",
            Event::Probed { .. } => "probed",
            Event::NotFollowed { .. } => "not followed",
            Event::InventoryTaken => "inventory taken",
            Event::TimePassed => "time passed",
        });
        for action in step.actions {
            self.note(match action {
                Action::Spawn { .. } => "spawn",
                Action::Stop { .. } => "stop",
                Action::Kill { .. } => "kill",
                Action::Signal { .. } => "signal",
                Action::Probe { .. } => "probe",
                Action::Follow { .. } => "follow",
                Action::Release { .. } => "release",
                Action::Notice(Notice::GroupChanged { phase, .. }) => phase.as_str(),
                Action::Notice(Notice::GroupForgotten { .. }) => "group forgotten",
                Action::Notice(_) => "notice",
                Action::Leave => "leave",
            });
        }
        for (_, entry) in step.node.entries() {
            self.note(match entry.state() {
                State::Down => "down",
                State::Starting => "starting",
                State::Running { .. } => "running",
                State::Ready => "ready",
                State::Clearing { .. } => "clearing",
                State::Pausing { .. } => "pausing",
                State::Stopping { .. } => "stopping",
                State::Killing { .. } => "killing",
                State::Done { leftovers: true, .. } => "done with leftovers",
                State::Done { leftovers: false, .. } => "done",
                State::GivenUp { .. } => "given up",
            });
        }
    }
}

impl fmt::Display for Sights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.seen.iter().try_for_each(|(what, count)| writeln!(f, "{count:>10}  {what}"))
    }
}

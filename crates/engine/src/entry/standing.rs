//! How an entry stands: what its group, and others of it, make of its state.

use super::{Entry, Fate, Outcome, PauseReason, State};
use crate::care::Readiness;
use crate::event::Exit;
use crate::spec::EntrySpec;
use crate::time::Instant;

impl Entry {
    /// Whether a process of it may exist.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match self.state {
            State::Starting | State::Running { .. } | State::Ready | State::Clearing { .. } => true,
            State::Stopping { lives, .. } | State::Killing { lives, .. } => lives,
            State::Done { leftovers, .. } => leftovers,
            State::Down | State::Pausing { .. } | State::GivenUp { .. } => false,
        }
    }

    /// Whether it does what it is for: it is ready, or runs and has no readiness of its own.
    #[must_use]
    pub fn is_up(&self) -> bool {
        match self.state {
            State::Ready => true,
            State::Running { .. } => self.spec.program.readiness == Readiness::Started,
            State::Down | State::Starting | State::Clearing { .. } | State::Pausing { .. } => false,
            State::Stopping { .. } | State::Killing { .. } | State::Done { .. } => false,
            State::GivenUp { .. } => false,
        }
    }

    /// Whether it failed in a way that others of its group hear of: those that require it do not run.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        // How the old fared says nothing of what comes in its place.
        self.fate == Fate::Keep && self.has_failed_by(&self.spec)
    }

    /// Whether it failed as this content judges its end, with which its life goes on.
    pub(crate) fn has_failed_by(&self, spec: &EntrySpec) -> bool {
        match self.state {
            State::GivenUp { .. } | State::Done { outcome: Outcome::Failed, .. } => true,
            State::Done { outcome: Outcome::Passed, .. } => false,
            State::Done { outcome: Outcome::Done, .. } => {
                self.history.last_exit.is_some_and(|(exit, _)| !spec.policy.care().ends_well(exit))
            }
            State::Down | State::Starting | State::Running { .. } | State::Ready => false,
            State::Clearing { .. } | State::Pausing { .. } => false,
            State::Stopping { .. } | State::Killing { .. } => false,
        }
    }

    /// Whether an entry that requires it may start.
    pub(crate) fn is_fulfilled(&self) -> bool {
        let has_come = self.is_up() || matches!(self.state, State::Done { .. });
        self.wanted && has_come && !self.holds_the_next() && !self.has_failed()
    }

    /// Whether there is something of it that its group, the table or people do not want, or not any longer.
    pub(crate) fn has_to_leave(&self) -> bool {
        self.state != State::Down && (!self.wanted || self.fate != Fate::Keep || self.renewed)
    }

    /// Has it leave and come back, if there is something of it. Returns whether its record is to be taken for that.
    pub(crate) fn renew(&mut self) -> bool {
        let comes_back = self.fate != Fate::Forget;
        let is_news = comes_back && self.state != State::Down && !self.renewed;
        self.renewed |= is_news;
        is_news && !std::mem::replace(&mut self.dirty, true)
    }

    /// Whether it would run if what it requires had not failed.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether this end of its main process is one that is as it should be.
    #[must_use]
    pub fn ends_well(&self, exit: Exit) -> bool {
        self.spec.policy.care().ends_well(exit)
    }

    /// Whether it is on its way down, so that its group waits before it starts anything.
    pub(crate) fn is_leaving(&self) -> bool {
        self.postponed || (self.is_ending() && self.again.is_none())
    }

    /// Whether it was asked to stop or killed, and is not gone.
    pub(crate) fn is_ending(&self) -> bool {
        matches!(self.state, State::Stopping { .. } | State::Killing { .. })
    }

    /// Whether it is to be seen what comes of it, so that its group is not settled.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        // Nobody waits for one that no table has.
        if self.transient {
            return false;
        }
        let ends_first = self.spec.mode.holds_the_next();
        let moves = ends_first || self.spec.program.readiness != Readiness::Started;
        match self.state {
            State::Starting | State::Pausing { reason: PauseReason::NoProcess(_), .. } => true,
            State::Running { .. } | State::Clearing { .. } => moves,
            State::Stopping { .. } | State::Killing { .. } => moves && self.again.is_some(),
            State::Ready => ends_first,
            State::Down | State::Done { .. } | State::GivenUp { .. } => false,
            State::Pausing { reason: PauseReason::TooOften | PauseReason::Delay, .. } => false,
        }
    }

    /// Whether the entries behind it have to wait for it.
    pub(crate) fn holds_the_next(&self) -> bool {
        if self.transient {
            return false;
        }
        let ends_first = self.spec.mode.holds_the_next();
        match self.state {
            State::Done { .. } | State::GivenUp { .. } => false,
            State::Ready => ends_first,
            State::Pausing { reason: PauseReason::TooOften | PauseReason::Delay, .. } => ends_first,
            State::Pausing { reason: PauseReason::NoProcess(_), .. } | State::Down | State::Starting => {
                ends_first || self.spec.program.readiness != Readiness::Started
            }
            State::Running { .. } | State::Clearing { .. } => {
                ends_first || self.spec.program.readiness != Readiness::Started
            }
            State::Stopping { .. } | State::Killing { .. } => {
                ends_first || self.spec.program.readiness != Readiness::Started
            }
        }
    }

    /// Whether it makes its group FAILED, if its group wants it.
    pub(crate) fn is_failing(&self) -> bool {
        let may_fail = self.spec.program.readiness != Readiness::Started;
        match self.state {
            State::GivenUp { .. } | State::Done { outcome: Outcome::Failed, .. } => true,
            State::Pausing { reason: PauseReason::TooOften | PauseReason::Delay, .. } => may_fail,
            State::Pausing { reason: PauseReason::NoProcess(_), .. } => false,
            State::Done { outcome: Outcome::Done | Outcome::Passed, .. } => false,
            State::Down | State::Starting | State::Running { .. } | State::Ready => false,
            State::Clearing { .. } | State::Stopping { .. } | State::Killing { .. } => false,
        }
    }

    /// When it has to be looked at again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let of_state = match self.state {
            State::Clearing { again_at } | State::Killing { again_at, .. } => Some(again_at),
            State::Pausing { until, .. } => Some(until),
            State::Stopping { kill_at, .. } => kill_at,
            State::Running { ready_by } => ready_by,
            State::Down | State::Starting | State::Ready => None,
            State::Done { .. } | State::GivenUp { .. } => None,
        };
        let of_vigil = self.vigil.as_ref().and_then(|vigil| vigil.deadline());
        of_state.into_iter().chain(of_vigil).min()
    }
}

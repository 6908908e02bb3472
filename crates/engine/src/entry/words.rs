//! Why an entry is in its state, as sentences for people.

use super::{Entry, Fate, GiveUp, Hold, PauseReason, State};
use crate::care::{Check, Failing, Readiness};
use crate::spec::{Mode, ThrottlePolicy};

impl Failing {
    /// As a part of a sentence about the entry.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Exited => "it ended",
            Self::NotReady => "it was not ready within its start_timeout",
            Self::Unhealthy => "its health check failed too often",
            Self::Watchdog => "it did not say in time that it is well (watchdog)",
            Self::GivenUp => "it was given up",
        }
    }
}

impl Entry {
    /// Why it is in its state, as a sentence for people; empty when the state and how it ended say it all.
    #[must_use]
    pub fn why(&self) -> String {
        if self.postponed && !matches!(self.state, State::GivenUp { .. }) {
            return "it stops when those that follow it have stopped".to_owned();
        }
        let words = match self.state {
            State::Pausing { reason: PauseReason::TooOften, .. } => {
                let ThrottlePolicy { starts, interval, .. } = self.spec.policy.throttle;
                return format!("started {starts} times within {interval:?}");
            }
            State::Pausing { reason: PauseReason::NoProcess(_), .. } => "the machine had no process to give",
            State::Pausing { reason: PauseReason::Delay, .. } => "its restart_delay has not passed",
            State::GivenUp { reason } => return self.why_given_up(reason),
            State::Running { .. } if !self.is_up() => return self.why_not_ready(),
            State::Running { .. } | State::Ready if self.is_unwell() => "it is not well",
            State::Clearing { .. } => "its main process ended; the rest of it was killed and is awaited",
            State::Killing { .. } => "it did not stop in time and was killed",
            State::Done { leftovers: true, .. } => "it ended and left processes behind",
            State::Down if self.spec.mode == Mode::Off => "its mode is off",
            State::Down if self.hold != Hold::Free => "stopped by hand",
            State::Stopping { .. } if self.again.is_some() => self.again.map_or("", Failing::words),
            State::Stopping { .. } => match self.fate {
                Fate::Keep if self.hold != Hold::Free => "stopped by hand",
                Fate::Keep if !self.wanted => "its group leaves the level",
                Fate::Keep => "it is stopped before it starts again",
                Fate::Replace(_) => "the table changed it",
                Fate::Forget => "the table has it no longer",
            },
            State::Down | State::Starting | State::Running { .. } => "",
            State::Ready | State::Done { .. } => "",
        };
        words.to_owned()
    }

    /// Why it was given up, whatever has become of it since, as a sentence for people.
    #[must_use]
    pub fn why_given_up(&self, reason: GiveUp) -> String {
        match reason {
            GiveUp::Retries => self.why_no_retry(),
            GiveUp::NoRestart => self.why_no_restart(),
        }
    }

    fn why_no_retry(&self) -> String {
        match self.spec.policy.care().retry {
            Some(retry) => {
                format!("it failed after {} restarts within {:?} (retry_count)", retry.count, retry.interval)
            }
            None => "it failed after as many restarts as its retry_count was".to_owned(),
        }
    }

    fn why_no_restart(&self) -> String {
        let last = self.history.last_failure.map(|(failing, _)| failing);
        let how = last.map_or("it failed", Failing::words);
        format!("{how}, and it is not started again by itself")
    }

    fn why_not_ready(&self) -> String {
        match &self.spec.program.readiness {
            Readiness::Started => String::new(),
            Readiness::Fd(number) => format!("not ready yet: it has written no line to descriptor {number}"),
            Readiness::Notify => "not ready yet: it has not sent READY=1".to_owned(),
            Readiness::Check(Check::Tcp(address)) => {
                format!("not ready yet: nobody accepts connections at {address}")
            }
            Readiness::Check(Check::Exec(_)) => {
                "not ready yet: the command of its readiness has not succeeded".to_owned()
            }
        }
    }
}

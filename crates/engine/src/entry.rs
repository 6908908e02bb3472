//! One entry: the machine that runs it, one life (generation) after the other.
//!
//! What is wanted of an entry ([`Entry::is_wanted`], [`Fate`]) is set by its group; what was last seen is
//! its [`State`]. The machine is one `match` over both, without a catch-all arm. A test prints this table
//! from the code. Under each state stand the events, where it matters the mode and how the entry fared,
//! and what follows: the next state and the actions, notices left out. `+` is with leftovers, `-` is nothing.
//!
//! ```text
#![doc = include_str!("entry.transitions.txt")]
//! ```

#[cfg(test)]
mod transitions;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{Action, EntryId, Exit, Generation, Next, Notice};
use crate::name::EntryKey;
use crate::spec::{EntrySpec, Mode, ThrottlePolicy};
use crate::throttle::Throttle;
use crate::time::Instant;

/// How long after a KILL that did not help the next one follows.
pub const KILL_AGAIN: Duration = Duration::from_secs(5);

/// How long after the machine had no process to give it is asked again.
pub const SPAWN_RETRY: Duration = Duration::from_secs(1);

/// What was last seen of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing of it runs, and nothing has run at this level.
    Down,
    /// Handed to the keeper, which has not confirmed it.
    Starting,
    /// Its main process runs.
    Running,
    /// Its main process has ended by itself; the rest of its kill scope was killed and is awaited.
    Clearing {
        /// When the rest is killed again.
        again_at: Instant,
    },
    /// It waits before it is started again.
    Pausing {
        /// When it is started.
        until: Instant,
        /// Why it waits.
        reason: PauseReason,
    },
    /// It was asked to stop.
    Stopping {
        /// When it is killed; `None` is never.
        kill_at: Option<Instant>,
    },
    /// It was killed, and has not gone.
    Killing {
        /// When it is killed again.
        again_at: Instant,
    },
    /// It ran once, as its mode says, and has ended.
    Done {
        /// What came of it.
        outcome: Outcome,
        /// Whether processes that it left behind still live.
        leftovers: bool,
    },
}

/// Why an entry waits before it is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// It was started too often.
    TooOften,
    /// The machine had no process to give; the error's number (`errno`).
    NoProcess(i32),
}

/// What came of an entry that runs once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ran; how it exited does not matter.
    Done,
    /// It is a test, and succeeded.
    Passed,
    /// It is a test, and failed.
    Failed,
}

/// What becomes of an entry when nothing of it runs any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Keep,
    /// The table has another content for it.
    Replace(Box<EntrySpec>),
    /// The table has it no longer.
    Forget,
}

/// Whether somebody stopped an entry by hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Nobody did: it runs when its group wants it to.
    #[default]
    Free,
    /// It stays down until its group is told a level again.
    UntilTold,
    /// It stays down until somebody starts it again.
    UntilStarted,
}

/// What happens to one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryEvent {
    /// Its turn has come.
    Start,
    /// It is not wanted, or not as it is.
    Stop,
    /// It is to end without further grace.
    Hurry,
    Spawned(u32),
    SpawnFailed(i32),
    Exited {
        exit: Exit,
        leftovers: bool,
    },
    Emptied,
    /// Its deadline is reached.
    Due,
    /// After a restore: the keeper knows nothing of this life.
    Missing,
}

impl EntryEvent {
    /// Whether nothing can happen to a life after this.
    pub(crate) fn is_the_last(self) -> bool {
        match self {
            Self::SpawnFailed(_) | Self::Emptied => true,
            Self::Exited { leftovers, .. } => !leftovers,
            Self::Spawned(_) | Self::Missing => false,
            Self::Start | Self::Stop | Self::Hurry | Self::Due => false,
        }
    }
}

/// What happened to an entry so far, for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// How often it was started again without being told.
    pub restarts: u32,
    /// How its last main process ended, and when.
    pub last_exit: Option<(Exit, Instant)>,
}

/// An entry of the table with its state.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(crate) key: EntryKey,
    pub(crate) group: u32,
    pub(crate) spec: EntrySpec,
    pub(crate) fate: Fate,
    pub(crate) wanted: bool,
    pub(crate) hold: Hold,
    pub(crate) state: State,
    pub(crate) since: Instant,
    pub(crate) generation: Generation,
    pub(crate) pid: Option<u32>,
    pub(crate) throttle: Throttle,
    pub(crate) history: History,
    /// After a restore: the keeper has not yet confirmed this life.
    pub(crate) unverified: bool,
    /// Changed since its record was last taken.
    pub(crate) dirty: bool,
}

/// What one step may use and fill.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) id: EntryId,
    pub(crate) generations: &'a mut Generation,
    pub(crate) out: &'a mut Vec<Action>,
}

impl Entry {
    pub(crate) fn new(key: EntryKey, group: u32, spec: EntrySpec, now: Instant) -> Self {
        Self {
            key,
            group,
            spec,
            fate: Fate::Keep,
            wanted: false,
            hold: Hold::Free,
            state: State::Down,
            since: now,
            generation: Generation::default(),
            pid: None,
            throttle: Throttle::default(),
            history: History::default(),
            unverified: false,
            dirty: true,
        }
    }

    /// Its full name.
    #[must_use]
    pub fn key(&self) -> &EntryKey {
        &self.key
    }

    /// What the table says of it: of the process that runs, if one does.
    #[must_use]
    pub fn spec(&self) -> &EntrySpec {
        &self.spec
    }

    /// What was last seen of it.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Since when it has its state.
    #[must_use]
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Its main process, if one runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Its latest life.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// What happened to it so far.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Whether its group wants it to run.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Whether somebody stopped it by hand.
    #[must_use]
    pub fn hold(&self) -> Hold {
        self.hold
    }

    /// What becomes of it when nothing of it runs.
    #[must_use]
    pub fn fate(&self) -> &Fate {
        &self.fate
    }

    /// Whether a process of it may exist.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match self.state {
            State::Starting | State::Running | State::Clearing { .. } => true,
            State::Stopping { .. } | State::Killing { .. } => true,
            State::Done { leftovers, .. } => leftovers,
            State::Down | State::Pausing { .. } => false,
        }
    }

    /// Whether it is on its way down, so that its group waits before it starts anything.
    pub(crate) fn is_leaving(&self) -> bool {
        matches!(self.state, State::Stopping { .. } | State::Killing { .. })
    }

    /// Whether it was handed over without being confirmed, so that its group is not settled.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        matches!(self.state, State::Starting | State::Pausing { reason: PauseReason::NoProcess(_), .. })
    }

    /// Whether the entries behind it have to wait for it.
    pub(crate) fn holds_the_next(&self) -> bool {
        self.spec.mode.holds_the_next() && !matches!(self.state, State::Done { .. })
    }

    /// When it has to be looked at again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Clearing { again_at } | State::Killing { again_at } => Some(again_at),
            State::Pausing { until, .. } => Some(until),
            State::Stopping { kill_at } => kill_at,
            State::Down | State::Starting | State::Running | State::Done { .. } => None,
        }
    }

    /// The machine. Events of another generation do not get here.
    pub(crate) fn step(&mut self, event: EntryEvent, cx: &mut Context<'_>) {
        use EntryEvent as E;
        match (self.state, event) {
            // Coming up.
            (State::Down, E::Start) => self.spawn(cx),
            (State::Pausing { .. }, E::Due) => {
                self.respawn(cx);
            }
            (State::Starting | State::Running, E::Spawned(pid)) => self.confirm(pid, cx),
            (State::Starting, E::SpawnFailed(errno)) => self.lack_process(errno, cx),
            // After a restore: the order may not have been sent. Spawning is idempotent by generation.
            (State::Starting, E::Missing) => self.order_spawn(cx),

            // The main process ends by itself.
            (State::Starting | State::Running, E::Exited { exit, leftovers }) => {
                self.end(exit, leftovers, cx);
            }
            (State::Running, E::Missing) => self.end(Exit::Unknown, false, cx),
            (State::Clearing { .. }, E::Emptied | E::Exited { leftovers: false, .. } | E::Missing) => {
                self.respawn(cx);
            }
            (State::Clearing { .. }, E::Due) => {
                self.order_kill(cx);
                self.enter(State::Clearing { again_at: cx.now + KILL_AGAIN }, cx);
            }
            (State::Done { outcome, .. }, E::Emptied | E::Exited { leftovers: false, .. } | E::Missing) => {
                self.release(cx);
                self.enter(State::Done { outcome, leftovers: false }, cx);
            }

            // Going down.
            (State::Starting | State::Running | State::Done { leftovers: true, .. }, E::Stop) => {
                self.stop(cx);
            }
            (State::Starting | State::Running | State::Done { leftovers: true, .. }, E::Hurry) => {
                self.kill(cx);
            }
            (State::Clearing { .. }, E::Stop | E::Hurry) => self.kill(cx),
            (State::Stopping { .. }, E::Hurry | E::Due) => self.kill(cx),
            (State::Killing { .. }, E::Hurry | E::Due) => self.kill(cx),
            (State::Pausing { .. } | State::Done { leftovers: false, .. }, E::Stop | E::Hurry) => {
                self.enter(State::Down, cx);
            }

            // On its way down.
            (State::Stopping { .. } | State::Killing { .. }, E::Spawned(pid)) => self.confirm(pid, cx),
            (State::Stopping { .. } | State::Killing { .. }, E::Exited { exit, leftovers }) => {
                self.note_exit(exit, cx);
                cx.out.push(Action::Notice(Notice::Ended { entry: cx.id, exit, next: Next::Down }));
                if !leftovers {
                    self.gone(cx);
                }
            }
            (State::Stopping { .. } | State::Killing { .. }, E::Emptied | E::SpawnFailed(_) | E::Missing) => {
                self.gone(cx);
            }

            // After a restore: the release may not have been sent.
            (
                State::Down | State::Pausing { .. },
                E::Emptied | E::SpawnFailed(_) | E::Exited { leftovers: false, .. },
            ) => self.release(cx),

            // Asked for what is so, or told again what is known.
            (State::Down, E::Stop | E::Hurry | E::Due | E::Missing) => {}
            (State::Down, E::Spawned(_) | E::Exited { leftovers: true, .. }) => {}
            (
                State::Starting
                | State::Running
                | State::Clearing { .. }
                | State::Pausing { .. }
                | State::Stopping { .. }
                | State::Killing { .. }
                | State::Done { .. },
                E::Start,
            ) => {}
            (State::Starting | State::Running, E::Emptied | E::Due) => {}
            (State::Running, E::SpawnFailed(_)) => {}
            (
                State::Clearing { .. },
                E::Spawned(_) | E::SpawnFailed(_) | E::Exited { leftovers: true, .. },
            ) => {}
            (State::Pausing { .. }, E::Spawned(_) | E::Exited { leftovers: true, .. } | E::Missing) => {}
            (State::Stopping { .. } | State::Killing { .. }, E::Stop) => {}
            (
                State::Done { .. },
                E::Spawned(_) | E::SpawnFailed(_) | E::Exited { leftovers: true, .. } | E::Due,
            ) => {}
        }
    }

    fn enter(&mut self, state: State, cx: &Context<'_>) {
        if std::mem::discriminant(&self.state) != std::mem::discriminant(&state) {
            self.since = cx.now;
        }
        self.state = state;
        self.dirty = true;
    }

    /// The first start at this level.
    fn spawn(&mut self, cx: &mut Context<'_>) {
        self.history.restarts = 0;
        self.throttle.forget();
        self.next_life(cx);
    }

    fn spawn_again(&mut self, cx: &mut Context<'_>) {
        self.history.restarts = self.history.restarts.saturating_add(1);
        self.next_life(cx);
    }

    fn next_life(&mut self, cx: &mut Context<'_>) {
        cx.generations.0 += 1;
        self.generation = *cx.generations;
        if self.spec.mode == Mode::Respawn {
            self.throttle.started(self.spec.policy.throttle, cx.now);
        }
        self.order_spawn(cx);
        self.enter(State::Starting, cx);
    }

    fn order_spawn(&self, cx: &mut Context<'_>) {
        let kill_rest = self.spec.mode == Mode::Respawn;
        cx.out.push(Action::Spawn { entry: cx.id, generation: self.generation, kill_rest });
    }

    fn confirm(&mut self, pid: u32, cx: &mut Context<'_>) {
        if self.state == State::Starting {
            cx.out.push(Action::Notice(Notice::Started { entry: cx.id, pid }));
            self.enter(State::Running, cx);
        }
        self.pid = Some(pid);
        self.dirty = true;
    }

    fn lack_process(&mut self, errno: i32, cx: &mut Context<'_>) {
        let until = cx.now + SPAWN_RETRY;
        self.throttle.failed();
        self.release(cx);
        cx.out.push(Action::Notice(Notice::NotSpawned { entry: cx.id, errno, retry: Some(until) }));
        self.enter(State::Pausing { until, reason: PauseReason::NoProcess(errno) }, cx);
    }

    fn note_exit(&mut self, exit: Exit, cx: &Context<'_>) {
        self.pid = None;
        self.history.last_exit = Some((exit, cx.now));
        self.dirty = true;
    }

    /// The main process has ended by itself.
    fn end(&mut self, exit: Exit, leftovers: bool, cx: &mut Context<'_>) {
        self.note_exit(exit, cx);
        let outcome = match self.spec.mode {
            Mode::Respawn => {
                if leftovers {
                    cx.out.push(Action::Notice(Notice::Ended { entry: cx.id, exit, next: Next::Clear }));
                    self.enter(State::Clearing { again_at: cx.now + KILL_AGAIN }, cx);
                } else {
                    let at = cx.out.len();
                    let next = self.respawn(cx);
                    cx.out.insert(at, Action::Notice(Notice::Ended { entry: cx.id, exit, next }));
                }
                return;
            }
            Mode::Test if exit.is_success() => Outcome::Passed,
            Mode::Test => Outcome::Failed,
            Mode::Wait | Mode::Once | Mode::Off => Outcome::Done,
        };
        cx.out.push(Action::Notice(Notice::Ended { entry: cx.id, exit, next: Next::Done }));
        if !leftovers {
            self.release(cx);
        }
        self.enter(State::Done { outcome, leftovers }, cx);
    }

    /// Nothing of the last life is left: the next one, or a pause before it.
    fn respawn(&mut self, cx: &mut Context<'_>) -> Next {
        if let Some(until) = self.throttle.pause(self.spec.policy.throttle, cx.now) {
            self.release(cx);
            self.enter(State::Pausing { until, reason: PauseReason::TooOften }, cx);
            return Next::Pause(until);
        }
        self.spawn_again(cx);
        Next::Respawn
    }

    fn stop(&mut self, cx: &mut Context<'_>) {
        let policy = self.spec.policy.stop;
        cx.out.push(Action::Notice(Notice::Stopping { entry: cx.id }));
        self.order_stop(cx);
        self.enter(State::Stopping { kill_at: policy.timeout.map(|timeout| cx.now + timeout) }, cx);
    }

    fn order_stop(&self, cx: &mut Context<'_>) {
        let (signal, scope) = (self.spec.policy.stop.signal, self.spec.policy.stop.scope);
        cx.out.push(Action::Stop { entry: cx.id, generation: self.generation, signal, scope });
    }

    fn kill(&mut self, cx: &mut Context<'_>) {
        if !matches!(self.state, State::Killing { .. }) {
            cx.out.push(Action::Notice(Notice::Killing { entry: cx.id }));
        }
        self.order_kill(cx);
        self.enter(State::Killing { again_at: cx.now + KILL_AGAIN }, cx);
    }

    fn order_kill(&self, cx: &mut Context<'_>) {
        let scope = self.spec.policy.stop.scope;
        cx.out.push(Action::Kill { entry: cx.id, generation: self.generation, scope });
    }

    /// Nothing of it runs any more, as asked for.
    fn gone(&mut self, cx: &mut Context<'_>) {
        self.pid = None;
        self.release(cx);
        self.enter(State::Down, cx);
    }

    fn release(&self, cx: &mut Context<'_>) {
        cx.out.push(Action::Release { entry: cx.id, generation: self.generation });
    }

    /// After a restore: gives the order of its state again, which may not have been sent.
    pub(crate) fn repeat_order(&self, cx: &mut Context<'_>) {
        match self.state {
            State::Stopping { .. } => self.order_stop(cx),
            State::Killing { .. } => self.order_kill(cx),
            State::Down | State::Pausing { .. } | State::Done { leftovers: false, .. } => {}
            State::Starting | State::Running | State::Clearing { .. } => {}
            State::Done { leftovers: true, .. } => {}
        }
    }

    /// Why it is in its state, as a sentence for people; empty when the state and how it ended say it all.
    #[must_use]
    pub fn why(&self) -> String {
        let words = match self.state {
            State::Pausing { reason: PauseReason::TooOften, .. } => {
                let ThrottlePolicy { starts, interval, .. } = self.spec.policy.throttle;
                return format!("started {starts} times within {interval:?}");
            }
            State::Pausing { reason: PauseReason::NoProcess(_), .. } => "the machine had no process to give",
            State::Clearing { .. } => "its main process ended; the rest of it was killed and is awaited",
            State::Killing { .. } => "it did not stop in time and was killed",
            State::Done { leftovers: true, .. } => "it ended and left processes behind",
            State::Down if self.spec.mode == Mode::Off => "its mode is off",
            State::Down if self.hold != Hold::Free => "stopped by hand",
            State::Stopping { .. } => match self.fate {
                Fate::Keep if self.hold != Hold::Free => "stopped by hand",
                Fate::Keep if !self.wanted => "its group leaves the level",
                Fate::Keep => "it is stopped before it starts again",
                Fate::Replace(_) => "the table changed it",
                Fate::Forget => "the table has it no longer",
            },
            State::Down | State::Starting | State::Running | State::Done { .. } => "",
        };
        words.to_owned()
    }
}

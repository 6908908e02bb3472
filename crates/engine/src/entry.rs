//! One entry: the machine that runs it, one life (generation) after the other.
//!
//! What is wanted of an entry ([`Entry::is_wanted`], [`Fate`]) is set by its group; what was last seen is
//! its [`State`]. The machine is one `match` over both, without a catch-all arm. A test prints this table
//! from the code. Under each state stand the events, where it matters the mode and how the entry fared,
//! and what follows: the next state and the actions, notices left out. `+` is with leftovers, `-` is nothing,
//! `~` is before a restart of its own accord.
//!
//! ```text
#![doc = include_str!("entry.transitions.txt")]
//! ```
//!
//! | file | room for |
//! |---|---|
//! | `life` | starts, restarts, pauses and giving up |
//! | `ending` | stops and kills |
//! | `state` | what is seen of it, as data |
//! | `standing` | what its group makes of that |
//! | `vigil` | whether it is ready and well, and what it says of itself |
//! | `words` | why it is in its state, for people |

mod ending;
mod life;
mod standing;
mod state;
#[cfg(test)]
mod transitions;
mod vigil;
mod words;

use std::time::Duration;

use crate::care::{Errand, Failing};
use crate::event::{Action, EntryId, Exit, Generation, Said};
use crate::name::EntryKey;
use crate::spec::{EntrySpec, Mode};
use crate::throttle::Throttle;
use crate::time::Instant;

pub use state::{Fate, GiveUp, History, Hold, Outcome, PauseReason, State};
pub(crate) use vigil::READY_ANSWER;
pub use vigil::Vigil;

/// How long after a KILL that did not help the next one follows.
pub const KILL_AGAIN: Duration = Duration::from_secs(5);

/// How long after the machine had no process to give it is asked again.
pub const SPAWN_RETRY: Duration = Duration::from_secs(1);

/// What happens to one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryEvent {
    /// Its turn has come.
    Start,
    /// It is not wanted, or not as it is.
    Stop,
    /// It is to end without further grace.
    Hurry,
    /// It is to read its configuration again.
    Reload,
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
    /// A process of it said something.
    Said(Said),
    /// Whether somebody accepted a connection.
    Probed(bool),
    /// The keeper did not take the process for the main one that it named.
    NotFollowed,
    /// A command that ran for it has ended; `None` when it could not even be started.
    ErrandEnded(Errand, Option<Exit>),
}

impl EntryEvent {
    /// Whether the keeper has seen it, which knows of a life what others only say.
    pub(crate) fn is_the_keepers(&self) -> bool {
        match self {
            Self::Spawned(_) | Self::SpawnFailed(_) | Self::Exited { .. } | Self::Emptied => true,
            Self::NotFollowed => true,
            Self::Start | Self::Stop | Self::Hurry | Self::Reload | Self::Due | Self::Missing => false,
            Self::Said(_) | Self::Probed(_) | Self::ErrandEnded(..) => false,
        }
    }

    /// Whether nothing can happen to a life after this.
    pub(crate) fn is_the_last(&self) -> bool {
        match self {
            Self::SpawnFailed(_) | Self::Emptied => true,
            Self::Exited { leftovers, .. } => !leftovers,
            Self::Spawned(_) | Self::Missing | Self::Said(_) | Self::Probed(_) | Self::NotFollowed => false,
            Self::Start | Self::Stop | Self::Hurry | Self::Reload | Self::Due => false,
            Self::ErrandEnded(..) => false,
        }
    }
}

/// An entry of the table with its state.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(crate) key: EntryKey,
    pub(crate) group: u32,
    pub(crate) spec: EntrySpec,
    /// It was made through the socket: no table has it.
    pub(crate) transient: bool,
    pub(crate) fate: Fate,
    pub(crate) wanted: bool,
    pub(crate) hold: Hold,
    /// It would be wanted, but what it requires failed.
    pub(crate) blocked: bool,
    /// It is to leave, and waits for those that follow it to leave first.
    pub(crate) postponed: bool,
    /// It is to leave and to come back: people want that, or what it requires leaves and comes back.
    pub(crate) renewed: bool,
    pub(crate) state: State,
    pub(crate) since: Instant,
    /// It is being stopped because of this, and started again when it is gone.
    pub(crate) again: Option<Failing>,
    pub(crate) generation: Generation,
    /// Its first life, which names what is printed in all of them.
    pub(crate) stream: Generation,
    pub(crate) pid: Option<u32>,
    pub(crate) throttle: Throttle,
    /// The restarts that count for `retry_count`.
    pub(crate) retries: Throttle,
    /// How many restarts followed each other without a life of some length.
    pub(crate) streak: u32,
    pub(crate) history: History,
    /// What is known of it from asking and hearing; nothing for most.
    pub(crate) vigil: Option<Box<Vigil>>,
    /// After a restore: the keeper has not yet confirmed this life.
    pub(crate) unverified: bool,
    /// Changed since its record was last taken.
    pub(crate) dirty: bool,
}

/// What a step wants done by commands that run for the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Run this command; with [`Errand::Failure`] because of that.
    Run(Errand, Option<Failing>),
    /// Kill it if it runs: its result is not wanted any more.
    Drop(Errand),
}

/// What one step may use and fill.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) id: EntryId,
    pub(crate) generations: &'a mut Generation,
    pub(crate) out: &'a mut Vec<Action>,
    pub(crate) wishes: &'a mut Vec<Wish>,
}

impl Entry {
    pub(crate) fn new(key: EntryKey, group: u32, spec: EntrySpec, now: Instant) -> Self {
        Self {
            key,
            group,
            spec,
            transient: false,
            fate: Fate::Keep,
            wanted: false,
            hold: Hold::Free,
            blocked: false,
            postponed: false,
            renewed: false,
            state: State::Down,
            since: now,
            again: None,
            generation: Generation::default(),
            stream: Generation::default(),
            pid: None,
            throttle: Throttle::default(),
            retries: Throttle::default(),
            streak: 0,
            history: History::default(),
            vigil: None,
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

    /// Whether it was made through the socket, and no table has it.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.transient
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

    /// The stream that it prints: the number of its first life. No other entry ever has it, not even a later one of
    /// the same name or place.
    #[must_use]
    pub fn stream(&self) -> Generation {
        self.stream
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

    /// Why it is being stopped in order to be started again, if it is.
    #[must_use]
    pub fn restarts_because(&self) -> Option<Failing> {
        self.again
    }

    /// Whether it waits for those that follow it to leave first.
    #[must_use]
    pub fn is_postponed(&self) -> bool {
        self.postponed
    }

    /// Whether it leaves, and comes back when it has left.
    #[must_use]
    pub fn is_renewed(&self) -> bool {
        self.has_to_leave() && self.wanted
    }

    /// The machine. Events of another generation do not get here.
    pub(crate) fn step(&mut self, event: EntryEvent, cx: &mut Context<'_>) {
        use EntryEvent as E;
        match (self.state, event) {
            // Coming up.
            (State::Down, E::Start) => self.spawn(cx),
            (State::Pausing { .. }, E::Due) => self.resume(cx),
            (State::Starting, E::Spawned(pid)) => self.confirm(pid, cx),
            (State::Running { .. } | State::Ready, E::Spawned(pid)) => self.note_main(pid, cx),
            (State::Starting, E::SpawnFailed(errno)) => self.lack_process(errno, cx),
            // After a restore: the order may not have been sent. Spawning is idempotent by generation.
            (State::Starting, E::Missing) => self.spawn_after_all(cx),

            // Being ready and well.
            (State::Starting, E::Said(said)) => self.hear_early(&said, cx),
            (State::Running { .. } | State::Ready, E::Said(said)) => self.hear(said, cx),
            (State::Running { .. } | State::Ready, E::Probed(accepted)) => self.probed(accepted, cx),
            (State::Running { .. } | State::Ready, E::ErrandEnded(Errand::Ready | Errand::Health, exit)) => {
                self.answered(exit.and_then(vigil::answer), cx);
            }
            (State::Running { .. } | State::Ready, E::ErrandEnded(Errand::Reload, exit)) => {
                self.reloaded(exit, cx);
            }
            (State::Running { .. } | State::Ready, E::Reload) => self.reload(cx),
            (State::Starting | State::Running { .. } | State::Ready, E::NotFollowed) => self.not_followed(cx),
            (State::Running { .. } | State::Ready, E::Due) => self.look_after(cx),

            // The main process ends by itself.
            (State::Starting | State::Running { .. } | State::Ready, E::Exited { exit, leftovers }) => {
                self.end(exit, leftovers, cx);
            }
            (State::Running { .. } | State::Ready, E::Missing) => self.end(Exit::Unknown, false, cx),
            (State::Starting | State::Running { .. } | State::Ready, E::Emptied) => {
                self.emptied_unfollowed(cx);
            }
            (State::Clearing { .. }, E::Emptied | E::Exited { leftovers: false, .. } | E::Missing) => {
                self.cleared(cx);
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
            (State::Starting | State::Running { .. } | State::Ready, E::Stop) => self.stop(None, cx),
            (State::Done { leftovers: true, .. }, E::Stop) => self.stop(None, cx),
            (State::Done { leftovers: false, .. }, E::Stop) => self.undo(cx),
            (State::Starting | State::Running { .. } | State::Ready, E::Hurry) => self.kill(cx),
            (State::Done { leftovers: true, .. }, E::Hurry) => self.kill(cx),
            (State::Clearing { .. }, E::Stop | E::Hurry) => self.kill(cx),
            (State::Stopping { .. }, E::Hurry | E::Due) => self.kill(cx),
            (State::Killing { .. }, E::Hurry | E::Due) => self.kill(cx),
            (State::Pausing { .. } | State::GivenUp { .. }, E::Stop | E::Hurry) => {
                self.enter(State::Down, cx);
            }
            (State::Done { leftovers: false, .. }, E::Hurry) => self.enter(State::Down, cx),

            // On its way down.
            (State::Stopping { .. } | State::Killing { .. }, E::Stop) => self.stay_down(cx),
            (State::Stopping { .. } | State::Killing { .. }, E::Spawned(pid)) => self.note_main(pid, cx),
            (State::Stopping { .. } | State::Killing { .. }, E::Exited { exit, leftovers }) => {
                self.ended_as_asked(exit, leftovers, cx);
            }
            (State::Stopping { .. } | State::Killing { .. }, E::Emptied | E::SpawnFailed(_) | E::Missing) => {
                self.lives_no_more(cx);
            }
            (State::Stopping { .. } | State::Killing { .. }, E::ErrandEnded(Errand::Stop, exit)) => {
                self.stop_command_ended(exit, cx);
            }
            (State::Stopping { .. }, E::Said(said)) => self.hear_while_stopping(&said, cx),

            // After a restore: the release may not have been sent.
            (
                State::Down | State::Pausing { .. } | State::GivenUp { .. },
                E::Emptied | E::SpawnFailed(_) | E::Exited { leftovers: false, .. },
            ) => self.release(cx),

            // Whatever its state, somebody was told that it failed.
            (
                State::Down | State::Starting | State::Running { .. } | State::Ready | State::Clearing { .. },
                E::ErrandEnded(Errand::Failure, _),
            ) => self.failure_told(cx),
            (
                State::Pausing { .. } | State::Stopping { .. } | State::Killing { .. },
                E::ErrandEnded(Errand::Failure, _),
            ) => self.failure_told(cx),
            (State::Done { .. } | State::GivenUp { .. }, E::ErrandEnded(Errand::Failure, _)) => {
                self.failure_told(cx);
            }

            // Asked for what is so, or told again what is known.
            (State::Down, E::Stop | E::Hurry | E::Due | E::Missing) => {}
            (State::Down, E::Spawned(_) | E::Exited { leftovers: true, .. }) => {}
            (
                State::Starting
                | State::Running { .. }
                | State::Ready
                | State::Clearing { .. }
                | State::Pausing { .. }
                | State::Stopping { .. }
                | State::Killing { .. }
                | State::Done { .. }
                | State::GivenUp { .. },
                E::Start,
            ) => {}
            (State::Starting, E::Due) => {}
            (State::Running { .. } | State::Ready, E::SpawnFailed(_)) => {}
            (
                State::Clearing { .. },
                E::Spawned(_) | E::SpawnFailed(_) | E::Exited { leftovers: true, .. },
            ) => {}
            (State::Pausing { .. } | State::GivenUp { .. }, E::Spawned(_) | E::Missing) => {}
            (State::Pausing { .. } | State::GivenUp { .. }, E::Exited { leftovers: true, .. }) => {}
            (State::GivenUp { .. }, E::Due) => {}
            (
                State::Done { .. },
                E::Spawned(_) | E::SpawnFailed(_) | E::Exited { leftovers: true, .. } | E::Due,
            ) => {}
            // Nobody is there who could be ready or well, or it does not matter any more.
            (
                State::Down
                | State::Clearing { .. }
                | State::Pausing { .. }
                | State::Killing { .. }
                | State::Done { .. }
                | State::GivenUp { .. },
                E::Said(_),
            ) => {}
            (
                State::Down
                | State::Clearing { .. }
                | State::Pausing { .. }
                | State::Stopping { .. }
                | State::Killing { .. }
                | State::Done { .. }
                | State::GivenUp { .. },
                E::Probed(_) | E::NotFollowed | E::Reload,
            ) => {}
            (State::Starting, E::Probed(_) | E::Reload) => {}
            // What it was run for is over: the command was killed for that.
            (
                State::Down
                | State::Starting
                | State::Clearing { .. }
                | State::Pausing { .. }
                | State::Done { .. }
                | State::GivenUp { .. },
                E::ErrandEnded(Errand::Ready | Errand::Health | Errand::Reload | Errand::Stop, _),
            ) => {}
            (
                State::Stopping { .. } | State::Killing { .. },
                E::ErrandEnded(Errand::Ready | Errand::Health | Errand::Reload, _),
            ) => {}
            (State::Running { .. } | State::Ready, E::ErrandEnded(Errand::Stop, _)) => {}
        }
    }

    pub(crate) fn enter(&mut self, state: State, cx: &Context<'_>) {
        if std::mem::discriminant(&self.state) != std::mem::discriminant(&state) {
            self.since = cx.now;
        }
        self.state = state;
        self.postponed &= state != State::Down;
        self.renewed &= state != State::Down;
        self.dirty = true;
    }

    fn release(&self, cx: &mut Context<'_>) {
        cx.out.push(Action::Release { entry: cx.id, generation: self.generation });
    }

    /// Whether it runs once and what it did may have to be undone.
    fn runs_once(&self) -> bool {
        matches!(self.spec.mode, Mode::Wait | Mode::Once | Mode::Test)
    }
}

//! What is seen, and what is to become, of an entry: plain data.

use serde::{Deserialize, Serialize};

use crate::care::Failing;
use crate::event::Exit;
use crate::spec::EntrySpec;
use crate::time::Instant;

/// What was last seen of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing of it runs, and nothing has run at this level.
    Down,
    /// Handed to the keeper, which has not confirmed it.
    Starting,
    /// Its main process runs. With a readiness of its own it is not ready yet.
    Running {
        /// By when it has to be ready; `None` is never, or needless.
        ready_by: Option<Instant>,
    },
    /// It has said, or shown, that it is ready.
    Ready,
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
        /// Whether processes of it may live; if not, only the end of its `stop_command` is awaited.
        lives: bool,
        /// Whether it was sent its stop signal: not while its `stop_command` sees to it.
        signalled: bool,
    },
    /// It was killed, and has not gone.
    Killing {
        /// When it is killed again.
        again_at: Instant,
        /// Whether processes of it may live; if not, only the end of its `stop_command` is awaited.
        lives: bool,
    },
    /// It ran once, as its mode says, and has ended.
    Done {
        /// What came of it.
        outcome: Outcome,
        /// Whether processes that it left behind still live.
        leftovers: bool,
    },
    /// It failed and is not started again until somebody says so.
    GivenUp {
        /// Why.
        reason: GiveUp,
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
    /// The table wants a delay before a restart.
    Delay,
}

/// Why an entry was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GiveUp {
    /// It had as many restarts as `retry_count` lets it have.
    Retries,
    /// It failed, and is not to be started again by itself.
    NoRestart,
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

/// What happened to an entry so far, for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// How often it was started again without being told.
    pub restarts: u32,
    /// How its last main process ended, and when.
    pub last_exit: Option<(Exit, Instant)>,
    /// How it failed last, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<(Failing, Instant)>,
    /// Why it was given up, and when, since it was last told to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<(GiveUp, Instant)>,
}

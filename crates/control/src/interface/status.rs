//! `Status`: how the daemon, its groups and their entries are.

use std::fmt;

pub use clinit_engine::care::Failing;
pub use clinit_engine::entry::Hold;
pub use clinit_engine::group::Phase as GroupState;
use clinit_engine::name::{GroupName, Level, Tag};
use clinit_engine::spec::Mode;
use serde::{Deserialize, Serialize};

use super::Method;

/// Asks how everything is, or some of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Only this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Only this entry and its group: its tag, or without `group` also `GROUP/TAG`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

impl Method for Status {
    const NAME: &'static str = "org.clinit.Init.Status";
    type Reply = StatusReply;
}

/// How everything is, or the part that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReply {
    /// The daemon itself.
    pub daemon: DaemonStatus,
    /// Its groups, in the order of the table.
    pub groups: Vec<GroupStatus>,
}

/// How the daemon itself is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// The process that is the parent of all others.
    pub keeper_pid: u32,
    /// The process that answers.
    pub engine_pid: u32,
    /// Its version.
    pub version: String,
    /// The path of its table.
    pub table: String,
    /// The path of its socket.
    pub socket: String,
    /// The path of its status file.
    pub clstat: String,
    /// The folder in which it keeps what entries print that say nothing of it; empty where it keeps none.
    #[serde(default)]
    pub logs: String,
    /// How long it has been up, in milliseconds; a restarted engine does not begin anew.
    pub since_ms: u64,
}

/// How a group is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// Its name.
    pub name: GroupName,
    /// The level that it has, or leaves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// The level that it was told last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Level>,
    /// Where it stands.
    pub state: GroupState,
    /// How long it has been in this state, in milliseconds.
    pub since_ms: u64,
    /// Whether it was ever told a level.
    pub told: bool,
    /// Whether no table has it: its entries were made with `Run`.
    pub transient: bool,
    /// Whether it was taken down because one of its entries was given up (`failover_mode` soft).
    pub fallen: bool,
    /// Its entries, in the order of the table.
    pub entries: Vec<EntryStatus>,
}

/// How an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryStatus {
    /// Its name.
    pub tag: Tag,
    /// How it runs.
    pub mode: Mode,
    /// The levels in which it runs, as its column names them.
    pub levels: Vec<Level>,
    /// Whether it is to run at its group's level.
    pub wanted: bool,
    /// Whether no table has it: it was made with `Run`.
    pub transient: bool,
    /// Whether somebody stopped it by hand.
    pub hold: Hold,
    /// Where it stands.
    pub state: EntryState,
    /// Whether it does not do as it should.
    pub troubled: bool,
    /// Its main process, if one runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How long it has been in this state, in milliseconds.
    pub since_ms: u64,
    /// How often it was started again without being told.
    pub restarts: u32,
    /// How its last main process ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<ExitStatus>,
    /// How long ago that was, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_exit_ms: Option<u64>,
    /// How it failed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failing>,
    /// How long ago that was, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure_ms: Option<u64>,
    /// Why it is in this state: a sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The entry, as `GROUP/TAG`, for which it waits before it starts, or which it requires in vain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// What it says of itself (STATUS= of sd_notify).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// Whether it is reading its configuration again.
    pub reloading: bool,
    /// How often in a row its health check failed; absent when it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misses: Option<u32>,
    /// ... of how often it may before it counts as unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misses_max: Option<u32>,
    /// In how many milliseconds the next step follows by itself: the end of a pause, a kill, a restart of what is
    /// not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// Its command column.
    pub command: String,
    /// What becomes of what it prints, if that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogStatus>,
}

/// What becomes of what an entry prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogStatus {
    /// The folder that holds it; without one it goes to the system's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Why it cannot be written now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Whether it is dropped meanwhile.
    pub dropping: bool,
    /// How many lines were, since the logger was started.
    pub dropped_lines: u64,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// Nothing of it runs.
    Down,
    /// Handed over, not yet confirmed.
    Starting,
    /// Its main process runs; with a readiness of its own it is not ready yet.
    Running,
    /// It has said, or shown, that it is ready.
    Ready,
    /// The main process has ended; the rest of its processes was killed and is awaited.
    Clearing,
    /// It was started too often, or the machine had no process to give, and waits.
    Pausing,
    /// It was asked to stop.
    Stopping,
    /// It did not stop in time, and was killed.
    Killing,
    /// It ran once and has ended.
    Done,
    /// It is a test and succeeded.
    Passed,
    /// It is a test and failed.
    Failed,
    /// It failed and is not started again until somebody says so.
    GivenUp,
}

impl EntryState {
    /// All states, in the order in which help lists them.
    pub const ALL: [Self; 12] = [
        Self::Down,
        Self::Starting,
        Self::Running,
        Self::Ready,
        Self::Clearing,
        Self::Pausing,
        Self::Stopping,
        Self::Killing,
        Self::Done,
        Self::Passed,
        Self::Failed,
        Self::GivenUp,
    ];

    /// The word for it, on the wire and for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Clearing => "clearing",
            Self::Pausing => "pausing",
            Self::Stopping => "stopping",
            Self::Killing => "killing",
            Self::Done => "done",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

impl fmt::Display for EntryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ExitStatus {
    /// By itself.
    Exited {
        /// Its exit status, 0 to 255.
        code: u8,
    },
    /// By a signal.
    Signalled {
        /// The signal's name without SIG, or its number.
        signal: String,
    },
    /// It never became the wanted program.
    NotExecuted {
        /// What failed, and why.
        error: String,
    },
    /// There was no process to be had.
    NotSpawned {
        /// Why.
        error: String,
    },
    /// It ended while nobody watched.
    Unknown,
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exited {code}"),
            Self::Signalled { signal } => write!(f, "killed by {signal}"),
            Self::NotExecuted { error } => write!(f, "not executed: {error}"),
            Self::NotSpawned { error } => write!(f, "not started: {error}"),
            Self::Unknown => f.write_str("ended unseen"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_the_same_on_the_wire_and_for_people() {
        for state in EntryState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        for state in GroupState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }

    #[test]
    fn an_exit_says_how_in_a_few_words() {
        assert_eq!(ExitStatus::Exited { code: 1 }.to_string(), "exited 1");
        assert_eq!(ExitStatus::Signalled { signal: "KILL".to_owned() }.to_string(), "killed by KILL");
    }
}

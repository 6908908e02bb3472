//! `Status`: how the daemon, its groups and their entries are.

use std::fmt;

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
    /// Where it stands.
    pub state: EntryState,
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
    /// Why it is in this state: a sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// In how many milliseconds the next step follows by itself: the end of a pause, a kill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// Its command column.
    pub command: String,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryState {
    /// Nothing of it runs.
    Down,
    /// Handed over, not yet confirmed.
    Starting,
    /// Its main process runs.
    Running,
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
}

impl EntryState {
    /// All states, in the order in which help lists them.
    pub const ALL: [Self; 10] = [
        Self::Down,
        Self::Starting,
        Self::Running,
        Self::Clearing,
        Self::Pausing,
        Self::Stopping,
        Self::Killing,
        Self::Done,
        Self::Passed,
        Self::Failed,
    ];

    /// The word for it, on the wire and for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Clearing => "clearing",
            Self::Pausing => "pausing",
            Self::Stopping => "stopping",
            Self::Killing => "killing",
            Self::Done => "done",
            Self::Passed => "passed",
            Self::Failed => "failed",
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

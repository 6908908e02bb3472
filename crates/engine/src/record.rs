//! What must outlive the process that runs the engine.
//!
//! A [`Node`](crate::Node) hands out a record for everything that a step changed, before the actions of
//! that step are done. Whoever replays the records in order has, for each entry and group, the last one.

use serde::{Deserialize, Serialize};

use crate::care::{Errand, Failing};
use crate::entry::{History, Hold, State, Vigil};
use crate::event::{EntryId, Generation};
use crate::group::Phase;
use crate::name::{EntryKey, GroupName, Level};
use crate::spec::{Command, EntrySpec, StopPolicy};
use crate::task::TaskState;
use crate::throttle::Throttle;
use crate::time::Instant;

/// One change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// An entry as it is now.
    Entry(Box<EntryRecord>),
    /// A command that runs for an entry, as it is now.
    Task(Box<TaskRecord>),
    /// An entry or a task is gone; its id may be used again.
    EntryForgotten(EntryId),
    /// The entry that printed this stream is gone, and all commands that ran for it.
    StreamEnded(Generation),
    /// A group as it is now.
    Group(GroupRecord),
    /// A group is gone.
    GroupForgotten(GroupName),
    /// Lives up to this one were given; told when no entry's record says so any more.
    Generation(Generation),
    /// Everything ends.
    Halting,
}

/// An entry's state without what the table says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRecord {
    /// Its place.
    pub id: EntryId,
    /// Its name.
    pub key: EntryKey,
    /// What becomes of it when nothing of it runs.
    pub fate: FateRecord,
    /// Whether somebody stopped it by hand.
    #[serde(default)]
    pub hold: Hold,
    /// What was last seen.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// Its latest life.
    pub generation: Generation,
    /// Its first life.
    pub stream: Generation,
    /// Its main process.
    pub pid: Option<u32>,
    /// The starts that still count.
    pub throttle: Throttle,
    /// What happened to it.
    pub history: History,
    /// How its process is to be stopped, should the table that holds not be read as it was.
    pub stop: StopPolicy,
    /// It goes down in order to come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Failing>,
    /// It leaves because it is to come back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renewed: bool,
    /// The restarts that still count.
    #[serde(default, skip_serializing_if = "Throttle::is_empty")]
    pub retries: Throttle,
    /// How many restarts followed each other.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub streak: u32,
    /// What is known of it from asking and hearing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vigil: Option<Vigil>,
    /// It was made through the socket: no table has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transient: bool,
    /// What it is, where the table says something else or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<EntrySpec>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A task's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Its place.
    pub id: EntryId,
    /// The entry that it runs for.
    pub owner: EntryKey,
    /// Whether that waits for its result.
    pub is_awaited: bool,
    /// What it is run for.
    pub errand: Errand,
    /// What is run.
    pub command: Command,
    /// How the entry failed, where that is what it is run for.
    pub failing: Option<Failing>,
    /// What was last seen.
    pub state: TaskState,
    /// Its life.
    pub generation: Generation,
    /// The stream into which it prints: its owner's.
    pub stream: Generation,
    /// Its main process.
    pub pid: Option<u32>,
    /// When it is killed.
    pub kill_at: Option<Instant>,
}

/// [`Fate`](crate::entry::Fate) without the table's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FateRecord {
    /// It stays.
    Keep,
    /// The table has another content for it.
    Replace,
    /// The table has it no longer.
    Forget,
}

/// A group's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// Its name.
    pub name: GroupName,
    /// The level that it has.
    pub level: Option<Level>,
    /// The level that it was told.
    pub target: Option<Level>,
    /// Where it stands.
    pub phase: Phase,
    /// Since when.
    pub since: Instant,
    /// Whether the table has it no longer.
    pub forget: bool,
    /// Whether it was taken down because one of its entries was given up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fallen: bool,
}

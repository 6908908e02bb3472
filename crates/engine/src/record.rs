//! What must outlive the process that runs the engine.
//!
//! A [`Node`](crate::Node) hands out a record for everything that a step changed, before the actions of
//! that step are done. Whoever replays the records in order has, for each entry and group, the last one.

use serde::{Deserialize, Serialize};

use crate::entry::{History, Hold, State};
use crate::event::{EntryId, Generation};
use crate::group::Phase;
use crate::name::{EntryKey, GroupName, Level};
use crate::spec::StopPolicy;
use crate::throttle::Throttle;
use crate::time::Instant;

/// One change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// An entry as it is now.
    Entry(Box<EntryRecord>),
    /// An entry is gone; its id may be used again.
    EntryForgotten(EntryId),
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
    /// Its main process.
    pub pid: Option<u32>,
    /// The starts that still count.
    pub throttle: Throttle,
    /// What happened to it.
    pub history: History,
    /// How its process is to be stopped: the table may say so no longer.
    pub stop: StopPolicy,
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
}

//! `Run`: an entry that no table has.

use clinit_engine::name::{GroupName, Tag};
use serde::{Deserialize, Serialize};

use super::{EntryState, ExitStatus, Method};

/// Makes an entry that no table has, and starts it. It is gone when it has ended well, or is stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The group that it is to be in; without one `run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its name; without one, the last part of the program's path, with a number if that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// How it runs: `once` (which is also meant by none), `respawn` or `test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Properties of the table, each as `NAME=VALUE`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<String>,
    /// The program, found by PATH, and its arguments: executed as they are, by no shell.
    pub command: Vec<String>,
    /// With `more`: whether the second reply waits for its end, and not only for its start.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub until_ended: bool,
}

impl Method for Run {
    const NAME: &'static str = "org.clinit.Init.Run";
    type Reply = RunReply;
}

/// The entry that [`Run`] made.
///
/// With `more`, a second one comes when it runs (and is ready, if it has a readiness), or cannot, or has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReply {
    /// Its group.
    pub group: GroupName,
    /// Its name.
    pub tag: Tag,
    /// Where it stands; absent when it is gone, as it is when it has ended well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<EntryState>,
    /// Its main process, if one runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How its main process ended last, if one has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitStatus>,
    /// Why it is in this state: a sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

//! The methods of `org.clinit.Init` that look ahead and along: `Plan` and `Events`.

use clinit_engine::name::{GroupName, Tag};
use serde::{Deserialize, Serialize};

use super::{ExitStatus, Fault, Method};

/// Asks what a table would change if it were read now. Changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The table's path, absolute; without one the daemon's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

impl Method for Plan {
    const NAME: &'static str = "org.clinit.Init.Plan";
    type Reply = PlanReply;
}

/// What a table would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanReply {
    /// A line for each entry that would not stay as it is, in the order of the table.
    pub lines: Vec<PlanLine>,
    /// Why the table would be refused, if it would; then nothing would change.
    pub faults: Vec<Fault>,
    /// What is doubtful in it, and refuses nothing.
    pub warnings: Vec<Fault>,
}

/// What would become of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    /// Its group.
    pub group: GroupName,
    /// Its name.
    pub tag: Tag,
    /// What would become of it.
    pub step: PlanStep,
    /// Why: a sentence for people.
    pub why: String,
}

/// What would become of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanStep {
    /// It would be started.
    Start,
    /// It would be stopped.
    Stop,
    /// It would be stopped and started.
    Restart,
    /// It would be treated differently; what runs is not touched.
    Change,
    /// It would be known, and not run.
    Add,
    /// It would be known no longer.
    Forget,
}

impl PlanStep {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Change => "change",
            Self::Add => "add",
            Self::Forget => "forget",
        }
    }
}

/// Asks what happened. To be called with `more`: each event is a reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Events {
    /// Go on with what happens from now on; otherwise the last that is remembered is the last reply.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub follow: bool,
}

impl Method for Events {
    const NAME: &'static str = "org.clinit.Init.Events";
    type Reply = EventsReply;
}

/// Something that happened, or nothing in the last reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsReply {
    /// What happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
}

/// Something that happened to a group or an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in milliseconds since 1970 by the wall clock.
    pub time_ms: u64,
    /// The group.
    pub group: GroupName,
    /// The entry, unless it happened to the group as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// What: `group` for a group's new state, `fallen` when it was taken down for an entry, `gone`; of an entry
    /// `started`, `ready`, `ended`, `stopping`, `killing`, `not_spawned`, `missed`, `failed`, `recovered`, `given_up`,
    /// `reloaded`, and `command` for the end of a command that ran for it.
    pub kind: String,
    /// How the main process ended: with `ended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitStatus>,
    /// The same as a sentence for people.
    pub text: String,
}

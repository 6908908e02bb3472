//! The methods of `org.clinit.Init` that change something: `Tell`, `Reread`, `Shutdown`.

use std::fmt;

use clinit_engine::name::{GroupName, Level};
use serde::{Deserialize, Serialize};

use super::{GroupState, Method, OrderedEntry};

/// Rereads the table, then gives a group a level.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tell {
    /// The group, as the caller wrote it: what is no name at all is no group of the table either.
    pub group: String,
    /// The level, as the caller wrote it.
    pub level: String,
    /// Refuse a level that no entry of the group has, instead of stopping them all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

impl Method for Tell {
    const NAME: &'static str = "org.clinit.Init.Tell";
    type Reply = TellReply;
}

/// What [`Tell`] did.
///
/// With `more`, a second one comes when the transition has ended: it repeats the first, and adds `outcome`
/// and `state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TellReply {
    /// [`Self::STARTED`], and a line for each of `faults`.
    pub reply: String,
    /// The group.
    pub group: GroupName,
    /// The level that it was told.
    pub level: Level,
    /// What is doubtful about the level: no entry of the group has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Why the table was refused; then the old one was acted on.
    pub faults: Vec<Fault>,
    /// How the transition ended. Only in the second reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Where the group stands then, unless it is gone. Only in the second reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<GroupState>,
    /// Entries that do not do as they should then: tests that failed, what could not be executed or was
    /// started too often. Only in the second reply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubled: Vec<OrderedEntry>,
}

impl TellReply {
    /// The words of Cluster::Init for a level that was accepted.
    pub const STARTED: &'static str = "level transition started";

    /// The first reply to a `Tell` that was obeyed.
    #[must_use]
    pub fn started(group: GroupName, level: Level, warning: Option<String>, faults: Vec<Fault>) -> Self {
        let mut reply = Self::STARTED.to_owned();
        for fault in &faults {
            reply.push('\n');
            reply.push_str(&fault.to_string());
        }
        Self { reply, group, level, warning, faults, outcome: None, state: None, troubled: Vec::new() }
    }

    /// The second reply.
    #[must_use]
    pub fn ended(self, outcome: Outcome, state: Option<GroupState>, troubled: Vec<OrderedEntry>) -> Self {
        Self { outcome: Some(outcome), state, troubled, ..self }
    }
}

/// How a told transition ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The group has the level.
    Settled,
    /// The group was told another level meanwhile, or the daemon shuts down.
    Superseded,
    /// The table has the group no longer.
    Gone,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 3] = [Self::Settled, Self::Superseded, Self::Gone];
}

/// Rereads the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Reread {}

impl Method for Reread {
    const NAME: &'static str = "org.clinit.Init.Reread";
    type Reply = RereadReply;
}

/// What [`Reread`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RereadReply {
    /// The table differs from the one that held before, and holds now.
    pub changed: bool,
    /// Why the table was refused, if it was; the old one holds then.
    pub faults: Vec<Fault>,
    /// What is doubtful in it, and refuses nothing.
    pub warnings: Vec<Fault>,
}

/// Something wrong or doubtful in a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The file.
    pub source: String,
    /// The line, from 1; 0 is the file as a whole.
    pub line: u32,
    /// The column, in characters from 1; 0 is the line as a whole.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is wrong with the whole of it may name it already.
        if self.line > 0 || !self.message.contains(&self.source) {
            f.write_str(&self.source)?;
            for place in [self.line, self.column].iter().take_while(|place| **place > 0) {
                write!(f, ":{place}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

/// Stops all groups, then ends the daemon.
///
/// With `more` its one reply is marked as continued, and nothing follows: the end of the connection is the
/// sign that the daemon is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Shutdown {
    /// Kill at once what otherwise has its stop timeout.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub now: bool,
}

impl Method for Shutdown {
    const NAME: &'static str = "org.clinit.Init.Shutdown";
    type Reply = ShutdownReply;
}

/// That [`Shutdown`] has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShutdownReply {
    /// [`Self::HALTING`].
    pub reply: String,
}

impl ShutdownReply {
    /// The words of Cluster::Init for a shutdown that was accepted.
    pub const HALTING: &'static str = "all groups halting";
}

impl Default for ShutdownReply {
    fn default() -> Self {
        Self { reply: Self::HALTING.to_owned() }
    }
}

/// Replaces the program of the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reexec {
    /// The new one, absolute; else the file at the path that the daemon was started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// How long it may take to show that it can go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl Method for Reexec {
    const NAME: &'static str = "org.clinit.Init.Reexec";
    type Reply = ReexecReply;
}

/// That the new program can go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReexecReply {
    /// The version of the new program.
    pub version: String,
    /// The keeper, which stays.
    pub keeper_pid: u32,
    /// The engine that ends.
    pub engine_pid: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: u32, column: u32, hint: Option<&str>) -> Fault {
        let (source, message) = ("/etc/cltab".to_owned(), "mode is unknown".to_owned());
        Fault { source, line, column, message, hint: hint.map(str::to_owned) }
    }

    #[test]
    fn a_fault_names_its_place_as_compilers_do() {
        let hint = Some("did you mean respawn?");
        let text = "/etc/cltab:3:12: mode is unknown (did you mean respawn?)";
        assert_eq!(fault(3, 12, hint).to_string(), text);
        assert_eq!(fault(3, 0, None).to_string(), "/etc/cltab:3: mode is unknown");
        assert_eq!(fault(0, 0, None).to_string(), "/etc/cltab: mode is unknown");
    }

    #[test]
    fn the_reply_of_tell_names_the_faults_on_lines_of_their_own() {
        let (group, level) = (GroupName::new("web").unwrap(), Level::new("run").unwrap());
        let first = TellReply::started(group, level, None, vec![fault(3, 12, None), fault(4, 1, None)]);
        let lines: Vec<_> = first.reply.lines().collect();
        assert_eq!(lines[0], TellReply::STARTED);
        assert_eq!(lines[1..], ["/etc/cltab:3:12: mode is unknown", "/etc/cltab:4:1: mode is unknown"]);
        let second = first.clone().ended(Outcome::Settled, Some(GroupState::Done), Vec::new());
        assert_eq!(second.reply, first.reply);
        assert_eq!(second.outcome, Some(Outcome::Settled));
    }
}

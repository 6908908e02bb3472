//! The methods of `org.clinit.Init` that concern single entries: `Start`, `Stop`, `Restart`, `Reload`, `Reset` and
//! `Signal`. All name their entries alike, and have one kind of reply.

use clinit_engine::name::{GroupName, Tag};
use serde::{Deserialize, Serialize};

use super::{EntryState, Method, Outcome};

macro_rules! order {
    ($(#[$doc:meta])* $type:ident, $name:literal $(, $(#[$attribute:meta])* $field:ident: $field_type:ty)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
        pub struct $type {
            /// All entries of this group, or the one of `tag` in it.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub group: Option<String>,
            /// Only this entry: its tag, or without `group` also `GROUP/TAG`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub tag: Option<String>,
            $($(#[$attribute])* pub $field: $field_type,)?
        }

        impl Method for $type {
            const NAME: &'static str = concat!("org.clinit.Init.", $name);
            type Reply = OrderReply;
        }
    };
}

order!(
    /// Starts what does not run and belongs to its group's level: what was stopped by hand, pauses, or ran
    /// once.
    Start, "Start"
);
order!(
    /// Stops entries. They stay down over rereads and restarts of the daemon until they are started or reset.
    Stop, "Stop",
    /// Only until their group is told a level again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    now_only: bool
);
order!(
    /// Stops what runs, then starts it.
    Restart, "Restart"
);
order!(
    /// Has entries read their configuration again, by the command or the signal that the table names.
    ///
    /// With `more`, the second reply comes when each command has ended, each signal was sent, and each entry that
    /// said that it reads its configuration has said that it is ready again.
    Reload, "Reload"
);
order!(
    /// Forgets that entries were stopped by hand or started too often, and starts those that their group
    /// wants.
    Reset, "Reset"
);
order!(
    /// Sends a signal to the main process of entries.
    Signal, "Signal",
    /// Its name, with or without SIG, or its number.
    signal: String
);

/// What an order concerns.
///
/// With `more`, a second one comes when the entries' groups have settled: it repeats the first with the
/// states as they are then, and adds `outcome`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReply {
    /// The entries, in the order of the table.
    pub entries: Vec<OrderedEntry>,
    /// How it ended. Only in the second reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// An entry that was ordered something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedEntry {
    /// Its group.
    pub group: GroupName,
    /// Its name.
    pub tag: Tag,
    /// Where it stands.
    pub state: EntryState,
    /// Its main process, if one runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Whether it does not do as it should: its test failed, it could not be executed, is not ready, was given up,
    /// or what it requires is not there; or, of a reload, that this came to nothing.
    pub troubled: bool,
    /// Why it was, or is, not done, or why it is in this state: a sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

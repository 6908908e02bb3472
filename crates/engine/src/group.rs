//! One group: its level, and where it stands on the way to the level it was told.
//!
//! ```text
//!              Told, TableAccepted
//!  Configured ─────────┐
//!                      v                 nothing leaves
//!   Done ──────> Stopping / Dumping ───────────────────> Starting ──> Checking ──> Done
//!   Passed  (something has to leave first:                  │  ^   all confirmed     Passed
//!   Failed   Stopping for the level's sake,                 └──┘                     Failed
//!            Dumping only for the table's)            each in file
//!                      ^                              order
//!                      └──── a newer Told, from any state ────
//!
//!  any ── ShutdownRequested ──> Halting ── all gone ──> Configured
//! ```
//!
//! The states are those of Cluster::Init's status file. How a group moves between them is in
//! [`node`](crate::node): it needs the entries.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::EntryId;
use crate::name::{GroupName, Level};
use crate::node::Graph;
use crate::time::Instant;

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Phase {
    /// It was never told a level, or was halted.
    Configured,
    /// Entries that the new level does not have are being stopped.
    Stopping,
    /// Entries that the table changed or dropped are being stopped.
    Dumping,
    /// Its entries are being started in order; the keeper has not confirmed them all.
    Starting,
    /// All were started, and their results are being looked at: passed through at once.
    Checking,
    /// It has its level.
    Done,
    /// It has its level, all its entries are tests, and all succeeded.
    Passed,
    /// It has its level, and a test failed.
    Failed,
    /// It is being stopped because the daemon shuts down.
    Halting,
}

impl Phase {
    /// All phases.
    pub const ALL: [Self; 9] = [
        Self::Configured,
        Self::Starting,
        Self::Checking,
        Self::Done,
        Self::Passed,
        Self::Failed,
        Self::Stopping,
        Self::Dumping,
        Self::Halting,
    ];

    /// The word in the status file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "CONFIGURED",
            Self::Stopping => "STOPPING",
            Self::Dumping => "DUMPING",
            Self::Starting => "STARTING",
            Self::Checking => "CHECKING",
            Self::Done => "DONE",
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Halting => "HALTING",
        }
    }

    /// Whether the group has the level it was told.
    #[must_use]
    pub fn is_settled(self) -> bool {
        match self {
            Self::Done | Self::Passed | Self::Failed => true,
            Self::Configured | Self::Stopping | Self::Dumping => false,
            Self::Starting | Self::Checking | Self::Halting => false,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A group of the table with its state.
#[derive(Debug, Clone)]
pub struct Group {
    pub(crate) name: GroupName,
    pub(crate) initdefault: Option<Level>,
    pub(crate) level: Option<Level>,
    pub(crate) target: Option<Level>,
    pub(crate) phase: Phase,
    pub(crate) since: Instant,
    /// In file order; entries that the table has no longer come last.
    pub(crate) members: Vec<EntryId>,
    /// How many members are on their way down.
    pub(crate) leaving: u32,
    /// Of how many members it is to be seen what comes of them.
    pub(crate) unconfirmed: u32,
    /// In `Starting`: the place in `members` to go on from, and whom it waits for.
    pub(crate) next: usize,
    pub(crate) waiting_on: Option<EntryId>,
    /// Who follows whom, where anybody follows anybody; it may be out of date.
    pub(crate) graph: Option<Box<Graph>>,
    pub(crate) is_graph_stale: bool,
    /// Whether an entry has come to fail, or ceased to, since the state of the group was last found out.
    pub(crate) is_doubtful: bool,
    /// One of its entries was given up, and it was taken down for that.
    pub(crate) fallen: bool,
    /// The table has it no longer.
    pub(crate) forget: bool,
    /// No table has it: its entries were made through the socket.
    pub(crate) transient: bool,
    pub(crate) dirty: bool,
}

impl Group {
    pub(crate) fn new(name: GroupName, now: Instant) -> Self {
        Self {
            name,
            initdefault: None,
            level: None,
            target: None,
            phase: Phase::Configured,
            since: now,
            members: Vec::new(),
            leaving: 0,
            unconfirmed: 0,
            next: 0,
            waiting_on: None,
            graph: None,
            is_graph_stale: true,
            is_doubtful: true,
            fallen: false,
            forget: false,
            transient: false,
            dirty: true,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &GroupName {
        &self.name
    }

    /// The level that it has, or is leaving.
    #[must_use]
    pub fn level(&self) -> Option<&Level> {
        self.level.as_ref()
    }

    /// The level that it was told last.
    #[must_use]
    pub fn target(&self) -> Option<&Level> {
        self.target.as_ref()
    }

    /// The level that it takes at start.
    #[must_use]
    pub fn initdefault(&self) -> Option<&Level> {
        self.initdefault.as_ref()
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Since when it stands there.
    #[must_use]
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Whether no table has it: its entries were made through the socket.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.transient
    }

    /// Whether it was taken down because one of its entries was given up (`failover_mode` soft).
    #[must_use]
    pub fn has_fallen(&self) -> bool {
        self.fallen
    }

    /// Its entries in file order.
    #[must_use]
    pub fn members(&self) -> &[EntryId] {
        &self.members
    }
}

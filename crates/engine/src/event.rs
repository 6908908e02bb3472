//! What goes into a [`Node`](crate::Node) and what comes out of it.
//!
//! Events are past participles, actions imperatives. A [`Notice`] is an action of the mildest kind: it
//! tells people what changed.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::care::{Errand, Failing};
use crate::entry::{GiveUp, Hold};
use crate::group::Phase;
use crate::name::{GroupName, Level};
use crate::spec::{EntrySpec, KillScope, Table};
use crate::surroundings::Resource;
use crate::time::Instant;

/// The place of an entry in its node, dense from 0. The keeper knows the entry's processes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub u32);

/// The number of one life of an entry: grows over all entries of a node and is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this status.
    Code(u8),
    /// A signal ended it, by number.
    Signal(u8),
    /// It never became the wanted program.
    NotExecuted(ExecFault),
    /// It ended, and nobody can tell how.
    Unknown,
}

impl Exit {
    /// Whether it exited with status 0.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

/// Why a child could not become the wanted program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecFault {
    /// What it was doing.
    pub stage: ExecStage,
    /// The error's number (`errno`).
    pub errno: i32,
}

/// The steps before exec that can fail: those of the child, and what has to be known before there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecStage {
    /// Opening or placing its standard input, output and error.
    Output,
    /// Executing the command.
    Exec,
    /// Executing the interpreter that the script's first line names.
    Interpreter,
    /// Finding the user that it is to run as: `ENOENT` when there is none.
    UserLookup,
    /// Finding the Unix group that it is to run as: `ENOENT` when there is none.
    GroupLookup,
    /// Reading the file of its variables.
    EnvironmentFile,
    /// Making sense of a line of that file, by number.
    EnvironmentLine(u32),
    /// Setting how likely it is killed when memory runs out.
    OomScoreAdj,
    /// Setting a limit.
    Limit(Resource),
    /// Setting its niceness.
    Nice,
    /// Taking on the supplementary groups of its user.
    Groups,
    /// Taking on its Unix group.
    Group,
    /// Giving up all but its capabilities.
    Capabilities,
    /// Becoming its user.
    User,
    /// Giving up new privileges.
    NoNewPrivs,
    /// Entering its folder.
    Directory,
    /// Opening one of its sockets, by its place among them.
    Listen(u32),
    /// Giving it a descriptor for its readiness under a number that one of its sockets has.
    Readiness,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A table without faults was read; it holds from now on.
    TableAccepted(Table),
    /// A level was told to a group.
    Told {
        /// The group. An unknown one is ignored (callers ask [`Node::has_group`](crate::Node::has_group) first).
        group: GroupName,
        /// The level.
        level: Level,
    },
    /// An entry was made through the socket. Its name must be free and its mode not `off` (callers look first).
    Added {
        /// The group that it is to be in.
        group: GroupName,
        /// What it is.
        spec: Box<EntrySpec>,
    },
    /// Somebody asked something of single entries.
    Ordered {
        /// Which.
        entries: Vec<EntryId>,
        /// What.
        order: Order,
    },
    /// Everything is to end.
    ShutdownRequested,
    /// Everything is to end without further grace.
    HurryRequested,
    /// A process is there.
    Spawned {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
        /// Its id.
        pid: u32,
    },
    /// No process could be made: the machine lacks something.
    SpawnFailed {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
        /// The error's number (`errno`).
        errno: i32,
    },
    /// The main process has ended.
    Exited {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
        /// How.
        exit: Exit,
        /// Whether others of its kill scope still live; [`Event::Emptied`] follows when they are gone.
        leftovers: bool,
    },
    /// The last process of the kill scope has ended, after the main process.
    Emptied {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
    },
    /// A process of an entry said something of it (sd_notify(3), or a line at its descriptor for readiness). Who
    /// said it has been checked. To be told before an [`Event::Exited`] that came later.
    Notified {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
        /// What.
        said: Said,
    },
    /// What came of an [`Action::Probe`].
    Probed {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
        /// Whether somebody accepted the connection.
        accepted: bool,
    },
    /// The keeper could not do what [`Action::Follow`] asks.
    NotFollowed {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
    },
    /// After a restore: the keeper has told of everything that it holds, having done what reached it before.
    InventoryTaken,
    /// Nothing but time passed.
    TimePassed,
}

/// What a process says of its entry, in the words of sd_notify(3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// READY=1: it is ready, or has read its configuration again.
    Ready,
    /// RELOADING=1: it reads its configuration.
    Reloading,
    /// STOPPING=1: it is about to end by itself.
    Stopping,
    /// WATCHDOG=1: it is well.
    Well,
    /// WATCHDOG=trigger: it is not.
    Unwell,
    /// MAINPID=: this is its main process from now on.
    MainPid(u32),
    /// EXTEND_TIMEOUT_USEC=: what it does takes so much longer, from now.
    Extend(Duration),
    /// STATUS=: how it is, for people.
    Status(Box<str>),
}

/// What people ask of single entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Start what does not run and belongs to its group's level, whatever kept it down.
    Start,
    /// Stop, and stay down as `hold` says.
    Stop {
        /// For how long; [`Hold::Free`] makes no sense and is taken as [`Hold::UntilTold`].
        hold: Hold,
    },
    /// Stop what runs, then start.
    Restart,
    /// Forget that it was stopped by hand or started too often; start it if its group wants it.
    Reset,
    /// Send a signal to the main process.
    Signal(u8),
    /// Have it read its configuration again, as the table says how.
    Reload,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a process. Done twice for one generation, it starts one.
    Spawn {
        /// Whose; its program stands in [`Node::entry`](crate::Node::entry).
        entry: EntryId,
        /// Which life.
        generation: Generation,
        /// Whether the rest of the kill scope is killed when the main process ends by itself.
        kill_rest: bool,
    },
    /// Ask a process to stop: this signal, then CONT. Done twice for one generation, it asks once.
    Stop {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
        /// The signal's number.
        signal: u8,
        /// Whom it reaches, and with whom this life ends from now on.
        scope: KillScope,
    },
    /// Try to connect to `address`, and say at once by [`Event::Probed`] what came of it.
    Probe {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
        /// Where.
        address: SocketAddr,
    },
    /// Take this process for the main one from now on, if it is one of the entry's; else say
    /// [`Event::NotFollowed`]. Done, it is answered by [`Event::Spawned`].
    Follow {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
        /// Its id.
        pid: u32,
    },
    /// Send a signal to the main process, and nothing else.
    Signal {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
        /// The signal's number.
        signal: u8,
    },
    /// Kill it.
    Kill {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
        /// Whom it reaches, and with whom this life ends from now on.
        scope: KillScope,
    },
    /// Forget this life: it has ended and no other follows at once. May be given again for one that is
    /// forgotten.
    Release {
        /// Whose.
        entry: EntryId,
        /// Which life.
        generation: Generation,
    },
    /// Tell people.
    Notice(Notice),
    /// All entries have ended after a shutdown: leave.
    Leave,
}

/// What people may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A group changed its state or level.
    GroupChanged {
        /// Its name.
        group: GroupName,
        /// The level that it has, or leaves.
        level: Option<Level>,
        /// The level that it goes to.
        target: Option<Level>,
        /// Its state.
        phase: Phase,
    },
    /// A group is gone: the table has it no longer and all its entries have ended.
    GroupForgotten {
        /// Its name.
        group: GroupName,
    },
    /// An entry runs.
    Started {
        /// Which.
        entry: EntryId,
        /// Its process.
        pid: u32,
    },
    /// An entry's main process ended.
    Ended {
        /// Which.
        entry: EntryId,
        /// How.
        exit: Exit,
        /// What follows.
        next: Next,
    },
    /// No process could be made.
    NotSpawned {
        /// Which.
        entry: EntryId,
        /// The error's number (`errno`).
        errno: i32,
        /// When it is tried again, unless it is no longer wanted.
        retry: Option<Instant>,
    },
    /// An entry is ready.
    Ready {
        /// Which.
        entry: EntryId,
    },
    /// An entry's health check failed.
    Missed {
        /// Which.
        entry: EntryId,
        /// What was asked.
        errand: Errand,
        /// How often in a row.
        misses: u32,
        /// At how many it is unhealthy.
        threshold: u32,
    },
    /// An entry is not as it should be, although its process runs.
    Failed {
        /// Which.
        entry: EntryId,
        /// How.
        failing: Failing,
    },
    /// An entry that was let be although it was not well is well again.
    Recovered {
        /// Which.
        entry: EntryId,
    },
    /// An entry has read its configuration again, by its own word.
    Reloaded {
        /// Which.
        entry: EntryId,
    },
    /// A command that was run for an entry has ended.
    ErrandEnded {
        /// Which entry.
        entry: EntryId,
        /// What it was run for.
        errand: Errand,
        /// How; `None` when it could not be started.
        exit: Option<Exit>,
    },
    /// An entry failed, and is not started again until somebody says so.
    GivenUp {
        /// Which.
        entry: EntryId,
        /// Why.
        reason: GiveUp,
    },
    /// A group is taken down because one of its entries was given up.
    Fallen {
        /// Its name.
        group: GroupName,
        /// That entry.
        entry: EntryId,
    },
    /// An entry is asked to stop.
    Stopping {
        /// Which.
        entry: EntryId,
    },
    /// An entry did not stop in time and is killed.
    Killing {
        /// Which.
        entry: EntryId,
    },
}

/// What follows the end of a main process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It was asked to stop, and stays down.
    Down,
    /// It ran once and has done so.
    Done,
    /// It is started again at once.
    Respawn,
    /// It is started again when the rest of its kill scope is gone.
    Clear,
    /// It was started too often, or is to wait: it is started again at this time.
    Pause(Instant),
    /// It is not started again by itself.
    GivenUp,
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

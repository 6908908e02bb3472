//! What a process is started in: who it is, where it is, what it sees, how much it may use.
//!
//! Plain data, as the table says it. Names are names still: which numbers they stand for on this machine is
//! found out by whoever starts the process. What is not given is the daemon's own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything that is given; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// The user that it runs as, by name or number (property `run_user`).
    pub user: Option<Box<str>>,
    /// The Unix group that it runs as, by name or number (property `run_group`); without one the user's.
    pub group: Option<Box<str>>,
    /// The folder that it starts in (property `directory`).
    pub directory: Option<Box<str>>,
    /// The permission bits that its files do not get (property `umask`).
    pub umask: Option<u16>,
    /// Variables by name (property `environment`); one without a value is taken out of the environment.
    pub environment: BTreeMap<Box<str>, Option<Box<str>>>,
    /// A file of further variables (property `environment_file`).
    pub environment_file: Option<EnvironmentFile>,
    /// What it may use (properties `limit_*`).
    pub limits: BTreeMap<Resource, Limit>,
    /// How much it leaves to others (property `nice`).
    pub nice: Option<i16>,
    /// How likely it is killed when memory runs out (property `oom_score_adj`).
    pub oom_score_adj: Option<i16>,
    /// Whether no program that it executes can give it more than it has (property `no_new_privs`).
    pub no_new_privs: bool,
    /// The capabilities that it and its descendants keep; `None` is all (property `capabilities`).
    pub capabilities: Option<Capabilities>,
    /// What its cgroup may use.
    pub maxima: Maxima,
}

/// A file of variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentFile {
    /// Where it is.
    pub path: Box<str>,
    /// Whether it may be missing.
    pub is_optional: bool,
}

/// A set of capabilities: the bit of each is its number (capabilities(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities(pub u64);

/// What a cgroup may use; `None` is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maxima {
    /// Bytes of memory (property `memory_max`).
    pub memory_bytes: Option<u64>,
    /// Hundredths of one processor's time (property `cpu_max`).
    pub cpu_percent: Option<u32>,
    /// Processes and threads (property `pids_max`).
    pub pids: Option<u32>,
}

impl Maxima {
    /// Whether anything is bounded.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// A limit of a process (getrlimit(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// What holds, and what it may raise up to `hard`.
    pub soft: u64,
    /// What it cannot exceed.
    pub hard: u64,
}

impl Limit {
    /// No limit (`RLIM_INFINITY`).
    pub const INFINITY: u64 = u64::MAX;
}

/// What a process has limits of (getrlimit(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Open files.
    Nofile,
    /// Processes of its user.
    Nproc,
    /// Bytes of a core file.
    Core,
    /// Bytes of address space.
    As,
    /// Bytes of data.
    Data,
    /// Bytes of stack.
    Stack,
    /// Seconds of processor time.
    Cpu,
    /// Bytes of a file.
    Fsize,
    /// Bytes of locked memory.
    Memlock,
    /// Bytes of resident memory; Linux does not enforce it.
    Rss,
    /// Signals that wait.
    Sigpending,
    /// Bytes in message queues.
    Msgqueue,
    /// 20 minus the lowest niceness it may take.
    Nice,
    /// Real-time priority.
    Rtprio,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Nofile,
        Self::Nproc,
        Self::Core,
        Self::As,
        Self::Data,
        Self::Stack,
        Self::Cpu,
        Self::Fsize,
        Self::Memlock,
        Self::Rss,
        Self::Sigpending,
        Self::Msgqueue,
        Self::Nice,
        Self::Rtprio,
    ];

    /// The word in the name of its property, behind `limit_`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nofile => "nofile",
            Self::Nproc => "nproc",
            Self::Core => "core",
            Self::As => "as",
            Self::Data => "data",
            Self::Stack => "stack",
            Self::Cpu => "cpu",
            Self::Fsize => "fsize",
            Self::Memlock => "memlock",
            Self::Rss => "rss",
            Self::Sigpending => "sigpending",
            Self::Msgqueue => "msgqueue",
            Self::Nice => "nice",
            Self::Rtprio => "rtprio",
        }
    }
}

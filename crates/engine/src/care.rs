//! What the table says of an entry beyond its command: when it is ready, what it follows, how its health is
//! looked after, what becomes of it when it fails. Plain data, and nothing by default.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::Exit;
use crate::name::Tag;
use crate::spec::Command;

/// How an entry says that it is ready (property `readiness`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// Not at all: it counts as ready when it was started.
    #[default]
    Started,
    /// It writes a line to this descriptor (s6's notification-fd).
    Fd(u16),
    /// It sends READY=1 (sd_notify(3)).
    Notify,
    /// It is asked until it answers well.
    Check(Check),
}

/// A question that is asked of an entry from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// This command exits with status 0.
    Exec(Command),
    /// Somebody accepts a connection there.
    Tcp(SocketAddr),
}

/// A socket that an entry is given (property `listen`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listen {
    /// Where it listens.
    pub address: ListenAddress,
    /// The permission bits of a socket in the file system (property `listen_mode`).
    pub mode: u16,
}

/// Where a socket listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListenAddress {
    /// At a port.
    Tcp(SocketAddr),
    /// At an absolute path.
    Unix(Box<str>),
}

/// Which entries of its group an entry follows. As soon as one entry of a group has any, the group is a
/// graph: its entries start and stop in parallel, but for these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// It starts after these, where they are to run, and stops before them (property `after`).
    pub after: Box<[Tag]>,
    /// The same, and it runs only while these do (property `requires`).
    pub requires: Box<[Tag]>,
}

/// What is done for an entry beyond starting and stopping it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Care {
    /// How long it may take to be ready; `None` is for ever (property `start_timeout`).
    pub start_timeout: Option<Duration>,
    /// How its health is looked after (property `health_check`).
    pub health: Option<Health>,
    /// When it is started again (property `restart`).
    pub restart: Restart,
    /// How it waits before it is started again (properties `restart_delay`, `restart_delay_max`).
    pub delay: Delay,
    /// How many restarts are too many; `None` is no limit (properties `retry_count`, `retry_interval`).
    pub retry: Option<Retry>,
    /// What follows then (property `failover_mode`).
    pub failover: Failover,
    /// How else than with status 0 it ends when all is well (property `success_exit_status`).
    pub success: Vec<Exit>,
    /// What is run to stop it, or to undo what it did (property `stop_command`).
    pub stop_command: Option<Command>,
    /// How it is made to read its configuration again (properties `reload_command`, `reload_signal`).
    pub reload: Option<Reload>,
    /// How long a reload may take (property `reload_timeout`).
    pub reload_timeout: Duration,
    /// What is run when it fails (property `on_failure`).
    pub on_failure: Option<Command>,
}

/// What is done where the table says nothing.
pub static NOTHING: Care = Care {
    start_timeout: Some(Duration::from_secs(60)),
    health: None,
    restart: Restart::Always,
    delay: Delay { first: Duration::ZERO, most: Duration::ZERO },
    retry: None,
    failover: Failover::None,
    success: Vec::new(),
    stop_command: None,
    reload: None,
    reload_timeout: Duration::from_secs(30),
    on_failure: None,
};

impl Default for Care {
    fn default() -> Self {
        NOTHING.clone()
    }
}

impl Care {
    /// Whether this end of a main process is one that is as it should be.
    pub(crate) fn ends_well(&self, exit: Exit) -> bool {
        exit.is_success() || self.success.contains(&exit)
    }

    /// What it is asked to see whether it is well.
    pub(crate) fn check(&self) -> Option<&Check> {
        self.health.as_ref().map(|health| &health.check)
    }
}

/// How the health of an entry is looked after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What is asked.
    pub check: Check,
    /// How long after an answer it is asked again (property `health_interval`).
    pub interval: Duration,
    /// How long the answer may take (property `health_timeout`).
    pub timeout: Duration,
    /// How many bad answers in a row make it unhealthy (property `health_threshold`).
    pub threshold: u32,
}

/// When an entry of mode `respawn` is started again after it ended by itself (property `restart`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// However it ended.
    #[default]
    Always,
    /// When it did not end well.
    OnFailure,
    /// Not at all.
    Never,
}

/// A pause before a restart: `first`, then twice as long each time, up to `most`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delay {
    /// Before the first restart.
    pub first: Duration,
    /// ... and never more than this, but at least `first`.
    pub most: Duration,
}

/// How many restarts within how long are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// So many restarts are made.
    pub count: u8,
    /// Older ones do not count.
    pub interval: Duration,
}

/// What follows when an entry had as many restarts as it may have (property `failover_mode`; the words are Sun
/// Cluster's).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failover {
    /// It is given up and waits for somebody; the others of its group go on.
    #[default]
    None,
    /// It is given up, and its group is taken down with it.
    Soft,
    /// Nothing but a word about it: it is restarted for ever, and never for its health.
    LogOnly,
}

/// How an entry is made to read its configuration again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reload {
    /// By a command.
    Command(Command),
    /// By a signal to its main process, by number.
    Signal(u8),
}

/// What a command is run for in the name of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errand {
    /// To see whether it is ready.
    Ready,
    /// To see whether it is well.
    Health,
    /// To stop it, or undo what it did.
    Stop,
    /// To have it read its configuration again.
    Reload,
    /// To tell somebody that it failed.
    Failure,
}

impl Errand {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ready, Self::Health, Self::Stop, Self::Reload, Self::Failure];

    /// The property that names the command.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "readiness",
            Self::Health => "health_check",
            Self::Stop => "stop_command",
            Self::Reload => "reload_command",
            Self::Failure => "on_failure",
        }
    }
}

/// How an entry failed: what `on_failure` is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failing {
    /// Its main process ended, not well.
    Exited,
    /// It was not ready in time.
    NotReady,
    /// Its health check failed as often as it may.
    Unhealthy,
    /// It did not say in time that it is well, or said that it is not.
    Watchdog,
    /// It had as many restarts as it may have, or is not to be started again.
    GivenUp,
}

impl Failing {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::NotReady => "not_ready",
            Self::Unhealthy => "unhealthy",
            Self::Watchdog => "watchdog",
            Self::GivenUp => "given_up",
        }
    }
}

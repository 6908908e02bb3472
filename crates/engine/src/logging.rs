//! What becomes of what an entry prints, where the logger carries it. Plain data: the engine only hands it on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How an entry's lines are kept. A change of it takes effect without a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// Where to (property `output`).
    pub to: Destination,
    /// The most bytes of a file (property `log_size`).
    pub size_bytes: u64,
    /// The most files (property `log_count`).
    pub count: u32,
    /// What stands before each line (property `log_stamp`).
    pub stamp: Stamp,
    /// What becomes of lines that cannot be written (property `log_full`).
    pub full: Full,
    /// How long they wait before they are dropped (property `log_hold`).
    pub hold: Duration,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// Into the daemon's folder of logs, as far as it keeps any.
    Usual,
    /// To the system's log.
    Syslog,
    /// Into a folder below this one.
    Folder(Box<str>),
}

/// What stands before each line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamp {
    /// A label of TAI64N, as multilog writes it.
    Tai64n,
    /// Date and time of UTC.
    Iso,
    /// Nothing.
    None,
}

/// What becomes of lines that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Full {
    /// They wait, and the entry with them, as soon as no more than a FIFO's worth can.
    Hold,
    /// They wait for a while, and then are dropped and counted.
    Drop,
}

impl Default for Logging {
    fn default() -> Self {
        Self {
            to: Destination::Usual,
            size_bytes: 1 << 20,
            count: 10,
            stamp: Stamp::Tai64n,
            full: Full::Drop,
            hold: Duration::from_secs(60),
        }
    }
}

//! What the table says: groups, entries and their policies, as plain data.
//!
//! The `table` crate lowers text of any dialect to these types. Two kinds of content are kept apart:
//! a [`Program`] is what a process was started with, so that a change of it means a restart;
//! a [`Policy`] is how clinit treats the process, and a change of it takes effect at once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::care::{Care, Links, Listen, NOTHING, Readiness};
use crate::logging::Logging;
use crate::name::{EntryKey, GroupName, Level, Tag};
use crate::surroundings::Surroundings;

/// The whole table, in file order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Groups in the order of their first line.
    pub groups: Vec<GroupSpec>,
}

/// One group of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSpec {
    /// Its name.
    pub name: GroupName,
    /// The level it takes at start (property `initdefault`).
    pub initdefault: Option<Level>,
    /// Its entries in file order.
    pub entries: Vec<EntrySpec>,
}

impl GroupSpec {
    /// The full name of one of its entries.
    pub(crate) fn key(&self, entry: &EntrySpec) -> EntryKey {
        EntryKey { group: self.name.clone(), tag: entry.tag.clone() }
    }
}

/// One entry of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntrySpec {
    /// Its name.
    pub tag: Tag,
    /// The levels of its group in which it runs. Many entries share them, as they do a policy.
    pub levels: Arc<Levels>,
    /// How it runs.
    pub mode: Mode,
    /// What runs.
    pub program: Arc<Program>,
    /// How it is treated.
    pub policy: Arc<Policy>,
    /// Which entries of its group it follows; mostly none, which is `None`.
    pub links: Option<Arc<Links>>,
}

/// How an entry runs: the fourth column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Runs once; the next entry starts when it has exited.
    Wait,
    /// Runs once; the next entry starts at once.
    Once,
    /// Runs always: started again whenever it exits.
    Respawn,
    /// Never runs.
    Off,
    /// Runs once like `wait`; its exit status makes the group PASSED or FAILED.
    Test,
}

impl Mode {
    /// All modes, in the order in which help lists them.
    pub const ALL: [Self; 5] = [Self::Wait, Self::Once, Self::Respawn, Self::Off, Self::Test];

    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Once => "once",
            Self::Respawn => "respawn",
            Self::Off => "off",
            Self::Test => "test",
        }
    }

    /// Whether the entries behind it start only after it has exited.
    #[must_use]
    pub fn holds_the_next(self) -> bool {
        match self {
            Self::Wait | Self::Test => true,
            Self::Once | Self::Respawn | Self::Off => false,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The levels column of an entry.
///
/// A comma makes a list of labels. Without one, the field matches as a whole label, and also each of its
/// characters as a level (Cluster::Init 0.202 and later).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Levels {
    /// `run,` or `start,run`: exactly these.
    Labels(Box<[Level]>),
    /// `start` or `12`: the whole, or any one character.
    Word(Level),
}

impl Levels {
    /// Whether an entry with this column runs at `level`.
    #[must_use]
    pub fn contains(&self, level: &Level) -> bool {
        match self {
            Self::Labels(labels) => labels.contains(level),
            Self::Word(word) => {
                let (word, level) = (word.as_str(), level.as_str());
                word == level || {
                    let mut characters = level.chars();
                    characters.next().is_some_and(|c| characters.next().is_none() && word.contains(c))
                }
            }
        }
    }

    /// The levels that a reader of the column would name: the labels of a list, each digit of a number,
    /// else the word itself (that its letters match too is a rule of old, seldom meant).
    #[must_use]
    pub fn named(&self) -> Vec<Level> {
        match self {
            Self::Labels(labels) => labels.to_vec(),
            Self::Word(word) if word.as_str().bytes().all(|b| b.is_ascii_digit()) => {
                word.as_str().chars().filter_map(|c| Level::new(c.encode_utf8(&mut [0; 4])).ok()).collect()
            }
            Self::Word(word) => vec![word.clone()],
        }
    }
}

/// What a process is started with. A change of it restarts the entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The command column.
    pub command: Command,
    /// Where its standard output and error go.
    pub output: Output,
    /// Whether it gets a cgroup of its own where one can be made.
    pub cgroup: bool,
    /// Who and where it is and what it may use, as far as that is not the daemon's; mostly nothing, which is
    /// `None`.
    pub surroundings: Option<Arc<Surroundings>>,
    /// How it says that it is ready (property `readiness`).
    pub readiness: Readiness,
    /// The sockets that it is given, listening (property `listen`).
    pub listen: Box<[Listen]>,
    /// How often it has to say that it is well, if it has to (property `watchdog`).
    pub watchdog: Option<Duration>,
}

impl Program {
    /// A program of which nothing but its command is said.
    #[must_use]
    pub fn plain(command: Command) -> Self {
        Self {
            command,
            output: Output::Usual,
            cgroup: true,
            surroundings: None,
            readiness: Readiness::Started,
            listen: Box::default(),
            watchdog: None,
        }
    }

    /// Whether it speaks the protocol of sd_notify(3).
    #[must_use]
    pub fn notifies(&self) -> bool {
        self.readiness == Readiness::Notify || self.watchdog.is_some()
    }
}

/// The command column of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Words without shell characters: executed directly, found by PATH.
    Direct(Box<[Box<str>]>),
    /// Anything else: `/bin/sh -c` with this text.
    Shell(Box<str>),
}

/// Where standard output and error of an entry go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Where the daemon puts it that nobody says anything of.
    Usual,
    /// To the daemon's own.
    Inherit,
    /// Nowhere.
    Null,
    /// To the logger; [`Logging`] says where it carries them.
    Logged,
}

/// How clinit treats an entry. A change of it takes effect without a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How it is stopped.
    pub stop: StopPolicy,
    /// When it is started again too often.
    pub throttle: ThrottlePolicy,
    /// What becomes of what it prints.
    pub log: Arc<Logging>,
    /// What is done for it beyond that; mostly nothing, which is `None`.
    pub care: Option<Arc<Care>>,
}

impl Policy {
    /// What is done for it beyond starting and stopping it.
    #[must_use]
    pub fn care(&self) -> &Care {
        self.care.as_deref().unwrap_or(&NOTHING)
    }
}

/// How a process is stopped: `signal` with CONT at once, KILL after `timeout`, both to `scope`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopPolicy {
    /// The signal that asks it to stop, by number (property `stop_signal`).
    pub signal: u8,
    /// How long it may take; `None` is for ever (property `stop_timeout`).
    pub timeout: Option<Duration>,
    /// Whom both signals reach (property `kill_mode`).
    pub scope: KillScope,
}

/// Whom a stop reaches (property `kill_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KillScope {
    /// The process group of the main process.
    Group,
    /// The main process alone.
    Main,
    /// Every process in the entry's cgroup.
    Cgroup,
}

/// The throttle of `respawn`: after `starts` starts within `interval`, a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottlePolicy {
    /// Starts allowed within the interval; 0 switches the throttle off.
    pub starts: u8,
    /// The interval.
    pub interval: Duration,
    /// How long it waits then.
    pub pause: Duration,
}

/// SIGTERM, the default `stop_signal`.
pub const SIGTERM: u8 = 15;

impl Default for StopPolicy {
    fn default() -> Self {
        Self { signal: SIGTERM, timeout: Some(Duration::from_secs(10)), scope: KillScope::Group }
    }
}

impl Default for ThrottlePolicy {
    fn default() -> Self {
        Self { starts: 5, interval: Duration::from_secs(10), pause: Duration::from_secs(60) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(text: &str) -> Level {
        Level::new(text).unwrap()
    }

    #[test]
    fn a_word_matches_as_a_whole_and_by_character() {
        let word = Levels::Word(level("start"));
        for hit in ["start", "s", "t", "a", "r"] {
            assert!(word.contains(&level(hit)), "{hit}");
        }
        for miss in ["st", "x", "starts", "tart"] {
            assert!(!word.contains(&level(miss)), "{miss}");
        }
    }

    #[test]
    fn a_list_matches_its_labels_only() {
        let list = Levels::Labels([level("start"), level("2")].into());
        assert!(list.contains(&level("start")) && list.contains(&level("2")));
        assert!(!list.contains(&level("s")));
    }

    #[test]
    fn digits_are_named_one_by_one() {
        assert_eq!(Levels::Word(level("12")).named(), [level("1"), level("2")]);
        assert_eq!(Levels::Word(level("run")).named(), [level("run")]);
    }
}

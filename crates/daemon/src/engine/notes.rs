//! What the engine says to people, a line for each thing, into the pipe to the logger.
//!
//! The pipe never blocks: when the logger does not keep up, lines are dropped and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use clinit_control::interface::Fault;
use clinit_engine::entry::Entry;
use clinit_engine::event::{EntryId, Exit, Next, Notice};
use clinit_engine::group::Phase;
use clinit_engine::name::EntryKey;
use clinit_engine::node::Node;
use clinit_engine::time::Instant;

use super::view;
use crate::roles::Manner;

/// The daemon's voice.
#[derive(Debug)]
pub(crate) struct Notes {
    manner: Manner,
    label: String,
    lost: u64,
    /// Names of entries, for what is said of them after they are gone.
    names: BTreeMap<EntryId, EntryKey>,
    /// Entries that wait for the machine to have a process.
    lacking: BTreeSet<EntryId>,
}

impl Notes {
    pub(crate) fn new(manner: Manner, label: String) -> Self {
        Self { manner, label, lost: 0, names: BTreeMap::new(), lacking: BTreeSet::new() }
    }

    /// Remembers what an entry is called.
    pub(crate) fn name(&mut self, id: EntryId, key: &EntryKey) {
        self.names.insert(id, key.clone());
    }

    /// Says a line.
    pub(crate) fn say(&mut self, text: &str) {
        if self.lost > 0 {
            let line = format!("{}{} messages were lost\n", self.label, self.lost);
            if io::stderr().write_all(line.as_bytes()).is_err() {
                self.lost += 1;
                return;
            }
            self.lost = 0;
        }
        let line = format!("{}{text}\n", self.label);
        if io::stderr().write_all(line.as_bytes()).is_err() {
            self.lost += 1;
        }
    }

    /// Says what is wrong with a table that was not taken.
    pub(crate) fn refused(&mut self, faults: &[Fault]) {
        self.say("the table was not reread; the one that held goes on:");
        for fault in faults {
            self.say(&fault.to_string());
        }
    }

    /// Says what happened, as far as people care: everything with `up`; of a daemon, what is out of the
    /// ordinary and where its groups stand.
    pub(crate) fn notice(&mut self, notice: &Notice, node: &Node, now: Instant) {
        let all = self.manner == Manner::Up;
        match notice {
            Notice::GroupChanged { group, level, target, phase } => {
                let level = level.as_ref().map_or("-", |level| level.as_str());
                let aim = target.as_ref().map_or("-", |level| level.as_str());
                match phase {
                    Phase::Starting if all => self.say(&format!("{group}: level {level}: starting")),
                    Phase::Stopping if all => {
                        self.say(&format!("{group}: leaving level {level} for {aim}: stopping"));
                    }
                    Phase::Dumping if all => self.say(&format!("{group}: stopping what the table changed")),
                    Phase::Halting if all => self.say(&format!("{group}: halting")),
                    Phase::Configured if all => self.say(&format!("{group}: stopped")),
                    Phase::Done | Phase::Passed | Phase::Failed => {
                        self.say(&format!("{group}: level {level}: {phase}"));
                    }
                    Phase::Starting | Phase::Stopping | Phase::Dumping | Phase::Checking => {}
                    Phase::Halting | Phase::Configured => {}
                }
            }
            Notice::GroupForgotten { group } => {
                self.say(&format!("{group}: gone: the table has it no longer"));
            }
            Notice::Started { entry, pid } => {
                self.lacking.remove(entry);
                if all {
                    self.say_of(*entry, &format!("started, pid {pid}"));
                }
            }
            Notice::Stopping { entry } => {
                self.lacking.remove(entry);
                if all {
                    self.say_of(*entry, "stopping");
                }
            }
            Notice::Killing { entry } => self.say_of(*entry, "did not stop in time: killing it"),
            Notice::NotSpawned { entry, errno, .. } => {
                // Once, not every second.
                if self.lacking.insert(*entry) {
                    let lack = view::lack_text(*errno);
                    self.say_of(*entry, &format!("no process to be had: {lack}; trying again every second"));
                }
            }
            Notice::Ended { entry, exit, next } => self.ended(*entry, *exit, *next, node, now),
        }
    }

    fn ended(&mut self, id: EntryId, exit: Exit, next: Next, node: &Node, now: Instant) {
        let how = match node.entry(id) {
            Some(entry) => view::exit_status(exit, entry).to_string(),
            None => "ended".to_owned(),
        };
        let failed = !exit.is_success();
        let follows = match next {
            Next::Down | Next::Done if self.manner == Manner::Up => String::new(),
            Next::Done if failed => String::new(),
            Next::Down | Next::Done => return,
            Next::Respawn => ": started again".to_owned(),
            Next::Clear => ": started again when the rest of it is gone".to_owned(),
            Next::Pause(until) => {
                let seconds = until.since(now).as_secs_f64().round();
                let starts = node.entry(id).map_or(0, |entry: &Entry| entry.spec().policy.throttle.starts);
                format!(": started {starts} times too quickly: sleeping {seconds} seconds")
            }
        };
        self.say_of(id, &format!("{how}{follows}"));
    }

    fn say_of(&mut self, id: EntryId, text: &str) {
        let name = self.names.get(&id).map_or_else(|| id.to_string(), ToString::to_string);
        self.say(&format!("{name}: {text}"));
    }
}

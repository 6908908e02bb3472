//! What the engine says to people, a line for each thing, into the pipe to the logger.
//!
//! The pipe never blocks: when the logger does not keep up, lines are dropped and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use clinit_control::interface::{Event, ExitStatus, Fault};
use clinit_engine::care::Errand;
use clinit_engine::entry::{Entry, PauseReason, State};
use clinit_engine::event::{EntryId, Exit, Next, Notice};
use clinit_engine::group::Phase;
use clinit_engine::name::{EntryKey, GroupName, Tag};
use clinit_engine::node::Node;
use clinit_engine::time::Instant;
use clinit_table::TRANSIENT_GROUP;

use super::exits::{Ran, exit_status, lack_text};
use super::view;
use crate::machine;
use crate::roles::Manner;

/// What is to be said of something that happened.
struct Said {
    group: GroupName,
    tag: Option<Tag>,
    kind: &'static str,
    /// How a main process ended.
    exit: Option<ExitStatus>,
    text: String,
    /// A daemon does not say it.
    is_ordinary: bool,
}

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
    /// Entries of which it was said in what they are not bounded.
    unbounded: BTreeSet<(EntryKey, u8)>,
}

impl Notes {
    pub(crate) fn new(manner: Manner, label: String) -> Self {
        Self {
            manner,
            label,
            lost: 0,
            names: BTreeMap::new(),
            lacking: BTreeSet::new(),
            unbounded: BTreeSet::new(),
        }
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

    /// Says once in what an entry should have been bounded and is not; without `is_news` it was said before.
    pub(crate) fn unbounded(&mut self, key: &EntryKey, bits: u8, is_news: bool) {
        if self.unbounded.insert((key.clone(), bits)) && is_news {
            self.say(&format!("{key}: {}", machine::unbounded(bits)));
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
    /// ordinary and where its groups stand. Returns it for those who follow events.
    pub(crate) fn notice(&mut self, notice: &Notice, node: &Node, now: Instant) -> Option<Event> {
        let said = self.describe(notice, node, now)?;
        let name = match &said.tag {
            Some(tag) => format!("{}/{tag}", said.group),
            None => said.group.to_string(),
        };
        if self.manner == Manner::Up || !said.is_ordinary {
            self.say(&format!("{name}: {}", said.text));
        }
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Some(Event {
            time_ms: view::milliseconds(since_epoch),
            group: said.group,
            tag: said.tag,
            kind: said.kind.to_owned(),
            exit: said.exit,
            text: said.text,
        })
    }

    fn describe(&mut self, notice: &Notice, node: &Node, now: Instant) -> Option<Said> {
        let of_group = |group: &GroupName, is_ordinary, kind, text| {
            Some(Said { group: group.clone(), tag: None, kind, exit: None, text, is_ordinary })
        };
        let entry = match notice {
            Notice::GroupChanged { group, level, target, phase } => {
                let level = level.as_ref().map_or("-", |level| level.as_str());
                let aim = target.as_ref().map_or("-", |level| level.as_str());
                let (is_ordinary, text) = match phase {
                    Phase::Starting => (true, format!("level {level}: starting")),
                    Phase::Stopping if level == aim => (true, "stopping what is not wanted".to_owned()),
                    Phase::Stopping => (true, format!("leaving level {level} for {aim}: stopping")),
                    Phase::Dumping => (true, "stopping what the table changed".to_owned()),
                    Phase::Halting => (true, "halting".to_owned()),
                    Phase::Configured => (true, "stopped".to_owned()),
                    Phase::Done | Phase::Passed | Phase::Failed => (false, format!("level {level}: {phase}")),
                    Phase::Checking => return None,
                };
                return of_group(group, is_ordinary, "group", text);
            }
            Notice::GroupForgotten { group } => {
                // What was made by hand comes and goes.
                let is_ordinary = group.as_str() == TRANSIENT_GROUP;
                let text = if is_ordinary { "gone" } else { "gone: the table has it no longer" };
                return of_group(group, is_ordinary, "gone", text.to_owned());
            }
            Notice::Started { entry, .. } | Notice::Stopping { entry } | Notice::Killing { entry } => *entry,
            Notice::NotSpawned { entry, .. } | Notice::Ended { entry, .. } => *entry,
            Notice::Ready { entry } | Notice::Missed { entry, .. } | Notice::Failed { entry, .. } => *entry,
            Notice::Recovered { entry } | Notice::Reloaded { entry } => *entry,
            Notice::ErrandEnded { entry, .. } | Notice::GivenUp { entry, .. } => *entry,
            Notice::Fallen { group, entry } => {
                let entry = self.names.get(entry).map_or("an entry", |key| key.tag.as_str());
                let text = format!("taken down: {entry} was given up, and its failover_mode is soft");
                return of_group(group, false, "fallen", text);
            }
        };
        let mut ended_as = None;
        let (is_ordinary, kind, text) = match notice {
            Notice::GroupChanged { .. } | Notice::GroupForgotten { .. } | Notice::Fallen { .. } => {
                return None;
            }
            Notice::Ready { .. } => (true, "ready", "ready".to_owned()),
            Notice::Missed { errand, misses, threshold, .. } => {
                (false, "missed", format!("{} failed, {misses} of {threshold}", errand.as_str()))
            }
            Notice::Failed { failing, .. } => (false, "failed", failing.words().to_owned()),
            Notice::Recovered { .. } => (false, "recovered", "is well again".to_owned()),
            Notice::Reloaded { .. } => (true, "reloaded", "has read its configuration again".to_owned()),
            Notice::ErrandEnded { errand, exit, .. } => {
                let how = match exit {
                    Some(exit) => errand_text(entry, *errand, *exit, node),
                    None => "could not be started".to_owned(),
                };
                let is_ordinary = exit.is_some_and(Exit::is_success);
                (is_ordinary, "command", format!("{}: {how}", errand.as_str()))
            }
            Notice::GivenUp { reason, .. } => {
                // With its group it may be down already.
                let why = node.entry(entry).map(|entry| entry.why_given_up(*reason)).unwrap_or_default();
                let name = self.names.get(&entry)?;
                (false, "given_up", format!("given up: {why}: clinit reset {name} tries again"))
            }
            Notice::Started { pid, .. } => {
                self.lacking.remove(&entry);
                (true, "started", format!("started, pid {pid}"))
            }
            Notice::Stopping { .. } => {
                self.lacking.remove(&entry);
                (true, "stopping", "stopping".to_owned())
            }
            Notice::Killing { .. } => (false, "killing", "did not stop in time: killing it".to_owned()),
            Notice::NotSpawned { errno, .. } => {
                // Once, not every second.
                if !self.lacking.insert(entry) {
                    return None;
                }
                let lack = lack_text(*errno);
                (false, "not_spawned", format!("no process to be had: {lack}; trying again every second"))
            }
            Notice::Ended { exit, next, .. } => {
                let status = exit_status(*exit, node.entry(entry).map(Ran::main));
                let (is_ordinary, text) = ended(entry, *exit, &status, *next, node, now);
                ended_as = Some(status);
                (is_ordinary, "ended", text)
            }
        };
        let EntryKey { group, tag } = self.names.get(&entry)?.clone();
        Some(Said { group, tag: Some(tag), kind, exit: ended_as, text, is_ordinary })
    }
}

fn errand_text(owner: EntryId, errand: Errand, exit: Exit, node: &Node) -> String {
    let ran = node.entry(owner).and_then(|entry| Ran::errand(entry, errand));
    exit_status(exit, ran).to_string()
}

/// How a main process ended and what follows, and whether that is as it should be.
fn ended(id: EntryId, exit: Exit, how: &ExitStatus, next: Next, node: &Node, now: Instant) -> (bool, String) {
    match next {
        Next::Down => (true, how.to_string()),
        Next::Done => (ends_well(id, exit, node), how.to_string()),
        // Said by itself.
        Next::GivenUp => (false, how.to_string()),
        Next::Respawn => (false, format!("{how}: started again")),
        Next::Clear => (false, format!("{how}: started again when the rest of it is gone")),
        Next::Pause(until) => {
            let seconds = until.since(now).as_secs_f64().round();
            let reason = node.entry(id).map(Entry::state);
            if matches!(reason, Some(State::Pausing { reason: PauseReason::Delay, .. })) {
                return (false, format!("{how}: started again in {seconds} seconds"));
            }
            let starts = node.entry(id).map_or(0, |entry| entry.spec().policy.throttle.starts);
            (false, format!("{how}: started {starts} times too quickly: sleeping {seconds} seconds"))
        }
    }
}

/// One that is gone already has ended well.
fn ends_well(id: EntryId, exit: Exit, node: &Node) -> bool {
    node.entry(id).is_none_or(|entry| entry.ends_well(exit))
}

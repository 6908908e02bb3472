//! What is said to a terminal while somebody waits: one line that is written anew, and gone at the end.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use clinit_control::client::Client;
use clinit_control::interface::{EntryState, EntryStatus, GroupState, GroupStatus};
use clinit_engine::spec::Mode;
use rustix::termios::tcgetwinsize;

use super::Place;
use super::status::ask_over;

/// How long nothing is said, and how often something then.
const PULSE: Duration = Duration::from_secs(1);

/// How long the daemon may take to say how it is.
const ASK_TIME: Duration = Duration::from_secs(1);

/// How wide a terminal is that does not say.
const COLUMNS: usize = 80;

/// Says to a terminal what is waited for.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    place: &'a Place,
    /// A group, an entry, or a tag.
    name: String,
    began: Instant,
    is_terminal: bool,
    is_shown: bool,
}

impl<'a> Progress<'a> {
    pub(super) fn new(place: &'a Place, name: &str) -> Self {
        let is_terminal = io::stderr().is_terminal();
        Self { place, name: name.to_owned(), began: Instant::now(), is_terminal, is_shown: false }
    }

    /// How often [`Self::beat`] is of use.
    pub(super) fn pulse(&self) -> Duration {
        if self.is_terminal { PULSE } else { Duration::MAX }
    }

    /// What is waited for has another name.
    pub(super) fn rename(&mut self, name: String) {
        self.name = name;
    }

    /// Says what is waited for now.
    pub(super) fn beat(&mut self) {
        if !self.is_terminal {
            return;
        }
        let status = Client::connect(&self.place.socket(), ASK_TIME)
            .and_then(|mut client| ask_over(&mut client, Some(&self.name)));
        let Ok(status) = status else { return };
        let Some(line) = line(&status.groups, &self.name, self.began.elapsed()) else { return };
        let columns = tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
        let most = if columns == 0 { COLUMNS } else { columns } - 1;
        let line: String = line.chars().filter(|c| !c.is_control()).take(most).collect();
        self.is_shown = true;
        let _nobody_reads = write!(io::stderr(), "\r\u{1b}[K{line}");
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.is_shown {
            let _nobody_reads = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}

/// What is waited for, of what a status says about a name.
fn line(groups: &[GroupStatus], name: &str, waited: Duration) -> Option<String> {
    let group = groups.first()?;
    let of_group = group.name.as_str() == name;
    let (who, state) = if of_group {
        (group.name.to_string(), group.state.as_str().to_lowercase())
    } else {
        let entry = group.entries.first()?;
        (format!("{}/{}", group.name, entry.tag), entry.state.as_str().replace('_', " "))
    };
    let seconds = waited.as_secs();
    Some(match reason(group) {
        Some((entry, reason)) => {
            let whom = format!("{}/{}", group.name, entry.tag);
            let whom = if whom == who { "waits".to_owned() } else { format!("waits for {whom}") };
            format!("{who}: {state}: {whom} ({reason}), {seconds} s")
        }
        None => format!("{who}: {state}, {seconds} s"),
    })
}

/// The entry that a group waits for, and why.
fn reason(group: &GroupStatus) -> Option<(&EntryStatus, String)> {
    let leaves = matches!(group.state, GroupState::Stopping | GroupState::Dumping | GroupState::Halting);
    let entry = group.entries.iter().find(|entry| match entry.state {
        EntryState::Stopping | EntryState::Killing => leaves || entry.wanted,
        EntryState::Starting | EntryState::Clearing | EntryState::Pausing => !leaves && entry.wanted,
        EntryState::Running | EntryState::Ready => {
            let ends = matches!(entry.mode, Mode::Wait | Mode::Test) || entry.transient;
            !leaves && (entry.reloading || ends || entry.troubled)
        }
        EntryState::Down | EntryState::Done | EntryState::Passed => false,
        EntryState::Failed | EntryState::GivenUp => false,
    });
    let entry = entry.or_else(|| group.entries.iter().find(|entry| entry.waits_for.is_some()))?;
    let reason = match (&entry.why, entry.state) {
        _ if entry.reloading => "it is reading its configuration".to_owned(),
        (Some(why), _) => why.clone(),
        (None, EntryState::Running | EntryState::Ready) => "it has not ended yet".to_owned(),
        (None, state) => state.to_string(),
    };
    Some((entry, reason))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry(tag: &str, state: &str, more: &Value) -> Value {
        let mut entry = json!({ "tag": tag, "mode": "respawn", "levels": [], "wanted": true,
            "transient": false, "hold": "free", "state": state, "troubled": false, "since_ms": 0,
            "restarts": 0, "reloading": false, "command": "x" });
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    }

    fn said(state: &str, entries: &[Value], name: &str) -> String {
        let group = json!({ "name": "web", "state": state, "since_ms": 0, "told": true,
            "transient": false, "fallen": false, "entries": entries });
        line(&[serde_json::from_value(group).unwrap()], name, Duration::from_secs(12)).unwrap()
    }

    #[test]
    fn a_line_names_who_is_waited_for_and_why() {
        let why = "not ready yet: nobody accepts connections at 127.0.0.1:5432";
        let db = entry("db", "running", &json!({ "troubled": true, "why": why }));
        let app = entry("app", "down", &json!({ "waits_for": "web/db", "why": "it waits for web/db" }));
        assert_eq!(
            said("STARTING", &[app.clone(), db.clone()], "web"),
            format!("web: starting: waits for web/db ({why}), 12 s")
        );
        assert_eq!(said("STARTING", &[db], "web/db"), format!("web/db: running: waits ({why}), 12 s"));
        assert_eq!(said("STARTING", &[app], "web/app"), "web/app: down: waits (it waits for web/db), 12 s");
        let going = entry("a", "stopping", &json!({ "wanted": false, "why": "its group leaves the level" }));
        assert_eq!(
            said("STOPPING", &[going], "web"),
            "web: stopping: waits for web/a (its group leaves the level), 12 s"
        );
        assert_eq!(said("DONE", &[], "web"), "web: done, 12 s");
    }
}

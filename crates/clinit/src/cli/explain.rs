//! `clinit explain GROUP | GROUP/TAG | TAG`
//!
//! The daemon tells the chain of causes with the lines of the table that they stand in; the rest is made from the
//! status: the state, since when, what happens next, and what to do about it.

use std::fmt::Write;
use std::path::Path;

use clinit_control::client::ClientError;
use clinit_control::interface::{
    EntryState, EntryStatus, ExitStatus, Explain, Explained, Failing, GroupState, GroupStatus, Hold,
    LogStatus, StatusReply,
};
use clinit_engine::spec::Mode;

use super::exit::Exit;
use super::logs::last_lines;
use super::status::{ask_over, printable, span};
use super::{Place, say};

/// How many lines of an entry that ended badly are shown, and how much of each.
const LINES_SHOWN: usize = 5;
const LINE_CHARACTERS_MAX: usize = 200;

/// Runs the verb.
pub(crate) fn run(place: &Place, name: &str) -> Exit {
    let (reply, explained) = match ask(place, name) {
        Ok(reply) => reply,
        Err(error) => return say::client_error(&error),
    };
    let is_group = |group: &GroupStatus| group.name.as_str() == name;
    let mut text = String::new();
    for group in &reply.groups {
        if is_group(group) {
            explain_group(group, &explained, &mut text);
        } else {
            group.entries.iter().for_each(|entry| explain_entry(group, entry, &explained, &mut text));
        }
    }
    say::text_as_it_is(&text)
}

fn ask(place: &Place, name: &str) -> Result<(StatusReply, Vec<Explained>), ClientError> {
    let mut client = place.connect()?;
    let reply = ask_over(&mut client, Some(name))?;
    let mut explained = Vec::new();
    for group in &reply.groups {
        let of_entry = group.entries.first().filter(|_| group.name.as_str() != name);
        let (group, tag) = (Some(group.name.to_string()), of_entry.map(|entry| entry.tag.to_string()));
        explained.extend(client.call(&Explain { group, tag })?.entries);
    }
    Ok((reply, explained))
}

fn row(text: &mut String, head: &str, body: &str) {
    let line = format!("  {head:8} {body}");
    let _infallible = writeln!(text, "{}", line.trim_end());
}

fn explain_group(group: &GroupStatus, explained: &[Explained], text: &mut String) {
    let name = &group.name;
    let level = group.level.as_ref().map_or("none", |level| level.as_str());
    let _infallible = writeln!(text, "group {name}: {}, level {level}", group.state);
    match (&group.target, group.told) {
        _ if group.transient => row(text, "cause", "its entries were made by hand, with clinit run"),
        _ if group.fallen => row(text, "cause", "it was taken down, because one of its entries was given up"),
        (Some(target), _) if group.level.as_ref() != Some(target) => {
            row(text, "cause", &format!("it was told level {target} and leaves {level} first"));
        }
        (Some(_), _) => row(text, "since", &span(group.since_ms)),
        (None, _) => row(text, "cause", "it was never told a level, and has no initdefault"),
    }
    let of = |state: EntryState| -> Vec<String> {
        let those = group.entries.iter().filter(|entry| entry.state == state);
        those.map(|entry| entry.tag.to_string()).collect()
    };
    for state in EntryState::ALL {
        let tags = of(state);
        if !tags.is_empty() {
            row(text, state.as_str(), &tags.join(" "));
        }
    }
    let (next, remedy) = match group.state {
        _ if group.fallen => (
            "nothing, until it is told a level, or its entries are started or reset",
            format!("put right what ends the entry that was given up, then: clinit reset {name}"),
        ),
        GroupState::Configured if group.transient => ("it is gone with its last entry", String::new()),
        GroupState::Configured => {
            ("nothing runs until it is told a level", format!("clinit tell {name} LEVEL"))
        }
        GroupState::Stopping | GroupState::Dumping => (
            "when what is stopping is gone, its level's entries start in the order of the table",
            String::new(),
        ),
        GroupState::Starting | GroupState::Checking => (
            "its entries start in the order of the table, or as they follow each other; wait and test entries, \
             and those that are not ready, hold the next",
            String::new(),
        ),
        GroupState::Failed => (
            "it stays so until those that failed are well, or it is told a level",
            "see below who failed".into(),
        ),
        GroupState::Done | GroupState::Passed => ("it stays so until it is told otherwise", String::new()),
        GroupState::Halting => ("the daemon shuts down when all has ended", String::new()),
    };
    row(text, "next", next);
    if !remedy.is_empty() {
        row(text, "do", &remedy);
    }
    for entry in group.entries.iter().filter(|entry| needs_words(entry)) {
        explain_entry(group, entry, explained, text);
    }
}

/// Whether an entry of a group is out of the ordinary.
fn needs_words(entry: &EntryStatus) -> bool {
    match entry.state {
        EntryState::Pausing | EntryState::Clearing | EntryState::Killing | EntryState::Failed => true,
        EntryState::Stopping | EntryState::Starting | EntryState::GivenUp => true,
        EntryState::Down => entry.why.is_some(),
        EntryState::Running | EntryState::Ready => {
            entry.restarts > 0
                || entry.why.is_some()
                || entry.reloading
                || entry.misses.is_some_and(|misses| misses > 0)
        }
        EntryState::Done | EntryState::Passed => entry.troubled,
    }
}

fn explain_entry(group: &GroupStatus, entry: &EntryStatus, explained: &[Explained], text: &mut String) {
    let name = format!("{}/{}", group.name, entry.tag);
    let explained = explained.iter().find(|other| other.group == group.name && other.tag == entry.tag);
    let pid = entry.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let place = placed(explained.and_then(|explained| explained.place.as_deref()));
    let state = entry.state.as_str().replace('_', " ");
    let _infallible = writeln!(text, "{name}: {state}{pid}, for {}{place}", span(entry.since_ms));
    let transient = if entry.transient { ", transient" } else { "" };
    row(text, "runs", &format!("{}{transient}: {}", entry.mode, entry.command));
    let causes = explained.map(|explained| explained.causes.as_slice()).unwrap_or_default();
    for (number, cause) in causes.iter().enumerate() {
        let head = if number == 0 { "cause" } else { "because" };
        row(text, head, &format!("{}{}", cause.text, placed(cause.place.as_deref())));
    }
    if let Some(exit) = &entry.last_exit {
        let ago = entry.last_exit_ms.map(|ms| format!(", {} ago", span(ms))).unwrap_or_default();
        row(text, "last", &format!("{exit}{ago}; started again {} times", entry.restarts));
    }
    if let Some(failing) = entry.last_failure.filter(|failing| *failing != Failing::Exited) {
        let ago = entry.last_failure_ms.map(|ms| format!(", {} ago", span(ms))).unwrap_or_default();
        row(text, "failed", &format!("{}{ago}", failing.words()));
    }
    if let (Some(misses), Some(most)) = (entry.misses, entry.misses_max) {
        let ill = format!("its check failed {misses} times in a row, of {most} that make it unhealthy");
        row(text, "health", if misses == 0 { "its check succeeds" } else { &ill });
    }
    if let Some(says) = &entry.says {
        row(text, "says", &printable(says));
    }
    explain_log(entry, text);
    row(text, "next", &next(group, entry));
    if let Some(remedy) = remedy(group, entry, &name) {
        row(text, "do", &remedy);
    }
}

/// Where something stands.
fn placed(place: Option<&str>) -> String {
    place.map(|place| format!("  ({place})")).unwrap_or_default()
}

/// Where its lines are, what is wrong with that, and what it said last if it ended badly.
fn explain_log(entry: &EntryStatus, text: &mut String) {
    let Some(log) = &entry.log else { return };
    row(text, "log", log.folder.as_deref().unwrap_or("the system's log, see journalctl or /var/log"));
    if let Some(words) = log_words(log) {
        row(text, "", &words);
    }
    let ended_badly = match &entry.last_exit {
        None => false,
        Some(ExitStatus::Exited { code: 0 }) => needs_words(entry),
        Some(_) => true,
    };
    if let Some(folder) = log.folder.as_ref().filter(|_| ended_badly) {
        for (index, line) in last_lines(Path::new(folder), LINES_SHOWN).into_iter().enumerate() {
            let line: String =
                String::from_utf8_lossy(&line.text).chars().take(LINE_CHARACTERS_MAX).collect();
            row(text, if index == 0 { "printed" } else { "" }, &printable(&line));
        }
    }
}

/// What is wrong with the way of an entry's lines.
pub(super) fn log_words(log: &LogStatus) -> Option<String> {
    let fault = log.fault.as_ref().map(|fault| {
        let then = if log.dropping { "are dropped" } else { "wait" };
        let place = log.folder.as_deref().map(|folder| format!("{folder}: ")).unwrap_or_default();
        format!("its lines cannot be written and {then}: {place}{fault}")
    });
    let dropped = (log.dropped_lines > 0).then(|| format!("{} lines were dropped", log.dropped_lines));
    let parts: Vec<String> = fault.into_iter().chain(dropped).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn next(group: &GroupStatus, entry: &EntryStatus) -> String {
    let within = |what: &str| match entry.until_ms {
        Some(ms) => format!("{what} in {}", span(ms)),
        None => format!("{what} when it has ended"),
    };
    let runs = matches!(entry.state, EntryState::Running | EntryState::Ready | EntryState::Starting);
    match (entry.state, entry.mode) {
        _ if runs && entry.reloading => "it goes on when it has read its configuration".to_owned(),
        (EntryState::Running, _) if entry.until_ms.is_some() => {
            within("it is stopped and started again if it is not ready")
        }
        (EntryState::Running, _) if entry.troubled => "it is waited for until it is ready".to_owned(),
        (EntryState::Running | EntryState::Ready, _) if entry.misses.is_some_and(|misses| misses > 0) => {
            "if its health check goes on failing, it is stopped and started again".to_owned()
        }
        (EntryState::Running | EntryState::Ready | EntryState::Starting, Mode::Respawn) => {
            "if it ends by itself it is started again, as its properties say".to_owned()
        }
        (EntryState::Running | EntryState::Ready | EntryState::Starting, _) => {
            "when it ends it is done".to_owned()
        }
        (EntryState::Pausing, _) => within("it is started again"),
        (EntryState::Clearing, _) => "it is started again when the rest of it is gone".to_owned(),
        (EntryState::Stopping, _) => match entry.until_ms {
            Some(ms) => format!("it is killed in {} if it has not ended", span(ms)),
            None => "it has all the time it wants to end".to_owned(),
        },
        (EntryState::Killing, _) => "it is killed again every few seconds until it is gone".to_owned(),
        (EntryState::Down, _) if group.fallen => {
            "nothing, until its group is told a level or reset".to_owned()
        }
        (EntryState::Down, _) => match (&entry.waits_for, entry.hold) {
            (Some(other), _) => format!("it starts when {other} allows it"),
            (None, Hold::UntilTold) => {
                "it starts when its group is told a level that it belongs to".to_owned()
            }
            (None, Hold::UntilStarted) => "nothing, until somebody starts it".to_owned(),
            (None, Hold::Free) => "nothing, until it is wanted".to_owned(),
        },
        (EntryState::GivenUp, _) => "nothing, until somebody starts or resets it".to_owned(),
        (EntryState::Done | EntryState::Passed | EntryState::Failed, _) if entry.transient => {
            "nothing: it is kept for people to see until it is stopped or reset".to_owned()
        }
        (EntryState::Done | EntryState::Passed | EntryState::Failed, _) => {
            "it runs again when its group leaves the level and comes back".to_owned()
        }
    }
}

fn remedy(group: &GroupStatus, entry: &EntryStatus, name: &str) -> Option<String> {
    let levels: Vec<&str> = entry.levels.iter().map(clinit_engine::Level::as_str).collect();
    match entry.state {
        _ if group.fallen => Some(format!("see clinit explain {}", group.name)),
        EntryState::Running | EntryState::Ready
            if entry.log.as_ref().is_some_and(|log| log.fault.is_some()) =>
        {
            Some(
                "make room for its lines, or change its output in the table: it is tried again by itself"
                    .into(),
            )
        }
        EntryState::Down if entry.hold == Hold::Free && entry.waits_for.is_some() => {
            entry.waits_for.as_ref().map(|other| format!("see to {other}: clinit explain {other}"))
        }
        EntryState::Running if entry.troubled => {
            Some("look at what it prints, and at its readiness in the table".to_owned())
        }
        EntryState::Failed if entry.transient => Some(format!("clinit stop {name} forgets it")),
        EntryState::Done if entry.transient => Some(format!("clinit stop {name} forgets it")),
        EntryState::Pausing | EntryState::GivenUp => {
            Some(format!("put right what ends it, then: clinit reset {name}"))
        }
        EntryState::Killing => {
            Some("it hangs in the kernel: look at its disk, network file system or driver".to_owned())
        }
        EntryState::Down if entry.mode == Mode::Off => {
            Some("change its mode in the table, then: clinit".to_owned())
        }
        EntryState::Down if entry.why.is_some() => Some(format!("clinit start {name}")),
        EntryState::Down if !levels.is_empty() => {
            Some(format!("clinit tell {} LEVEL, with one of its levels: {}", group.name, levels.join(", ")))
        }
        EntryState::Failed => Some(format!("run its command by hand, then: clinit start {name}")),
        EntryState::Running | EntryState::Ready if entry.restarts > 0 => {
            Some("look at what it prints: it has ended before".to_owned())
        }
        EntryState::Down | EntryState::Running | EntryState::Ready | EntryState::Starting => None,
        EntryState::Clearing => None,
        EntryState::Stopping | EntryState::Done | EntryState::Passed => None,
    }
}

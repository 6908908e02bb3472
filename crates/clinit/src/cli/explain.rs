//! `clinit explain GROUP | GROUP/TAG | TAG`
//!
//! Everything is made from the status: the state, since when, the chain of causes, what happens next, and
//! what to do about it.

use std::fmt::Write;

use clinit_control::interface::{EntryState, EntryStatus, GroupState, GroupStatus};
use clinit_engine::spec::Mode;

use super::exit::Exit;
use super::status::{ask, span};
use super::{Place, say};

/// Runs the verb.
pub(crate) fn run(place: &Place, name: &str) -> Exit {
    let reply = match ask(place, Some(name)) {
        Ok(reply) => reply,
        Err(error) => return say::client_error(&error),
    };
    let is_group = |group: &GroupStatus| group.name.as_str() == name;
    let mut text = String::new();
    for group in &reply.groups {
        if is_group(group) {
            explain_group(group, &mut text);
        } else {
            group.entries.iter().for_each(|entry| explain_entry(group, entry, &mut text));
        }
    }
    say::text_as_it_is(&text)
}

fn row(text: &mut String, head: &str, body: &str) {
    let _infallible = writeln!(text, "  {head:8} {body}");
}

fn explain_group(group: &GroupStatus, text: &mut String) {
    let name = &group.name;
    let level = group.level.as_ref().map_or("none", |level| level.as_str());
    let _infallible = writeln!(text, "group {name}: {}, level {level}", group.state);
    match (&group.target, group.told) {
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
        GroupState::Configured => {
            ("nothing runs until it is told a level", format!("clinit tell {name} LEVEL"))
        }
        GroupState::Stopping | GroupState::Dumping => (
            "when what is stopping is gone, its level's entries start in the order of the table",
            String::new(),
        ),
        GroupState::Starting | GroupState::Checking => (
            "its entries start in the order of the table; a wait or test entry holds the next",
            String::new(),
        ),
        GroupState::Failed => {
            ("it stays so until it is told another level", "see which test failed below".into())
        }
        GroupState::Done | GroupState::Passed => ("it stays so until it is told otherwise", String::new()),
        GroupState::Halting => ("the daemon shuts down when all has ended", String::new()),
    };
    row(text, "next", next);
    if !remedy.is_empty() {
        row(text, "do", &remedy);
    }
    for entry in group.entries.iter().filter(|entry| needs_words(entry)) {
        explain_entry(group, entry, text);
    }
}

/// Whether an entry of a group is out of the ordinary.
fn needs_words(entry: &EntryStatus) -> bool {
    match entry.state {
        EntryState::Pausing | EntryState::Clearing | EntryState::Killing | EntryState::Failed => true,
        EntryState::Stopping | EntryState::Starting => true,
        EntryState::Down => entry.why.is_some(),
        EntryState::Running => entry.restarts > 0,
        EntryState::Done | EntryState::Passed => false,
    }
}

fn explain_entry(group: &GroupStatus, entry: &EntryStatus, text: &mut String) {
    let name = format!("{}/{}", group.name, entry.tag);
    let pid = entry.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let _infallible = writeln!(text, "{name}: {}{pid}, for {}", entry.state, span(entry.since_ms));
    row(text, "runs", &format!("{}: {}", entry.mode, entry.command));
    row(text, "cause", &cause(group, entry));
    if let Some(exit) = &entry.last_exit {
        let ago = entry.last_exit_ms.map(|ms| format!(", {} ago", span(ms))).unwrap_or_default();
        row(text, "last", &format!("{exit}{ago}; started again {} times", entry.restarts));
    }
    row(text, "next", &next(entry));
    if let Some(remedy) = remedy(group, entry, &name) {
        row(text, "do", &remedy);
    }
}

fn cause(group: &GroupStatus, entry: &EntryStatus) -> String {
    if let Some(why) = &entry.why {
        return why.clone();
    }
    let level = group.level.as_ref().or(group.target.as_ref());
    match (level, entry.wanted) {
        (Some(level), true) => format!("group {} has level {level}, and the entry belongs to it", group.name),
        (Some(level), false) => {
            format!("group {} has level {level}, and the entry does not belong to it", group.name)
        }
        (None, _) => format!("group {} was never told a level", group.name),
    }
}

fn next(entry: &EntryStatus) -> String {
    let within = |what: &str| match entry.until_ms {
        Some(ms) => format!("{what} in {}", span(ms)),
        None => format!("{what} when it has ended"),
    };
    match (entry.state, entry.mode) {
        (EntryState::Running | EntryState::Starting, Mode::Respawn) => {
            "if it ends by itself it is started again at once".to_owned()
        }
        (EntryState::Running | EntryState::Starting, _) => "when it ends it is done".to_owned(),
        (EntryState::Pausing, _) => within("it is started again"),
        (EntryState::Clearing, _) => "it is started again when the rest of it is gone".to_owned(),
        (EntryState::Stopping, _) => match entry.until_ms {
            Some(ms) => format!("it is killed in {} if it has not ended", span(ms)),
            None => "it has all the time it wants to end".to_owned(),
        },
        (EntryState::Killing, _) => "it is killed again every few seconds until it is gone".to_owned(),
        (EntryState::Down, _) => "nothing, until it is wanted".to_owned(),
        (EntryState::Done | EntryState::Passed | EntryState::Failed, _) => {
            "it runs again when its group leaves the level and comes back".to_owned()
        }
    }
}

fn remedy(group: &GroupStatus, entry: &EntryStatus, name: &str) -> Option<String> {
    let levels: Vec<&str> = entry.levels.iter().map(clinit_engine::Level::as_str).collect();
    match entry.state {
        EntryState::Pausing => Some(format!("put right what ends it, then: clinit reset {name}")),
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
        EntryState::Running if entry.restarts > 0 => {
            Some("look at what it prints: it has ended before".to_owned())
        }
        EntryState::Down | EntryState::Running | EntryState::Starting | EntryState::Clearing => None,
        EntryState::Stopping | EntryState::Done | EntryState::Passed => None,
    }
}

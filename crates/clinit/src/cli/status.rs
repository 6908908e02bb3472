//! `clinit status [GROUP | GROUP/TAG | TAG]`

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use clinit_control::CallError;
use clinit_control::client::{Client, ClientError};
use clinit_control::interface::{EntryState, EntryStatus, GroupStatus, Status as Call, StatusReply};
use serde_json::json;

use super::arguments::Status;
use super::exit::Exit;
use super::explain::log_words;
use super::{Place, say};

/// Runs the verb.
pub(crate) fn run(place: &Place, status: &Status) -> Exit {
    if let Some(path) = &status.clstat {
        return from_file(path, status);
    }
    if status.watch {
        return watch(place, status);
    }
    match ask(place, status.name.as_deref()) {
        Ok(mut reply) => {
            if let Some(level) = &status.level {
                reply.groups.retain(|group| group.level.as_ref().is_some_and(|has| has.as_str() == level));
            }
            if status.json {
                return match serde_json::to_string_pretty(&reply) {
                    Ok(text) => say::line(&text),
                    Err(_) => Exit::System,
                };
            }
            say::text_as_it_is(&if status.names { names(&reply.groups) } else { table(&reply.groups) })
        }
        Err(error) => say::client_error(&error),
    }
}

/// Shows the table every second, until the reader or the daemon is gone.
fn watch(place: &Place, status: &Status) -> Exit {
    loop {
        match ask(place, status.name.as_deref()) {
            Ok(mut reply) => {
                if let Some(level) = &status.level {
                    reply
                        .groups
                        .retain(|group| group.level.as_ref().is_some_and(|has| has.as_str() == level));
                }
                // Home, the table, and nothing of what stood there before.
                if say::lines_or_gone("\u{1b}[H\u{1b}[J", &table(&reply.groups)).is_err() {
                    return Exit::Done;
                }
            }
            Err(error) => return say::client_error(&error),
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}

/// A bare name is a group's, else a tag.
pub(super) fn ask(place: &Place, name: Option<&str>) -> Result<StatusReply, ClientError> {
    ask_over(&mut place.connect()?, name)
}

/// The same over a connection that is there.
pub(super) fn ask_over(client: &mut Client, name: Option<&str>) -> Result<StatusReply, ClientError> {
    let Some(name) = name else { return client.status(&Call::default()) };
    let of_tag = Call { group: None, tag: Some(name.to_owned()) };
    if name.contains('/') {
        return client.status(&of_tag);
    }
    let group = client.status(&Call { group: Some(name.to_owned()), tag: None });
    let Err(ClientError::Remote(CallError::NoSuchGroup { suggestion: of_group, .. })) = group else {
        return group;
    };
    client.status(&of_tag).map_err(|error| match error {
        ClientError::Remote(CallError::NoSuchEntry { suggestion, .. }) => {
            let (name, suggestion) = (format!("{name}, nor a group"), of_group.or(suggestion));
            ClientError::Remote(CallError::NoSuchEntry { name, suggestion })
        }
        other => other,
    })
}

/// What there is, for scripts that cannot read JSON: names hold no blanks. A level stands once.
fn names(groups: &[GroupStatus]) -> String {
    let mut text = String::new();
    for GroupStatus { name, entries, .. } in groups {
        let _infallible = writeln!(text, "group {name}");
        let levels: BTreeSet<_> = entries.iter().flat_map(|entry| &entry.levels).collect();
        for level in levels {
            let _infallible = writeln!(text, "level {name} {level}");
        }
        for entry in entries {
            let _infallible = writeln!(text, "entry {name}/{}", entry.tag);
        }
    }
    text
}

const HEAD: [&str; 7] = ["GROUP/ENTRY", "LEVEL", "STATE", "PID", "SINCE", "RESTARTS", "LAST EXIT"];

/// A table for people: a row for each group, and below it one for each of its entries.
fn table(groups: &[GroupStatus]) -> String {
    let mut rows: Vec<[String; 7]> = vec![HEAD.map(str::to_owned)];
    for group in groups {
        let level = match (&group.level, &group.target) {
            (Some(level), Some(target)) if level != target => format!("{level}>{target}"),
            (Some(level), _) | (None, Some(level)) => level.to_string(),
            (None, None) => "-".to_owned(),
        };
        let none = String::new;
        let since = if group.told { span(group.since_ms) } else { "-".to_owned() };
        // What was made by hand has no level to stand at.
        let state = if group.transient { "-".to_owned() } else { group.state.to_string() };
        let notes = if group.fallen { "taken down: an entry was given up" } else { "" };
        rows.push([group.name.to_string(), level, state, none(), since, none(), notes.to_owned()]);
        rows.extend(group.entries.iter().map(row));
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _infallible = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for (group, entry) in
        groups.iter().flat_map(|group| group.entries.iter().map(move |entry| (group, entry)))
    {
        if let Some(words) = entry.log.as_ref().and_then(log_words) {
            let _infallible = writeln!(text, "{}/{}: {words}", group.name, entry.tag);
        }
    }
    text
}

fn row(entry: &EntryStatus) -> [String; 7] {
    [
        format!("  {}", entry.tag),
        String::new(),
        entry.state.to_string(),
        entry.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        // Since when it is down nobody asks of what has never run.
        if entry.state == EntryState::Down && entry.last_exit.is_none() {
            "-".to_owned()
        } else {
            span(entry.since_ms)
        },
        entry.restarts.to_string(),
        last_exit(entry),
    ]
}

/// How it ended last, why it is as it is, what it says of itself, and what follows.
fn last_exit(entry: &EntryStatus) -> String {
    let mut parts = Vec::new();
    if entry.transient {
        parts.push(format!("transient, {}", entry.mode));
    }
    if let Some(exit) = &entry.last_exit {
        let ago = entry.last_exit_ms.map(|ms| format!(" {} ago", span(ms))).unwrap_or_default();
        parts.push(format!("{exit}{ago}"));
    }
    parts.extend(entry.why.clone());
    if entry.reloading {
        parts.push("reloading".to_owned());
    }
    if let (Some(misses @ 1..), Some(most)) = (entry.misses, entry.misses_max) {
        parts.push(format!("health check failed {misses} of {most} times"));
    }
    parts.extend(entry.until_ms.map(|ms| match entry.state {
        EntryState::Stopping => format!("killed in {}", span(ms)),
        EntryState::Running => format!("restarted in {} if it is not ready by then", span(ms)),
        _ => format!("started again in {}", span(ms)),
    }));
    parts.extend(entry.says.as_deref().map(|text| format!("says: {}", printable(text))));
    parts.join("; ")
}

/// What a program says of itself, without what a terminal would obey.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A length of time in its two largest units.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms}ms"),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Reads a status file; a missing one says that no daemon runs.
fn from_file(path: &Path, status: &Status) -> Exit {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            say::error(&format!("no status file at {}: its daemon does not run", path.display()), None);
            return Exit::NoDaemon;
        }
        Err(error) => {
            say::error(&format!("failed to read {}: {error}", path.display()), None);
            return Exit::System;
        }
    };
    let mut groups: Vec<[&str; 3]> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["Cluster::Init::Group", name, level, state] = words[..] {
            groups.push([name, level, state]);
        }
    }
    groups.retain(|[name, level, _]| {
        status.name.as_deref().is_none_or(|wanted| wanted == *name)
            && status.level.as_deref().is_none_or(|wanted| wanted == *level)
    });
    if let Some(name) = status.name.as_deref().filter(|_| groups.is_empty() && status.level.is_none()) {
        say::error(&format!("{} says nothing of group {name}", path.display()), None);
        return Exit::Failed;
    }
    if status.json {
        let object =
            |[name, level, state]: &[&str; 3]| json!({ "name": name, "level": level, "state": state });
        let groups: Vec<_> = groups.iter().map(object).collect();
        return say::line(&json!({ "groups": groups }).to_string());
    }
    let width = groups.iter().map(|[name, ..]| name.chars().count()).max().unwrap_or(0).max("GROUP".len());
    let levels =
        groups.iter().map(|[_, level, _]| level.chars().count()).max().unwrap_or(0).max("LEVEL".len());
    let mut table = format!("{:width$}  {:levels$}  STATE\n", "GROUP", "LEVEL");
    for [name, level, state] in groups {
        let _infallible = writeln!(table, "{name:width$}  {level:levels$}  {state}");
    }
    say::text_as_it_is(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_show_their_two_largest_units() {
        for (ms, text) in
            [(12, "12ms"), (59_999, "59s"), (61_000, "1m01s"), (3_600_000, "1h00m"), (90_000_000, "1d01h")]
        {
            assert_eq!(span(ms), text);
        }
    }
}

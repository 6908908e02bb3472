//! Whose logs, and where they are: the daemon says it; where none answers, the table.

use std::cell::LazyCell;
use std::path::{Path, PathBuf};

use clinit_control::client::ClientError;
use clinit_control::interface::StatusReply;
use clinit_daemon::logs::{folder_name, folder_of};
use clinit_daemon::paths::Paths;
use clinit_daemon::start::find_logs;
use clinit_table::{ParseOptions, load, parse};

use super::reader::Chosen;
use crate::cli::exit::Exit;
use crate::cli::status::ask;
use crate::cli::{Place, say};

/// What is known of an entry's lines.
struct Known {
    group: String,
    tag: String,
    folder: Option<PathBuf>,
}

/// The entries of this name, of all groups without one, whose lines are kept.
pub(super) fn select(place: &Place, name: Option<&str>) -> Result<Vec<Chosen>, Exit> {
    let base = LazyCell::new(|| find_logs(&place.socket(), place.table.as_deref(), place.dialect));
    let known = match ask(place, name) {
        Ok(reply) => of_daemon(reply),
        Err(ClientError::NoDaemon { .. } | ClientError::NoPermission { .. } | ClientError::Closed) => {
            let known = of_table(place, name, &base);
            if known.is_empty() { of_folder(name, &base) } else { known }
        }
        // Perhaps the table had it once.
        Err(error @ ClientError::Remote(_)) => {
            let known = of_folder(name, &base);
            if known.is_empty() {
                return Err(say::client_error(&error));
            }
            known
        }
        Err(error) => return Err(say::client_error(&error)),
    };
    let is_any = !known.is_empty();
    let kept = known
        .into_iter()
        .filter_map(|Known { group, tag, folder }| folder.map(|folder| Chosen { group, tag, folder }));
    let kept: Vec<Chosen> = kept.collect();
    if kept.is_empty() {
        let hint = "clinit daemon keeps what entries print; so does output:file:DIR in the table";
        let what = name.map_or_else(|| "any entry".to_owned(), ToOwned::to_owned);
        let message = match is_any {
            true => format!("nothing of what {what} prints is kept here"),
            false => format!("no daemon answers, and the table has no entry or group {what}"),
        };
        say::error(&message, Some(hint));
        return Err(Exit::Failed);
    }
    Ok(kept)
}

fn of_daemon(reply: StatusReply) -> Vec<Known> {
    let groups = reply.groups.into_iter();
    let entries = groups.flat_map(|group| {
        let name = group.name.to_string();
        group.entries.into_iter().map(move |entry| Known {
            group: name.clone(),
            tag: entry.tag.to_string(),
            folder: entry.log.and_then(|log| log.folder).map(PathBuf::from),
        })
    });
    entries.collect()
}

/// As a daemon in the background would keep them.
fn of_table(place: &Place, name: Option<&str>, base: &Path) -> Vec<Known> {
    let path = place.table.clone().unwrap_or_else(|| Paths::of_user(place.dialect).table);
    let sources = load(&path).unwrap_or_default();
    let table = parse(&sources, ParseOptions { dialect: place.dialect }).table;
    let of_group = table.groups.iter().any(|group| Some(group.name.as_str()) == name);
    let is_meant = |group: &str, tag: &str| match name {
        None => true,
        Some(name) if of_group => name == group,
        Some(name) => name == tag || name.split_once('/') == Some((group, tag)),
    };
    let entries = table.groups.iter().flat_map(|group| group.entries.iter().map(move |entry| (group, entry)));
    let meant = entries.filter(|(group, entry)| is_meant(group.name.as_str(), entry.tag.as_str()));
    meant
        .map(|(group, entry)| Known {
            group: group.name.to_string(),
            tag: entry.tag.to_string(),
            folder: folder_of(base, &group.name, entry),
        })
        .collect()
}

/// What is left of an entry that is in no table any more.
fn of_folder(name: Option<&str>, base: &Path) -> Vec<Known> {
    let Some((group, tag)) = name.and_then(|name| name.split_once('/')) else { return Vec::new() };
    let folder = base.join(folder_name(group, tag));
    let known = Known { group: group.to_owned(), tag: tag.to_owned(), folder: Some(folder.clone()) };
    folder.is_dir().then_some(known).into_iter().collect()
}

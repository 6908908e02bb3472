//! The file that remembers what people told, for the time after the machine went down.
//!
//! One JSON object a line: first the version, then the groups with the levels that they were told, then the entries
//! that were stopped by hand. It is replaced as a whole, and on the disk before it is in its place.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clinit_engine::name::{EntryKey, GroupName, Level, Tag};
use clinit_engine::node::Recall;
use serde::{Deserialize, Serialize};

/// The version of the format.
const VERSION: u32 = 1;

/// Larger than what any table could make of it.
const BYTES_MAX: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    Version { clinit_remembers: u32 },
    Level { group: GroupName, level: Level },
    Held { group: GroupName, tag: Tag, stopped: bool },
}

/// The file's text.
pub(crate) fn text<'a>(
    levels: impl IntoIterator<Item = (&'a GroupName, &'a Level)>,
    held: impl IntoIterator<Item = &'a EntryKey>,
) -> String {
    let levels =
        levels.into_iter().map(|(group, level)| Line::Level { group: group.clone(), level: level.clone() });
    let held = held.into_iter().map(|key| Line::Held {
        group: key.group.clone(),
        tag: key.tag.clone(),
        stopped: true,
    });
    let lines = std::iter::once(Line::Version { clinit_remembers: VERSION }).chain(levels).chain(held);
    lines.filter_map(|line| serde_json::to_string(&line).ok()).map(|line| line + "\n").collect()
}

/// Reads what was remembered; nothing where there is no file. What cannot be read is kept aside, and said in words.
pub(crate) fn recall(path: &Path) -> Result<Recall, String> {
    let text = match fs::metadata(path).and_then(|metadata| {
        if !metadata.is_file() || metadata.len() > BYTES_MAX {
            return Err(io::Error::other("it is not a file that clinit wrote"));
        }
        fs::read_to_string(path)
    }) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Recall::default()),
        Err(error) => return Err(aside(path, &error.to_string())),
    };
    parse(&text).map_err(|why| aside(path, &why))
}

fn parse(text: &str) -> Result<Recall, String> {
    let mut recall = Recall::default();
    for (number, line) in (1..).zip(text.lines()) {
        match (number, serde_json::from_str::<Line>(line)) {
            (1, Ok(Line::Version { clinit_remembers: VERSION })) => {}
            (1, Ok(Line::Version { clinit_remembers })) => {
                return Err(format!("it has version {clinit_remembers}"));
            }
            (2.., Ok(Line::Level { group, level })) => drop(recall.levels.insert(group, level)),
            (2.., Ok(Line::Held { group, tag, stopped })) => {
                if stopped {
                    recall.held.insert(EntryKey { group, tag });
                }
            }
            (_, Ok(_) | Err(_)) => return Err(format!("its line {number} is damaged")),
        }
    }
    if text.is_empty() || !text.ends_with('\n') { Err("it was cut off".to_owned()) } else { Ok(recall) }
}

/// Keeps a file aside; what is said of it.
fn aside(path: &Path, why: &str) -> String {
    let mut name = path.as_os_str().to_owned();
    name.push(".unreadable");
    let kept = match fs::rename(path, &name) {
        Ok(()) => format!("it is kept as {}", PathBuf::from(name).display()),
        Err(error) => format!("it cannot be kept aside: {error}"),
    };
    format!(
        "what was told before the machine went down is not known: {}: {why}; {kept}; groups take their initdefault",
        path.display()
    )
}

/// Writes the file anew: all of it, on the disk, and then in its place.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let written = write_new(&new, text).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _nothing_there = fs::remove_file(&new);
    }
    written.and_then(|()| fs::File::open(folder)?.sync_all())
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let _of_an_earlier_try = fs::remove_file(path);
    let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(group: &str, tag: &str) -> EntryKey {
        EntryKey { group: GroupName::new(group).unwrap(), tag: Tag::new(tag).unwrap() }
    }

    #[test]
    fn what_is_written_is_recalled() {
        let folder = std::env::temp_dir().join(format!("clinit-remembered-{}", std::process::id()));
        let path = folder.join("a/remembered");
        assert_eq!(recall(&path), Ok(Recall::default()));
        let recalled = Recall {
            levels: [(GroupName::new("web").unwrap(), Level::new("run").unwrap())].into(),
            held: [key("web", "httpd"), key("db", "sql")].into(),
        };
        let text = text(&recalled.levels, &recalled.held);
        write(&path, &text).unwrap();
        assert_eq!(recall(&path), Ok(recalled));
        for (damaged, why) in [
            (&text[..text.len() - 3], "damaged"),
            (&text[..text.len() - 1], "cut off"),
            ("", "cut off"),
            ("{\"clinit_remembers\":9}\n", "version 9"),
            ("{\"group\":\"web\",\"level\":\"run\"}\n", "line 1"),
            ("{\"clinit_remembers\":1}\n{\"x\":1}\n", "line 2"),
        ] {
            fs::write(&path, damaged).unwrap();
            let said = recall(&path).unwrap_err();
            assert!(said.contains(why) && said.contains(".unreadable"), "{said}");
            assert_eq!(fs::read_to_string(folder.join("a/remembered.unreadable")).unwrap(), damaged);
            assert_eq!(recall(&path), Ok(Recall::default()));
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}

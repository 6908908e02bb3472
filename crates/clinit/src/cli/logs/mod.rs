//! `clinit logs [GROUP | GROUP/TAG | TAG] [-f] [-n N] [--since T] [--json]`
//!
//! | file | room for |
//! |---|---|
//! | `select` | whose logs, and where they are: the daemon says it, or else the table |
//! | `reader` | the lines of one folder, over all its files, and over files that come |
//! | `merge` | lines of several entries by their times |
//! | `follow` | waiting for more |
//! | `show` | lines for people and for programs |

mod follow;
mod merge;
mod reader;
mod select;
mod show;

use std::io::{self, IsTerminal};
use std::time::Duration;

use clinit_daemon::logs::local_offset_seconds;
use clinit_daemon::logs::stamp::{now, parse_iso};

use super::arguments::Logs;
use super::exit::Exit;
use super::{Place, say};

use reader::Reader;
pub(crate) use reader::last_lines;
use show::Show;

/// How many lines are shown before those that are waited for.
const FOLLOWED_LINES: usize = 10;

/// Runs the verb.
pub(crate) fn run(place: &Place, logs: &Logs) -> Exit {
    let chosen = match select::select(place, logs.name.as_deref()) {
        Ok(chosen) => chosen,
        Err(exit) => return exit,
    };
    clinit_daemon::logs::open_many();
    let mut readers = Vec::with_capacity(chosen.len());
    for entry in chosen {
        match Reader::open(entry, logs.follow) {
            Ok(reader) => readers.push(reader),
            Err(error) => {
                say::error(&error.to_string(), None);
                return if error.is_refusal() { Exit::NotPermitted } else { Exit::System };
            }
        }
    }
    let default = (logs.follow && logs.since.is_none()).then_some(FOLLOWED_LINES);
    let last = logs.last.or(default);
    if let Some(since) = logs.since {
        readers.iter_mut().for_each(|reader| reader.skip_to(since));
    }
    if let Some(last) = last {
        readers.iter_mut().for_each(|reader| reader.skip_to_last(last));
    }
    let is_for_terminal = io::stdout().is_terminal();
    let show = Show { json: logs.json, names: readers.len() > 1, is_for_terminal };
    let shown = merge::merge(&mut readers, last, &show);
    if logs.follow {
        shown.and_then(|()| follow::follow(&mut readers, &show)).into_exit()
    } else {
        shown.into_exit()
    }
}

/// What a reader who has gone away is: no error.
trait IntoExit {
    fn into_exit(self) -> Exit;
}

impl IntoExit for std::io::Result<()> {
    fn into_exit(self) -> Exit {
        match self {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                say::error(&error.to_string(), None);
                Exit::System
            }
            Ok(()) | Err(_) => Exit::Done,
        }
    }
}

/// The time that a text says: how long ago (`90s`, `10m`, `2h`, `1d`), or when, in ISO 8601.
pub(crate) fn moment(text: &str) -> Option<Duration> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return parse_iso(text, local_offset_seconds),
    };
    let number = &text[..text.len() - 1];
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let ago = is_number.then(|| number.parse::<u64>().ok()?.checked_mul(unit))??;
    Some(now().saturating_sub(Duration::from_secs(ago)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_ago_or_dates() {
        let now = now().as_secs();
        for (text, ago) in [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400)] {
            let found = moment(text).unwrap().as_secs();
            assert!((now - ago..=now - ago + 60).contains(&found), "{text}");
        }
        assert_eq!(moment("2000-02-29T00:00:00Z"), Some(Duration::from_secs(951_782_400)));
        assert!(moment("2000-02-29 12:00").is_some() && moment("2000-02-29").is_some());
        for text in ["", "m", "10", "-1m", "1.5h", "yesterday", "99999999999999999999d", "2000-02-30"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}

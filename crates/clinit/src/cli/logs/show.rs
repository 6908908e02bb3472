//! Lines for people and for programs.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::time::Duration;

use clinit_daemon::logs::local_offset_seconds;
use clinit_daemon::logs::stamp::date_and_time;
use serde_json::json;

use super::super::say;
use super::reader::{Chosen, Line};

/// How lines are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Show {
    /// Each as a JSON object.
    pub(super) json: bool,
    /// Each with the name of its entry.
    pub(super) names: bool,
    /// To a terminal, which must not obey what services print.
    pub(super) is_for_terminal: bool,
}

impl Show {
    /// Where to.
    pub(super) fn output(self) -> BufWriter<StdoutLock<'static>> {
        BufWriter::new(io::stdout().lock())
    }

    /// Shows a line.
    pub(super) fn line(self, out: &mut impl Write, entry: &Chosen, line: &Line) -> io::Result<()> {
        let Chosen { group, tag, .. } = entry;
        if self.json {
            let time = line.time.map(|time| format!("{}Z", date_and_time(time, 6)));
            let text = String::from_utf8_lossy(&line.text);
            let object = json!({ "time": time, "group": group, "tag": tag, "text": text });
            return writeln!(out, "{object}");
        }
        if let Some(time) = line.time {
            write!(out, "{} ", local(time, local_offset_seconds))?;
        }
        if self.names {
            write!(out, "{group}/{tag} | ")?;
        }
        if self.is_for_terminal {
            return writeln!(out, "{}", say::harmless(&String::from_utf8_lossy(&line.text)));
        }
        out.write_all(&line.text)?;
        out.write_all(b"\n")
    }
}

/// `2003-07-14T11:26:53.589123+02:00`
fn local(time: Duration, offset: impl Fn(i64) -> i64) -> String {
    let ahead = offset(i64::try_from(time.as_secs()).unwrap_or(0));
    let shift = Duration::from_secs(ahead.unsigned_abs());
    let there = if ahead < 0 { time.saturating_sub(shift) } else { time + shift };
    let (sign, minutes) = (if ahead < 0 { '-' } else { '+' }, ahead.unsigned_abs() / 60);
    format!("{}{sign}{:02}:{:02}", date_and_time(there, 6), minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_place() {
        let time = Duration::new(951_782_400, 1_000_000);
        assert_eq!(local(time, |_| 7200), "2000-02-29T02:00:00.001000+02:00");
        assert_eq!(local(time, |_| -12_600), "2000-02-28T20:30:00.001000-03:30");
        assert_eq!(local(time, |_| 0), "2000-02-29T00:00:00.001000+00:00");
    }

    #[test]
    fn lines_have_names_where_there_are_several_entries() {
        let entry = Chosen { group: "web".to_owned(), tag: "httpd".to_owned(), folder: "/x".into() };
        let line = Line { time: None, order: Duration::ZERO, text: b"a \xff".to_vec() };
        let shown = |json, names| {
            let mut out = Vec::new();
            Show { json, names, is_for_terminal: false }.line(&mut out, &entry, &line).unwrap();
            out
        };
        assert_eq!(shown(false, false), b"a \xff\n");
        assert_eq!(shown(false, true), b"web/httpd | a \xff\n");
        let json: serde_json::Value = serde_json::from_slice(&shown(true, true)).unwrap();
        assert_eq!(json, json!({ "time": null, "group": "web", "tag": "httpd", "text": "a \u{fffd}" }));
    }
}

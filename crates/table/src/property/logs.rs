//! The properties about what becomes of what entries print.

use std::fmt;

use clinit_engine::logging::{Destination, Full, Stamp};
use clinit_engine::spec::Output;

use super::draft::Draft;
use super::kind::{Change, FieldOf, Kind, Word, put};
use super::registry::ANYWHERE;
use super::{Property, Section, surroundings as around};

/// The least size of a file: less than this multilog does not take either.
const BYTES_MIN: u64 = 4096;

/// The least and the most files.
const COUNT_MIN: u32 = 2;
const COUNT_MAX: u32 = 100_000;

/// The types of values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LogKind {
    /// Where output goes.
    Output,
    /// The size of a file.
    Size(FieldOf<u64>),
    /// A number of files.
    Count(FieldOf<u32>),
}

impl LogKind {
    /// What setting a property of this kind to `text` does, if that is a value of this kind.
    pub(super) fn change(self, text: &str) -> Option<Change> {
        match self {
            Self::Output => output(text),
            Self::Size(field) => {
                around::bytes(text).filter(|&bytes| bytes >= BYTES_MIN).map(|bytes| put(field, bytes))
            }
            Self::Count(field) => {
                let number = around::count(text).and_then(|number| u32::try_from(number).ok());
                number
                    .filter(|number| (COUNT_MIN..=COUNT_MAX).contains(number))
                    .map(|number| put(field, number))
            }
        }
    }
}

impl fmt::Display for LogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output => f.write_str("`inherit`, `null`, `syslog`, or `file:` with an absolute path"),
            Self::Size(_) => write!(f, "a number of bytes such as 64K, 1M or 1G, at least {BYTES_MIN}"),
            Self::Count(_) => write!(f, "a number from {COUNT_MIN} to {COUNT_MAX}"),
        }
    }
}

/// Whether output goes to the logger is the program's matter, and where from there that of the policy.
fn output(text: &str) -> Option<Change> {
    let to = match text {
        "inherit" => return Some(Box::new(|draft| draft.program.output = Output::Inherit)),
        "null" => return Some(Box::new(|draft| draft.program.output = Output::Null)),
        "syslog" => Destination::Syslog,
        _ => Destination::Folder(around::absolute_path(text.strip_prefix("file:")?)?),
    };
    Some(Box::new(move |draft: &mut Draft| {
        draft.program.output = Output::Logged;
        draft.logging().to = to.clone();
    }))
}

/// The rows.
pub(super) const ROWS: &[Property] = &[
    Property {
        restart: true,
        ..row(
            "output",
            Kind::Log(LogKind::Output),
            None,
            "where standard output and error go: the daemon's own, nowhere, the system's log, or files",
            "Without it a daemon in the background keeps it in `log_folder`, and `clinit -d` lets it inherit. \
             `file:DIR` has a folder `DIR/GROUP/TAG` for each entry, as multilog has them: `current`, and \
             `@STAMP.s` for each file before it. With `clinit up` all but `null` is shown, each line with its \
             entry. Another folder, or the system's log instead of one, takes effect without a restart.",
        )
    },
    row(
        "log_size",
        Kind::Log(LogKind::Size(|draft| &mut draft.logging().size_bytes)),
        Some("1M"),
        "the most bytes of a file; a full one is put aside, and another begun",
        "Files end at line ends, unless a line is longer than a file.",
    ),
    row(
        "log_count",
        Kind::Log(LogKind::Count(|draft| &mut draft.logging().count)),
        Some("10"),
        "the most files of an entry, with `current`; the oldest are removed",
        "",
    ),
    row(
        "log_stamp",
        Kind::Word(&[
            Word { text: "tai64n", put: |draft| draft.logging().stamp = Stamp::Tai64n },
            Word { text: "iso", put: |draft| draft.logging().stamp = Stamp::Iso },
            Word { text: "none", put: |draft| draft.logging().stamp = Stamp::None },
        ]),
        Some("tai64n"),
        "what stands before each line of a file: a label of TAI64N, date and time of UTC, or nothing",
        "`clinit logs` shows local time for either; so does `tai64nlocal` for the first.",
    ),
    row(
        "log_full",
        Kind::Word(&[
            Word { text: "hold", put: |draft| draft.logging().full = Full::Hold },
            Word { text: "drop", put: |draft| draft.logging().full = Full::Drop },
        ]),
        Some("drop"),
        "what becomes of lines that the disk does not take: they wait, or after `log_hold` are dropped",
        "An entry whose lines wait goes on until 64 KiB of them do, and then waits where it prints. What was \
         dropped is counted: `clinit status` and a line in its place tell how much it was.",
    ),
    row(
        "log_hold",
        Kind::Duration(|draft| &mut draft.logging().hold),
        Some("60s"),
        "how long lines wait for the disk before they are dropped",
        "",
    ),
];

const fn row(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    doc: &'static str,
    more: &'static str,
) -> Property {
    let (section, aliases, scopes, restart) = (Section::Output, &[], ANYWHERE, false);
    Property { name, section, aliases, kind, default, scopes, restart, doc, more }
}

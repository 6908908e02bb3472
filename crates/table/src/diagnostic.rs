//! What is wrong with a table, and where.

use std::sync::Arc;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The line is left out of the table.
    Fault,
    /// The line is used, though perhaps not as it was meant.
    Warning,
}

impl Severity {
    /// The word in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Warning => "warning",
        }
    }
}

/// All codes with what they mean, those of what a machine lacks behind those of a table.
pub const CODES: &[(&str, &str)] = &[
    ("missing-columns", "the line has less than five columns"),
    ("missing-group", "the entry has no group"),
    ("missing-tag", "the entry has no tag"),
    ("missing-level", "the entry has no level"),
    ("missing-mode", "the entry has no mode"),
    ("missing-command", "the entry has no command, and its mode runs one"),
    ("bad-group", "that is no name for a group"),
    ("bad-tag", "that is no name for an entry"),
    ("bad-level", "that is no name for a level"),
    ("reserved-group", "groups cannot have that name: entries of other origin live under it"),
    ("duplicate-tag", "another entry has that tag"),
    ("unknown-mode", "there is no such mode"),
    ("forgotten-level", "an entry with an empty levels column: it would be a property named like a mode"),
    ("unknown-property", "there is no such property"),
    ("unknown-tag", "a property of an entry that is not there, or a link to one that is not in the group"),
    ("link-cycle", "entries follow each other in a circle"),
    ("wrong-scope", "the property cannot be set for that: the table, a group or an entry"),
    ("bad-value", "the property does not take that value; the hint says what it takes"),
    ("conflict", "two properties contradict each other"),
    ("not-a-setting", "`override` before a property that no command line gives"),
    ("line-too-long", "the line is longer than 65536 bytes"),
    ("not-utf8", "the line is not UTF-8"),
    ("control-character", "the line holds a control character other than a tab"),
    ("too-many-entries", "the table has more entries than clinit takes"),
    ("too-many-properties", "the table has more properties than clinit takes"),
    ("more-faults", "there are more faults than are shown"),
    ("unreadable", "the table, or one of its files, cannot be read"),
    ("set-twice", "the property is set twice for the same; the later line wins"),
    ("no-effect", "the property has no effect in the mode of the entry"),
    ("hollow-check", "a port is asked at which the daemon itself holds a socket for the entry (`listen`)"),
    ("never-together", "the entry requires one that never runs when it does"),
    ("unknown-level", "no entry runs in the level that `initdefault` names"),
    ("empty-table", "the table has neither entries nor groups"),
    ("exit-with-nobody", "exit_with names an entry that there is not"),
    ("verb-as-name", "a group or level is named like a command, which wins on the command line"),
    ("more-warnings", "there are more warnings than are shown"),
    ("unknown-user", "no user has that name or number here"),
    ("unknown-group", "no Unix group has that name here"),
    ("lookup-failed", "a name could not be looked up here"),
    ("no-controller", "the bound has no effect here: cgroup2 does not have its controller"),
];

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name for this kind of fault, in kebab-case: one of [`CODES`].
    pub code: &'static str,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// Where; nowhere when it is about the table as a whole.
    pub span: Option<Span>,
    /// What may be meant, or how to put it right.
    pub hint: Option<String>,
}

/// A piece of one line of a source. A length of 0 is the place before the character at `column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The name of the source.
    pub source: Arc<str>,
    /// Number of the line, from 1.
    pub line: usize,
    /// Where the piece begins, in characters from 1.
    pub column: usize,
    /// How long it is, in characters.
    pub length: usize,
    /// The line without its end. A line that is too long is cut, and bytes that are not UTF-8 are replaced.
    pub text: String,
}

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

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name for this kind of fault, in kebab-case.
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

//! Which table holds, what the last reading of the file brought, and who waits for the next.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use clinit_control::interface::Fault;
use clinit_engine::time::Instant;
use clinit_table::{Diagnostic, Dialect, Parsed, Source};

use super::clients::ClientId;

/// How long a file system may take to give the table; then the old one is acted on.
pub(crate) const READ_TIME: Duration = Duration::from_secs(5);

/// What came of the last reading.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    /// It differs from what held before, and holds now.
    pub(crate) changed: bool,
    /// Why it was refused.
    pub(crate) faults: Vec<Fault>,
    /// What is doubtful in it.
    pub(crate) warnings: Vec<Fault>,
}

/// Who waits for the table to be read, and why.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// A client told a level.
    Tell { client: ClientId, tell: clinit_control::interface::Tell, more: bool, oneway: bool },
    /// A client asked for nothing but that.
    Reread { client: ClientId, oneway: bool },
    /// A signal did.
    Signal,
}

/// The state of the table.
#[derive(Debug)]
pub(crate) struct Tables {
    /// The number of the copy in the state folder.
    pub(crate) revision: u64,
    /// What was last read, taken or not.
    pub(crate) known: Arc<Vec<Source>>,
    /// What holds.
    pub(crate) accepted: Arc<Vec<Source>>,
    /// What came of the last reading.
    pub(crate) verdict: Verdict,
    /// Since when the table is being read.
    pub(crate) reading_since: Option<Instant>,
    /// Those whom the present reading serves, and those who came after it had begun.
    pub(crate) served: Vec<Waiting>,
    pub(crate) later: Vec<Waiting>,
}

impl Tables {
    pub(crate) fn new(revision: u64, known: Vec<Source>, verdict: Verdict) -> Self {
        let known = Arc::new(known);
        Self {
            revision,
            accepted: Arc::clone(&known),
            known,
            verdict,
            reading_since: None,
            served: Vec::new(),
            later: Vec::new(),
        }
    }

    /// When waiting for the file system ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let waited_for = !self.served.is_empty() || !self.later.is_empty();
        self.reading_since.filter(|_| waited_for).map(|since| since + READ_TIME)
    }
}

/// What is to be said of a parsed table: at a reread one with faults, or an empty one, is refused whole.
pub(crate) fn judge(parsed: &Parsed, dialect: Dialect, name: &str) -> Verdict {
    let mut faults: Vec<Fault> = parsed.faults().map(|diagnostic| fault(diagnostic, name)).collect();
    if faults.is_empty() && parsed.is_empty() && dialect == Dialect::Clinit {
        faults.push(Fault {
            source: name.to_owned(),
            line: 0,
            column: 0,
            message: "the table has neither entries nor groups".to_owned(),
            hint: Some("to stop everything, use `clinit shutdown`".to_owned()),
        });
    }
    let warnings = parsed.warnings().map(|diagnostic| fault(diagnostic, name)).collect();
    Verdict { changed: faults.is_empty(), faults, warnings }
}

/// A diagnostic as it is sent.
fn fault(diagnostic: &Diagnostic, name: &str) -> Fault {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let span = diagnostic.span.as_ref();
    Fault {
        source: span.map_or_else(|| name.to_owned(), |span| span.source.to_string()),
        line: span.map_or(0, |span| number(span.line)),
        column: span.map_or(0, |span| number(span.column)),
        message: diagnostic.message.clone(),
        hint: diagnostic.hint.clone(),
    }
}

/// A table that could not be read at all.
pub(crate) fn unreadable(error: &dyn Error, name: &str) -> Verdict {
    let message = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    refusal(message, name)
}

/// A table that is refused as a whole.
pub(crate) fn refusal(message: String, name: &str) -> Verdict {
    let fault = Fault { source: name.to_owned(), line: 0, column: 0, message, hint: None };
    Verdict { changed: false, faults: vec![fault], warnings: Vec::new() }
}

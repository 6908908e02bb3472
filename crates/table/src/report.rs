//! The collector of diagnostics: bounded, and in file order in the end.

use std::fmt;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::settings::Place;
use crate::source::{Field, Line, Source};

/// Most faults described for one table; the others are counted.
pub const FAULTS_MAX: usize = 200;

/// Most warnings described for one table; the others are counted.
pub const WARNINGS_MAX: usize = 200;

/// What was found so far.
pub(crate) struct Report {
    names: Vec<Arc<str>>,
    found: Vec<(Order, Diagnostic)>,
    faults: usize,
    warnings: usize,
}

/// Source, line and column: the order in which diagnostics are listed.
type Order = (usize, usize, usize);

impl Report {
    pub(crate) fn new(sources: &[Source]) -> Self {
        let names = sources.iter().map(|source| source.name.as_str().into()).collect();
        Self { names, found: Vec::new(), faults: 0, warnings: 0 }
    }

    /// Reports that the line of `at` is left out of the table.
    pub(crate) fn fault(
        &mut self,
        at: Field<'_>,
        code: &'static str,
        message: impl fmt::Display,
    ) -> Noted<'_> {
        self.add(Severity::Fault, at, code, message)
    }

    /// Reports that the line of `at` is used, though perhaps not as it was meant.
    pub(crate) fn warning(
        &mut self,
        at: Field<'_>,
        code: &'static str,
        message: impl fmt::Display,
    ) -> Noted<'_> {
        self.add(Severity::Warning, at, code, message)
    }

    fn add(
        &mut self,
        severity: Severity,
        at: Field<'_>,
        code: &'static str,
        message: impl fmt::Display,
    ) -> Noted<'_> {
        let (count, max) = match severity {
            Severity::Fault => (&mut self.faults, FAULTS_MAX),
            Severity::Warning => (&mut self.warnings, WARNINGS_MAX),
        };
        *count += 1;
        if *count > max {
            return Noted(None);
        }
        let span = self.span(at);
        let order = (at.line.source, at.line.number, span.column);
        let message = message.to_string();
        self.found.push((order, Diagnostic { severity, code, message, span: Some(span), hint: None }));
        Noted(self.found.last_mut().map(|(_, diagnostic)| diagnostic))
    }

    /// Warns of the table as a whole.
    pub(crate) fn warning_about_all(&mut self, code: &'static str, message: &str) {
        let (severity, message) = (Severity::Warning, message.to_owned());
        let last = (self.names.len(), 0, 0);
        self.found.push((last, Diagnostic { severity, code, message, span: None, hint: None }));
    }

    /// The name of the source of `line`.
    pub(crate) fn name(&self, line: Line<'_>) -> Arc<str> {
        self.names.get(line.source).cloned().unwrap_or_default()
    }

    /// Where `line` stands.
    pub(crate) fn place(&self, line: Line<'_>) -> Place {
        Place { source: self.name(line), line: line.number }
    }

    /// Where `at` stands.
    pub(crate) fn span(&self, at: Field<'_>) -> Span {
        Span {
            source: self.name(at.line),
            line: at.line.number,
            column: at.line.text[..at.start].chars().count() + 1,
            length: at.text.chars().count(),
            text: at.line.text.to_owned(),
        }
    }

    /// All diagnostics in file order; behind them how many there were no room for.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|&(order, _)| order);
        let unshown = |severity, code, count: usize, max| {
            let more = count.checked_sub(max).filter(|&more| more > 0)?;
            let message = format!("{more} more {}s are not shown", Severity::as_str(severity));
            Some(Diagnostic { severity, code, message, span: None, hint: None })
        };
        let found = self.found.into_iter().map(|(_, diagnostic)| diagnostic);
        found
            .chain(unshown(Severity::Fault, "more-faults", self.faults, FAULTS_MAX))
            .chain(unshown(Severity::Warning, "more-warnings", self.warnings, WARNINGS_MAX))
            .collect()
    }
}

/// A diagnostic just added, for a hint. Beyond the bounds it is nothing, and no hint is worked out for it.
pub(crate) struct Noted<'a>(Option<&'a mut Diagnostic>);

impl Noted<'_> {
    /// Adds a hint.
    pub(crate) fn hint(self, hint: impl fmt::Display) {
        self.hint_with(|| Some(hint.to_string()));
    }

    /// Adds a hint that takes work to find, if it is found.
    pub(crate) fn hint_with(self, hint: impl FnOnce() -> Option<String>) {
        if let Some(diagnostic) = self.0 {
            diagnostic.hint = hint();
        }
    }
}

/// How a diagnostic about one line names another: `line 3`, or `PATH:3` in another source.
pub(crate) struct Reference<'a> {
    from: Line<'a>,
    to: Line<'a>,
    name: Arc<str>,
}

impl<'a> Reference<'a> {
    pub(crate) fn new(from: Line<'a>, to: Line<'a>, report: &Report) -> Self {
        Self { from, to, name: report.name(to) }
    }
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from.source == self.to.source {
            write!(f, "line {}", self.to.number)
        } else {
            write!(f, "{}:{}", self.name, self.to.number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::new(&[Source { name: "t".into(), text: Vec::new() }])
    }

    #[test]
    fn diagnostics_are_in_file_order_however_they_were_found() {
        let mut report = report();
        for number in [3, 1, 2] {
            report.fault(Line { source: 0, number, text: "x" }.whole(), "x", number).hint("y");
        }
        let messages: Vec<_> = report.finish().into_iter().map(|found| found.message).collect();
        assert_eq!(messages, ["1", "2", "3"]);
    }

    #[test]
    fn beyond_the_bound_faults_are_only_counted() {
        let mut report = report();
        for number in 1..=FAULTS_MAX + 7 {
            let at = Line { source: 0, number, text: "x" }.whole();
            report.fault(at, "x", "y").hint_with(|| {
                assert!(number <= FAULTS_MAX);
                None
            });
        }
        let found = report.finish();
        assert_eq!(found.len(), FAULTS_MAX + 1);
        assert_eq!(found[FAULTS_MAX].message, "7 more faults are not shown");
    }

    #[test]
    fn spans_count_characters_not_bytes() {
        let line = Line { source: 0, number: 1, text: "ä:öü" };
        let (_, right) = line.whole().split_once(':').unwrap();
        let span = report().span(right);
        assert_eq!((span.column, span.length), (3, 2));
    }
}

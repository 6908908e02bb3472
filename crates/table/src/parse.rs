//! Parsing: sources in, a table with diagnostics out.

use clinit_engine::spec::Table;

use crate::assembly::Assembly;
use crate::diagnostic::{Diagnostic, Severity};
use crate::report::Report;
use crate::settings::Settings;
use crate::source::{self, Source};
use crate::statement::Statement;

/// Which of the ancestors' tables it is, where they differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// The table of clinit and of Cluster::Init.
    #[default]
    Clinit,
    /// The table of IS::Init, in which a setting may have any levels column.
    IsInit,
}

/// How a table is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ParseOptions {
    /// Whose table it is.
    pub dialect: Dialect,
}

/// A table as far as it could be read, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The model, without the lines that have faults.
    pub table: Table,
    /// What the table says about the daemon itself.
    pub settings: Settings,
    /// Faults and warnings in file order. Past [`FAULTS_MAX`](crate::FAULTS_MAX) and
    /// [`WARNINGS_MAX`](crate::WARNINGS_MAX) a last one of each says how many more there are.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// Whether a line was left out.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        self.faults().next().is_some()
    }

    /// The faults among the diagnostics.
    pub fn faults(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Fault)
    }

    /// The warnings among the diagnostics.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Warning)
    }

    /// Whether the table has neither entries nor groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.groups.is_empty()
    }
}

/// Reads a table from its sources, which are read as one, in order.
///
/// Never fails: a line with a fault is left out, and all faults are found at once.
#[must_use]
pub fn parse(sources: &[Source], options: ParseOptions) -> Parsed {
    let mut report = Report::new(sources);
    let mut assembly = Assembly::default();
    source::for_each_record(sources, &mut report, |record, report| {
        if let Some(statement) = Statement::read(&record, options.dialect, report) {
            assembly.add(statement, report);
        }
    });
    let (table, settings) = assembly.finish(&mut report);
    if table.groups.is_empty() {
        report.warning_about_all("empty-table", "table has neither entries nor groups");
    }
    Parsed { table, settings, diagnostics: report.finish() }
}

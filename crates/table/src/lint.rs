//! Advice beyond the grammar: names that are right, and yet will be a nuisance.

use std::collections::HashSet;

use clinit_engine::name::{GroupName, Level};
use clinit_engine::spec::Levels;

use crate::diagnostic::{Diagnostic, Span};
use crate::parse::ParseOptions;
use crate::report::Report;
use crate::source::{self, Source};
use crate::statement::{Owner, Statement};

/// Warns of groups and levels named like one of the `verbs` of the command line, where the verb would win.
///
/// Each name is warned of once, where it first stands. Faults are [`parse`](crate::parse())'s business.
#[must_use]
pub fn lint(sources: &[Source], options: ParseOptions, verbs: &[&str]) -> Vec<Diagnostic> {
    let mut warnings = Report::new(sources);
    let mut seen: HashSet<(&str, String)> = HashSet::new();
    let (mut tags, mut ends) = (HashSet::new(), Vec::new());
    source::for_each_record(sources, &mut Report::new(sources), |record, faults| {
        let mut check = |what: &'static str, name: &str, field| {
            if verbs.contains(&name) && seen.insert((what, name.to_owned())) {
                warnings
                    .warning(field, "verb-as-name", format_args!("{what} `{name}` is named like a command"))
                    .hint(format_args!("the command line takes `{name}` for the command: take another name"));
            }
        };
        let mut check_group = |name: &GroupName| check("group", name.as_str(), record.group);
        match Statement::read(&record, options.dialect, faults) {
            Some(Statement::Entry(entry)) => {
                check_group(&entry.key.group);
                tags.insert(entry.key.tag.as_str().to_owned());
                for level in named(&entry.levels) {
                    check("level", level.as_str(), record.levels);
                }
            }
            Some(Statement::Property(Owner::Group(group), _)) => check_group(&group),
            Some(Statement::Property(Owner::Table, given)) if given.property.name == "exit_with" => {
                ends.push(given.value);
            }
            Some(Statement::Property(Owner::Table | Owner::Entry(..), _) | Statement::FaultyEntry(_))
            | None => {}
        }
    });
    for end in ends.into_iter().filter(|end| !tags.contains(end.text)) {
        warnings
            .warning(end, "exit-with-nobody", format_args!("exit_with: there is no entry `{}`", end.text))
            .hint("the daemon ends only when it is told to");
    }
    warnings.finish()
}

/// A value that a line gives to a property, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The property's name.
    pub property: &'static str,
    /// The value as it was written.
    pub value: String,
    /// Where the value stands.
    pub span: Span,
}

/// Where the properties with these `names` are given which values, for advice that depends on the machine:
/// each value once for each property, at its first line, and at most `max` of them.
#[must_use]
pub fn given(sources: &[Source], options: ParseOptions, names: &[&str], max: usize) -> Vec<Given> {
    let report = Report::new(sources);
    let mut seen: HashSet<(&str, String)> = HashSet::new();
    let mut found = Vec::new();
    source::for_each_record(sources, &mut Report::new(sources), |record, faults| {
        if found.len() >= max || !names.contains(&record.mode.text) {
            return;
        }
        if let Some(Statement::Property(_, given)) = Statement::read(&record, options.dialect, faults) {
            let (property, value) = (given.property.name, given.value.text.to_owned());
            if seen.insert((property, value.clone())) {
                found.push(Given { property, value, span: report.span(given.value) });
            }
        }
    });
    found
}

/// The levels that the column spells out, without the single characters that match as well.
fn named(levels: &Levels) -> &[Level] {
    match levels {
        Levels::Labels(labels) => labels,
        Levels::Word(word) => std::slice::from_ref(word),
    }
}

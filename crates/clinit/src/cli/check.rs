//! `clinit check [TABLE] [--json]`

use std::path::PathBuf;

use clinit_daemon::machine::missing;
use clinit_daemon::paths::Paths;
use clinit_daemon::start::Prepared;
use clinit_table::{Diagnostic, ParseOptions, Severity, lint, load, parse, render, render_one_line};
use serde_json::{Value, json};

use super::arguments::Check;
use super::exit::Exit;
use super::{Place, say, verbs};

/// Runs the verb.
pub(crate) fn run(place: &Place, check: &Check) -> Exit {
    let default = || Paths::of_user(place.dialect).table;
    let table: PathBuf = check.table.clone().or_else(|| place.table.clone()).unwrap_or_else(default);
    let options = ParseOptions { dialect: place.dialect };
    let sources = match load(&table) {
        Ok(sources) => sources,
        Err(error) => {
            let message = say::with_sources(&error);
            if check.json {
                let fault = json!({ "severity": "fault", "code": "unreadable", "message": message });
                say::line(&json!({ "faults": [fault], "warnings": [] }).to_string());
            } else {
                say::error(&message, None);
            }
            return Exit::Failed;
        }
    };
    let parsed = parse(&sources, options);
    let mut diagnostics = parsed.diagnostics.clone();
    diagnostics.extend(lint(&sources, options, &verbs::names()));
    diagnostics.extend(missing(&sources, options));
    let (groups, entries) =
        (parsed.table.groups.len(), parsed.table.groups.iter().map(|group| group.entries.len()).sum());
    if check.json {
        say::line(&to_json(&diagnostics, groups, entries).to_string());
    } else {
        for diagnostic in &diagnostics {
            say::line(&format!("{}\n", render(diagnostic)));
        }
        say::line(&format!("{}: {}", table.display(), summary(&diagnostics, groups, entries)));
    }
    if parsed.has_faults() { Exit::Failed } else { Exit::Done }
}

/// Says what is wrong with a table that is run all the same.
pub(crate) fn warn_of(prepared: &Prepared) {
    prepared.remarks.iter().for_each(|remark| say::note(&format!("clinit: {remark}")));
    let diagnostics = &prepared.diagnostics;
    for diagnostic in diagnostics {
        say::note(&format!("clinit: {}", render_one_line(diagnostic)));
        if let Some(hint) = &diagnostic.hint {
            say::note(&format!("hint: {hint}"));
        }
    }
    let faults = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Fault).count();
    if faults > 0 {
        let lines = counted(faults, "fault");
        say::note(&format!("clinit: {lines} in the table: what is faulty is left out, the rest runs"));
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn summary(diagnostics: &[Diagnostic], groups: usize, entries: usize) -> String {
    let faults = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Fault).count();
    let warnings = diagnostics.len() - faults;
    let entries = if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
    let size = format!("{} with {entries}", counted(groups, "group"));
    match (faults, warnings) {
        (0, 0) => format!("no faults, {size}"),
        (0, _) => format!("no faults, {}, {size}", counted(warnings, "warning")),
        (_, 0) => format!("{}, {size} without them", counted(faults, "fault")),
        (_, _) => {
            format!("{}, {}, {size} without them", counted(faults, "fault"), counted(warnings, "warning"))
        }
    }
}

fn to_json(diagnostics: &[Diagnostic], groups: usize, entries: usize) -> Value {
    let of = |severity: Severity| -> Vec<Value> {
        let all = diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity);
        all.map(one_to_json).collect()
    };
    json!({
        "faults": of(Severity::Fault),
        "warnings": of(Severity::Warning),
        "groups": groups,
        "entries": entries,
    })
}

fn one_to_json(diagnostic: &Diagnostic) -> Value {
    let mut value = json!({
        "severity": diagnostic.severity.as_str(),
        "code": diagnostic.code,
        "message": diagnostic.message,
    });
    if let Some(span) = &diagnostic.span {
        value["source"] = json!(*span.source);
        value["line"] = json!(span.line);
        value["column"] = json!(span.column);
        value["length"] = json!(span.length);
        value["text"] = json!(span.text);
    }
    if let Some(hint) = &diagnostic.hint {
        value["hint"] = json!(hint);
    }
    value
}

//! Entries that no table has: what is wanted of one, in words and properties, becomes the engine's model.
//!
//! The properties are those of the registry, with its values and its rules. The command is executed as it is given:
//! there is no line to split, and nothing for a shell.

use std::sync::Arc;

use clinit_engine::name::Tag;
use clinit_engine::spec::{Command, EntrySpec, Levels, Mode};

use crate::columns;
use crate::diagnostic::{Diagnostic, Severity};
use crate::glyph::{AnyOf, Quoted, Shortened};
use crate::property::{self, Draft, Origin, Property, Scope};
use crate::report::Report;
use crate::scope::{Assignment, settle};
use crate::source::{self, Field, Source};
use crate::statement::{name_meant, report_value};

/// The modes that make sense of an entry without levels.
const MODES: [Mode; 3] = [Mode::Once, Mode::Respawn, Mode::Test];

/// What only makes sense among the entries of a table.
const OF_TABLES_ONLY: [&str; 2] = ["after", "requires"];

/// An entry that somebody wants.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its name.
    pub tag: &'a Tag,
    /// How it runs: the word for a mode; without one, once.
    pub mode: Option<&'a str>,
    /// Properties, each as `NAME=VALUE`.
    pub properties: &'a [String],
    /// The program and its arguments.
    pub command: &'a [String],
}

/// The entry that is wanted.
///
/// # Errors
/// All that is wrong with it. The source of each is the property as it was given, or empty.
pub fn transient_entry(wanted: &Wanted<'_>) -> Result<EntrySpec, Vec<Diagnostic>> {
    let sources: Vec<Source> = wanted.properties.iter().map(|text| source_of(text)).collect();
    let mode = mode(wanted.mode);
    let mut report = Report::new(&sources);
    let mut given: Vec<Assignment<'_>> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let line = source::check(index, 1, &source.text, &mut report);
        given.extend(line.and_then(|line| assignment(line.whole(), &mut report)));
    }
    if let Ok(mode) = mode {
        given.retain(|given| has_effect(given, mode, &mut report));
    }
    let draft = settle(&Draft::default(), &mut given, &mut report);
    let mut faults = report.finish();
    faults.retain(|diagnostic| diagnostic.severity == Severity::Fault);
    let mode = mode.map_err(|fault| faults.push(*fault));
    let command = command(wanted.command).map_err(|fault| faults.push(*fault));
    match (mode, command) {
        (Ok(mode), Ok(command)) if faults.is_empty() => Ok(EntrySpec {
            tag: wanted.tag.clone(),
            levels: Arc::new(Levels::Labels(Box::default())),
            mode,
            program: draft.program.with(command, mode),
            policy: Arc::new(draft.policy(mode)),
            links: None,
        }),
        _ => Err(faults),
    }
}

fn source_of(text: &str) -> Source {
    Source { name: format!("property {}", Shortened(text)), text: text.as_bytes().to_vec() }
}

/// Reads `NAME=VALUE`.
fn assignment<'a>(field: Field<'a>, report: &mut Report) -> Option<Assignment<'a>> {
    let Some((name, value)) = field.split_once('=') else {
        report
            .fault(field, "bad-value", format_args!("no value for {}", Quoted(field.text)))
            .hint(format_args!("a property is NAME=VALUE: {}=VALUE", Shortened(field.text)));
        return None;
    };
    let Some(property) = property::find(name.text) else {
        report
            .fault(name, "unknown-property", format_args!("unknown property {}", Quoted(name.text)))
            .hint_with(|| name_meant(name.text).map(|near| format!("did you mean `{near}`?")));
        return None;
    };
    if OF_TABLES_ONLY.contains(&property.name) || !property.scopes.contains(&Scope::Entry) {
        report_scope(name, property, report);
        return None;
    }
    let origin = Origin { overrides: false, place: report.place(field.line) };
    let Some(change) = property.change(value.text, &origin) else {
        report_value(value, property, report);
        return None;
    };
    Some(Assignment { property, name, value, overrides: false, change })
}

/// In a table that is only doubtful: a wider scope may say it of many. Here it is said of this entry.
fn has_effect(given: &Assignment<'_>, mode: Mode, report: &mut Report) -> bool {
    let name = given.property.name;
    let Some(modes) = property::modes_of(name).filter(|modes| !modes.contains(&mode)) else { return true };
    let words: Vec<_> = modes.iter().filter(|mode| MODES.contains(mode)).map(|mode| mode.as_str()).collect();
    report
        .fault(given.name, "no-effect", format_args!("`{name}` has no effect in mode `{mode}`"))
        .hint(format_args!("it is for mode {}", AnyOf(&words)));
    false
}

fn report_scope(name: Field<'_>, property: &Property, report: &mut Report) {
    let message = format!("`{}` is no property of an entry without a table", property.name);
    report.fault(name, "wrong-scope", message).hint("set it in the table");
}

fn mode(word: Option<&str>) -> Result<Mode, Box<Diagnostic>> {
    let Some(word) = word else { return Ok(Mode::Once) };
    let mode = columns::find_mode(word);
    if let Some(mode) = mode.filter(|mode| MODES.contains(mode)) {
        return Ok(mode);
    }
    let words = MODES.map(Mode::as_str);
    let message = match mode {
        Some(mode) => format!("mode `{mode}` makes sense in a table only"),
        None => format!("unknown mode {}", Quoted(word)),
    };
    Err(fault("unknown-mode", message, format!("a mode is {} here", AnyOf(&words))))
}

fn command(words: &[String]) -> Result<Command, Box<Diagnostic>> {
    if words.first().is_none_or(String::is_empty) {
        let hint = "name a program, then its arguments".to_owned();
        return Err(fault("missing-command", "there is no command".to_owned(), hint));
    }
    if let Some(word) = words.iter().find(|word| word.contains('\0')) {
        let message = format!("the word {} of the command holds a NUL", Quoted(word));
        return Err(fault(
            "control-character",
            message,
            "no program can be given one: take it out".to_owned(),
        ));
    }
    Ok(Command::Direct(words.iter().map(|word| word.as_str().into()).collect()))
}

fn fault(code: &'static str, message: String, hint: String) -> Box<Diagnostic> {
    let hint = Some(hint);
    Box::new(Diagnostic { severity: Severity::Fault, code, message, span: None, hint })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry(mode: Option<&str>, properties: &[&str], command: &[&str]) -> Result<EntrySpec, Vec<String>> {
        let own = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let tag = Tag::new("x").unwrap();
        let (properties, command) = (own(properties), own(command));
        let wanted = Wanted { tag: &tag, mode, properties: &properties, command: &command };
        let said = |fault: Diagnostic| format!("{} ({})", fault.message, fault.hint.unwrap_or_default());
        transient_entry(&wanted).map_err(|faults| faults.into_iter().map(said).collect())
    }

    #[test]
    fn words_are_executed_as_they_are() {
        let spec = entry(None, &[], &["echo", "a b; c", "$x\n"]).unwrap();
        let words: [Box<str>; 3] = ["echo".into(), "a b; c".into(), "$x\n".into()];
        assert_eq!(spec.program.command, Command::Direct(words.into()));
        assert_eq!(spec.mode, Mode::Once);
    }

    #[test]
    fn properties_mean_what_they_mean_in_a_table() {
        let given = ["stop_timeout=3", "environment=A=b=c", "environment=B=2"];
        let spec = entry(Some("respawn"), &given, &["true"]).unwrap();
        assert_eq!(spec.policy.stop.timeout, Some(Duration::from_secs(3)));
        let around = spec.program.surroundings.as_ref().unwrap();
        assert_eq!(around.environment["A"].as_deref(), Some("b=c"));
        assert_eq!(around.environment.len(), 2);
    }

    #[test]
    fn all_faults_are_told_at_once_each_with_its_remedy() {
        let faults = entry(None, &["restart_delay=3"], &["true"]).unwrap_err();
        assert_eq!(faults, ["`restart_delay` has no effect in mode `once` (it is for mode `respawn`)"]);
        assert!(entry(Some("respawn"), &["restart_delay=3"], &["true"]).is_ok());
        let given =
            ["stop_timout=3", "umask", "nice=many", "socket=/x", "kill_mode=cgroup", "cgroup=no", "a\nb=c"];
        let faults = entry(Some("wait"), &given, &[]).unwrap_err();
        for words in [
            "unknown property `stop_timout` (did you mean `stop_timeout`?)",
            "no value for `umask`",
            "bad value `many` for `nice` (it takes a number from -20 to 19)",
            "`socket` is no property of an entry without a table",
            "kill_mode is `cgroup`, but cgroup is `no`",
            "control character",
            "mode `wait` makes sense in a table only (a mode is",
            "there is no command",
        ] {
            assert!(faults.iter().any(|fault| fault.contains(words)), "{words}: {faults:#?}");
        }
        assert_eq!(entry(None, &[], &["a\0b"]).unwrap_err().len(), 1);
    }
}

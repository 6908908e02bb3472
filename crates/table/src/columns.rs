//! The columns of an entry: from text to the engine's types, each fault with its hint.

use clinit_engine::name::{EntryKey, GroupName, Level, NameFault, Tag};
use clinit_engine::spec::{Command, Levels, Mode};

use crate::command;
use crate::glyph::{AnyOf, Quoted};
use crate::property;
use crate::record::{FORM, Record};
use crate::report::Report;
use crate::source::Field;
use crate::suggest;

/// Names that no group of a table may have: entries that other dialects make live under them.
pub const RESERVED_GROUPS: [&str; 3] = ["service", "pmf", TRANSIENT_GROUP];

/// The group of entries that are made through the socket, where no other is named.
pub const TRANSIENT_GROUP: &str = "run";

/// The group and tag columns, where both must be given.
pub(crate) fn key(record: &Record<'_>, report: &mut Report) -> Option<EntryKey> {
    let Record { group, tag, .. } = *record;
    if group.text.is_empty() && tag.text.is_empty() {
        report
            .fault(group, "missing-group", "entry has neither group nor tag")
            .hint(format_args!("a line is {FORM}"));
        return None;
    }
    if group.text.is_empty() {
        report
            .fault(group, "missing-group", format_args!("tag {} has no group", Quoted(tag.text)))
            .hint(format_args!("a line is {FORM}"));
        return None;
    }
    let group = self::group(group, report);
    let tag = self::tag(tag, report);
    Some(EntryKey { group: group?, tag: tag? })
}

/// A group column that is not empty.
pub(crate) fn group(field: Field<'_>, report: &mut Report) -> Option<GroupName> {
    if RESERVED_GROUPS.contains(&field.text) {
        report
            .fault(field, "reserved-group", format_args!("group name {} is reserved", Quoted(field.text)))
            .hint("entries that are not made by the table live under it: take another name");
        return None;
    }
    name(GroupName::new(field.text), field, "bad-group", "group name", report)
}

fn tag(field: Field<'_>, report: &mut Report) -> Option<Tag> {
    if field.text.is_empty() {
        report
            .fault(field, "missing-tag", "entry has no tag")
            .hint(format_args!("a line is {FORM}; the tag names the entry, and no two have the same"));
        return None;
    }
    name(Tag::new(field.text), field, "bad-tag", "tag", report)
}

fn name<T>(
    name: Result<T, NameFault>,
    field: Field<'_>,
    code: &'static str,
    what: &str,
    report: &mut Report,
) -> Option<T> {
    name.map_err(|fault| {
        report
            .fault(field, code, format_args!("{what} {} {fault}", Quoted(field.text)))
            .hint_with(|| hint_about(fault).map(str::to_owned));
    })
    .ok()
}

fn hint_about(fault: NameFault) -> Option<&'static str> {
    match fault {
        NameFault::Character(c) if c.is_whitespace() => Some("columns are not trimmed: take out the blank"),
        NameFault::Character('/') => Some("a slash stands between group and tag where both are named"),
        NameFault::LeadingDash => Some("commands would take it for an option"),
        NameFault::Character(_) | NameFault::Empty | NameFault::TooLong => None,
    }
}

/// The levels column: a comma makes a list of labels, of which empty ones say nothing.
pub(crate) fn levels(field: Field<'_>, report: &mut Report) -> Option<Levels> {
    if !field.text.contains(',') {
        return level(field, report).map(Levels::Word);
    }
    let given = field.split(',').filter(|label| !label.text.is_empty());
    let labels: Vec<Option<Level>> = given.map(|label| level(label, report)).collect();
    if labels.is_empty() {
        report
            .fault(field, "missing-level", "the list of levels is empty")
            .hint("name the levels in which the entry runs; an entry that never runs has mode `off`");
        return None;
    }
    let labels: Option<Box<[Level]>> = labels.into_iter().collect();
    labels.map(Levels::Labels)
}

fn level(field: Field<'_>, report: &mut Report) -> Option<Level> {
    name(Level::new(field.text), field, "bad-level", "level", report)
}

/// The mode column.
pub(crate) fn mode(field: Field<'_>, report: &mut Report) -> Option<Mode> {
    let mode = find_mode(field.text);
    if mode.is_some() {
        return mode;
    }
    let noted = if field.text.is_empty() {
        report.fault(field, "missing-mode", "entry has no mode")
    } else {
        report.fault(field, "unknown-mode", format_args!("unknown mode {}", Quoted(field.text)))
    };
    noted.hint_with(|| Some(hint_instead_of(field.text)));
    None
}

/// What may be meant by a mode that is none.
fn hint_instead_of(mode: &str) -> String {
    if property::find(mode).is_some() {
        return format!("`{mode}` is a property: leave the levels column empty");
    }
    let words = Mode::ALL.map(Mode::as_str);
    match suggest::nearest(mode, words) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("a mode is {}", AnyOf(&words)),
    }
}

/// The mode with this word.
pub(crate) fn find_mode(word: &str) -> Option<Mode> {
    Mode::ALL.into_iter().find(|mode| mode.as_str() == word)
}

/// The command column of an entry of this mode.
pub(crate) fn command(field: Field<'_>, mode: Mode, report: &mut Report) -> Option<Command> {
    if mode != Mode::Off && command::is_empty(field.text) {
        report
            .fault(field, "missing-command", "entry has no command")
            .hint(format_args!("mode `{mode}` runs one; an entry that never runs has mode `off`"));
        return None;
    }
    Some(command::lower(field.text))
}

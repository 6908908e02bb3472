//! Statements: what one record says, as far as it can be told from that record alone.

use clinit_engine::name::{EntryKey, GroupName};
use clinit_engine::spec::{Command, Levels, Mode};

use crate::columns;
use crate::glyph::{Quoted, Shortened};
use crate::parse::Dialect;
use crate::property::{self, Origin, Property, Scope};
use crate::record::{FORM, Record};
use crate::report::Report;
use crate::scope::Assignment;
use crate::source::Field;
use crate::suggest;

/// The levels column of a setting that beats the command line and the constructor.
const OVERRIDE: &str = "override";

/// One record without a fault of its own.
pub(crate) enum Statement<'a> {
    /// An entry.
    Entry(Entry<'a>),
    /// An entry of which only the name is without fault: it says nothing, and neither do its properties.
    FaultyEntry(EntryKey),
    /// A property, and whose it is.
    Property(Owner<'a>, Assignment<'a>),
}

/// An entry as its line gives it.
pub(crate) struct Entry<'a> {
    pub(crate) key: EntryKey,
    /// The tag column.
    pub(crate) at: Field<'a>,
    pub(crate) levels: Levels,
    pub(crate) mode: Mode,
    pub(crate) command: Command,
}

/// Whose property it is.
pub(crate) enum Owner<'a> {
    Table,
    Group(GroupName),
    /// An entry, as the tag column names it; perhaps there is none.
    Entry(EntryKey, Field<'a>),
}

impl Owner<'_> {
    fn scope(&self) -> Scope {
        match self {
            Self::Table => Scope::Table,
            Self::Group(_) => Scope::Group,
            Self::Entry(..) => Scope::Entry,
        }
    }
}

impl<'a> Statement<'a> {
    /// Reads a record.
    pub(crate) fn read(record: &Record<'a>, dialect: Dialect, report: &mut Report) -> Option<Self> {
        let is_nobodys = record.group.text.is_empty() && record.tag.text.is_empty();
        if is_nobodys && record.levels.text == OVERRIDE {
            return override_of(record, report);
        }
        if dialect == Dialect::IsInit && is_setting_of_isinit(record, is_nobodys) {
            return assignment(record, Some(Owner::Table), false, report);
        }
        if record.levels.text.is_empty() {
            let owner = owner(record, is_nobodys, report);
            if columns::find_mode(record.mode.text).is_some() {
                return forgotten_level(record, owner, report);
            }
            return assignment(record, owner, false, report);
        }
        entry(record, report)
    }
}

/// IS::Init 0.93 takes a line for a setting by its fourth column, or because it has neither group nor tag,
/// whatever stands in its levels column.
fn is_setting_of_isinit(record: &Record<'_>, is_nobodys: bool) -> bool {
    match property::find(record.mode.text) {
        Some(property) => is_nobodys || property.is_setting(),
        None => is_nobodys && columns::find_mode(record.mode.text).is_none(),
    }
}

fn entry<'a>(record: &Record<'a>, report: &mut Report) -> Option<Statement<'a>> {
    let key = columns::key(record, report);
    let levels = columns::levels(record.levels, report);
    let mode = columns::mode(record.mode, report);
    let command = mode.and_then(|mode| columns::command(record.command, mode, report));
    let key = key?;
    Some(match (levels, mode, command) {
        (Some(levels), Some(mode), Some(command)) => {
            Statement::Entry(Entry { key, at: record.tag, levels, mode, command })
        }
        _ => Statement::FaultyEntry(key),
    })
}

fn owner<'a>(record: &Record<'a>, is_nobodys: bool, report: &mut Report) -> Option<Owner<'a>> {
    if is_nobodys {
        Some(Owner::Table)
    } else if record.tag.text.is_empty() {
        columns::group(record.group, report).map(Owner::Group)
    } else {
        columns::key(record, report).map(|key| Owner::Entry(key, record.tag))
    }
}

fn override_of<'a>(record: &Record<'a>, report: &mut Report) -> Option<Statement<'a>> {
    let property = find(record, report)?;
    if !property.is_setting() {
        let Property { name, .. } = property;
        report
            .fault(record.levels, "not-a-setting", format_args!("`{name}` has nothing to override"))
            .hint(format_args!("only the table gives it: :::{name}:{}", Shortened(record.command.text)));
        return None;
    }
    assignment(record, Some(Owner::Table), true, report)
}

/// Reads name and value of a property; a fault of its `owner` was reported before.
fn assignment<'a>(
    record: &Record<'a>,
    owner: Option<Owner<'a>>,
    overrides: bool,
    report: &mut Report,
) -> Option<Statement<'a>> {
    let property = find(record, report)?;
    let owner = owner?;
    if !property.scopes.contains(&owner.scope()) {
        report_scope(record, property, &owner, report);
        return None;
    }
    let value = record.command;
    let origin = Origin { overrides, place: report.place(record.line()) };
    let Some(change) = property.change(value.text, &origin) else {
        report_value(value, property, report);
        return None;
    };
    let assignment = Assignment { property, name: record.mode, value, overrides, change };
    Some(Statement::Property(owner, assignment))
}

pub(crate) fn report_value(value: Field<'_>, property: &Property, report: &mut Report) {
    let Property { name, .. } = property;
    let noted = if value.text.is_empty() {
        report.fault(value, "bad-value", format_args!("no value for `{name}`"))
    } else {
        report.fault(value, "bad-value", format_args!("bad value {} for `{name}`", Quoted(value.text)))
    };
    noted.hint_with(|| Some(property.hint_about(value.text)));
}

/// The property that the mode column names.
fn find(record: &Record<'_>, report: &mut Report) -> Option<&'static Property> {
    let name = record.mode;
    let property = property::find(name.text);
    if property.is_some() {
        return property;
    }
    if name.text.is_empty() && record.levels.text.is_empty() {
        report
            .fault(record.levels, "missing-level", "line has neither level nor mode")
            .hint(format_args!("an entry is {FORM}, a property GROUP:TAG::NAME:VALUE"));
    } else if name.text.is_empty() {
        report.fault(name, "unknown-property", "property has no name");
    } else {
        report
            .fault(name, "unknown-property", format_args!("unknown property {}", Quoted(name.text)))
            .hint_with(|| name_meant(name.text).map(|near| format!("did you mean `{near}`?")));
    }
    None
}

/// A property, or a mode without a level, that may be meant by a name that is none.
pub(crate) fn name_meant(name: &str) -> Option<&'static str> {
    let words = property::REGISTRY.iter().flat_map(Property::names).chain(Mode::ALL.map(Mode::as_str));
    suggest::nearest(name, words.filter(|&word| word != name))
}

/// An entry whose levels column is empty looks like a property that is named like a mode.
fn forgotten_level<'a>(
    record: &Record<'a>,
    owner: Option<Owner<'a>>,
    report: &mut Report,
) -> Option<Statement<'a>> {
    let Record { group, tag, levels, mode, command } = record;
    let group = Shortened(if group.text.is_empty() { "GROUP" } else { group.text });
    let tag = Shortened(if tag.text.is_empty() { "TAG" } else { tag.text });
    let (mode, command) = (mode.text, Shortened(command.text));
    report
        .fault(*levels, "forgotten-level", format_args!("mode `{mode}` without a level"))
        .hint(format_args!("name the levels in which the entry runs: {group}:{tag}:1:{mode}:{command}"));
    match owner {
        Some(Owner::Entry(key, _)) => Some(Statement::FaultyEntry(key)),
        Some(Owner::Table | Owner::Group(_)) | None => None,
    }
}

fn report_scope(record: &Record<'_>, property: &Property, owner: &Owner<'_>, report: &mut Report) {
    let Property { name, .. } = property;
    let value = Shortened(record.command.text);
    let narrowest = property.scopes.last().copied().unwrap_or(Scope::Table);
    let group = match owner {
        Owner::Table => "GROUP",
        Owner::Group(group) | Owner::Entry(EntryKey { group, .. }, _) => group.as_str(),
    };
    let columns = match narrowest {
        Scope::Table => ":::".to_owned(),
        Scope::Group => format!("{group}:::"),
        Scope::Entry => format!("{group}:TAG::"),
    };
    let article = if owner.scope() == Scope::Entry { "an" } else { "a" };
    report
        .fault(
            record.mode,
            "wrong-scope",
            format_args!("`{name}` is no property of {article} {}", owner.scope()),
        )
        .hint(format_args!("set it for the {narrowest}: {columns}{name}:{value}"));
}

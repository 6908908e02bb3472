//! Assembly: all statements together become the engine's table.
//!
//! What can only be told when every line was read is told here: duplicate tags, properties of entries that do
//! not exist, values that come from wider scopes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use clinit_engine::name::{EntryKey, GroupName, Level, Tag};
use clinit_engine::spec::{EntrySpec, GroupSpec, Table};

use crate::glyph::{AnyOf, Quoted, Shortened};
use crate::hollow;
use crate::links::{self, Target};
use crate::property::{self, Draft};
use crate::report::{Reference, Report};
use crate::scope::{Assignment, settle};
use crate::settings::Settings;
use crate::source::Field;
use crate::statement::{Entry, Owner, Statement};
use crate::suggest;

/// Most entries of a table.
pub const ENTRIES_MAX: usize = 131_072;

/// Most levels that a hint names.
const LEVELS_SHOWN_MAX: usize = 8;

/// Most property lines of a table.
pub const PROPERTIES_MAX: usize = 1_048_576;

/// Everything said so far, sorted by whom it is about.
#[derive(Default)]
pub(crate) struct Assembly<'a> {
    of_table: Vec<Assignment<'a>>,
    of_entries: Vec<(EntryKey, Field<'a>, Assignment<'a>)>,
    groups: Vec<Group<'a>>,
    group_index: HashMap<GroupName, usize>,
    /// Where the entry with a tag is: its group, and its place there.
    tags: HashMap<Tag, (usize, usize)>,
    /// Entries that were left out, so that their properties need no fault of their own.
    faulty: HashSet<EntryKey>,
    entries: usize,
    properties: usize,
}

struct Group<'a> {
    name: GroupName,
    given: Vec<Assignment<'a>>,
    entries: Vec<EntryLines<'a>>,
}

/// An entry with its properties.
pub(crate) struct EntryLines<'a> {
    pub(crate) entry: Entry<'a>,
    pub(crate) given: Vec<Assignment<'a>>,
}

impl<'a> Assembly<'a> {
    /// Takes the next statement.
    pub(crate) fn add(&mut self, statement: Statement<'a>, report: &mut Report) {
        match statement {
            Statement::Entry(entry) => self.add_entry(entry, report),
            Statement::FaultyEntry(key) => {
                self.faulty.insert(key);
            }
            Statement::Property(owner, assignment) => self.add_property(owner, assignment, report),
        }
    }

    fn add_entry(&mut self, entry: Entry<'a>, report: &mut Report) {
        if let Some(&(group, index)) = self.tags.get(&entry.key.tag) {
            let first = self.groups[group].entries[index].entry.at;
            let first = Reference::new(entry.at.line, first.line, report);
            report
                .fault(entry.at, "duplicate-tag", format_args!("entry has duplicate tag: {}", entry.key.tag))
                .hint(format_args!("{first} has it already, and a tag is unique in the whole table"));
            self.faulty.insert(entry.key);
            return;
        }
        self.entries += 1;
        if self.entries > ENTRIES_MAX {
            if self.entries == ENTRIES_MAX + 1 {
                report
                    .fault(entry.at, "too-many-entries", format_args!("more than {ENTRIES_MAX} entries"))
                    .hint("this entry and those behind it are left out: split the table");
            }
            self.faulty.insert(entry.key);
            return;
        }
        let group = self.index_of(&entry.key.group);
        let entries = &mut self.groups[group].entries;
        self.tags.insert(entry.key.tag.clone(), (group, entries.len()));
        entries.push(EntryLines { entry, given: Vec::new() });
    }

    fn add_property(&mut self, owner: Owner<'a>, assignment: Assignment<'a>, report: &mut Report) {
        self.properties += 1;
        if self.properties > PROPERTIES_MAX {
            if self.properties == PROPERTIES_MAX + 1 {
                report
                    .fault(
                        assignment.name,
                        "too-many-properties",
                        format_args!("more than {PROPERTIES_MAX} properties"),
                    )
                    .hint("this one and those behind it are left out: set them for wider scopes");
            }
            return;
        }
        match owner {
            Owner::Table => self.of_table.push(assignment),
            Owner::Group(name) => {
                let group = self.index_of(&name);
                self.groups[group].given.push(assignment);
            }
            Owner::Entry(key, at) => self.of_entries.push((key, at, assignment)),
        }
    }

    /// The place of a group, made at the first line that is about it.
    fn index_of(&mut self, name: &GroupName) -> usize {
        if let Some(&index) = self.group_index.get(name) {
            return index;
        }
        let index = self.groups.len();
        self.group_index.insert(name.clone(), index);
        self.groups.push(Group { name: name.clone(), given: Vec::new(), entries: Vec::new() });
        index
    }

    /// The table, when all statements were added.
    pub(crate) fn finish(mut self, report: &mut Report) -> (Table, Settings) {
        self.attach_properties_of_entries(report);
        self.check_links(report);
        let mut draft = settle(&Draft::default(), &mut self.of_table, report);
        let settings = std::mem::take(&mut draft.settings);

        let groups = self.groups.into_iter();
        let mut groups: Vec<_> = groups.filter_map(|group| group.lower(&draft, report)).collect();
        groups.sort_by_key(|&(first_line, _)| first_line);
        let groups: Vec<_> = groups.into_iter().map(|(_, group)| group).collect();

        check_initdefault(&self.of_table, &draft, &groups, report);
        (Table { groups }, settings)
    }

    /// Properties may stand before their entry, so that they find it only now.
    fn attach_properties_of_entries(&mut self, report: &mut Report) {
        for (key, at, assignment) in std::mem::take(&mut self.of_entries) {
            let found = self.tags.get(&key.tag).copied();
            if let Some((group, index)) = found.filter(|&(group, _)| self.groups[group].name == key.group) {
                self.groups[group].entries[index].given.push(assignment);
            } else if !self.faulty.contains(&key) {
                report
                    .fault(at, "unknown-tag", format_args!("no entry {}", Quoted(&key.to_string())))
                    .hint_with(|| Some(self.hint_at_missing(&key)));
            }
        }
    }

    /// What helps where a property is of an entry that is not there.
    fn hint_at_missing(&self, key: &EntryKey) -> String {
        if let Some(&(group, _)) = self.tags.get(&key.tag) {
            return format!("tag `{}` is in group `{}`", key.tag, self.groups[group].name);
        }
        let group = self.group_index.get(&key.group).map(|&index| &self.groups[index]);
        let tags = group.iter().flat_map(|group| &group.entries).map(|lines| lines.entry.key.tag.as_str());
        match suggest::nearest(key.tag.as_str(), tags) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let (group, tag) = (Shortened(key.group.as_str()), Shortened(key.tag.as_str()));
                format!("add its line, {group}:{tag}:LEVELS:MODE:COMMAND, or take this one out")
            }
        }
    }

    /// What an entry may follow can only be told when all entries of its group are known.
    fn check_links(&mut self, report: &mut Report) {
        for index in 0..self.groups.len() {
            let mut entries = std::mem::take(&mut self.groups[index].entries);
            let group = &self.groups[index].name;
            let find = |tag: Tag| match self.tags.get(&tag) {
                Some(&(other, place)) if other == index => Target::Here(place),
                Some(&(other, _)) => Target::Elsewhere(self.groups[other].name.clone()),
                None if self.faulty.contains(&EntryKey { group: group.clone(), tag }) => Target::LeftOut,
                None => Target::Nowhere,
            };
            links::check(group, &mut entries, find, report);
            self.groups[index].entries = entries;
        }
    }
}

/// Source and number of a line.
type Position = (usize, usize);

impl Group<'_> {
    /// The group and where its first line is; nothing if none of its lines is left.
    fn lower(mut self, wider: &Draft, report: &mut Report) -> Option<(Position, GroupSpec)> {
        let draft = settle(wider, &mut self.given, report);
        let mut lines: Vec<Position> = positions(&self.given).collect();
        let mut entries: Vec<EntrySpec> = Vec::with_capacity(self.entries.len());
        for EntryLines { entry, mut given } in self.entries {
            let own = (!given.is_empty()).then(|| settle(&draft, &mut given, report));
            let in_effect = own.as_ref().unwrap_or(&draft);
            warn_of_modes(&entry, &given, report);
            lines.push(entry.at.line.position());
            lines.extend(positions(&given));
            let spec = EntrySpec {
                tag: entry.key.tag,
                levels: shared(entries.last().map(|last| &last.levels), entry.levels),
                mode: entry.mode,
                program: in_effect.program.with(entry.command, entry.mode),
                policy: shared(entries.last().map(|last| &last.policy), in_effect.policy(entry.mode)),
                links: in_effect.links.lower(),
            };
            hollow::check(&spec, &given, report);
            entries.push(spec);
        }
        let first_line = lines.into_iter().min()?;
        let spec = GroupSpec { name: self.name, initdefault: draft.initdefault.clone(), entries };
        check_initdefault(&self.given, &draft, std::slice::from_ref(&spec), report);
        Some((first_line, spec))
    }
}

/// What the entry before has, if it is the same: mostly it is, and a table may be long.
fn shared<T: PartialEq>(of_last: Option<&Arc<T>>, own: T) -> Arc<T> {
    of_last.filter(|last| ***last == own).map_or_else(|| Arc::new(own), Arc::clone)
}

fn positions(given: &[Assignment<'_>]) -> impl Iterator<Item = Position> {
    given.iter().map(|assignment| assignment.name.line.position())
}

/// Warns of what an entry itself is given and makes no use of in its mode.
fn warn_of_modes(entry: &Entry<'_>, given: &[Assignment<'_>], report: &mut Report) {
    for Assignment { property, name, value, .. } in given {
        let Some(modes) = property::modes_of(property.name) else { continue };
        if modes.contains(&entry.mode) || property.default == Some(value.text) {
            continue;
        }
        let words: Vec<_> = modes.iter().map(|mode| mode.as_str()).collect();
        report
            .warning(
                *name,
                "no-effect",
                format_args!("`{}` has no effect in mode `{}`", property.name, entry.mode),
            )
            .hint(format_args!("it is for mode {}", AnyOf(&words)));
    }
}

/// Warns of an `initdefault` given at a scope, if no entry of the `groups` that take it has that level.
fn check_initdefault(given: &[Assignment<'_>], draft: &Draft, groups: &[GroupSpec], report: &mut Report) {
    let given = given.iter().rfind(|assignment| assignment.property.name == "initdefault");
    let (Some(given), Some(level)) = (given, &draft.initdefault) else { return };
    let takers = groups.iter().filter(|group| group.initdefault.as_ref() == Some(level));
    let mut levels = takers.flat_map(|group| &group.entries).map(|entry| &entry.levels);
    if levels.clone().any(|levels| levels.contains(level)) {
        return;
    }
    report.warning(given.value, "unknown-level", format_args!("no entry runs in level `{level}`")).hint_with(
        || {
            let named: BTreeSet<Level> = levels.by_ref().flat_map(|levels| levels.named()).collect();
            let near = suggest::nearest(level.as_str(), named.iter().map(Level::as_str));
            let names: Vec<&str> = named.iter().map(Level::as_str).take(LEVELS_SHOWN_MAX).collect();
            let levels = || (!names.is_empty()).then(|| format!("there are: {}", names.join(", ")));
            near.map(|near| format!("did you mean `{near}`?")).or_else(levels)
        },
    );
}

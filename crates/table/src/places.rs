//! Where a table says what: the lines of the entries of a group, and of the properties that hold for them.

use std::collections::BTreeMap;

use clinit_engine::name::{GroupName, Tag};

use crate::parse::ParseOptions;
use crate::report::Report;
use crate::settings::Place;
use crate::source::{self, Source};
use crate::statement::{Owner, Statement};

/// Where the entries of a group and their properties stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    entries: BTreeMap<Tag, Place>,
    /// By the entry, then of the group, then of the table.
    of_entries: BTreeMap<(Tag, &'static str), Place>,
    of_group: BTreeMap<&'static str, Place>,
    of_table: BTreeMap<&'static str, Place>,
}

impl Places {
    /// Those of one group. What is wrong with the table is [`parse`](crate::parse())'s business.
    #[must_use]
    pub fn of_group(sources: &[Source], options: ParseOptions, group: &GroupName) -> Self {
        let report = Report::new(sources);
        let mut places = Self::default();
        source::for_each_record(sources, &mut Report::new(sources), |record, faults| {
            if !record.group.text.is_empty() && record.group.text != group.as_str() {
                return;
            }
            let place = report.place(record.line());
            match Statement::read(&record, options.dialect, faults) {
                Some(Statement::Entry(entry)) => {
                    // Of a tag that stands twice, the first line counts.
                    places.entries.entry(entry.key.tag).or_insert(place);
                }
                // Of a property that is set twice, the last.
                Some(Statement::Property(Owner::Table, given)) => {
                    places.of_table.insert(given.property.name, place);
                }
                Some(Statement::Property(Owner::Group(_), given)) => {
                    places.of_group.insert(given.property.name, place);
                }
                Some(Statement::Property(Owner::Entry(key, _), given)) => {
                    places.of_entries.insert((key.tag, given.property.name), place);
                }
                Some(Statement::FaultyEntry(_)) | None => {}
            }
        });
        places
    }

    /// The line of an entry.
    #[must_use]
    pub fn entry(&self, tag: &Tag) -> Option<&Place> {
        self.entries.get(tag)
    }

    /// The line from which an entry has a property; none when it has the default.
    #[must_use]
    pub fn property(&self, tag: &Tag, property: &'static str) -> Option<&Place> {
        let of_entry = self.of_entries.get(&(tag.clone(), property));
        of_entry.or_else(|| self.of_group.get(property)).or_else(|| self.of_table.get(property))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_stands_where_its_narrowest_scope_gives_it_last() {
        let text = ":::stop_timeout:1\nweb:::stop_timeout:2\nweb:a:1:once:x\nweb:b:1:once:x\n\
                    web:b::stop_timeout:3\nweb:b::stop_timeout:4\nmail:c:1:once:x\n:::umask:022\n";
        let sources = [Source { name: "t".into(), text: text.into() }];
        let group = GroupName::new("web").unwrap();
        let places = Places::of_group(&sources, ParseOptions::default(), &group);
        let tag = |text| Tag::new(text).unwrap();
        let line = |place: Option<&Place>| place.map(|place| place.line);
        assert_eq!(line(places.entry(&tag("b"))), Some(4));
        assert_eq!(line(places.entry(&tag("c"))), None, "it is in another group");
        assert_eq!(line(places.property(&tag("a"), "stop_timeout")), Some(2));
        assert_eq!(line(places.property(&tag("b"), "stop_timeout")), Some(6));
        assert_eq!(line(places.property(&tag("b"), "umask")), Some(8));
        assert_eq!(line(places.property(&tag("b"), "nice")), None);
        assert_eq!(places.entry(&tag("a")).unwrap().to_string(), "t:3");
    }
}

//! The property registry: what may be set, where, to which values, and what it does.
//!
//! ```text
//!   REGISTRY row --find--> Property --change(text)--> Change --apply--> Draft --> engine's model
//! ```
//!
//! A row names the field of the draft that it sets; the type of the field says how its value is read. So a new
//! property is one row in [`REGISTRY`], one field in the model, and nowhere else a word about it.

mod capability;
mod care;
mod draft;
mod kind;
mod logs;
mod registry;
mod rule;
mod section;
mod surroundings;
mod value;

use std::fmt;

pub(crate) use care::modes_of;
pub(crate) use draft::Draft;
pub(crate) use kind::{Change, Kind, Origin};
pub use registry::REGISTRY;
pub(crate) use rule::{RULES, Rule};
pub use section::Section;

/// A named setting with a scope.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// Its name in the table.
    pub name: &'static str,
    /// What it is about: the heading that it stands under.
    pub section: Section,
    /// Other names for it, from older tables.
    pub aliases: &'static [&'static str],
    /// What it sets, and to what values.
    pub(crate) kind: Kind,
    /// The value where the table gives none, as it would be written there; `None` where that means absence.
    pub default: Option<&'static str>,
    /// The scopes at which it may be set, widest first. A wider one is the default for a narrower.
    pub scopes: &'static [Scope],
    /// Whether a change of it takes a restart: of the entry, or, where it is about the daemon, of that.
    pub restart: bool,
    /// What it is, in one line without a full stop.
    pub doc: &'static str,
    /// What else is worth knowing, in sentences; empty where one line says it all.
    pub more: &'static str,
}

/// How far a property reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The whole table.
    Table,
    /// One group.
    Group,
    /// One entry.
    Entry,
}

impl Scope {
    /// The word in messages and documentation.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Group => "group",
            Self::Entry => "entry",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Property {
    /// Its name and its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.aliases.iter().copied())
    }

    /// The values that it takes, in words: `a number from 0 to 100`.
    pub fn values(&self) -> impl fmt::Display {
        &self.kind
    }

    /// What a reread does that finds it changed, in words: `takes effect at once`.
    #[must_use]
    pub fn effect(&self) -> &'static str {
        if self.restart && self.is_setting() {
            "takes effect when the daemon is started again"
        } else if self.restart {
            "restarts the entry"
        } else if self.is_setting() || self.scopes.contains(&Scope::Entry) {
            "takes effect at once"
        } else {
            "is for groups that are new, and for the next start of the daemon"
        }
    }

    /// Whether it is about the daemon itself, so that the command line or the constructor may give it as well.
    #[must_use]
    pub fn is_setting(&self) -> bool {
        self.scopes == [Scope::Table]
    }

    /// Whether each line of it adds to those before, of wider scopes and of its own.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.kind.is_list()
    }

    /// How to put right a `text` that it does not take.
    pub(crate) fn hint_about(&self, text: &str) -> String {
        self.kind.hint_about(text)
    }

    /// What setting it to `text` does, if it takes that value.
    pub(crate) fn change(&self, text: &str, origin: &Origin) -> Option<Change> {
        self.kind.change(text, origin)
    }
}

/// The property with this name or alias.
#[must_use]
pub fn find(name: &str) -> Option<&'static Property> {
    REGISTRY.iter().find(|property| property.names().any(|other| other == name))
}

/// The names of signals, without SIG.
pub fn signal_names() -> impl Iterator<Item = &'static str> {
    value::SIGNALS.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::settings::Place;

    fn origin() -> Origin {
        Origin { overrides: false, place: Place { source: "t".into(), line: 1 } }
    }

    #[test]
    fn every_name_and_alias_is_used_once_and_is_no_mode() {
        let mut seen = HashSet::new();
        for name in REGISTRY.iter().flat_map(Property::names) {
            assert!(seen.insert(name), "{name} is used twice");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert!(clinit_engine::spec::Mode::ALL.iter().all(|mode| mode.as_str() != name), "{name}");
        }
    }

    #[test]
    fn every_row_is_documented_in_one_line_and_has_a_scope() {
        for Property { name, doc, scopes, restart, .. } in REGISTRY {
            assert!(!doc.is_empty() && !doc.ends_with('.') && !doc.contains('\n'), "{name}");
            assert!(scopes.is_sorted() && !scopes.is_empty(), "{name}");
            assert!(
                !restart || scopes.contains(&Scope::Entry) || *scopes == [Scope::Table],
                "{name} restarts no entry"
            );
        }
    }

    #[test]
    fn what_else_is_said_of_a_row_is_sentences() {
        for Property { name, more, .. } in REGISTRY.iter().filter(|property| !property.more.is_empty()) {
            assert!(more.ends_with('.') && !more.contains("  ") && !more.contains('\n'), "{name}: {more}");
        }
    }

    #[test]
    fn every_section_has_rows() {
        for section in Section::ALL {
            assert!(REGISTRY.iter().any(|property| property.section == section), "{section:?}");
        }
    }

    #[test]
    fn every_documented_default_is_the_default_of_the_model() {
        for property in REGISTRY {
            let Some(default) = property.default else { continue };
            let change = property.change(default, &origin()).expect(property.name);
            let mut draft = Draft::default();
            change(&mut draft);
            if !property.is_setting() {
                assert_eq!(draft, Draft::default(), "{}", property.name);
            }
        }
    }

    #[test]
    fn a_property_restarts_the_entry_exactly_if_it_changes_the_program() {
        let values = [
            "7", "KILL", "77s", "main", "no", "yes", "null", "7%", "/x", "A=1", "fd:7", "tcp:7", "never",
            "soft", "1G", "iso", "hold",
        ];
        for property in REGISTRY.iter().filter(|property| property.scopes.contains(&Scope::Entry)) {
            let (mut draft, default) = (Draft::default(), Draft::default());
            let changes = values.iter().filter(|&&value| Some(value) != property.default);
            changes.filter_map(|value| property.change(value, &origin())).next().expect(property.name)(
                &mut draft,
            );
            assert_ne!(draft, default, "{} changes nothing", property.name);
            let restarts_it = property.restart && !property.is_setting();
            assert_eq!(draft.program != default.program, restarts_it, "{}", property.name);
        }
    }

    #[test]
    fn rules_are_about_properties_that_exist() {
        for name in RULES.iter().flat_map(|rule| rule.between) {
            assert!(find(name).is_some(), "{name}");
        }
    }
}

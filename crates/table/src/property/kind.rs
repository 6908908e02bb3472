//! The kinds of properties: the type of a value, how its text is read, and the field that it is put into.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clinit_engine::name::{Level, Tag};
use clinit_engine::surroundings::{Capabilities, EnvironmentFile, Resource};

use super::capability::capabilities;
use super::care::CareKind;
use super::draft::Draft;
use super::logs::LogKind;
use super::surroundings::{self as around, Unit};
use super::value;
use crate::glyph::AnyOf;
use crate::settings::{Place, Setting};

/// A property set to a value: what it does to the draft of its scope.
pub(crate) type Change = Box<dyn Fn(&mut Draft)>;

/// How a row of the registry names the field that it sets.
pub(super) type FieldOf<T> = fn(&mut Draft) -> &mut T;

/// The type of a property's value, with the field of the draft that it sets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A path of the daemon's.
    Path(FieldOf<Option<Setting<PathBuf>>>),
    /// Permission bits of a file of the daemon's.
    Permissions(FieldOf<Option<Setting<u32>>>),
    /// A level.
    Level(FieldOf<Option<Level>>),
    /// The tag of an entry.
    Tag(FieldOf<Option<Tag>>),
    /// A signal.
    Signal(FieldOf<u8>),
    /// A time that may be without end.
    Timeout(FieldOf<Option<Duration>>),
    /// A time.
    Duration(FieldOf<Duration>),
    /// A number from 0 to the given one.
    Number(u8, FieldOf<u8>),
    /// One of a few words.
    Word(&'static [Word]),
    /// A user or Unix group, and which of them.
    Account(&'static str, FieldOf<Option<Box<str>>>),
    /// An absolute path.
    AbsolutePath(FieldOf<Option<Box<str>>>),
    /// Permission bits that files do not get.
    Umask(FieldOf<Option<u16>>),
    /// A variable of the environment: a list, to which each line adds.
    Variable(FieldOf<BTreeMap<Box<str>, Option<Box<str>>>>),
    /// A file of variables.
    EnvironmentFile(FieldOf<Option<EnvironmentFile>>),
    /// A limit of a process, and what it counts.
    Limit(Resource, Unit),
    /// A number within bounds.
    Integer(i16, i16, FieldOf<Option<i16>>),
    /// Capabilities.
    Capabilities(FieldOf<Option<Capabilities>>),
    /// Memory of a cgroup.
    Memory(FieldOf<Option<u64>>),
    /// Processor time of a cgroup.
    Percent(FieldOf<Option<u32>>),
    /// Processes of a cgroup.
    Processes(FieldOf<Option<u32>>),
    /// Something about the care for an entry.
    Care(CareKind),
    /// Something about what an entry prints.
    Log(LogKind),
}

/// A word that is a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    pub(crate) text: &'static str,
    /// Puts its meaning into the draft.
    pub(crate) put: fn(&mut Draft),
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// Whether it beats what the command line or the constructor gives.
    pub(crate) overrides: bool,
    /// Its line.
    pub(crate) place: Place,
}

impl Origin {
    fn setting<T>(&self, value: T) -> Option<Setting<T>> {
        Some(Setting { value, overrides: self.overrides, place: self.place.clone() })
    }
}

impl Kind {
    /// What setting a property of this kind to `text` does, if that is a value of this kind.
    pub(crate) fn change(&self, text: &str, origin: &Origin) -> Option<Change> {
        match *self {
            Self::Path(field) => value::path(text).map(|path| put(field, origin.setting(path))),
            Self::Permissions(field) => value::permissions(text).map(|bits| put(field, origin.setting(bits))),
            Self::Level(field) => Level::new(text).ok().map(|level| put(field, Some(level))),
            Self::Tag(field) => Tag::new(text).ok().map(|tag| put(field, Some(tag))),
            Self::Signal(field) => value::signal(text).map(|signal| put(field, signal)),
            Self::Timeout(field) => value::timeout(text).map(|timeout| put(field, timeout)),
            Self::Duration(field) => value::duration(text).map(|duration| put(field, duration)),
            Self::Number(max, field) => value::number(text, max).map(|number| put(field, number)),
            Self::Word(words) => {
                words.iter().find(|word| word.text == text).map(|word| Box::new(word.put) as Change)
            }
            Self::Account(_, field) => around::account(text).map(|name| put(field, Some(name))),
            Self::AbsolutePath(field) => around::absolute_path(text).map(|path| put(field, Some(path))),
            Self::Umask(field) => {
                let bits = value::permissions(text).and_then(|bits| u16::try_from(bits).ok());
                bits.map(|bits| put(field, Some(bits)))
            }
            Self::Variable(field) => around::variable(text).map(|(name, value)| {
                let add = move |draft: &mut Draft| drop(field(draft).insert(name.clone(), value.clone()));
                Box::new(add) as Change
            }),
            Self::EnvironmentFile(field) => around::environment_file(text).map(|file| put(field, Some(file))),
            Self::Limit(resource, unit) => around::limit(text, unit).map(|limit| {
                let set = move |draft: &mut Draft| {
                    draft.surroundings().limits.insert(resource, limit);
                };
                Box::new(set) as Change
            }),
            Self::Integer(min, max, field) => {
                around::integer(text, min, max).map(|number| put(field, Some(number)))
            }
            Self::Capabilities(field) => capabilities(text).map(|set| put(field, set)),
            Self::Memory(field) => around::memory(text).map(|bytes| put(field, bytes)),
            Self::Percent(field) => around::percent(text).map(|percent| put(field, percent)),
            Self::Processes(field) => around::processes(text).map(|number| put(field, number)),
            Self::Care(kind) => kind.change(text),
            Self::Log(kind) => kind.change(text),
        }
    }

    /// Whether each line adds to those before, of wider scopes and of its own.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Self::Variable(_)) || matches!(self, Self::Care(kind) if kind.is_list())
    }

    /// How to put right a `text` that is no value of this kind.
    pub(crate) fn hint_about(&self, text: &str) -> String {
        let said = if let Self::Care(kind) = self { kind.hint_about(text) } else { None };
        said.unwrap_or_else(|| format!("it takes {self}"))
    }
}

pub(super) fn put<T: Clone + 'static>(field: FieldOf<T>, value: T) -> Change {
    Box::new(move |draft| field(draft).clone_from(&value))
}

/// The values of this kind, in words.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(_) => f.write_str("a path"),
            Self::Permissions(_) => f.write_str("permission bits in octal such as 0600"),
            Self::Level(_) => f.write_str("the name of one level"),
            Self::Tag(_) => f.write_str("the tag of an entry"),
            Self::Signal(_) => f.write_str("a signal such as TERM, SIGTERM or 15"),
            Self::Timeout(_) => f.write_str("a time such as 20, 1.5, 500ms, 10s, 2m or 1h, or infinity"),
            Self::Duration(_) => f.write_str("a time such as 20, 1.5, 500ms, 10s, 2m or 1h"),
            Self::Number(max, _) => write!(f, "a number from 0 to {max}"),
            Self::Word(words) => {
                let words: Vec<_> = words.iter().map(|word| word.text).collect();
                AnyOf(&words).fmt(f)
            }
            Self::Account(what, _) => write!(f, "the name or number of a {what}"),
            Self::AbsolutePath(_) => f.write_str("an absolute path"),
            Self::Umask(_) => f.write_str("permission bits in octal such as 027"),
            Self::Variable(_) => f.write_str(
                "NAME=VALUE, or -NAME to take it away; names that begin with CLINIT_ are clinit's",
            ),
            Self::EnvironmentFile(_) => {
                f.write_str("an absolute path, with - before it if the file may be missing")
            }
            Self::Limit(_, Unit::Count) => f.write_str("a number or infinity, or two of them as SOFT:HARD"),
            Self::Limit(_, Unit::Bytes) => f.write_str(
                "a number such as 4096, 64K, 512M or 2G, or infinity, or two of them as SOFT:HARD",
            ),
            Self::Integer(min, max, _) => write!(f, "a number from {min} to {max}"),
            Self::Capabilities(_) => {
                f.write_str("names of capabilities such as net_bind_service, or `none`, or `all`")
            }
            Self::Memory(_) => f.write_str("a number of bytes such as 512M or 2G, or `max`"),
            Self::Percent(_) => f.write_str("a share of one processor such as 50% or 150%, or `max`"),
            Self::Processes(_) => f.write_str("a number of processes, or `max`"),
            Self::Care(kind) => kind.fmt(f),
            Self::Log(kind) => kind.fmt(f),
        }
    }
}

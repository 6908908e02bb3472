//! The kinds of properties: the type of a value, how its text is read, and the field that it is put into.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clinit_engine::name::Level;

use super::draft::Draft;
use super::value;
use crate::glyph::AnyOf;
use crate::settings::{Place, Setting};

/// A property set to a value: what it does to the draft of its scope.
pub(crate) type Change = Box<dyn Fn(&mut Draft)>;

/// How a row of the registry names the field that it sets.
type FieldOf<T> = fn(&mut Draft) -> &mut T;

/// The type of a property's value, with the field of the draft that it sets.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A path of the daemon's.
    Path(FieldOf<Option<Setting<PathBuf>>>),
    /// Permission bits of a file of the daemon's.
    Permissions(FieldOf<Option<Setting<u32>>>),
    /// A level.
    Level(FieldOf<Option<Level>>),
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
}

/// A word that is a value.
#[derive(Debug)]
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
            Self::Signal(field) => value::signal(text).map(|signal| put(field, signal)),
            Self::Timeout(field) => value::timeout(text).map(|timeout| put(field, timeout)),
            Self::Duration(field) => value::duration(text).map(|duration| put(field, duration)),
            Self::Number(max, field) => value::number(text, max).map(|number| put(field, number)),
            Self::Word(words) => {
                words.iter().find(|word| word.text == text).map(|word| Box::new(word.put) as Change)
            }
        }
    }
}

fn put<T: Clone + 'static>(field: FieldOf<T>, value: T) -> Change {
    Box::new(move |draft| field(draft).clone_from(&value))
}

/// The values of this kind, in words.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(_) => f.write_str("a path"),
            Self::Permissions(_) => f.write_str("permission bits in octal such as 0600"),
            Self::Level(_) => f.write_str("the name of one level"),
            Self::Signal(_) => f.write_str("a signal such as TERM, SIGTERM or 15"),
            Self::Timeout(_) => f.write_str("a time such as 20, 1.5, 500ms, 10s, 2m or 1h, or infinity"),
            Self::Duration(_) => f.write_str("a time such as 20, 1.5, 500ms, 10s, 2m or 1h"),
            Self::Number(max, _) => write!(f, "a number from 0 to {max}"),
            Self::Word(words) => {
                let words: Vec<_> = words.iter().map(|word| word.text).collect();
                AnyOf(&words).fmt(f)
            }
        }
    }
}

//! The names of the table: groups, tags and levels, as types that cannot be swapped.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest group name, tag or level, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// It has no characters.
    Empty,
    /// It is longer than [`NAME_BYTES_MAX`].
    TooLong,
    /// It starts with a dash, as options do.
    LeadingDash,
    /// It holds a character that names may not hold.
    Character(char),
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong => write!(f, "is longer than {NAME_BYTES_MAX} bytes"),
            Self::LeadingDash => f.write_str("starts with a dash"),
            Self::Character(c) if c.is_control() => write!(f, "holds the control character {c:?}"),
            Self::Character(' ' | '\t') => f.write_str("holds a blank"),
            Self::Character(c) => write!(f, "holds {c:?}"),
        }
    }
}

/// Checks what all names have in common; `extra` lists further forbidden characters.
fn check(text: &str, extra: &[char]) -> Result<(), NameFault> {
    if text.is_empty() {
        return Err(NameFault::Empty);
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameFault::TooLong);
    }
    if text.starts_with('-') {
        return Err(NameFault::LeadingDash);
    }
    let forbidden =
        |c: &char| c.is_whitespace() || c.is_control() || matches!(c, ',' | ':') || extra.contains(c);
    text.chars().find(forbidden).map_or(Ok(()), |c| Err(NameFault::Character(c)))
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $extra:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// Takes `text` if it is a name.
            ///
            /// # Errors
            /// The first thing that makes it none.
            pub fn new(text: &str) -> Result<Self, NameFault> {
                check(text, $extra).map(|()| Self(text.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                Self::new(&text).map_err(|fault| format!("name {text:?} {fault}"))
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

name!(
    /// The name of a resource group (never a Unix group).
    GroupName,
    &['/']
);
name!(
    /// The name of an entry, unique in the table.
    Tag,
    &['/']
);
name!(
    /// A level: the runlevel that a group has, one at a time.
    Level,
    &[]
);

/// The full name of an entry, written `GROUP/TAG`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryKey {
    /// The group that the entry belongs to.
    pub group: GroupName,
    /// Its name within the table.
    pub tag: Tag,
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_other_places_give_a_meaning() {
        let fault = |text: &str| GroupName::new(text).unwrap_err();
        assert_eq!(fault(""), NameFault::Empty);
        assert_eq!(fault("-x"), NameFault::LeadingDash);
        for c in [' ', '\t', ',', '/', ':', '\u{7}', '\u{a0}'] {
            assert_eq!(fault(&format!("a{c}b")), NameFault::Character(c));
        }
        assert_eq!(fault(&"x".repeat(NAME_BYTES_MAX + 1)), NameFault::TooLong);
    }

    #[test]
    fn group_zero_and_level_zero_are_ordinary_names() {
        assert!(GroupName::new("0").is_ok());
        assert!(Level::new("0").is_ok());
        assert!(Level::new("net/up").is_ok());
    }
}

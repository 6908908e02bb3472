//! The kinds of properties about the care for an entry.

use std::fmt;
use std::time::Duration;

use clinit_engine::care::{Check, Failover, ListenAddress, Readiness};
use clinit_engine::event::Exit;
use clinit_engine::name::Tag;
use clinit_engine::spec::Command;

use super::draft::LISTEN_MAX;
use super::value;
use crate::glyph::AnyOf;
use crate::property::draft::Draft;
use crate::property::kind::{Change, FieldOf, put};
use crate::property::value::permissions;

/// The type of a property's value, with the field of the draft that it sets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CareKind {
    /// How an entry says that it is ready.
    Readiness(FieldOf<Readiness>),
    /// A question, or none.
    Check(FieldOf<Option<Check>>),
    /// A socket: a list, to which each line adds.
    Listen(FieldOf<Vec<ListenAddress>>),
    /// Permission bits of a socket that an entry is given.
    ListenMode(FieldOf<u16>),
    /// A time that is not too short.
    Period(FieldOf<Duration>),
    /// A time that is not too short, or none.
    PeriodOrNone(FieldOf<Option<Duration>>),
    /// A time that is not too short, or without end.
    Patience(FieldOf<Option<Duration>>),
    /// A number from 1 to the given one.
    Count(u8, FieldOf<u8>),
    /// A number from 0 to the given one, or no limit.
    CountOrInfinity(u8, FieldOf<Option<u8>>),
    /// What follows too many restarts.
    Failover(FieldOf<Failover>),
    /// Ways in which a process may end.
    Exits(FieldOf<Vec<Exit>>),
    /// A command, or none.
    Command(FieldOf<Option<Command>>),
    /// A signal, or none.
    Signal(FieldOf<Option<u8>>),
    /// Entries of the same group: a list, to which each line adds.
    Tags(FieldOf<Vec<Tag>>),
}

impl CareKind {
    /// What setting a property of this kind to `text` does, if that is a value of this kind.
    pub(crate) fn change(&self, text: &str) -> Option<Change> {
        match *self {
            Self::Readiness(field) => value::readiness(text).map(|readiness| put(field, readiness)),
            Self::Check(field) if text == value::NONE => Some(put(field, None)),
            Self::Check(field) => value::check(text).map(|check| put(field, Some(check))),
            Self::Listen(field) => value::listen(text).map(|address| add_socket(field, address)),
            Self::ListenMode(field) => {
                let bits = permissions(text).and_then(|bits| u16::try_from(bits).ok());
                bits.map(|bits| put(field, bits))
            }
            Self::Period(field) => value::period(text).map(|time| put(field, time)),
            Self::PeriodOrNone(field) => value::period_or(value::NONE, text).map(|time| put(field, time)),
            Self::Patience(field) => value::period_or("infinity", text).map(|time| put(field, time)),
            Self::Count(max, field) => value::count(text, max).map(|number| put(field, number)),
            Self::CountOrInfinity(max, field) => {
                value::count_or_infinity(text, max).map(|number| put(field, number))
            }
            Self::Failover(field) => value::failover(text).map(|failover| put(field, failover)),
            Self::Exits(field) => value::exits(text).map(|exits| put(field, exits)),
            Self::Command(field) => value::command(text).map(|command| put(field, command)),
            Self::Signal(field) => value::signal(text).map(|signal| put(field, signal)),
            Self::Tags(field) => value::tags(text).map(|tags| {
                let add = move |draft: &mut Draft| field(draft).extend_from_slice(&tags);
                Box::new(add) as Change
            }),
        }
    }

    /// Whether each line adds to those before.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Self::Listen(_) | Self::Tags(_))
    }

    /// What there is to say of a `text` that is no value of this kind, beyond which ones are.
    pub(crate) fn hint_about(&self, text: &str) -> Option<String> {
        if !matches!(self, Self::Failover(_)) {
            return None;
        }
        let word = value::FAILOVERS_OF_CLUSTERS.iter().find(|word| word.eq_ignore_ascii_case(text))?;
        Some(format!("`{word}` comes with the cluster; on one machine it takes {self}"))
    }
}

/// One more than there may be is kept, so that the rule about their number sees it.
fn add_socket(field: FieldOf<Vec<ListenAddress>>, address: ListenAddress) -> Change {
    Box::new(move |draft| {
        let sockets = field(draft);
        if sockets.len() <= LISTEN_MAX && !sockets.contains(&address) {
            sockets.push(address.clone());
        }
    })
}

/// The values of this kind, in words.
impl fmt::Display for CareKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Readiness(_) => f.write_str(
                "`fd:N` with N from 3 to 1023, `notify`, `tcp:PORT`, `tcp:ADDRESS:PORT`, `exec:COMMAND` or `none`",
            ),
            Self::Check(_) => f.write_str("`exec:COMMAND`, `tcp:PORT`, `tcp:ADDRESS:PORT` or `none`"),
            Self::Listen(_) => {
                f.write_str("`tcp:PORT` for all addresses, `tcp:ADDRESS:PORT`, or `unix:PATH` with an absolute path of at most 107 bytes")
            }
            Self::ListenMode(_) => f.write_str("permission bits in octal such as 0660"),
            Self::Period(_) => f.write_str("a time of at least 10ms such as 1.5, 500ms, 10s, 2m or 1h"),
            Self::PeriodOrNone(_) => {
                f.write_str("a time of at least 10ms such as 1.5, 500ms, 10s, 2m or 1h, or `none`")
            }
            Self::Patience(_) => {
                f.write_str("a time of at least 10ms such as 1.5, 500ms, 10s, 2m or 1h, or infinity")
            }
            Self::Count(max, _) => write!(f, "a number from 1 to {max}"),
            Self::CountOrInfinity(max, _) => write!(f, "a number from 0 to {max}, or infinity"),
            Self::Failover(_) => AnyOf(&value::FAILOVERS.map(|(word, _)| word)).fmt(f),
            Self::Exits(_) => f.write_str("exit codes from 0 to 255 and names of signals, such as 0 3 TERM"),
            Self::Command(_) => f.write_str("a command, or `none`"),
            Self::Signal(_) => f.write_str("a signal such as HUP, SIGHUP or 1, or `none`"),
            Self::Tags(_) => f.write_str("tags of entries of the same group, with blanks or commas between them"),
        }
    }
}

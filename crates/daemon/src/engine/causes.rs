//! Why entries do not do what their level wants: who is the reason, and the chain of causes behind it.

use std::collections::BTreeSet;

use clinit_control::interface::{Cause, ExitStatus};
use clinit_engine::care::{Failing, Failover};
use clinit_engine::entry::{Entry, Fate, GiveUp, Hold, Outcome, PauseReason, State};
use clinit_engine::event::EntryId;
use clinit_engine::group::Group;
use clinit_engine::node::Node;
use clinit_engine::spec::Mode;
use clinit_engine::time::Instant;
use clinit_table::Places;

use super::exits::exit_of;

/// The longest chain that is told.
const CAUSES_MAX: usize = 32;

/// Another entry that is the reason why one does not run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Other<'a> {
    /// It is required, and is not to run or has failed.
    Required(&'a Entry),
    /// Its turn comes first.
    Awaited(&'a Entry),
    /// It is required, and is restarted.
    Restarted(&'a Entry),
    /// It was given up, and the group was taken down for that.
    Felled(&'a Entry),
}

impl<'a> Other<'a> {
    fn entry(self) -> &'a Entry {
        match self {
            Self::Required(entry) | Self::Awaited(entry) => entry,
            Self::Restarted(entry) | Self::Felled(entry) => entry,
        }
    }

    /// The reason, as a sentence about the entry that it holds up.
    pub(crate) fn why(self, node: &Node) -> String {
        let (other, reason) = (self.entry(), self.link(node, "it"));
        match other.state() {
            State::Running { .. } | State::Pausing { .. } if !other.is_up() => {
                let own = other.why();
                let own = own.strip_prefix("not ready yet").unwrap_or(&own).trim_start_matches(": ");
                if own.is_empty() { reason } else { format!("{reason}: {own}") }
            }
            State::Down | State::Starting | State::Running { .. } | State::Ready => reason,
            State::Clearing { .. } | State::Pausing { .. } => reason,
            State::Stopping { .. } | State::Killing { .. } => reason,
            State::Done { .. } | State::GivenUp { .. } => reason,
        }
    }

    /// The same, without what is the reason of the other; `who` is held up.
    fn link(self, node: &Node, who: &str) -> String {
        match self {
            Self::Required(other) => format!("{who} requires {}, which {}", other.key(), stands(node, other)),
            Self::Awaited(other) => format!("{who} waits for {}, which {}", other.key(), stands(node, other)),
            Self::Restarted(other) => format!("{who} requires {}, which is to be restarted", other.key()),
            Self::Felled(other) => {
                format!(
                    "its group was taken down: {} was given up, and its failover_mode is soft",
                    other.key()
                )
            }
        }
    }

    /// Who has to come first, for programs.
    pub(crate) fn waits_for(self) -> Option<String> {
        match self {
            Self::Required(other) | Self::Awaited(other) => Some(other.key().to_string()),
            Self::Restarted(_) | Self::Felled(_) => None,
        }
    }
}

/// Who is the reason why an entry that its level has does not run, if somebody else is.
pub(crate) fn other(node: &Node, id: EntryId) -> Option<Other<'_>> {
    let entry = node.entry(id)?;
    let is_out = match entry.state() {
        State::Down => true,
        State::Stopping { .. } | State::Killing { .. } => !entry.is_wanted() || entry.is_renewed(),
        State::Starting | State::Running { .. } | State::Ready | State::Clearing { .. } => false,
        State::Pausing { .. } | State::Done { .. } | State::GivenUp { .. } => false,
    };
    let is_free = entry.hold() == Hold::Free && *entry.fate() == Fate::Keep;
    if !is_out || !is_free || node.is_halting() {
        return None;
    }
    let group = node.group(&entry.key().group).filter(|group| belongs(entry, group))?;
    if group.has_fallen() {
        // The one that was given up is its own reason.
        let felled = felled_by(node, group).filter(|other| other.key() != entry.key());
        return felled.map(Other::Felled);
    }
    let required = node.requires_in_vain(id).map(Other::Required);
    let restarted = || node.restarts_with(id).map(Other::Restarted);
    required.or_else(restarted).or_else(|| node.waits_for(id).map(Other::Awaited))
}

/// Whether the level of its group has an entry.
fn belongs(entry: &Entry, group: &Group) -> bool {
    let has_level = group.target().is_some_and(|level| entry.spec().levels.contains(level));
    (has_level || entry.is_transient()) && entry.spec().mode != Mode::Off
}

/// The entry for which a group was taken down.
pub(crate) fn felled_by<'a>(node: &'a Node, group: &Group) -> Option<&'a Entry> {
    let members = group.members().iter().filter_map(|&id| node.entry(id));
    let soft = members.filter(|entry| entry.spec().policy.care().failover == Failover::Soft);
    soft.filter(|entry| entry.history().given_up.is_some())
        .max_by_key(|entry| entry.history().given_up.map(|(_, at)| at))
}

/// Whether an entry was given up, and its group was taken down for that.
pub(crate) fn has_felled(node: &Node, entry: &Entry) -> bool {
    let was_given_up = entry.state() == State::Down && entry.history().given_up.is_some();
    let has_fallen = || node.group(&entry.key().group).is_some_and(Group::has_fallen);
    was_given_up && entry.hold() == Hold::Free && has_fallen()
}

/// Where an entry stands, behind "which".
fn stands(node: &Node, entry: &Entry) -> &'static str {
    match entry.state() {
        State::GivenUp { .. } => "was given up",
        State::Done { outcome: Outcome::Failed, .. } => "is a test and failed",
        State::Done { .. } if entry.has_failed() => "failed",
        State::Done { .. } => "has ended",
        State::Running { .. } if !entry.is_up() => "is not ready yet",
        State::Running { .. } | State::Ready if entry.spec().mode.holds_the_next() => "has not ended yet",
        State::Running { .. } | State::Ready => "runs",
        State::Starting => "is being started",
        State::Clearing { .. } => "has ended, but not all of its processes have",
        State::Pausing { .. } => "waits before it is started again",
        State::Stopping { .. } => "is stopping",
        State::Killing { .. } => "is being killed",
        State::Down if has_felled(node, entry) => "was given up",
        State::Down if entry.spec().mode == Mode::Off => "never runs: its mode is off",
        State::Down if entry.hold() != Hold::Free => "was stopped by hand",
        State::Down => match node.group(&entry.key().group) {
            Some(group) if !belongs(entry, group) => "does not belong to the level",
            Some(_) | None => "does not run",
        },
    }
}

/// Which line of the table a cause stands in.
enum At {
    /// The line of the entry.
    Entry,
    /// The line from which it has a property.
    Property(&'static str),
    /// None: it happened.
    Nowhere,
}

/// Why an entry is as it is, each cause behind what it causes.
pub(crate) fn chain(node: &Node, id: EntryId, places: &Places, now: Instant) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = Some(id);
    while let Some((id, entry)) = next.and_then(|id| Some((id, node.entry(id)?))) {
        let who = if seen.is_empty() { "it".to_owned() } else { entry.key().to_string() };
        let mut tell = |text: String, of: &Entry, at: &At| {
            let tag = &of.key().tag;
            let place = match at {
                At::Entry => places.entry(tag),
                At::Property(property) => places.property(tag, property),
                At::Nowhere => None,
            };
            causes.push(Cause { text, place: place.map(ToString::to_string) });
        };
        let other = other(node, id);
        if !seen.insert(id) || seen.len() > CAUSES_MAX {
            break;
        }
        match other {
            None => own(node, entry, &who, now).into_iter().for_each(|(text, at)| tell(text, entry, &at)),
            Some(link @ (Other::Required(_) | Other::Restarted(_))) => {
                tell(link.link(node, &who), entry, &At::Property("requires"));
            }
            Some(link @ Other::Awaited(to)) => tell(link.link(node, &who), entry, &link_to(entry, to)),
            Some(link @ Other::Felled(to)) => tell(link.link(node, &who), to, &At::Property("failover_mode")),
        }
        next = other.and_then(|other| node.entry_id(other.entry().key()));
    }
    causes
}

/// Where it stands that one entry follows another; where nothing says so, they follow in file order.
fn link_to(entry: &Entry, to: &Entry) -> At {
    let links = entry.spec().links.as_deref();
    let tag = &to.key().tag;
    match links {
        Some(links) if links.requires.contains(tag) => At::Property("requires"),
        Some(links) if links.after.contains(tag) => At::Property("after"),
        Some(_) | None => At::Entry,
    }
}

/// The causes that lie in an entry itself, or in what its group was told.
fn own(node: &Node, entry: &Entry, who: &str, now: Instant) -> Vec<(String, At)> {
    let history = entry.history();
    let mut causes = vec![state_of(node, entry, who)];
    let is_over = match entry.state() {
        State::Pausing { .. } | State::Clearing { .. } | State::GivenUp { .. } => true,
        State::Done { .. } => entry.has_failed(),
        State::Down => has_felled(node, entry),
        State::Starting => entry.restarts_because().is_some(),
        State::Running { .. } | State::Ready => entry.is_unwell(),
        State::Stopping { .. } | State::Killing { .. } => false,
    };
    if !is_over {
        return causes;
    }
    let ended = history.last_exit.map(|(exit, at)| {
        let exit = exit_of(exit, entry);
        let verb = if matches!(exit, ExitStatus::NotExecuted { .. }) { "was " } else { "" };
        (format!("{who} {verb}{exit}"), at)
    });
    match (history.last_failure, ended) {
        (Some((failing, at)), _) if failing != Failing::Exited && failing != Failing::GivenUp => {
            causes
                .push((format!("{}, {}", failing.words(), ago(at, now)), At::Property(property_of(failing))));
        }
        (_, Some((ended, at))) => causes.push((format!("{ended}, {}", ago(at, now)), At::Nowhere)),
        (_, None) => {}
    }
    causes
}

fn state_of(node: &Node, entry: &Entry, who: &str) -> (String, At) {
    let of_property = |property| At::Property(property);
    let given_up = |reason: GiveUp| {
        let why = match reason {
            GiveUp::Retries => {
                let retry = entry.spec().policy.care().retry;
                let many =
                    retry.map(|retry| format!(" after {} restarts within {:?}", retry.count, retry.interval));
                format!("it failed{}", many.unwrap_or_default())
            }
            GiveUp::NoRestart => "it failed, and is not started again by itself".to_owned(),
        };
        let property = if reason == GiveUp::Retries { "retry_count" } else { "restart" };
        (format!("{who} was given up: {why}"), of_property(property))
    };
    if entry.is_postponed() {
        let followers = followers(node, entry).join(", ");
        let what = if entry.is_renewed() { "restarted" } else { "stopped" };
        return (format!("{who} is {what} when those that follow it have stopped: {followers}"), At::Nowhere);
    }
    match entry.state() {
        State::GivenUp { reason } => given_up(reason),
        State::Down => match entry.history().given_up.filter(|_| has_felled(node, entry)) {
            Some((reason, _)) => given_up(reason),
            None => why_down(node, entry, who),
        },
        State::Running { .. } if !entry.is_up() => {
            (format!("{who} is {}", entry.why()), of_property("readiness"))
        }
        State::Running { .. } | State::Ready if entry.is_unwell() => {
            (format!("{who} is not well, and is let be"), of_property("failover_mode"))
        }
        State::Running { .. } | State::Ready | State::Starting => why_up(node, entry, who),
        State::Pausing { reason, .. } => {
            let at = match reason {
                PauseReason::TooOften => of_property("throttle_starts"),
                PauseReason::Delay => of_property("restart_delay"),
                PauseReason::NoProcess(_) => At::Nowhere,
            };
            (format!("{who} waits before it is started again: {}", entry.why()), at)
        }
        State::Stopping { .. } => match entry.restarts_because() {
            Some(failing) => {
                (format!("{who} is restarted: {}", failing.words()), of_property(property_of(failing)))
            }
            None => (format!("{who} is stopping: {}", entry.why()), At::Nowhere),
        },
        State::Killing { .. } => {
            (format!("{who} did not stop in time and was killed"), of_property("stop_timeout"))
        }
        State::Clearing { .. } => (entry.why(), At::Nowhere),
        State::Done { outcome: Outcome::Failed, .. } => (format!("{who} is a test, and failed"), At::Entry),
        State::Done { .. } => {
            let verb = if entry.has_failed() { "failed" } else { "has ended" };
            (format!("{who} ran once, as its mode says, and {verb}"), At::Entry)
        }
    }
}

fn why_down(node: &Node, entry: &Entry, who: &str) -> (String, At) {
    let name = &entry.key().group;
    let level = node.group(name).and_then(|group| group.target());
    match (entry.spec().mode, entry.hold(), level) {
        (Mode::Off, ..) => (format!("{who} never runs: its mode is off"), At::Entry),
        (_, Hold::UntilTold, _) => {
            (format!("{who} was stopped by hand until its group is told a level"), At::Nowhere)
        }
        (_, Hold::UntilStarted, _) => (format!("{who} was stopped by hand"), At::Nowhere),
        (_, Hold::Free, None) => (format!("group {name} was never told a level"), At::Nowhere),
        (_, Hold::Free, Some(level)) if !entry.spec().levels.contains(level) => {
            (format!("group {name} has level {level}, and {who} does not belong to it"), At::Entry)
        }
        (_, Hold::Free, Some(_)) => (format!("{who} is about to be started"), At::Entry),
    }
}

fn why_up(node: &Node, entry: &Entry, who: &str) -> (String, At) {
    let name = &entry.key().group;
    match node.group(name).and_then(|group| group.target()) {
        _ if entry.is_transient() => (format!("{who} was made by hand, with clinit run"), At::Nowhere),
        Some(level) => (format!("group {name} has level {level}, and {who} belongs to it"), At::Entry),
        None => (format!("group {name} has no level any more"), At::Nowhere),
    }
}

/// The tags of those that follow an entry and have not left.
fn followers(node: &Node, entry: &Entry) -> Vec<String> {
    let Some(group) = node.group(&entry.key().group) else { return Vec::new() };
    let members = group.members().iter().filter_map(|&id| node.entry(id));
    let follows = |other: &&Entry| {
        let links = other.spec().links.as_deref();
        let tag = &entry.key().tag;
        let is_linked = links.is_some_and(|links| links.after.contains(tag) || links.requires.contains(tag));
        is_linked && other.state() != State::Down
    };
    members.filter(follows).map(|other| other.key().to_string()).collect()
}

/// The property by which an entry is found to fail like this.
fn property_of(failing: Failing) -> &'static str {
    match failing {
        Failing::Exited => "success_exit_status",
        Failing::NotReady => "start_timeout",
        Failing::Unhealthy => "health_check",
        Failing::Watchdog => "watchdog",
        Failing::GivenUp => "retry_count",
    }
}

fn ago(at: Instant, now: Instant) -> String {
    format!("{} s ago", now.since(at).as_secs())
}

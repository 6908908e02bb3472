//! From the node's state to what `Status` and the status file say.

use std::fmt::Write;
use std::time::Duration;

use clinit_control::interface::{
    EntryState, EntryStatus, ExitStatus, GroupStatus, OrderedEntry, PlanLine, PlanStep,
};
use clinit_engine::entry::{Entry, Outcome, PauseReason, State};
use clinit_engine::event::{EntryId, Exit};
use clinit_engine::group::Group;
use clinit_engine::name::EntryKey;
use clinit_engine::node::{Node, Planned, Step};
use clinit_engine::time::Instant;

use super::causes;
use super::exits::{command_text, exit_of, lack_text};

/// A line of the status file begins with this word, as Cluster::Init's do.
const LINE_WORD: &str = "Cluster::Init::Group";

/// The status file: a line for each group that was told a level since the daemon's start.
pub(crate) fn status_file(node: &Node) -> String {
    let mut text = String::new();
    for group in node.groups() {
        if let Some(level) = group.level().or(group.target()) {
            let _infallible = writeln!(text, "{LINE_WORD} {} {level} {}", group.name(), group.phase());
        }
    }
    text
}

/// How a group is, with the entries that `pick` picks.
pub(crate) fn group(node: &Node, group: &Group, now: Instant, pick: impl Fn(&Entry) -> bool) -> GroupStatus {
    let entries = group.members().iter().filter(|&&id| node.entry(id).is_some_and(&pick));
    GroupStatus {
        name: group.name().clone(),
        level: group.level().cloned(),
        target: group.target().cloned(),
        state: group.phase(),
        since_ms: milliseconds(now.since(group.since())),
        told: group.target().is_some(),
        transient: group.is_transient(),
        fallen: group.has_fallen(),
        entries: entries.filter_map(|&id| entry(node, id, now)).collect(),
    }
}

/// What would become of an entry.
pub(crate) fn plan_line(planned: Planned) -> PlanLine {
    let step = match planned.step {
        Step::Start => PlanStep::Start,
        Step::Stop => PlanStep::Stop,
        Step::Restart => PlanStep::Restart,
        Step::Change => PlanStep::Change,
        Step::Add => PlanStep::Add,
        Step::Forget => PlanStep::Forget,
    };
    PlanLine { group: planned.key.group, tag: planned.key.tag, step, why: planned.why }
}

/// How an entry is that was ordered something.
pub(crate) fn ordered(node: &Node, id: EntryId) -> Option<OrderedEntry> {
    let entry = node.entry(id)?;
    Some(OrderedEntry {
        group: entry.key().group.clone(),
        tag: entry.key().tag.clone(),
        state: entry_state(entry.state()),
        pid: entry.pid(),
        troubled: is_in_trouble(node, id),
        why: why_in_full(node, id),
    })
}

/// How an entry is that was ordered something, and is no more.
pub(crate) fn gone(key: &EntryKey) -> OrderedEntry {
    OrderedEntry {
        group: key.group.clone(),
        tag: key.tag.clone(),
        state: EntryState::Down,
        pid: None,
        troubled: false,
        why: Some("gone".to_owned()),
    }
}

/// Whether an entry is not as its group wants it, so that whoever waits for the group should hear of it.
pub(crate) fn is_in_trouble(node: &Node, id: EntryId) -> bool {
    let Some(entry) = node.entry(id) else { return false };
    has_ended_badly(node, entry)
        || match entry.state() {
            State::Starting | State::Clearing { .. } => true,
            State::Running { .. } | State::Ready => !entry.is_up() || entry.is_unwell(),
            State::Down => entry.is_blocked() || causes::other(node, id).is_some(),
            State::Stopping { .. } | State::Killing { .. } => entry.restarts_because().is_some(),
            State::Pausing { .. } | State::Done { .. } | State::GivenUp { .. } => false,
        }
}

/// Whether how it ended last is why an entry is not as its group wants it.
fn has_ended_badly(node: &Node, entry: &Entry) -> bool {
    let not_executed = matches!(entry.history().last_exit, Some((Exit::NotExecuted(_), _)));
    match entry.state() {
        State::Pausing { .. } | State::Clearing { .. } | State::GivenUp { .. } => true,
        State::Done { outcome, .. } => outcome == Outcome::Failed || not_executed,
        State::Down => causes::has_felled(node, entry),
        State::Starting | State::Running { .. } | State::Ready => false,
        State::Stopping { .. } | State::Killing { .. } => false,
    }
}

/// Why an entry is in its state: because of others, or of itself.
fn why(node: &Node, id: EntryId) -> Option<String> {
    let entry = node.entry(id)?;
    let of_others = causes::other(node, id).map(|other| other.why(node));
    let was_given_up = causes::has_felled(node, entry);
    let felled = || "it was given up, and its group was taken down for that".to_owned();
    of_others
        .or_else(|| Some(if was_given_up { felled() } else { entry.why() }))
        .filter(|why| !why.is_empty())
}

/// The same, behind how it ended last, where that is a reason.
fn why_in_full(node: &Node, id: EntryId) -> Option<String> {
    let entry = node.entry(id)?;
    let ended = entry.history().last_exit.filter(|_| has_ended_badly(node, entry));
    let ended = ended.map(|(exit, _)| exit_of(exit, entry).to_string());
    let parts: Vec<String> = ended.into_iter().chain(why(node, id)).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn entry(node: &Node, id: EntryId, now: Instant) -> Option<EntryStatus> {
    let entry = node.entry(id)?;
    let state = entry.state();
    let until = match state {
        State::Pausing { until, .. } => Some(until),
        State::Stopping { kill_at, .. } => kill_at,
        State::Running { ready_by } => ready_by,
        State::Clearing { .. } | State::Killing { .. } | State::GivenUp { .. } => None,
        State::Down | State::Starting | State::Ready | State::Done { .. } => None,
    };
    let history = entry.history();
    let health = entry.spec().policy.care().health.as_ref();
    let ago = |at: Instant| milliseconds(now.since(at));
    Some(EntryStatus {
        tag: entry.key().tag.clone(),
        mode: entry.spec().mode,
        levels: entry.spec().levels.named(),
        wanted: entry.is_wanted(),
        transient: entry.is_transient(),
        hold: entry.hold(),
        state: entry_state(state),
        troubled: is_in_trouble(node, id),
        pid: entry.pid(),
        since_ms: ago(entry.since()),
        restarts: history.restarts,
        last_exit: match state {
            State::Pausing { reason: PauseReason::NoProcess(errno), .. } => {
                Some(ExitStatus::NotSpawned { error: lack_text(errno) })
            }
            _ => history.last_exit.map(|(exit, _)| exit_of(exit, entry)),
        },
        last_exit_ms: history.last_exit.map(|(_, at)| ago(at)),
        last_failure: history.last_failure.map(|(failing, _)| failing),
        last_failure_ms: history.last_failure.map(|(_, at)| ago(at)),
        why: why(node, id),
        waits_for: causes::other(node, id).and_then(causes::Other::waits_for),
        says: entry.says().map(str::to_owned),
        reloading: entry.is_reloading(),
        misses: health.map(|_| entry.misses()),
        misses_max: health.map(|health| health.threshold),
        until_ms: until.map(|until| milliseconds(until.since(now))),
        command: command_text(&entry.spec().program.command),
        log: None,
    })
}

fn entry_state(state: State) -> EntryState {
    match state {
        State::Down => EntryState::Down,
        State::Starting => EntryState::Starting,
        State::Running { .. } => EntryState::Running,
        State::Ready => EntryState::Ready,
        State::GivenUp { .. } => EntryState::GivenUp,
        State::Clearing { .. } => EntryState::Clearing,
        State::Pausing { .. } => EntryState::Pausing,
        State::Stopping { .. } => EntryState::Stopping,
        State::Killing { .. } => EntryState::Killing,
        State::Done { outcome: Outcome::Done, .. } => EntryState::Done,
        State::Done { outcome: Outcome::Passed, .. } => EntryState::Passed,
        State::Done { outcome: Outcome::Failed, .. } => EntryState::Failed,
    }
}

pub(crate) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

//! Of entries that follow each other (`after`, `requires`).

use clinit_engine::care::Readiness;
use clinit_engine::entry::{Entry, Fate, PauseReason, State};
use clinit_engine::event::{EntryId, Event, Notice};
use clinit_engine::group::Phase;
use clinit_engine::name::{EntryKey, Tag};
use clinit_engine::spec::Mode;

use crate::moment::Moment;

/// The entries that one follows by some of its links.
fn followed<'a>(
    moment: &'a Moment<'_>,
    entry: &'a Entry,
    requires: bool,
) -> impl Iterator<Item = (EntryId, &'a Entry)> {
    let links = entry.spec().links.iter();
    let tags = links.flat_map(move |links| if requires { &links.requires[..] } else { &links.after[..] });
    tags.filter_map(move |tag: &Tag| {
        let key = EntryKey { group: entry.key().group.clone(), tag: tag.clone() };
        let id = moment.step.node.entry_id(&key)?;
        Some((id, moment.step.node.entry(id)?))
    })
}

/// Whether an entry is as far as those behind it have to wait for.
fn has_come(entry: &Entry) -> bool {
    let has_to_be_ready = entry.spec().program.readiness != Readiness::Started;
    let ends_first = matches!(entry.spec().mode, Mode::Wait | Mode::Test);
    match entry.state() {
        State::Done { .. } | State::GivenUp { .. } => true,
        State::Down => false,
        State::Ready => !ends_first,
        State::Pausing { reason: PauseReason::TooOften | PauseReason::Delay, .. } => !ends_first,
        State::Pausing { reason: PauseReason::NoProcess(_), .. } => !ends_first && !has_to_be_ready,
        State::Starting | State::Running { .. } | State::Clearing { .. } => !ends_first && !has_to_be_ready,
        State::Stopping { .. } | State::Killing { .. } => !ends_first && !has_to_be_ready,
    }
}

pub(super) fn entries_start_behind_those_they_follow(moment: &Moment<'_>) -> Result<(), String> {
    for (id, key) in moment.step.fresh_spawns() {
        let Some(entry) = moment.step.node.entry(id) else { continue };
        for (_, before) in followed(moment, entry, false).filter(|(_, before)| before.is_wanted()) {
            if !has_come(before) {
                return Err(format!("{key} starts after {}, which is {:?}", before.key(), before.state()));
            }
        }
        for (_, required) in followed(moment, entry, true) {
            let serves = required.is_up() || matches!(required.state(), State::Done { .. });
            if !required.is_wanted() || !serves || !has_come(required) || required.has_failed() {
                let (other, state) = (required.key(), required.state());
                return Err(format!("{key} starts and requires {other}, which is {state:?}"));
            }
        }
    }
    Ok(())
}

pub(super) fn who_requires_in_vain_does_not_run_on(moment: &Moment<'_>) -> Result<(), String> {
    let is_resuming = !matches!(moment.step.event, Event::InventoryTaken);
    if moment.is_resuming && is_resuming {
        return Ok(());
    }
    for (_, entry) in moment.step.node.entries().filter(|(_, entry)| entry.is_alive()) {
        let is_going = super::is_leaving(entry.state()) || entry.is_postponed();
        let in_vain =
            |required: &Entry| !required.is_wanted() || required.has_failed() || required.is_blocked();
        let required = followed(moment, entry, true).find(|(_, required)| in_vain(required));
        if let Some((_, required)) = required.filter(|_| !is_going) {
            let (key, other) = (entry.key(), required.key());
            return Err(format!("{key} is {:?} and requires {other}: {:?}", entry.state(), required.state()));
        }
    }
    Ok(())
}

pub(super) fn who_is_blocked_has_a_reason(moment: &Moment<'_>) -> Result<(), String> {
    if moment.is_resuming {
        return Ok(());
    }
    for (_, entry) in moment.step.node.entries().filter(|(_, entry)| entry.is_blocked()) {
        let group = moment.step.node.group(&entry.key().group);
        let parts = |phase| matches!(phase, Phase::Stopping | Phase::Dumping | Phase::Halting);
        // Who leaves may take the reason with him; what follows is found out when he has left.
        if group.is_some_and(|group| parts(group.phase())) {
            continue;
        }
        let mut required = followed(moment, entry, true);
        if !required.any(|(_, required)| required.is_blocked() || required.has_failed()) {
            return Err(format!("{} is blocked, and nothing that it requires failed", entry.key()));
        }
    }
    Ok(())
}

pub(super) fn followers_leave_first(moment: &Moment<'_>) -> Result<(), String> {
    let step = moment.step;
    for notice in step.notices() {
        let Notice::Stopping { entry: id } = notice else { continue };
        let Some(leaving) = step.node.entry(*id).filter(|entry| entry.restarts_because().is_none()) else {
            continue;
        };
        let same_group = |entry: &Entry| entry.key().group == leaving.key().group;
        for (_, entry) in step.node.entries().filter(|(_, entry)| same_group(entry)) {
            let mut follows = followed(moment, entry, false).chain(followed(moment, entry, true));
            let has_to = !entry.is_wanted() || *entry.fate() != Fate::Keep || entry.is_renewed();
            let has_to = has_to || followed(moment, entry, true).any(|(other, _)| other == *id);
            if entry.state() != State::Down && has_to && follows.any(|(other, _)| other == *id) {
                let (key, other) = (leaving.key(), entry.key());
                return Err(format!("{key} is stopped while {other} is {:?}", entry.state()));
            }
        }
    }
    Ok(())
}

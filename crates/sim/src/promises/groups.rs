//! Of groups: levels, the order of the file, phases.

use std::collections::BTreeMap;

use clinit_engine::care::Readiness;
use clinit_engine::entry::{Entry, PauseReason, State};
use clinit_engine::event::{Action, EntryId, Event, Notice};
use clinit_engine::group::Phase;
use clinit_engine::name::{EntryKey, GroupName};
use clinit_engine::spec::Mode;

use super::is_leaving;
use crate::model::Standing;
use crate::moment::Moment;

pub(super) fn what_leaves_is_gone_before_anything_starts(moment: &Moment<'_>) -> Result<(), String> {
    for (_, starting) in moment.step.fresh_spawns() {
        // Who is no table's waits for nobody.
        if moment.model.transients.contains_key(starting) {
            continue;
        }
        for (id, key, content) in moment.alive().filter(|(_, key, _)| key.group == starting.group) {
            let comes_back = moment.step.before.get(&id).is_some_and(|before| before.again);
            let leaves = is_leaving(moment.step.state_before(id)) && !comes_back;
            if !moment.model.wants(key, &content) || leaves {
                return Err(format!("{starting} starts while {key} has to leave and lives"));
            }
        }
    }
    Ok(())
}

pub(super) fn entries_start_in_file_order(moment: &Moment<'_>) -> Result<(), String> {
    let fresh: Vec<_> = moment.step.fresh_spawns().collect();
    for (place, (_, key)) in fresh.iter().enumerate() {
        let Some(group) = moment.model.table.groups.iter().find(|group| group.name == key.group) else {
            continue;
        };
        if moment.model.transients.contains_key(*key) {
            continue;
        }
        if group.entries.iter().any(|spec| spec.links.is_some()) {
            continue;
        }
        for spec in group.entries.iter().take_while(|spec| spec.tag != key.tag) {
            let earlier = EntryKey { group: key.group.clone(), tag: spec.tag.clone() };
            if !moment.model.wanted.contains_key(&earlier) {
                continue;
            }
            if fresh[place..].iter().any(|(_, later)| **later == earlier) {
                return Err(format!("{key} is started before {earlier}"));
            }
            let entry = moment.step.node.entry_id(&earlier).and_then(|id| moment.step.node.entry(id));
            let state = entry.map_or(State::Down, Entry::state);
            let runs = moment.keeper.lives().any(|(_, slot)| slot.content.key == earlier && slot.has_main());
            let done = matches!(state, State::Done { .. }) && !runs;
            let ends_first = matches!(spec.mode, Mode::Wait | Mode::Test);
            let is_through = match state {
                State::GivenUp { .. } => true,
                State::Pausing { reason, .. } => !ends_first && !matches!(reason, PauseReason::NoProcess(_)),
                State::Ready => !ends_first,
                State::Done { .. } => done,
                State::Down | State::Starting | State::Running { .. } | State::Clearing { .. } => false,
                State::Stopping { .. } | State::Killing { .. } => false,
            };
            // Who was ready once was waited for.
            let comes_back = |entry: &Entry| entry.restarts_because().is_some();
            let was_ready = entry.is_some_and(|entry| entry.history().restarts > 0 || comes_back(entry));
            let watch = moment.step.node.entry_id(&earlier).zip(entry);
            let watch = watch.and_then(|(id, entry)| moment.model.watches.of(id, entry.generation()));
            let was_ready = was_ready || watch.is_some_and(|watch| watch.is_ready);
            let holds = ends_first || (spec.program.readiness != Readiness::Started && !was_ready);
            if state == State::Down || (holds && !is_through) {
                return Err(format!("{key} is started while {earlier} is {state:?}"));
            }
        }
    }
    Ok(())
}

pub(super) fn events_move_their_own_group_only(moment: &Moment<'_>) -> Result<(), String> {
    let group_of = |&id: &EntryId| moment.step.group_of(id);
    let own: Vec<&GroupName> = match moment.step.event {
        Event::Told { group, .. } | Event::Added { group, .. } => vec![group],
        Event::Ordered { entries, .. } => entries.iter().filter_map(group_of).collect(),
        Event::Spawned { entry, .. }
        | Event::SpawnFailed { entry, .. }
        | Event::Exited { entry, .. }
        | Event::Emptied { entry, .. }
        | Event::Notified { entry, .. }
        | Event::Probed { entry, .. }
        | Event::NotFollowed { entry, .. } => group_of(entry).into_iter().collect(),
        Event::TableAccepted(_) | Event::ShutdownRequested | Event::HurryRequested => return Ok(()),
        Event::InventoryTaken | Event::TimePassed => return Ok(()),
    };
    for action in moment.step.actions {
        let moved = match action {
            Action::Spawn { entry, .. } | Action::Stop { entry, .. } => group_of(entry),
            Action::Kill { entry, .. } | Action::Signal { entry, .. } => group_of(entry),
            Action::Probe { entry, .. } | Action::Follow { entry, .. } => group_of(entry),
            Action::Release { entry, .. } => group_of(entry),
            Action::Notice(notice) => match notice {
                Notice::GroupChanged { group, .. } | Notice::GroupForgotten { group } => Some(group),
                Notice::Started { entry, .. } | Notice::Ended { entry, .. } => group_of(entry),
                Notice::Stopping { entry } | Notice::Killing { entry } => group_of(entry),
                Notice::NotSpawned { entry, .. } | Notice::Ready { entry } => group_of(entry),
                Notice::Missed { entry, .. } | Notice::Failed { entry, .. } => group_of(entry),
                Notice::Recovered { entry } | Notice::Reloaded { entry } => group_of(entry),
                Notice::ErrandEnded { entry, .. } | Notice::GivenUp { entry, .. } => group_of(entry),
                Notice::Fallen { group, .. } => Some(group),
            },
            Action::Leave => None,
        };
        if moved.is_some_and(|moved| !own.contains(&moved)) {
            return Err(format!("{action:?} is of group {moved:?}, the event of {own:?}"));
        }
    }
    Ok(())
}

pub(super) fn phases_follow_the_diagram(moment: &Moment<'_>) -> Result<(), String> {
    let mut standings: BTreeMap<&GroupName, Standing> = BTreeMap::new();
    for action in moment.step.actions {
        let Action::Notice(Notice::GroupChanged { group, phase, level, target }) = action else { continue };
        let old = standings.get(group).or(moment.model.standings.get(group)).cloned().unwrap_or_default();
        if !may_follow(old.phase, *phase) {
            return Err(format!("{group} goes from {} to {phase}", old.phase));
        }
        let right = match phase {
            Phase::Starting | Phase::Checking | Phase::Done | Phase::Passed | Phase::Failed => {
                level == target && target.as_ref() == moment.model.targets.get(group)
            }
            // What it requires may fail when it has just got its level.
            Phase::Stopping | Phase::Dumping | Phase::Halting => {
                level.is_none() || *level == old.level || level == target
            }
            Phase::Configured => true,
        };
        if !right {
            return Err(format!("{group} is {phase} at {level:?} for {target:?}"));
        }
        standings.insert(group, Standing { phase: *phase, level: level.clone() });
    }
    Ok(())
}

/// The arrows of the diagram of [`clinit_engine::group`].
fn may_follow(before: Phase, after: Phase) -> bool {
    match after {
        Phase::Stopping | Phase::Dumping | Phase::Starting => before != Phase::Halting,
        Phase::Checking => before == Phase::Starting,
        // A group that has its level fails and recovers with its entries.
        Phase::Done | Phase::Passed | Phase::Failed => {
            before == Phase::Checking || (before.is_settled() && before != after)
        }
        // The table has it no longer, but entries of no table go on in it.
        Phase::Configured => before != Phase::Checking,
        Phase::Halting => true,
    }
}

pub(super) fn nobody_leaves_while_anything_runs(moment: &Moment<'_>) -> Result<(), String> {
    let leaves = moment.step.actions.contains(&Action::Leave);
    let tasks = moment.keeper.slots().filter(|(_, slot)| slot.content.errand.is_some() && slot.is_alive());
    let alive = moment.alive().map(|(_, key, _)| key).chain(tasks.map(|(_, slot)| &slot.content.key)).next();
    match alive.filter(|_| leaves) {
        Some(key) => Err(format!("{key} lives")),
        None if leaves && !moment.model.halting => Err("nobody asked for it".to_owned()),
        None => Ok(()),
    }
}

//! Of single entries: one life after the other, as the table and people want it.

use std::collections::BTreeMap;
use std::sync::Arc;

use clinit_engine::entry::{Entry, KILL_AGAIN, State};
use clinit_engine::event::{Action, EntryId, Event, Generation, Notice};
use clinit_engine::name::EntryKey;

use super::is_leaving;
use crate::model::is_jailed;
use crate::moment::Moment;

pub(super) fn generations_are_new(moment: &Moment<'_>) -> Result<(), String> {
    let mut newest = moment.model.newest;
    let entries = moment.step.spawns();
    let tasks = moment.step.tasks_spawned().map(|(id, task)| (id, task.generation(), task.owner()));
    let mut spawns: Vec<_> = entries.chain(tasks).collect();
    spawns.sort_unstable_by_key(|&(_, generation, _)| generation);
    for (id, generation, key) in spawns {
        let chore = moment.model.watches.chores.get(&id).filter(|chore| chore.generation == generation);
        let again = moment.model.life(id, generation).is_some_and(|life| &life.key == key);
        let again = again || chore.is_some_and(|chore| &chore.key == key);
        if !again && generation <= newest {
            return Err(format!("{key} got {generation:?} after {newest:?} was given"));
        }
        newest = newest.max(generation);
    }
    Ok(())
}

pub(super) fn orders_are_for_the_life_that_runs(moment: &Moment<'_>) -> Result<(), String> {
    let mut newest: BTreeMap<EntryId, Generation> =
        moment.model.lives.iter().map(|(&id, life)| (id, life.generation)).collect();
    for (&id, &generation) in &moment.model.watches.latest {
        let latest = newest.entry(id).or_default();
        *latest = generation.max(*latest);
    }
    for action in moment.step.actions {
        let right = match action {
            Action::Spawn { entry, generation, .. } => {
                newest.insert(*entry, *generation);
                true
            }
            Action::Stop { entry, generation, .. }
            | Action::Kill { entry, generation, .. }
            | Action::Probe { entry, generation, .. }
            | Action::Follow { entry, generation, .. }
            | Action::Signal { entry, generation, .. } => newest.get(entry) == Some(generation),
            Action::Release { entry, generation } => newest.get(entry) >= Some(generation),
            Action::Notice(_) | Action::Leave => true,
        };
        if !right {
            return Err(format!("{action:?} is for a life that is not"));
        }
    }
    Ok(())
}

pub(super) fn only_wanted_entries_are_spawned(moment: &Moment<'_>) -> Result<(), String> {
    for (id, _, key) in moment.step.spawns() {
        let spec = moment.step.node.entry(id).map(Entry::spec);
        let content = spec.map(|spec| (spec.mode, Arc::clone(&spec.program)));
        if content.is_none_or(|content| !moment.model.wants(key, &content)) {
            return Err(format!("{key} is not wanted, or not with this content"));
        }
    }
    Ok(())
}

pub(super) fn entries_start_once_for_each_stay(moment: &Moment<'_>) -> Result<(), String> {
    match moment.step.fresh_spawns().find(|(_, key)| moment.model.started.contains_key(key)) {
        Some((_, key)) => Err(format!("{key} was started before, and has not left since")),
        None => Ok(()),
    }
}

pub(super) fn what_is_wanted_and_unchanged_is_not_touched(moment: &Moment<'_>) -> Result<(), String> {
    let falls = |id| {
        let mut notices = moment.step.notices();
        notices.any(|notice| matches!(notice, Notice::Fallen { group, .. } if moment.step.group_of(id) == Some(group)))
    };
    for action in moment.step.actions {
        let (Action::Stop { entry, generation, .. } | Action::Kill { entry, generation, .. }) = action else {
            continue;
        };
        let Some(life) = moment.model.life(*entry, *generation) else { continue };
        let state = moment.step.state_before(*entry);
        let is_cleared = matches!(state, State::Clearing { .. }) || is_clearing_now(moment, *entry);
        let now = moment.step.node.entry(*entry);
        let fails = now.is_some_and(|entry| entry.restarts_because().is_some() || entry.is_blocked());
        let goes_anyway = is_leaving(state) || is_cleared || moment.step.is_meddled_with(*entry) || fails;
        let goes_anyway = goes_anyway || falls(*entry) || moment.model.renewed.contains(&life.key);
        if moment.model.wants(&life.key, &life.content) && !goes_anyway {
            return Err(format!("{} is touched by {action:?}", life.key));
        }
    }
    Ok(())
}

pub(super) fn kills_wait_for_the_stop_timeout(moment: &Moment<'_>) -> Result<(), String> {
    for action in moment.step.actions {
        let Action::Kill { entry, generation, .. } = action else { continue };
        let Some(life) = moment.model.life(*entry, *generation) else { continue };
        let clearing = matches!(moment.step.state_before(*entry), State::Clearing { .. });
        let clearing = clearing || is_clearing_now(moment, *entry);
        let resumed = matches!(moment.step.event, Event::InventoryTaken);
        let entry_now = moment.step.node.entry(*entry);
        let asked_now =
            moment.step.notices().any(|n| matches!(n, Notice::Stopping { entry: e } if e == entry));
        let timeout = entry_now.and_then(|entry| entry.spec().policy.stop.timeout);
        let asked = life.asked.or(asked_now.then_some((moment.step.now, timeout)));
        let in_time = match (life.killed, asked) {
            (Some(at), _) => resumed || moment.step.now.since(at) >= KILL_AGAIN,
            (None, Some((at, Some(timeout)))) => moment.step.now.since(at) >= timeout,
            (None, Some((_, None)) | None) => false,
        };
        if !in_time && !clearing && !moment.model.hurried {
            return Err(format!("{} is killed at {:?}, asked {:?}", life.key, moment.step.now, life.asked));
        }
    }
    Ok(())
}

pub(super) fn respawns_keep_to_the_throttle(moment: &Moment<'_>) -> Result<(), String> {
    let policy_of = |key: &EntryKey| moment.model.spec(key).map(|spec| spec.policy.throttle);
    let recent = |key, interval| moment.model.recent_starts(key, interval, moment.step.now);
    for (id, generation, key) in moment.step.spawns() {
        if moment.step.is_fresh(id) || moment.model.life(id, generation).is_some() {
            continue;
        }
        if let Some(State::Pausing { until, .. }) = moment.step.before.get(&id).map(|before| before.state)
            && until > moment.step.now
        {
            return Err(format!("{key} does not wait until {until:?}"));
        }
        let Some(policy) = policy_of(key).filter(|policy| policy.starts > 0) else { continue };
        if recent(key, policy.interval) >= usize::from(policy.starts) {
            return Err(format!("{key} was started more than {} times within its interval", policy.starts));
        }
    }
    for (id, entry) in moment.step.node.entries() {
        let key = entry.key();
        let (true, false) = (is_jailed(entry.state()), is_jailed(moment.step.state_before(id))) else {
            continue;
        };
        let Some(policy) = policy_of(key) else { continue };
        if policy.starts == 0 || recent(key, policy.interval) < usize::from(policy.starts) {
            return Err(format!("{key} has to pause and was not started too often"));
        }
        if !matches!(entry.state(), State::Pausing { until, .. } if until == moment.step.now + policy.pause) {
            return Err(format!("{key} pauses otherwise than its policy says"));
        }
    }
    Ok(())
}

pub(super) fn live_processes_are_known(moment: &Moment<'_>) -> Result<(), String> {
    let mut seen = Vec::new();
    for (id, slot) in moment.keeper.slots().filter(|(_, slot)| slot.is_alive()) {
        let key = &slot.content.key;
        if let Some(errand) = slot.content.errand {
            if moment.step.node.task(id).is_none_or(|task| task.generation() != slot.generation) {
                return Err(format!("{} of {key} lives, and the engine does not know", errand.as_str()));
            }
            continue;
        }
        let known = moment.step.node.entry(id).is_some_and(|entry| {
            entry.key() == key && entry.generation() == slot.generation && entry.is_alive()
        });
        if !known {
            return Err(format!("{key} lives as {:?}, and the engine does not know", slot.generation));
        }
        if seen.contains(&key) {
            return Err(format!("{key} lives twice"));
        }
        seen.push(key);
    }
    Ok(())
}

/// Whether an entry that may have named another main process has just lost its last: the rest is killed.
fn is_clearing_now(moment: &Moment<'_>, id: EntryId) -> bool {
    let entry = moment.step.node.entry(id).filter(|entry| entry.spec().program.notifies());
    entry.is_some_and(|entry| matches!(entry.state(), State::Clearing { .. }))
}

//! What every step of the engine has to keep, one function a promise.
//!
//! A promise looks at a [`Moment`]: one event and what the engine made of it, with what was asked for and
//! what really runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use clinit_engine::entry::{Entry, KILL_AGAIN, State};
use clinit_engine::event::{Action, EntryId, Event, Generation, Notice};
use clinit_engine::group::Phase;
use clinit_engine::name::{EntryKey, GroupName};
use clinit_engine::spec::Mode;

use crate::model::{Standing, is_jailed};
use crate::moment::Moment;

/// A promise: broken, it says how.
pub(crate) type Promise = fn(&Moment<'_>) -> Result<(), String>;

/// All promises, with their names.
pub(crate) const PROMISES: [(&str, Promise); 14] = [
    ("the books agree", books_agree),
    ("a generation is new, or is ordered again", generations_are_new),
    ("orders are for the life that runs", orders_are_for_the_life_that_runs),
    ("only wanted entries are spawned", only_wanted_entries_are_spawned),
    ("an entry starts once for each stay", entries_start_once_for_each_stay),
    ("what leaves is gone before anything starts", what_leaves_is_gone_before_anything_starts),
    ("entries start in file order", entries_start_in_file_order),
    ("what is wanted and unchanged is not touched", what_is_wanted_and_unchanged_is_not_touched),
    ("a kill waits for the stop timeout", kills_wait_for_the_stop_timeout),
    ("respawns keep to the throttle", respawns_keep_to_the_throttle),
    ("an event moves its own group only", events_move_their_own_group_only),
    ("phases follow the diagram", phases_follow_the_diagram),
    ("every live process is known, one life an entry", live_processes_are_known),
    ("nobody leaves while anything runs", nobody_leaves_while_anything_runs),
];

fn books_agree(moment: &Moment<'_>) -> Result<(), String> {
    moment.step.node.audit()
}

fn generations_are_new(moment: &Moment<'_>) -> Result<(), String> {
    let mut newest = moment.model.newest;
    for (id, generation, key) in moment.step.spawns() {
        let again = moment.model.life(id, generation).is_some_and(|life| &life.key == key);
        if !again && generation <= newest {
            return Err(format!("{key} got {generation:?} after {newest:?} was given"));
        }
        newest = newest.max(generation);
    }
    Ok(())
}

fn orders_are_for_the_life_that_runs(moment: &Moment<'_>) -> Result<(), String> {
    let mut newest: BTreeMap<EntryId, Generation> =
        moment.model.lives.iter().map(|(&id, life)| (id, life.generation)).collect();
    for action in moment.step.actions {
        let right = match action {
            Action::Spawn { entry, generation, .. } => {
                newest.insert(*entry, *generation);
                true
            }
            Action::Stop { entry, generation, .. }
            | Action::Kill { entry, generation, .. }
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

fn only_wanted_entries_are_spawned(moment: &Moment<'_>) -> Result<(), String> {
    for (id, _, key) in moment.step.spawns() {
        let spec = moment.step.node.entry(id).map(Entry::spec);
        let content = spec.map(|spec| (spec.mode, Arc::clone(&spec.program)));
        if content.is_none_or(|content| !moment.model.wants(key, &content)) {
            return Err(format!("{key} is not wanted, or not with this content"));
        }
    }
    Ok(())
}

fn entries_start_once_for_each_stay(moment: &Moment<'_>) -> Result<(), String> {
    match moment.step.fresh_spawns().find(|(_, key)| moment.model.started.contains_key(key)) {
        Some((_, key)) => Err(format!("{key} was started before, and has not left since")),
        None => Ok(()),
    }
}

fn what_leaves_is_gone_before_anything_starts(moment: &Moment<'_>) -> Result<(), String> {
    for (_, starting) in moment.step.fresh_spawns() {
        for (id, key, content) in moment.alive().filter(|(_, key, _)| key.group == starting.group) {
            if !moment.model.wants(key, &content) || is_leaving(moment.step.state_before(id)) {
                return Err(format!("{starting} starts while {key} has to leave and lives"));
            }
        }
    }
    Ok(())
}

fn entries_start_in_file_order(moment: &Moment<'_>) -> Result<(), String> {
    let fresh: Vec<_> = moment.step.fresh_spawns().collect();
    for (place, (_, key)) in fresh.iter().enumerate() {
        let Some(group) = moment.model.table.groups.iter().find(|group| group.name == key.group) else {
            return Err(format!("{key} is not in the table"));
        };
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
            let runs = moment.keeper.slots().any(|(_, slot)| slot.content.key == earlier && slot.has_main());
            let done = matches!(state, State::Done { .. }) && !runs;
            let holds = matches!(spec.mode, Mode::Wait | Mode::Test);
            if state == State::Down || (holds && !done) {
                return Err(format!("{key} is started while {earlier} is {state:?}"));
            }
        }
    }
    Ok(())
}

fn what_is_wanted_and_unchanged_is_not_touched(moment: &Moment<'_>) -> Result<(), String> {
    for action in moment.step.actions {
        let (Action::Stop { entry, .. } | Action::Kill { entry, .. }) = action else { continue };
        let Some(life) = moment.model.lives.get(entry) else { continue };
        let state = moment.step.state_before(*entry);
        let is_cleared = matches!(state, State::Clearing { .. });
        let goes_anyway = is_leaving(state) || is_cleared || moment.step.is_meddled_with(*entry);
        if moment.model.wants(&life.key, &life.content) && !goes_anyway {
            return Err(format!("{} is touched by {action:?}", life.key));
        }
    }
    Ok(())
}

fn kills_wait_for_the_stop_timeout(moment: &Moment<'_>) -> Result<(), String> {
    for action in moment.step.actions {
        let Action::Kill { entry, .. } = action else { continue };
        let Some(life) = moment.model.lives.get(entry) else { continue };
        let clearing = matches!(moment.step.state_before(*entry), State::Clearing { .. });
        let resumed = matches!(moment.step.event, Event::InventoryTaken);
        let in_time = match (life.killed, life.asked) {
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

fn respawns_keep_to_the_throttle(moment: &Moment<'_>) -> Result<(), String> {
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

fn events_move_their_own_group_only(moment: &Moment<'_>) -> Result<(), String> {
    let group_of = |&id: &EntryId| moment.step.group_of(id);
    let own: Vec<&GroupName> = match moment.step.event {
        Event::Told { group, .. } => vec![group],
        Event::Ordered { entries, .. } => entries.iter().filter_map(group_of).collect(),
        Event::Spawned { entry, .. } | Event::SpawnFailed { entry, .. } => {
            group_of(entry).into_iter().collect()
        }
        Event::Exited { entry, .. } | Event::Emptied { entry, .. } => group_of(entry).into_iter().collect(),
        Event::TableAccepted(_) | Event::ShutdownRequested | Event::HurryRequested => return Ok(()),
        Event::InventoryTaken | Event::TimePassed => return Ok(()),
    };
    for action in moment.step.actions {
        let moved = match action {
            Action::Spawn { entry, .. } | Action::Stop { entry, .. } => group_of(entry),
            Action::Kill { entry, .. } | Action::Signal { entry, .. } => group_of(entry),
            Action::Release { entry, .. } => group_of(entry),
            Action::Notice(notice) => match notice {
                Notice::GroupChanged { group, .. } | Notice::GroupForgotten { group } => Some(group),
                Notice::Started { entry, .. } | Notice::Ended { entry, .. } => group_of(entry),
                Notice::Stopping { entry } | Notice::Killing { entry } => group_of(entry),
                Notice::NotSpawned { entry, .. } => group_of(entry),
            },
            Action::Leave => None,
        };
        if moved.is_some_and(|moved| !own.contains(&moved)) {
            return Err(format!("{action:?} is of group {moved:?}, the event of {own:?}"));
        }
    }
    Ok(())
}

fn phases_follow_the_diagram(moment: &Moment<'_>) -> Result<(), String> {
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
            Phase::Stopping | Phase::Dumping | Phase::Halting => level.is_none() || *level == old.level,
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
        Phase::Done | Phase::Passed | Phase::Failed => before == Phase::Checking,
        Phase::Configured => {
            matches!(before, Phase::Configured | Phase::Halting | Phase::Stopping | Phase::Dumping)
        }
        Phase::Halting => true,
    }
}

fn live_processes_are_known(moment: &Moment<'_>) -> Result<(), String> {
    let mut seen = Vec::new();
    for (id, slot) in moment.keeper.slots().filter(|(_, slot)| slot.is_alive()) {
        let key = &slot.content.key;
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

fn nobody_leaves_while_anything_runs(moment: &Moment<'_>) -> Result<(), String> {
    let leaves = moment.step.actions.contains(&Action::Leave);
    let alive = moment.alive().next();
    match alive.filter(|_| leaves) {
        Some((_, key, _)) => Err(format!("{key} lives")),
        None if leaves && !moment.model.halting => Err("nobody asked for it".to_owned()),
        None => Ok(()),
    }
}

fn is_leaving(state: State) -> bool {
    matches!(state, State::Stopping { .. } | State::Killing { .. })
}

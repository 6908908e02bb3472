//! Of being ready and well, and of what becomes of those who are not.

use clinit_engine::care::{Check, Errand, Failing, Failover, Readiness};
use clinit_engine::entry::State;
use clinit_engine::event::{Event, Notice};

use crate::moment::Moment;
use crate::watch::{Watch, restarted};

fn watch<'a>(moment: &'a Moment<'_>, id: clinit_engine::event::EntryId) -> Option<&'a Watch> {
    let generation = moment.step.before.get(&id)?.generation;
    moment.model.watches.of(id, generation)
}

pub(super) fn ready_is_said_or_shown(moment: &Moment<'_>) -> Result<(), String> {
    for notice in moment.step.notices() {
        let Notice::Ready { entry } = notice else { continue };
        if !watch(moment, *entry).is_some_and(|watch| watch.is_ready) {
            return Err(format!("{entry} is ready, and neither said nor showed it"));
        }
    }
    Ok(())
}

pub(super) fn who_is_not_ready_in_time_is_stopped(moment: &Moment<'_>) -> Result<(), String> {
    // What was due meanwhile is next.
    if moment.is_resuming || matches!(moment.step.event, Event::InventoryTaken) {
        return Ok(());
    }
    for (id, entry) in moment.step.node.entries() {
        let is_late = moment.model.watches.of(id, entry.generation()).and_then(|watch| watch.ready_by);
        let is_late = is_late.is_some_and(|by| by <= moment.step.now);
        let runs = matches!(entry.state(), State::Running { .. });
        let has_to_be = entry.spec().program.readiness != Readiness::Started;
        let is_let_be = entry.spec().policy.care().failover == Failover::LogOnly || entry.is_postponed();
        if is_late && runs && has_to_be && !is_let_be {
            return Err(format!("{} is not ready and runs on", entry.key()));
        }
    }
    Ok(())
}

/// A miss is a bad answer, or none where one was due.
pub(super) fn misses_are_answers(moment: &Moment<'_>) -> Result<(), String> {
    let step = moment.step;
    for notice in step.notices() {
        let Notice::Missed { entry: id, errand: Errand::Health, .. } = notice else { continue };
        let Some(entry) = step.node.entry(*id) else { continue };
        let asked = watch(moment, *id).and_then(|watch| watch.asked);
        let is_overdue = asked.is_some_and(|(at, span)| step.now.since(at) >= span);
        let is_answer = match step.event {
            Event::Probed { entry, accepted: false, .. } => entry == id && asked.is_some(),
            Event::Exited { entry, .. } | Event::SpawnFailed { entry, .. } | Event::Emptied { entry, .. } => {
                step.tasks_before.get(entry) == step.before.get(id).map(|before| &before.key)
            }
            // What the keeper does not know of has ended.
            Event::InventoryTaken => true,
            Event::Probed { .. } | Event::TableAccepted(_) | Event::Told { .. } | Event::Added { .. } => {
                false
            }
            Event::Ordered { .. } | Event::ShutdownRequested | Event::HurryRequested => false,
            Event::Spawned { .. } | Event::Notified { .. } | Event::NotFollowed { .. } => false,
            Event::TimePassed => false,
        };
        let has_probe = entry.spec().policy.care().health.as_ref();
        let has_probe = has_probe.is_some_and(|health| matches!(health.check, Check::Tcp(_)));
        if !(is_answer || (has_probe && is_overdue)) {
            return Err(format!("{} missed nothing", entry.key()));
        }
    }
    Ok(())
}

pub(super) fn unhealthy_is_after_so_many_misses(moment: &Moment<'_>) -> Result<(), String> {
    let step = moment.step;
    for notice in step.notices() {
        let Notice::Failed { entry: id, failing: Failing::Unhealthy } = notice else { continue };
        let Some(entry) = step.node.entry(*id) else { continue };
        let now = step.notices().filter(|n| matches!(n, Notice::Missed { entry, .. } if entry == id)).count();
        let before = watch(moment, *id).map_or(0, |watch| watch.misses as usize);
        let threshold = entry.spec().policy.care().health.as_ref().map_or(0, |health| health.threshold);
        if before + now < threshold as usize {
            return Err(format!("{} is unhealthy after {before} + {now} misses", entry.key()));
        }
    }
    Ok(())
}

pub(super) fn restarts_keep_to_retry_count(moment: &Moment<'_>) -> Result<(), String> {
    for key in restarted(moment.step) {
        let entry = moment.step.node.entry_id(&key).and_then(|id| moment.step.node.entry(id));
        let Some(care) = entry.map(|entry| entry.spec().policy.care()) else { continue };
        let Some(retry) = care.retry.filter(|_| care.failover != Failover::LogOnly) else { continue };
        let restarts = moment.model.watches.restarts.get(&key).map_or(&[][..], Vec::as_slice);
        let recent = restarts.iter().filter(|&&at| moment.step.now.since(at) < retry.interval).count();
        if recent >= usize::from(retry.count) {
            return Err(format!("{key} is restarted more than {} times within its interval", retry.count));
        }
    }
    Ok(())
}

pub(super) fn who_was_given_up_waits_for_people(moment: &Moment<'_>) -> Result<(), String> {
    for (id, _, key) in moment.step.spawns() {
        let was_given_up = matches!(moment.step.state_before(id), State::GivenUp { .. });
        if was_given_up && !moment.step.is_fresh(id) {
            return Err(format!("{key} was given up and starts of its own accord"));
        }
    }
    Ok(())
}

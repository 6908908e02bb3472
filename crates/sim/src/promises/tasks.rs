//! Of the commands that run for entries.

use clinit_engine::care::Errand;
use clinit_engine::entry::{KILL_AGAIN, State};
use clinit_engine::event::{Action, Event, Notice};
use clinit_engine::task::TaskState;

use crate::moment::Moment;

pub(super) fn tasks_end_within_their_time(moment: &Moment<'_>) -> Result<(), String> {
    // What was due meanwhile is next.
    if moment.is_resuming || matches!(moment.step.event, Event::InventoryTaken) {
        return Ok(());
    }
    for (id, task) in moment.step.node.tasks() {
        let chore = moment.model.watches.chores.get(&id);
        let Some(chore) = chore.filter(|chore| chore.generation == task.generation()) else { continue };
        let is_over = chore.by.is_some_and(|by| by <= moment.step.now);
        if is_over && task.state() != TaskState::Killing {
            return Err(format!("{} of {} runs beyond its time", task.errand().as_str(), task.owner()));
        }
        let has_deadline = moment.step.node.next_deadline().is_some();
        if task.state() == TaskState::Killing && !has_deadline {
            return Err(format!("{:?} after a kill nobody looks again at {}", KILL_AGAIN, task.owner()));
        }
    }
    Ok(())
}

pub(super) fn one_task_for_an_errand(moment: &Moment<'_>) -> Result<(), String> {
    let mut seen = Vec::new();
    for (_, task) in moment.step.node.tasks().filter(|(_, task)| task.state() != TaskState::Killing) {
        let errand = (task.owner(), task.errand());
        // Who is told of a failure may be told of another by a successor of the same name.
        if seen.contains(&errand) && task.errand() != Errand::Failure {
            return Err(format!("{} runs twice for {}", task.errand().as_str(), task.owner()));
        }
        seen.push(errand);
    }
    Ok(())
}

pub(super) fn stop_commands_run_once_for_each_stop(moment: &Moment<'_>) -> Result<(), String> {
    let step = moment.step;
    let known = |id, generation| {
        let chore = moment.model.watches.chores.get(&id);
        chore.is_some_and(|chore| chore.generation == generation)
    };
    for (id, task) in step.tasks_spawned().filter(|(_, task)| task.errand() == Errand::Stop) {
        let owner = step.node.entry_id(task.owner());
        let stops =
            step.notices().filter(|n| matches!(n, Notice::Stopping { entry } if Some(*entry) == owner));
        if stops.count() != 1 && !known(id, task.generation()) {
            return Err(format!("the stop command of {} runs without a stop", task.owner()));
        }
    }
    for notice in step.notices() {
        let Notice::Stopping { entry: id } = notice else { continue };
        let Some(entry) = step.node.entry(*id) else { continue };
        let ran = match step.state_before(*id) {
            State::Running { .. } | State::Ready => true,
            State::Done { .. } => entry.spec().mode != clinit_engine::spec::Mode::Respawn,
            State::Down | State::Starting | State::Clearing { .. } | State::Pausing { .. } => false,
            State::Stopping { .. } | State::Killing { .. } | State::GivenUp { .. } => false,
        };
        let mut commands = step.tasks_spawned().filter(|(_, task)| task.errand() == Errand::Stop);
        let runs = commands.any(|(_, task)| task.owner() == entry.key());
        let has_command = entry.spec().policy.care().stop_command.is_some();
        if ran && has_command && !runs && super::is_leaving(entry.state()) {
            return Err(format!("{} is stopped without its stop command", entry.key()));
        }
    }
    Ok(())
}

pub(super) fn no_signal_while_the_stop_command_runs(moment: &Moment<'_>) -> Result<(), String> {
    for action in moment.step.actions {
        let Action::Stop { entry: id, .. } = action else { continue };
        let Some(entry) = moment.step.node.entry(*id) else { continue };
        let mut tasks = moment.step.node.tasks().filter(|(_, task)| task.owner() == entry.key());
        if tasks.any(|(_, task)| task.errand() == Errand::Stop && task.state() != TaskState::Killing) {
            return Err(format!("{} is asked to stop while its stop command runs", entry.key()));
        }
    }
    Ok(())
}

pub(super) fn nothing_of_a_forgotten_entry_remains(moment: &Moment<'_>) -> Result<(), String> {
    if moment.is_resuming {
        return Ok(());
    }
    for (_, task) in moment.step.node.tasks() {
        let is_known = moment.step.node.entry_id(task.owner()).is_some();
        let may_go_on = task.errand() == Errand::Failure || task.state() == TaskState::Killing;
        if !is_known && !may_go_on {
            return Err(format!("{} goes on for {}, which is not", task.errand().as_str(), task.owner()));
        }
    }
    Ok(())
}

/// Questions are for those who run, and end with them.
pub(super) fn nothing_is_asked_of_who_does_not_run(moment: &Moment<'_>) -> Result<(), String> {
    if moment.is_resuming && !matches!(moment.step.event, Event::InventoryTaken) {
        return Ok(());
    }
    for (_, task) in moment.step.node.tasks().filter(|(_, task)| task.state() != TaskState::Killing) {
        let entry = moment.step.node.entry_id(task.owner()).and_then(|id| moment.step.node.entry(id));
        let Some(entry) = entry else { continue };
        let runs = matches!(entry.state(), State::Running { .. } | State::Ready);
        let right = match task.errand() {
            Errand::Ready => runs && !entry.is_up(),
            Errand::Health | Errand::Reload => runs,
            Errand::Stop => super::is_leaving(entry.state()),
            Errand::Failure => true,
        };
        if !right {
            let (errand, state) = (task.errand().as_str(), entry.state());
            return Err(format!("{errand} of {} runs while it is {state:?}", entry.key()));
        }
    }
    Ok(())
}

//! What every step of the engine has to keep, one function a promise.
//!
//! A promise looks at a [`Moment`]: one event and what the engine made of it, with what was asked for and
//! what really runs.

mod graph;
mod groups;
mod lives;
mod plans;
mod tasks;
mod vigil;

use clinit_engine::entry::State;

use crate::moment::Moment;

/// A promise: broken, it says how.
pub(crate) type Promise = fn(&Moment<'_>) -> Result<(), String>;

/// All promises, with their names.
pub(crate) const PROMISES: [(&str, Promise); 31] = [
    ("the books agree", books_agree),
    ("a generation is new, or is ordered again", lives::generations_are_new),
    ("orders are for the life that runs", lives::orders_are_for_the_life_that_runs),
    ("only wanted entries are spawned", lives::only_wanted_entries_are_spawned),
    ("an entry starts once for each stay", lives::entries_start_once_for_each_stay),
    ("what leaves is gone before anything starts", groups::what_leaves_is_gone_before_anything_starts),
    ("entries start in file order", groups::entries_start_in_file_order),
    ("what is wanted and unchanged is not touched", lives::what_is_wanted_and_unchanged_is_not_touched),
    ("a kill waits for the stop timeout", lives::kills_wait_for_the_stop_timeout),
    ("respawns keep to the throttle", lives::respawns_keep_to_the_throttle),
    ("an event moves its own group only", groups::events_move_their_own_group_only),
    ("phases follow the diagram", groups::phases_follow_the_diagram),
    ("every live process is known, one life an entry", lives::live_processes_are_known),
    ("nobody leaves while anything runs", groups::nobody_leaves_while_anything_runs),
    ("an entry starts when all that it follows lets it", graph::entries_start_behind_those_they_follow),
    ("who requires in vain does not run on", graph::who_requires_in_vain_does_not_run_on),
    ("who is blocked has a reason", graph::who_is_blocked_has_a_reason),
    ("who follows leaves first", graph::followers_leave_first),
    ("a plan tells who stops", plans::a_plan_tells_who_stops),
    ("ready is who said or showed it in this life", vigil::ready_is_said_or_shown),
    ("who is not ready in time is stopped", vigil::who_is_not_ready_in_time_is_stopped),
    ("a miss is an answer, or none in time", vigil::misses_are_answers),
    ("unhealthy is after so many misses in a row", vigil::unhealthy_is_after_so_many_misses),
    ("no more restarts than retry_count", vigil::restarts_keep_to_retry_count),
    ("who was given up waits for people", vigil::who_was_given_up_waits_for_people),
    ("a task ends within its time", tasks::tasks_end_within_their_time),
    ("one task for an errand", tasks::one_task_for_an_errand),
    ("a stop command runs once for each stop", tasks::stop_commands_run_once_for_each_stop),
    ("no signal while the stop command runs", tasks::no_signal_while_the_stop_command_runs),
    ("nothing of a forgotten entry remains", tasks::nothing_of_a_forgotten_entry_remains),
    ("nothing is asked of who does not run", tasks::nothing_is_asked_of_who_does_not_run),
];

fn books_agree(moment: &Moment<'_>) -> Result<(), String> {
    moment.step.node.audit()
}

fn is_leaving(state: State) -> bool {
    matches!(state, State::Stopping { .. } | State::Killing { .. })
}

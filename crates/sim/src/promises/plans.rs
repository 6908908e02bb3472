//! Of what is told beforehand.

use clinit_engine::entry::State;
use clinit_engine::event::Event;
use clinit_engine::node::Step;

use crate::moment::{self, Moment};

pub(super) fn a_plan_tells_who_stops(moment: &Moment<'_>) -> Result<(), String> {
    let step = moment.step;
    if !matches!(step.event, Event::TableAccepted(_)) || moment.is_resuming || step.node.is_halting() {
        return Ok(());
    }
    for (id, before) in step.before {
        let has_processes = match before.state {
            State::Starting | State::Running { .. } | State::Ready | State::Clearing { .. } => true,
            State::Done { leftovers, .. } => leftovers,
            State::Stopping { .. } | State::Killing { .. } => true,
            State::Down | State::Pausing { .. } | State::GivenUp { .. } => false,
        };
        if !has_processes || before.leaves {
            continue;
        }
        let now = step.node.entry(*id).filter(|entry| entry.generation() == before.generation);
        let stops = now.is_none_or(moment::leaves);
        let planned = step.plan.iter().find(|planned| planned.key == before.key);
        let is_told = planned.is_some_and(|planned| matches!(planned.step, Step::Stop | Step::Restart));
        if stops != is_told {
            return Err(format!("{} {:?}: {stops}, and the plan says {planned:?}", before.key, before.state));
        }
    }
    Ok(())
}

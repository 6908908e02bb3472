//! Memory that a great turn needed is given back a moment later, so that an idle engine is as small as its table.

use std::time::Duration;

use clinit_engine::time::Instant;
use clinit_sys::memory;

use super::Engine;

/// A turn with as many actions is a great one.
const GREAT: usize = 256;

/// How long after the last great turn memory is given back: such turns come together.
const PAUSE: Duration = Duration::from_secs(1);

/// When that is, if it is to be.
#[derive(Debug, Default)]
pub(crate) struct Slack {
    due: Option<Instant>,
}

impl Slack {
    /// Something was done that needs memory for a moment.
    pub(crate) fn expect(&mut self, now: Instant) {
        self.due = Some(now + PAUSE);
    }

    /// A turn has as many actions.
    pub(crate) fn weigh(&mut self, actions: usize, now: Instant) {
        if actions >= GREAT {
            self.expect(now);
        }
    }

    /// When [`Engine::give_slack_back`] is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

impl Engine {
    /// Gives memory back if it is time to.
    pub(super) fn give_slack_back(&mut self, now: Instant) {
        if self.slack.due.take_if(|due| *due <= now).is_some() {
            self.keeper.shrink();
            self.feed.shrink();
            memory::give_back();
        }
    }
}

//! The timer table: absolute deadlines, at most one for each entry.

use std::collections::BTreeSet;

use crate::event::EntryId;
use crate::time::Instant;

/// Deadlines in order. Who set one keeps it in its state; the table only finds the next.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Instant, EntryId)>,
}

impl Timers {
    /// Replaces the deadline of `id`.
    pub(crate) fn change(&mut self, id: EntryId, old: Option<Instant>, new: Option<Instant>) {
        if old == new {
            return;
        }
        if let Some(at) = old {
            self.due.remove(&(at, id));
        }
        if let Some(at) = new {
            self.due.insert((at, id));
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|&(at, _)| at)
    }

    /// Takes the earliest entry whose deadline is not after `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<EntryId> {
        let &(at, id) = self.due.first()?;
        (at <= now).then(|| {
            self.due.remove(&(at, id));
            id
        })
    }

    /// How many deadlines stand.
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }
}

//! What people ask of single entries.
//!
//! Whoever stops an entry by hand wants it down, whatever its group or the table say: that is its
//! [`Hold`]. Everything else follows from the group: it is brought towards its level again, with what is
//! wanted of its entries now.

use std::collections::BTreeSet;

use super::{Goal, Node};
use crate::entry::{Entry, EntryEvent, Hold, State};
use crate::event::{Action, EntryId, Order};
use crate::time::Instant;

impl Node {
    pub(super) fn obey(&mut self, entries: &[EntryId], order: Order, now: Instant, out: &mut Vec<Action>) {
        if self.goal == Goal::Halt {
            return;
        }
        let mut groups = BTreeSet::new();
        for &id in entries {
            let Some(entry) = self.entry(id) else { continue };
            groups.insert(entry.group);
            match order {
                Order::Signal(signal) => self.send_signal(id, signal, out),
                Order::Reload => drop(self.apply(id, EntryEvent::Reload, now, out)),
                Order::Stop { hold: Hold::Free } => self.hold(id, Hold::UntilTold),
                Order::Stop { hold } => self.hold(id, hold),
                Order::Start => {
                    self.release_hold(id, |_| true);
                    self.forget_starts(id);
                    // What ran once runs again, and what pauses has paused long enough.
                    let state = self.entry(id).map(Entry::state);
                    if matches!(state, Some(State::Pausing { .. } | State::GivenUp { .. })) {
                        self.apply(id, EntryEvent::Stop, now, out);
                    } else if matches!(state, Some(State::Done { .. })) {
                        self.renew(id);
                    }
                }
                Order::Reset => {
                    self.release_hold(id, |_| true);
                    self.forget_starts(id);
                    let state = self.entry(id).map(Entry::state);
                    if matches!(state, Some(State::Pausing { .. } | State::GivenUp { .. })) {
                        self.apply(id, EntryEvent::Stop, now, out);
                    }
                    self.reset_transient(id, now, out);
                }
                Order::Restart => {
                    self.release_hold(id, |_| true);
                    self.forget_starts(id);
                    self.renew(id);
                }
            }
        }
        if matches!(order, Order::Signal(_) | Order::Reload) {
            return;
        }
        for group in groups {
            if let (Order::Start | Order::Restart | Order::Reset, Some(group)) =
                (order, self.groups[group as usize].as_mut())
            {
                group.fallen = false;
            }
            self.reconcile(group, now, out);
            self.forget_transient_group(group, out);
        }
    }

    /// Why a start would start nothing, as a sentence for people.
    #[must_use]
    pub fn why_not_start(&self, id: EntryId) -> Option<String> {
        let entry = self.entry(id)?;
        let group = self.groups[entry.group as usize].as_ref()?;
        let name = &group.name;
        if entry.spec.mode == crate::spec::Mode::Off {
            return Some("its mode is off: change it in the table".to_owned());
        }
        if entry.transient {
            return None;
        }
        match &group.target {
            None => Some(format!("group {name} has no level yet: clinit tell {name} LEVEL")),
            Some(level) if !entry.spec.levels.contains(level) => {
                Some(format!("it does not belong to level {level}, which group {name} has"))
            }
            Some(_) => None,
        }
    }

    /// Why a reload would do nothing, as a sentence for people.
    #[must_use]
    pub fn why_not_reload(&self, id: EntryId) -> Option<String> {
        let entry = self.entry(id)?;
        if entry.spec.policy.care().reload.is_none() {
            let key = &entry.key;
            return Some(format!("it has neither reload_command nor reload_signal: clinit restart {key}"));
        }
        (!matches!(entry.state, State::Running { .. } | State::Ready)).then(|| "it does not run".to_owned())
    }

    fn send_signal(&self, id: EntryId, signal: u8, out: &mut Vec<Action>) {
        if let Some(entry) = self.entry(id).filter(|entry| entry.is_alive()) {
            out.push(Action::Signal { entry: id, generation: entry.generation, signal });
        }
    }

    fn renew(&mut self, id: EntryId) {
        if self.entries[id.0 as usize].as_mut().is_some_and(Entry::renew) {
            self.dirty_entries.push(id);
        }
    }

    fn hold(&mut self, id: EntryId, hold: Hold) {
        if let Some(entry) = self.entries[id.0 as usize].as_mut() {
            entry.hold = hold;
            self.mark(id);
        }
    }

    /// Whoever wants it started by hand does not care how often it was.
    fn forget_starts(&mut self, id: EntryId) {
        if let Some(entry) = self.entries[id.0 as usize].as_mut() {
            entry.throttle.forget();
            entry.retries.forget();
            self.mark(id);
        }
    }

    pub(super) fn release_hold(&mut self, id: EntryId, which: impl Fn(Hold) -> bool) {
        if let Some(entry) = self.entries[id.0 as usize].as_mut().filter(|entry| which(entry.hold)) {
            entry.hold = Hold::Free;
            self.mark(id);
        }
    }
}

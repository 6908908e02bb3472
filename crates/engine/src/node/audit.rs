//! Books that have to agree with what they count.

use std::collections::BTreeSet;

use super::Node;
use crate::care::Errand;
use crate::entry::Fate;
use crate::event::EntryId;
use crate::group::Phase;

impl Node {
    /// Books that have to agree with what they count. For tests and the simulation.
    ///
    /// # Errors
    /// The first disagreement, as a sentence.
    pub fn audit(&self) -> Result<(), String> {
        let mut deadlines = 0;
        for (id, task) in self.tasks() {
            deadlines += usize::from(task.kill_at.is_some());
            let is_known =
                |owner| self.entry(owner).is_some_and(|entry| entry.errand(task.errand) == Some(id));
            if task.awaited_by.is_some_and(|owner| !is_known(owner)) {
                return Err(format!(
                    "{} of {} waits for a task that it does not know",
                    task.errand.as_str(),
                    task.owner
                ));
            }
            if task.generation > self.generations {
                return Err(format!("a task of {} is of a generation that was never given", task.owner));
            }
        }
        for (id, entry) in self.entries() {
            let errands = Errand::ALL.into_iter().filter_map(|errand| entry.errand(errand));
            if let Some(lost) = errands.into_iter().find(|task| !self.tasks.contains_key(task)) {
                return Err(format!("{} waits for the task {lost}, which is not", entry.key));
            }
            deadlines += usize::from(entry.deadline().is_some());
            if self.entry_ids.get(&entry.key) != Some(&id) {
                return Err(format!("{} is not found by its name", entry.key));
            }
            let is_settled = self.resuming.is_none() && !entry.is_alive();
            if entry.fate != Fate::Keep && is_settled && !entry.is_ending() && !entry.postponed {
                return Err(format!("{} has ended and was not turned over", entry.key));
            }
            if entry.generation > self.generations {
                return Err(format!("{} is of a generation that was never given", entry.key));
            }
        }
        if deadlines != self.timers.len() {
            return Err(format!("{deadlines} deadlines, {} timers", self.timers.len()));
        }
        for group in self.groups() {
            let members = || group.members.iter().filter_map(|&id| self.entry(id));
            let leaving = members().filter(|entry| entry.is_leaving()).count();
            let unconfirmed = members().filter(|entry| entry.is_unconfirmed()).count();
            if (group.leaving as usize, group.unconfirmed as usize) != (leaving, unconfirmed) {
                return Err(format!("group {} counts wrong: {group:?}", group.name));
            }
            let waits = match group.phase {
                Phase::Stopping | Phase::Dumping | Phase::Halting => leaving > 0,
                Phase::Starting => {
                    unconfirmed > 0 || group.waiting_on.is_some_and(|id| self.entry(id).is_some())
                }
                Phase::Checking => false,
                Phase::Configured | Phase::Done | Phase::Passed | Phase::Failed => true,
            };
            if !waits && self.resuming.is_none() {
                return Err(format!("group {} is {} and waits for nobody", group.name, group.phase));
            }
        }
        self.audit_places()
    }

    /// Every place is used, free, or about to be freed by the group that had it.
    fn audit_places(&self) -> Result<(), String> {
        let gone = self.groups().flat_map(|group| &group.members).filter(|&&id| self.entry(id).is_none());
        let spare: BTreeSet<EntryId> = gone.chain(&self.free).copied().collect();
        let unused = self.entries.iter().filter(|entry| entry.is_none()).count() - self.tasks.len();
        if let Some(id) = self.tasks.keys().find(|&&id| self.entry(id).is_some() || spare.contains(&id)) {
            return Err(format!("the place {id} of a task is another's, too"));
        }
        if spare.len() != unused || spare.iter().any(|&id| self.entry(id).is_some()) {
            return Err(format!("{unused} entries' places are empty, {spare:?} can be used"));
        }
        let unused = self.groups.iter().filter(|group| group.is_none()).count();
        if self.free_groups.len() != unused {
            return Err(format!("{unused} groups' places are empty, {:?} can be used", self.free_groups));
        }
        Ok(())
    }
}

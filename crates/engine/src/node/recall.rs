//! What was told before the machine went down: it holds for groups and entries when a table names them first.

use std::collections::{BTreeMap, BTreeSet};

use super::Node;
use crate::entry::Hold;
use crate::event::EntryId;
use crate::name::{EntryKey, GroupName, Level};

/// Levels and stops by hand that no table has been met with yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recall {
    /// The level that a group takes at start, whatever its initdefault.
    pub levels: BTreeMap<GroupName, Level>,
    /// Entries that stay down until they are started.
    pub held: BTreeSet<EntryKey>,
}

impl Node {
    /// Recalls this when groups and entries come that the node does not have yet.
    pub fn recall(&mut self, recall: Recall) {
        self.recall = recall;
        self.recall.levels.retain(|name, _| !self.group_ids.contains_key(name));
        self.recall.held.retain(|key| !self.entry_ids.contains_key(key));
    }

    /// What was recalled and waits for a table that names it.
    #[must_use]
    pub fn recalled(&self) -> &Recall {
        &self.recall
    }

    /// The level that a new group takes.
    pub(super) fn first_level(&mut self, group: u32) -> Option<Level> {
        let group = self.groups[group as usize].as_ref()?;
        self.recall.levels.remove(&group.name).or_else(|| group.initdefault.clone())
    }

    /// Holds a new entry that was stopped by hand.
    pub(super) fn hold_recalled(&mut self, id: EntryId) {
        if let Some(entry) = self.entries[id.0 as usize].as_mut()
            && self.recall.held.remove(&entry.key)
        {
            entry.hold = Hold::UntilStarted;
        }
    }
}

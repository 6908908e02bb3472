//! Who is to leave and come back: whom people restart, what the table replaces, and whatever requires those.

use std::collections::BTreeMap;

use clinit_engine::entry::State;
use clinit_engine::event::EntryId;
use clinit_engine::name::EntryKey;

use crate::model::Model;
use crate::moment::{Before, Step};

impl Model {
    /// Finds whom a restart or a new content of others reaches.
    pub(crate) fn renew(&mut self, before: &BTreeMap<EntryId, Before>) {
        let there: BTreeMap<&EntryKey, EntryId> = before
            .iter()
            .filter(|(_, entry)| entry.state != State::Down)
            .map(|(&id, entry)| (&entry.key, id))
            .collect();
        self.renewed.retain(|key| there.contains_key(key));
        while let Some(key) = self.reached(&there) {
            self.started.remove(&key);
            self.renewed.insert(key);
        }
    }

    /// One that requires somebody who leaves and comes back, and was not found yet.
    fn reached(&self, there: &BTreeMap<&EntryKey, EntryId>) -> Option<EntryKey> {
        let leaves = |key: &EntryKey| {
            let Some(life) = there.get(key).and_then(|id| self.lives.get(id)) else { return false };
            self.renewed.contains(key) || self.wanted.get(key).is_some_and(|wanted| *wanted != life.content)
        };
        let groups = self.table.groups.iter();
        let mut specs = groups.flat_map(|group| group.entries.iter().map(|spec| (&group.name, spec)));
        let key = |group, tag| EntryKey { group: Clone::clone(group), tag: Clone::clone(tag) };
        let found = specs.find(|(group, spec)| {
            let own = key(*group, &spec.tag);
            let mut required = spec.links.iter().flat_map(|links| &links.requires);
            there.contains_key(&own)
                && !self.renewed.contains(&own)
                && required.any(|tag| leaves(&key(*group, tag)))
        });
        found.map(|(group, spec)| key(group, &spec.tag))
    }

    /// Who has left is not to leave any more.
    pub(crate) fn note_renewed(&mut self, step: &Step<'_>) {
        self.renewed.retain(|key| {
            let entry = step.node.entry_id(key).and_then(|id| step.node.entry(id));
            entry.is_some_and(|entry| entry.state() != State::Down)
        });
    }
}

//! The order of a group whose entries follow each other (`after`, `requires`): who starts when, and who may not.
//!
//! The table refuses cycles; of one that gets here all the same the links among its members count for nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::Node;
use super::levels::wants;
use crate::entry::{Entry, EntryEvent, State};
use crate::event::{Action, EntryId};
use crate::name::{EntryKey, Level, Tag};
use crate::spec::EntrySpec;
use crate::time::Instant;

/// One entry before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    to: EntryId,
    /// It has to have come up well; else it is only waited for.
    requires: bool,
}

/// The links of a group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    /// Every member, each behind those that it follows.
    order: Vec<EntryId>,
    /// Whom a member follows.
    before: BTreeMap<EntryId, Vec<Link>>,
    /// Who follows a member.
    followers: BTreeMap<EntryId, Vec<EntryId>>,
}

impl Graph {
    /// The graph over members in file order; `links` tells of each whom it follows. `None` when nobody follows
    /// anybody.
    fn new(members: &[EntryId], links: impl Fn(EntryId) -> Vec<Link>) -> Option<Self> {
        let mut graph = Self::default();
        for &member in members {
            let links = links(member);
            if !links.is_empty() {
                graph.before.insert(member, links);
            }
        }
        if graph.before.is_empty() {
            return None;
        }
        graph.find_followers();
        graph.sort(members);
        Some(graph)
    }

    /// The graph of entries as a table has them, each known by its number in the file.
    pub(super) fn of_specs(specs: &[EntrySpec]) -> Option<Self> {
        let tags: BTreeMap<&Tag, EntryId> =
            specs.iter().map(|spec| &spec.tag).zip((0..).map(EntryId)).collect();
        let members: Vec<EntryId> = (0..).map(EntryId).take(specs.len()).collect();
        Self::new(&members, |member| links(&specs[member.0 as usize], |tag| tags.get(tag).copied()))
    }

    /// Every member, each behind those that it follows.
    pub(super) fn order(&self) -> &[EntryId] {
        &self.order
    }

    /// Whom a member requires.
    pub(super) fn required(&self, member: EntryId) -> impl Iterator<Item = EntryId> {
        let links = self.before.get(&member).map_or(&[][..], Vec::as_slice);
        links.iter().filter(|link| link.requires).map(|link| link.to)
    }

    fn find_followers(&mut self) {
        self.followers.clear();
        for (&member, links) in &self.before {
            for link in links {
                self.followers.entry(link.to).or_default().push(member);
            }
        }
    }

    /// Finds the order, in rounds: in each comes, in file order, whoever stands behind all that it follows. What is left
    /// when nobody can come any more is a cycle, or follows one.
    fn sort(&mut self, members: &[EntryId]) {
        let places: BTreeMap<EntryId, usize> = members.iter().copied().zip(0..).collect();
        let mut missing: BTreeMap<EntryId, usize> =
            self.before.iter().map(|(&member, links)| (member, links.len())).collect();
        let mut rounds = vec![0_usize; members.len()];
        let mut free: Vec<EntryId> =
            members.iter().filter(|member| !missing.contains_key(member)).copied().collect();
        while let Some(member) = free.pop() {
            let place = places[&member];
            for follower in self.followers.get(&member).map_or(&[][..], Vec::as_slice) {
                // One that stands further up in the file comes in the next round.
                let behind = places[follower];
                rounds[behind] = rounds[behind].max(rounds[place] + usize::from(behind < place));
                if let Some(missing) = missing.get_mut(follower) {
                    *missing -= 1;
                    if *missing == 0 {
                        free.push(*follower);
                    }
                }
            }
        }
        missing.retain(|_, missing| *missing > 0);
        for member in missing.keys() {
            rounds[places[member]] = usize::MAX;
            self.before.entry(*member).or_default().retain(|link| !missing.contains_key(&link.to));
        }
        if !missing.is_empty() {
            self.find_followers();
        }
        self.order = members.to_vec();
        self.order.sort_by_key(|member| rounds[places[member]]);
    }
}

/// Whom an entry follows, among those that `find` finds.
fn links(spec: &EntrySpec, find: impl Fn(&Tag) -> Option<EntryId>) -> Vec<Link> {
    let links = spec.links.iter().flat_map(|links| {
        let after = links.after.iter().map(|tag| (tag, false));
        after.chain(links.requires.iter().map(|tag| (tag, true)))
    });
    links.filter_map(|(tag, requires)| Some(Link { to: find(tag)?, requires })).collect()
}

impl Node {
    /// Finds out anew who follows whom, if that may have changed.
    pub(super) fn renew_graph(&mut self, id: u32) {
        let Some(group) = self.groups[id as usize].as_mut() else { return };
        if !std::mem::take(&mut group.is_graph_stale) {
            return;
        }
        let (name, members) = (group.name.clone(), group.members.clone());
        let among: BTreeSet<EntryId> = members.iter().copied().collect();
        let place = |tag: &Tag| {
            self.entry_id(&EntryKey { group: name.clone(), tag: tag.clone() })
                .filter(|place| among.contains(place))
        };
        let links = |member| self.entry(member).map_or_else(Vec::new, |entry| links(&entry.spec, place));
        let has_links = members.iter().any(|&id| self.entry(id).is_some_and(|e| e.spec.links.is_some()));
        let graph = if has_links { Graph::new(&members, links) } else { None };
        if let Some(group) = self.groups[id as usize].as_mut() {
            group.graph = graph.map(Box::new);
        }
    }

    /// Finds out which members are wanted at a level. What an entry requires has to be wanted, too, and must not have
    /// failed; and if that is to leave and come back, so is the entry.
    pub(super) fn want_all(&mut self, id: u32, level: Option<&Level>) {
        self.renew_graph(id);
        let Some(group) = self.groups[id as usize].as_ref() else { return };
        let fallen = group.fallen;
        for &member in &group.members {
            if let Some(entry) = self.entries[member.0 as usize].as_mut() {
                entry.wanted = wants(entry, level) && (!fallen || entry.transient);
                entry.blocked = false;
            }
        }
        let Some(graph) = &group.graph else { return };
        for member in &graph.order {
            let required = graph.required(*member);
            let (mut missing, mut failed, mut renewed) = (false, false, false);
            for entry in required.filter_map(|to| self.entries[to.0 as usize].as_ref()) {
                missing |= !entry.wanted && !entry.blocked;
                failed |= entry.blocked || (entry.wanted && entry.has_failed());
                renewed |= entry.is_renewed();
            }
            let Some(entry) = self.entries[member.0 as usize].as_mut().filter(|entry| entry.wanted) else {
                continue;
            };
            entry.blocked = failed && !missing;
            entry.wanted = !missing && !failed;
            if renewed && entry.wanted && entry.renew() {
                self.dirty_entries.push(*member);
            }
        }
    }

    /// Whom an entry requires in vain: that one is not to run, or failed.
    #[must_use]
    pub fn requires_in_vain(&self, id: EntryId) -> Option<&Entry> {
        let entry = self.entry(id)?;
        let group = self.groups[entry.group as usize].as_ref()?;
        let mut required = group.graph.as_ref()?.required(id).filter_map(|id| self.entry(id));
        required.find(|required| !required.wanted || required.has_failed())
    }

    /// Whose restart an entry is restarted for: it requires that one.
    #[must_use]
    pub fn restarts_with(&self, id: EntryId) -> Option<&Entry> {
        let entry = self.entry(id).filter(|entry| entry.is_renewed())?;
        let group = self.groups[entry.group as usize].as_ref()?;
        let mut required = group.graph.as_ref()?.required(id).filter_map(|id| self.entry(id));
        required.find(|required| required.is_renewed())
    }

    /// For whom an entry that is wanted waits before it starts.
    #[must_use]
    pub fn waits_for(&self, id: EntryId) -> Option<&Entry> {
        let entry = self.entry(id).filter(|entry| entry.wanted && entry.state == State::Down)?;
        let group = self.groups[entry.group as usize].as_ref()?;
        match &group.graph {
            Some(graph) => {
                let mut links = graph.before.get(&id)?.iter();
                links.find(|link| !self.lets_start(link)).and_then(|link| self.entry(link.to))
            }
            None => self.entry(group.waiting_on?),
        }
    }

    /// The members in the order in which they are asked to leave.
    pub(super) fn leaving_order(&self, id: u32) -> Vec<EntryId> {
        let Some(group) = self.groups[id as usize].as_ref() else { return Vec::new() };
        match &group.graph {
            Some(graph) => graph.order.iter().rev().copied().collect(),
            None => group.members.clone(),
        }
    }

    /// Whether somebody who follows an entry has to leave first.
    pub(super) fn is_followed_out(&self, id: u32, member: EntryId) -> bool {
        let Some(graph) = self.groups[id as usize].as_ref().and_then(|group| group.graph.as_ref()) else {
            return false;
        };
        let followers = graph.followers.get(&member).map_or(&[][..], Vec::as_slice);
        followers.iter().filter_map(|&follower| self.entry(follower)).any(Entry::has_to_leave)
    }

    /// One that had to leave has: those that it follows may be next.
    pub(super) fn let_leave(&mut self, id: u32, member: EntryId, now: Instant, out: &mut Vec<Action>) {
        let mut gone = vec![member];
        while let Some(member) = gone.pop() {
            let graph = self.groups[id as usize].as_ref().and_then(|group| group.graph.as_ref());
            let Some(links) = graph.and_then(|graph| graph.before.get(&member)) else { continue };
            let before: Vec<EntryId> = links.iter().map(|link| link.to).collect();
            for other in before {
                let waits = self.entry(other).is_some_and(|entry| entry.postponed);
                if waits && !self.is_followed_out(id, other) {
                    self.postpone(other, false);
                    self.apply(other, EntryEvent::Stop, now, out);
                    self.turn_over(other);
                    // It may have gone at once.
                    gone.push(other);
                }
            }
        }
    }

    /// Whether a link lets the entry behind it start.
    fn lets_start(&self, link: &Link) -> bool {
        let Some(entry) = self.entry(link.to) else { return true };
        if link.requires {
            return entry.is_fulfilled();
        }
        !entry.wanted || (entry.state != State::Down && !entry.holds_the_next())
    }

    fn may_start(&self, graph: &Graph, member: EntryId) -> bool {
        let waits = self.entry(member).is_some_and(|entry| entry.wanted && entry.state == State::Down);
        let links = graph.before.get(&member).map_or(&[][..], Vec::as_slice);
        waits && links.iter().all(|link| self.lets_start(link))
    }

    /// Starts every member that nothing holds up. Returns `false` when the group is no graph.
    pub(super) fn start_all(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) -> bool {
        let Some(graph) = self.groups[id as usize].as_mut().and_then(|group| group.graph.take()) else {
            return false;
        };
        for &member in &graph.order {
            if self.may_start(&graph, member) {
                self.apply(member, EntryEvent::Start, now, out);
            }
        }
        self.put_back(id, graph);
        true
    }

    /// Something happened to a member: starts those behind it that nothing holds up any more. Returns whether any
    /// was.
    pub(super) fn start_followers(
        &mut self,
        id: u32,
        member: EntryId,
        now: Instant,
        out: &mut Vec<Action>,
    ) -> bool {
        let Some(graph) = self.groups[id as usize].as_mut().and_then(|group| group.graph.take()) else {
            return false;
        };
        let mut seen = vec![member];
        let mut started = false;
        while let Some(member) = seen.pop() {
            for &follower in graph.followers.get(&member).map_or(&[][..], Vec::as_slice) {
                if self.may_start(&graph, follower) {
                    self.apply(follower, EntryEvent::Start, now, out);
                    seen.push(follower);
                    started = true;
                }
            }
        }
        self.put_back(id, graph);
        started
    }

    fn put_back(&mut self, id: u32, graph: Box<Graph>) {
        if let Some(group) = self.groups[id as usize].as_mut() {
            group.graph = Some(graph);
        }
    }

    pub(super) fn postpone(&mut self, id: EntryId, postponed: bool) {
        let Some(entry) = self.entries[id.0 as usize].as_mut() else { return };
        let before = entry.is_leaving();
        entry.postponed = postponed;
        let after = entry.is_leaving();
        if let Some(group) = self.groups[entry.group as usize].as_mut() {
            super::count(&mut group.leaving, before, after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rounds as they are told of, one after the other.
    fn in_rounds(members: &[EntryId], links: &BTreeMap<EntryId, Vec<EntryId>>) -> Vec<EntryId> {
        let (mut order, mut left) = (Vec::new(), members.to_vec());
        loop {
            let before = left.len();
            left.retain(|member| {
                let is_free = links[member].iter().all(|to| order.contains(to));
                order.extend(is_free.then_some(*member));
                !is_free
            });
            if left.len() == before {
                order.extend(left);
                return order;
            }
        }
    }

    #[test]
    fn the_order_of_every_small_group_is_that_of_the_rounds() {
        // Not in the order of their places.
        let members = [2, 0, 3, 1].map(EntryId);
        let pairs: Vec<(EntryId, EntryId)> =
            members.iter().flat_map(|&a| members.map(|b| (a, b))).filter(|(a, b)| a != b).collect();
        for graph in 1_u32..1 << pairs.len() {
            let mut links: BTreeMap<EntryId, Vec<EntryId>> = members.map(|id| (id, Vec::new())).into();
            for (_, (from, to)) in pairs.iter().enumerate().filter(|(bit, _)| graph & (1 << bit) != 0) {
                links.entry(*from).or_default().push(*to);
            }
            let of = |id| links[&id].iter().map(|&to| Link { to, requires: false }).collect();
            let made = Graph::new(&members, of).unwrap();
            assert_eq!(made.order, in_rounds(&members, &links), "{links:?}");
            let place = |id: EntryId| made.order.iter().position(|&other| other == id);
            for (member, links) in &made.before {
                assert!(links.iter().all(|link| place(link.to) < place(*member)), "{made:?}");
            }
        }
    }
}

//! What a level told to a group brings about.
//!
//! First everything leaves that the level does not have, or that the table changed, all at once. When
//! nothing leaves any more, the level is the group's and its entries start in file order, each when the
//! one before allows it. What runs already, or has run and belongs to both levels, is not touched.

use super::{Goal, Node, count};
use crate::entry::{Entry, EntryEvent, Fate, Hold, Outcome, State};
use crate::event::{Action, EntryId, Notice};
use crate::group::Phase;
use crate::name::{GroupName, Level};
use crate::spec::Mode;
use crate::time::Instant;

impl Node {
    pub(super) fn tell(&mut self, name: &GroupName, level: Level, now: Instant, out: &mut Vec<Action>) {
        let Some(&id) = self.group_ids.get(name) else { return };
        let Some(group) = self.groups[id as usize].as_mut() else { return };
        if self.goal == Goal::Halt || group.forget {
            return;
        }
        group.target = Some(level);
        group.fallen = false;
        for member in group.members.clone() {
            self.release_hold(member, |hold| hold == Hold::UntilTold);
            // Somebody wants it: what was given up is tried again.
            if self.entry(member).is_some_and(|entry| matches!(entry.state, State::GivenUp { .. })) {
                self.apply(member, EntryEvent::Stop, now, out);
            }
        }
        self.reconcile(id, now, out);
    }

    /// Brings a group from wherever it stands towards the level it was told last.
    pub(super) fn reconcile(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) {
        let Some(group) = self.groups[id as usize].as_ref() else { return };
        let target = group.target.clone();
        self.want_all(id, target.as_ref());
        let for_the_level = self.part(id, now, out);
        let phase = if for_the_level { Phase::Stopping } else { Phase::Dumping };
        if let Some(group) = self.groups[id as usize].as_mut().filter(|group| group.leaving > 0) {
            group.waiting_on = None;
            self.pass(id, phase, now, out);
            return;
        }
        self.begin(id, now, out);
    }

    /// Has everything stop that is not wanted, or not as it is. Returns whether any of it leaves for the level's
    /// sake.
    pub(super) fn part(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) -> bool {
        let mut for_the_level = false;
        for member in self.leaving_order(id) {
            let has_to = self.entry(member).is_some_and(Entry::has_to_leave);
            let is_ending = self.entry(member).is_some_and(Entry::is_ending);
            let waits = has_to && !is_ending && self.is_followed_out(id, member);
            self.postpone(member, waits);
            if has_to && !waits {
                self.apply(member, EntryEvent::Stop, now, out);
            }
            if let Some(entry) = self.entry(member) {
                for_the_level |= entry.is_leaving() && entry.fate == Fate::Keep;
            }
            self.turn_over(member);
        }
        for_the_level
    }

    fn has_to_part(&self, id: u32) -> bool {
        let group = self.groups[id as usize].as_ref();
        let mut members = group.iter().flat_map(|group| &group.members).filter_map(|&id| self.entry(id));
        members.any(Entry::has_to_leave)
    }

    /// Lets a group go on after something happened to one of its members; `turned` is whether that failed, or has
    /// ceased to be failed.
    pub(super) fn react(
        &mut self,
        id: u32,
        member: EntryId,
        turned: bool,
        now: Instant,
        out: &mut Vec<Action>,
    ) {
        if self.entry(member).is_none_or(|entry| entry.state == State::Down) {
            self.let_leave(id, member, now, out);
        }
        let Some(group) = self.groups[id as usize].as_ref() else { return };
        let (is_graph, is_doubtful) = (group.graph.is_some(), group.is_doubtful);
        let is_starting = group.phase == Phase::Starting;
        match group.phase {
            Phase::Stopping | Phase::Dumping if is_graph && turned => self.reconcile(id, now, out),
            Phase::Stopping | Phase::Dumping if group.leaving == 0 => self.begin(id, now, out),
            // What requires it stops, or may start after all.
            Phase::Starting | Phase::Done | Phase::Passed | Phase::Failed if is_graph && turned => {
                self.reconcile(id, now, out);
            }
            Phase::Starting | Phase::Done | Phase::Passed | Phase::Failed if is_graph => {
                // Of a group that has its level only those behind an entry that has just come up can be missing.
                let has_started = self.start_followers(id, member, now, out);
                if has_started && !is_starting {
                    self.pass(id, Phase::Starting, now, out);
                } else if !has_started && (is_starting || is_doubtful) {
                    self.settle_if_still(id, now, out);
                }
            }
            Phase::Starting if group.waiting_on == Some(member) => self.advance(id, now, out),
            Phase::Starting if group.next >= group.members.len() => self.settle_if_still(id, now, out),
            // One that failed while another moved is seen when that is still again.
            Phase::Done | Phase::Passed | Phase::Failed if is_doubtful => self.settle_if_still(id, now, out),
            Phase::Done | Phase::Passed | Phase::Failed => {}
            Phase::Halting => self.halted(id, now, out),
            Phase::Stopping | Phase::Dumping | Phase::Starting | Phase::Checking | Phase::Configured => {}
        }
    }

    /// Gives a group the state that its entries make, when nothing of it moves.
    fn settle_if_still(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) {
        let Some(group) = self.groups[id as usize].as_ref() else { return };
        if group.unconfirmed > 0 {
            return;
        }
        match group.phase {
            Phase::Starting => self.settle(id, now, out),
            Phase::Done | Phase::Passed | Phase::Failed => self.settle_again(id, now, out),
            Phase::Configured | Phase::Stopping | Phase::Dumping => {}
            Phase::Checking | Phase::Halting => {}
        }
    }

    /// Nothing leaves any more: the level is the group's, or the group is gone.
    pub(super) fn begin(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) {
        let Some(group) = self.groups[id as usize].as_mut() else { return };
        if group.forget {
            self.forget_group(id, out);
            return;
        }
        if group.target.is_none() {
            // Never told: there was something to clear away, and nothing is to start.
            group.level = None;
            self.start_transient(id, now, out);
            self.pass(id, Phase::Configured, now, out);
            return;
        }
        group.level.clone_from(&group.target);
        group.next = 0;
        self.compact(id);
        // While entries were leaving, the table may have given them another content.
        let level = self.groups[id as usize].as_ref().and_then(|group| group.level.clone());
        self.want_all(id, level.as_ref());
        if self.has_to_part(id) {
            // ... or what somebody requires has failed.
            return self.reconcile(id, now, out);
        }
        self.pass(id, Phase::Starting, now, out);
        if self.start_all(id, now, out) {
            return self.settle_if_still(id, now, out);
        }
        self.advance(id, now, out);
    }

    /// Starts entries in file order until one has to be waited for.
    fn advance(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) {
        while let Some(group) = self.groups[id as usize].as_mut() {
            group.waiting_on = None;
            let Some(&member) = group.members.get(group.next) else { break };
            group.next += 1;
            if self.entry(member).is_some_and(|entry| entry.wanted && entry.state == State::Down) {
                self.apply(member, EntryEvent::Start, now, out);
            }
            if self.entry(member).is_some_and(|entry| entry.wanted && entry.holds_the_next()) {
                if let Some(group) = self.groups[id as usize].as_mut() {
                    group.waiting_on = Some(member);
                    group.next -= 1;
                }
                return;
            }
        }
        // The group stays Starting until it is seen what comes of them all.
        self.settle_if_still(id, now, out);
    }

    /// All entries were started, and nothing moves: the result of the tests, and who failed.
    fn settle(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) {
        self.pass(id, Phase::Checking, now, out);
        let phase = self.verdict(id);
        self.pass(id, phase, now, out);
        self.believe(id);
    }

    /// Something happened in a group that has its level.
    fn settle_again(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) {
        let phase = self.verdict(id);
        if self.groups[id as usize].as_ref().is_some_and(|group| group.phase != phase) {
            self.pass(id, phase, now, out);
        }
        self.believe(id);
    }

    fn believe(&mut self, id: u32) {
        if let Some(group) = self.groups[id as usize].as_mut() {
            group.is_doubtful = false;
        }
    }

    fn verdict(&self, id: u32) -> Phase {
        let Some(group) = self.groups[id as usize].as_ref() else { return Phase::Done };
        let (mut passed, mut others) = (0u32, 0u32);
        let mut failed = u32::from(group.fallen);
        for entry in group.members.iter().filter_map(|&member| self.entry(member)) {
            let never_came = group.graph.is_some() && entry.wanted && entry.state == State::Down;
            if entry.blocked || never_came || (entry.wanted && entry.is_failing()) {
                failed += 1;
            }
            // An entry that no table has may fail its group, but is none of its tests.
            if entry.transient {
                continue;
            }
            match entry.state {
                State::Done { outcome: Outcome::Passed, .. } => passed += 1,
                State::Done { .. } | State::Down | State::GivenUp { .. } => others += u32::from(entry.wanted),
                State::Starting | State::Running { .. } | State::Ready => others += 1,
                State::Clearing { .. } | State::Pausing { .. } => others += 1,
                State::Stopping { .. } | State::Killing { .. } => others += 1,
            }
        }
        match (passed, failed, others) {
            (_, 1.., _) => Phase::Failed,
            (1.., 0, 0) => Phase::Passed,
            (_, 0, _) => Phase::Done,
        }
    }

    /// Gives a group its next phase, and says so.
    pub(super) fn pass(&mut self, id: u32, phase: Phase, now: Instant, out: &mut Vec<Action>) {
        let Some(group) = self.groups[id as usize].as_mut() else { return };
        if group.phase != phase {
            group.since = now;
        }
        count(&mut self.halting, group.phase == Phase::Halting, phase == Phase::Halting);
        group.phase = phase;
        out.push(Action::Notice(Notice::GroupChanged {
            group: group.name.clone(),
            level: group.level.clone(),
            target: group.target.clone(),
            phase,
        }));
        self.mark_group(id);
    }
}

/// Whether a group that goes to `level` wants this entry to run; of one that is replaced, what it becomes.
pub(super) fn wants(entry: &Entry, level: Option<&Level>) -> bool {
    let spec = match &entry.fate {
        Fate::Keep | Fate::Forget => &entry.spec,
        Fate::Replace(next) => next,
    };
    let has_level = level.is_some_and(|level| spec.levels.contains(level));
    let may = spec.mode != Mode::Off && entry.hold == Hold::Free;
    (has_level || entry.transient) && may && entry.fate != Fate::Forget
}

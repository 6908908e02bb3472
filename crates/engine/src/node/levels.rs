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
        for member in group.members.clone() {
            self.release_hold(member, |hold| hold == Hold::UntilTold);
        }
        self.reconcile(id, now, out);
    }

    /// Brings a group from wherever it stands towards the level it was told last.
    pub(super) fn reconcile(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) {
        let Some(group) = self.groups[id as usize].as_ref() else { return };
        let (members, target) = (group.members.clone(), group.target.clone());
        let mut for_the_level = false;
        for &member in &members {
            let Some(entry) = self.entries[member.0 as usize].as_mut() else { continue };
            entry.wanted = wants(entry, target.as_ref());
            if !entry.wanted || entry.fate != Fate::Keep {
                self.apply(member, EntryEvent::Stop, now, out);
            }
            if let Some(entry) = self.entry(member) {
                for_the_level |= entry.is_leaving() && entry.fate == Fate::Keep;
            }
            self.turn_over(member);
        }
        let phase = if for_the_level { Phase::Stopping } else { Phase::Dumping };
        if let Some(group) = self.groups[id as usize].as_mut().filter(|group| group.leaving > 0) {
            group.waiting_on = None;
            self.pass(id, phase, now, out);
            return;
        }
        self.begin(id, now, out);
    }

    /// Lets a group go on after something happened to one of its members.
    pub(super) fn react(&mut self, id: u32, member: EntryId, now: Instant, out: &mut Vec<Action>) {
        let Some(group) = self.groups[id as usize].as_ref() else { return };
        match group.phase {
            Phase::Stopping | Phase::Dumping if group.leaving == 0 => self.begin(id, now, out),
            Phase::Starting if group.waiting_on == Some(member) => self.advance(id, now, out),
            Phase::Starting if group.next >= group.members.len() && group.unconfirmed == 0 => {
                self.settle(id, now, out);
            }
            Phase::Halting => self.halted(id, now, out),
            Phase::Stopping | Phase::Dumping | Phase::Starting | Phase::Checking => {}
            Phase::Configured | Phase::Done | Phase::Passed | Phase::Failed => {}
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
            self.pass(id, Phase::Configured, now, out);
            return;
        }
        group.level.clone_from(&group.target);
        group.next = 0;
        self.compact(id);
        self.pass(id, Phase::Starting, now, out);
        // While entries were leaving, the table may have given them another content.
        let Some(group) = self.groups[id as usize].as_ref() else { return };
        for &member in &group.members {
            if let Some(entry) = self.entries[member.0 as usize].as_mut() {
                entry.wanted = wants(entry, group.level.as_ref());
            }
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
        // The group stays Starting until the keeper has confirmed them all.
        if self.groups[id as usize].as_ref().is_some_and(|group| group.unconfirmed == 0) {
            self.settle(id, now, out);
        }
    }

    /// All entries were started and confirmed: the result of the tests.
    fn settle(&mut self, id: u32, now: Instant, out: &mut Vec<Action>) {
        self.pass(id, Phase::Checking, now, out);
        let (mut passed, mut failed, mut others) = (0u32, 0u32, 0u32);
        let members = self.groups[id as usize].as_ref().map_or(&[][..], |group| &group.members);
        for entry in members.iter().filter_map(|&member| self.entry(member)) {
            match entry.state {
                State::Done { outcome: Outcome::Passed, .. } => passed += 1,
                State::Done { outcome: Outcome::Failed, .. } => failed += 1,
                State::Done { outcome: Outcome::Done, .. } | State::Down => others += u32::from(entry.wanted),
                State::Starting | State::Running | State::Clearing { .. } => others += 1,
                State::Pausing { .. } | State::Stopping { .. } | State::Killing { .. } => others += 1,
            }
        }
        let phase = match (passed, failed, others) {
            (_, 1.., _) => Phase::Failed,
            (1.., 0, 0) => Phase::Passed,
            (_, 0, _) => Phase::Done,
        };
        self.pass(id, phase, now, out);
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

/// Whether a group that goes to `level` wants this entry to run.
pub(super) fn wants(entry: &Entry, level: Option<&Level>) -> bool {
    let has_level = level.is_some_and(|level| entry.spec.levels.contains(level));
    let may = entry.spec.mode != Mode::Off && entry.hold == Hold::Free;
    has_level && may && entry.fate != Fate::Forget
}

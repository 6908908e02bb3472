//! The keeper's side of a slot: what it holds for a child beside what stands in shared memory.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use clinit_sys::cgroup::Cgroup;
use clinit_sys::signals;
use clinit_sys::slots::{Slot, Slots};

use crate::protocol::{Ending, Scope};

/// States of a slot.
pub(crate) mod state {
    /// It tells of nothing.
    pub(crate) const FREE: u32 = 0;
    /// A process was, or is just being, made.
    pub(crate) const LIVE: u32 = 1;
    /// The main process has ended; others of its scope live.
    pub(crate) const LEFTOVER: u32 = 2;
    /// Everything has ended; the engine has not released it.
    pub(crate) const ENDED: u32 = 3;
    /// No process could be made; the word of the ending is the errno.
    pub(crate) const NOT_SPAWNED: u32 = 4;
}

/// Flags of a slot.
pub(crate) mod flag {
    /// The rest of the scope is killed when the main process ends by itself.
    pub(crate) const KILL_REST: u32 = 1;
    /// It was asked to stop.
    pub(crate) const STOPPED: u32 = 2;
    /// It was killed.
    pub(crate) const KILLED: u32 = 4;
    /// Its cgroup was killed at one stroke.
    pub(crate) const CGROUP_KILLED: u32 = 32;
    /// Its scope is the main process alone.
    pub(crate) const SCOPE_MAIN: u32 = 8;
    /// Its scope is its cgroup.
    pub(crate) const SCOPE_CGROUP: u32 = 16;
    /// The process group that it began with has no members any more: its number may be another's.
    pub(crate) const GROUP_GONE: u32 = 64;
    /// Its main process may name another one: until it was stopped, whatever is in its cgroup may be that.
    pub(crate) const HANDS_OVER: u32 = 128;
}

/// What the engine has not been told of a slot yet.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owed {
    pub(crate) spawned: bool,
    pub(crate) ended: bool,
    pub(crate) emptied: bool,
    pub(crate) not_followed: bool,
}

impl Owed {
    fn any(self) -> bool {
        self.spawned || self.ended || self.emptied || self.not_followed
    }
}

/// What is held for one slot.
#[derive(Debug, Default)]
pub(crate) struct Child {
    /// Names a main process that is not our own child, even after its number was given to another.
    pub(crate) pidfd: Option<OwnedFd>,
    /// It is watched through its handle, and need not be this keeper's own child: it was there before this keeper
    /// was, or has taken the place of the one that was started.
    pub(crate) adopted: bool,
    /// Its cgroup, and the name of that.
    pub(crate) cgroup: Option<(Cgroup, String)>,
    /// A duplicate of its descriptor for readiness, until it was heard.
    pub(crate) ready: Option<OwnedFd>,
    pub(crate) owed: Owed,
}

/// All slots with what is held for them, and the queue of what the engine is owed.
#[derive(Debug)]
pub(crate) struct Children {
    slots: Slots,
    held: Vec<Child>,
    queue: VecDeque<u32>,
    /// Slots of which only leftovers live.
    pub(crate) leftovers: Vec<u32>,
    /// Slots whose main process has a successor, while the group of the first one may have members.
    followed: Vec<u32>,
}

impl Children {
    pub(crate) fn new(slots: Slots) -> Self {
        Self { slots, held: Vec::new(), queue: VecDeque::new(), leftovers: Vec::new(), followed: Vec::new() }
    }

    /// Makes room for a slot.
    pub(crate) fn grow_to(&mut self, index: u32) -> std::io::Result<()> {
        self.slots.grow_to(index)?;
        while self.held.len() <= index as usize {
            self.held.push(Child::default());
        }
        Ok(())
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> u32 {
        self.slots.len()
    }

    pub(crate) fn get(&mut self, index: u32) -> Option<(&'static Slot, &mut Child)> {
        Some((self.slots.get(index)?, self.held.get_mut(index as usize)?))
    }

    /// Whether anybody waits for leftovers to end: they were asked to, or killed.
    pub(crate) fn any_awaited(&self) -> bool {
        let slots = self.leftovers.iter().filter_map(|&index| self.slots.get(index));
        slots.into_iter().any(|slot| slot.flags() & (flag::STOPPED | flag::KILLED) != 0)
    }

    /// Sees to it that the group of a slot's first process is not taken for its own when that has ended.
    pub(crate) fn look_after_group(&mut self, index: u32) {
        if !self.followed.contains(&index) {
            self.followed.push(index);
        }
        self.look_after_groups();
    }

    /// Notes which of those groups have no members any more.
    pub(crate) fn look_after_groups(&mut self) {
        let slots = &self.slots;
        self.followed.retain(|&index| {
            let Some(slot) = slots.get(index).filter(|slot| slot.successor().is_some()) else { return false };
            let is_gone = !signals::group_exists(slot.pid());
            if is_gone {
                slot.set_flags(slot.flags() | flag::GROUP_GONE);
            }
            !is_gone
        });
    }

    /// What concerns the keeper as a whole.
    pub(crate) fn header(&self) -> &Slot {
        self.slots.header()
    }

    /// Whether any process is kept.
    pub(crate) fn any_live(&self) -> bool {
        let states = (0..self.slots.len()).filter_map(|index| self.slots.get(index)).map(Slot::state);
        states.into_iter().any(|state| matches!(state, state::LIVE | state::LEFTOVER))
    }

    /// Owes the engine something of a slot.
    pub(crate) fn owe(&mut self, index: u32, what: impl FnOnce(&mut Owed)) {
        let Some(child) = self.held.get_mut(index as usize) else { return };
        if !child.owed.any() {
            self.queue.push_back(index);
        }
        what(&mut child.owed);
    }

    /// The first slot that something is owed of.
    pub(crate) fn first_owed(&self) -> Option<u32> {
        self.queue.front().copied()
    }

    /// Everything of that slot was told.
    pub(crate) fn paid(&mut self) {
        if let Some(child) = self.queue.pop_front().and_then(|index| self.held.get_mut(index as usize)) {
            child.owed = Owed::default();
        }
    }

    /// A new engine knows nothing: everything that the slots hold is owed to it.
    pub(crate) fn owe_everything(&mut self) {
        self.queue.clear();
        for index in 0..self.held.len() {
            self.held[index].owed = Owed::default();
            let Ok(index) = u32::try_from(index) else { return };
            match self.slots.get(index).map_or(state::FREE, Slot::state) {
                state::LIVE => self.owe(index, |owed| owed.spawned = true),
                state::LEFTOVER | state::ENDED | state::NOT_SPAWNED => {
                    self.owe(index, |owed| owed.ended = true);
                }
                _ => {}
            }
        }
    }
}

/// How the main process of a slot ended.
pub(crate) fn ending(slot: &Slot) -> Ending {
    Ending::from_words(slot.ending(), slot.fault())
}

/// The scope that a slot was given.
pub(crate) fn scope(slot: &Slot) -> Scope {
    match slot.flags() {
        flags if flags & flag::SCOPE_MAIN != 0 => Scope::Main,
        flags if flags & flag::SCOPE_CGROUP != 0 => Scope::Cgroup,
        _ => Scope::Group,
    }
}

/// In what a slot's cgroup should have been bounded and is not: the second byte of its flags.
pub(crate) fn unbounded(slot: &Slot) -> u8 {
    slot.flags().to_le_bytes()[1]
}

/// Notes in what it is not.
pub(crate) fn set_unbounded(slot: &Slot, bits: u8) {
    slot.set_flags(slot.flags() | u32::from(bits) << 8);
}

/// Gives a slot another scope: the table may have changed it since the start.
pub(crate) fn set_scope(slot: &Slot, scope: Scope) {
    let others = slot.flags() & !(flag::SCOPE_MAIN | flag::SCOPE_CGROUP);
    slot.set_flags(others | scope_flag(scope));
}

/// The flag that stands for a scope.
pub(crate) fn scope_flag(scope: Scope) -> u32 {
    match scope {
        Scope::Group => 0,
        Scope::Main => flag::SCOPE_MAIN,
        Scope::Cgroup => flag::SCOPE_CGROUP,
    }
}

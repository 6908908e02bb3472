//! Main processes that hand over to another: a daemon that forks and names its child (sd_notify(3), MAINPID=).
//!
//! The slot keeps the first process's number, which is that of its session and process group, and gets the
//! successor's beside it, with the moment at which that one started: a later keeper knows by both that it is
//! the same. If it leads a process group of its own, that belongs to the slot, too.

use std::os::fd::{AsFd, OwnedFd};

use clinit_sys::proc::{self, Stat, TICK_NANOS};
use clinit_sys::slots::Successor;
use clinit_sys::{reap, signals};
use rustix::event::epoll;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::children::state;
use crate::kin;
use crate::run::{ADOPTED, Keeper};

impl Keeper {
    /// Takes a process for the main one of a life from now on, even if that one has just ended.
    pub(crate) fn follow(&mut self, index: u32, generation: u64, pid: u32) {
        let Some((slot, child)) = self.children.get(index) else { return };
        if slot.generation() != generation {
            return;
        }
        if !matches!(slot.state(), state::LIVE | state::LEFTOVER) {
            // The engine was told that nothing is left, and may have another life in mind by now.
            return self.children.owe(index, |owed| owed.not_followed = true);
        }
        if slot.state() == state::LIVE && slot.main() == pid && (child.pidfd.is_some() || !child.adopted) {
            return self.children.owe(index, |owed| owed.spawned = true);
        }
        match self.take_hold(index, pid) {
            Some((pidfd, stat)) => self.hand_over(index, pid, pidfd, stat),
            None => self.children.owe(index, |owed| owed.not_followed = true),
        }
    }

    /// A handle of a process that lives and belongs to the slot, and is watched by now.
    fn take_hold(&mut self, index: u32, pid: u32) -> Option<(OwnedFd, Stat)> {
        let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
        // First the handle, then the look: so it is the one that was looked at, if it lives after that.
        let pidfd = pidfd_open(raw, PidfdFlags::empty()).ok()?;
        let stat = proc::stat(pid).filter(|stat| !stat.is_zombie())?;
        let is_ours = self.is_kin(index, pid, &stat) && signals::send_to_pidfd(pidfd.as_fd(), 0);
        if !is_ours {
            return None;
        }
        let data = epoll::EventData::new_u64(ADOPTED | u64::from(index));
        if let Some((_, child)) = self.children.get(index)
            && let Some(old) = child.pidfd.as_ref().filter(|_| child.adopted)
        {
            let _was_watched = epoll::delete(&self.epoll, old);
        }
        epoll::add(&self.epoll, &pidfd, data, epoll::EventFlags::IN).ok()?;
        Some((pidfd, stat))
    }

    /// Whether a process is one of those that the slot's entry has started in this life.
    fn is_kin(&mut self, index: u32, pid: u32, stat: &Stat) -> bool {
        let of_cgroup = self.nursery.home().slot_of(pid);
        let Some((slot, child)) = self.children.get(index) else { return false };
        if !kin::is_of_this_life(slot, stat) {
            return false;
        }
        if of_cgroup == Some(index) || kin::is_related(slot, stat) {
            return true;
        }
        // Without a cgroup nothing ties a daemon to its entry that has left session and ancestors behind, but that
        // it has become our child and is nobody else's.
        let is_loose = of_cgroup.is_none() && child.cgroup.is_none() && stat.parent == std::process::id();
        let nobodys = |keeper: &mut Self| {
            (0..keeper.children.len()).filter(|&other| other != index).all(|other| {
                keeper.children.get(other).is_none_or(|(slot, _)| {
                    let is_its = |number: u32| kin::groups(slot).any(|group| group == number);
                    let is_others = slot.main() == pid || is_its(stat.session) || is_its(stat.group);
                    slot.state() == state::FREE || !is_others
                })
            })
        };
        let is_companion = [self.engine.pid(), self.logger.pid()].contains(&Some(pid));
        is_loose && !is_companion && nobodys(self)
    }

    fn hand_over(&mut self, index: u32, pid: u32, pidfd: OwnedFd, stat: Stat) {
        let Some((slot, child)) = self.children.get(index) else { return };
        let old = slot.main();
        let successor = Successor { pid, started_ticks: stat.started_nanos / TICK_NANOS };
        // The group before the process: a keeper that comes between looks after one too many, and it is ours.
        slot.set_group(if stat.group == slot.pid() { 0 } else { stat.group });
        slot.set_successor(Some(successor));
        slot.set_ending(0);
        slot.set_state(state::LIVE);
        child.pidfd = Some(pidfd);
        // Watched through its handle, like one that another keeper has started: it need not be our child yet.
        child.adopted = true;
        // What it is owed of the process before is overtaken.
        child.owed.ended = false;
        child.owed.emptied = false;
        self.by_pid.remove(&old);
        self.by_pid.insert(pid, index);
        self.children.owe(index, |owed| owed.spawned = true);
        self.children.look_after_group(index);
    }

    /// A process that is watched through its handle has ended. If it is our child by now, that tells how.
    pub(crate) fn watched_ended(&mut self, index: u32) {
        let Some((slot, child)) = self.children.get(index) else { return };
        if !child.adopted || slot.state() != state::LIVE {
            return;
        }
        let pid = slot.main();
        if self.by_pid.contains_key(&pid) {
            self.by_pid.remove(&pid);
            let ended = reap::ended(pid);
            return self.end(index, ended, || reap::reap(pid));
        }
        self.end(index, None, || ());
    }
}

//! A keeper after another: taking over what the slots name.
//!
//! The children of the keeper before are not ours: their ends are seen through pidfds, and how they ended
//! nobody tells. A pid in a slot is believed when the process behind it started when the slot says.

use std::os::fd::AsFd;

use clinit_sys::proc;
use rustix::event::epoll;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::children::state;
use crate::run::{ADOPTED, Keeper};

/// How much later than its slot says a process may have started: clone3 may take its time.
const SLACK_NANOS: u64 = 2_000_000_000;

impl Keeper {
    /// Looks at every slot that an earlier keeper left.
    pub(crate) fn adopt_all(&mut self) {
        let Some(last) = self.children.len().checked_sub(1) else { return };
        if self.children.grow_to(last).is_err() {
            return;
        }
        for index in 0..=last {
            let Some((slot, _)) = self.children.get(index) else { return };
            match (slot.state(), slot.pid()) {
                // The order was never carried out; the engine will give it again.
                (state::LIVE, 0) => slot.set_state(state::FREE),
                (state::LIVE, pid) => self.adopt(index, pid),
                (state::LEFTOVER, _) => self.children.leftovers.push(index),
                _ => {}
            }
        }
        self.look_after_leftovers();
    }

    fn adopt(&mut self, index: u32, pid: u32) {
        self.find_cgroup(index);
        let Some((slot, child)) = self.children.get(index) else { return };
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pidfd = raw.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let born = slot.spawned_nanos();
        let is_it = proc::stat(pid).is_some_and(|stat| {
            let within = stat.started_nanos + proc::TICK_NANOS >= born
                && stat.started_nanos <= born + SLACK_NANOS + proc::TICK_NANOS;
            within && !stat.is_zombie()
        });
        let Some(pidfd) = pidfd.filter(|_| is_it) else {
            return self.end(index, None, || ());
        };
        let data = epoll::EventData::new_u64(ADOPTED | u64::from(index));
        if epoll::add(&self.epoll, pidfd.as_fd(), data, epoll::EventFlags::IN).is_ok() {
            child.pidfd = Some(pidfd);
            child.adopted = true;
        }
    }

    /// The cgroup of a slot by its number, which ends its name.
    fn find_cgroup(&mut self, index: u32) {
        let Some(cgroups) = self.nursery.cgroups() else { return };
        let ending = format!(".{index}");
        let found = cgroups.children().into_iter().find(|name| name.ends_with(&ending));
        let cgroup = found.and_then(|name| Some((cgroups.make(&name).ok()?, name)));
        if let Some((_, child)) = self.children.get(index) {
            child.cgroup = cgroup;
        }
    }

    /// An adopted main process has ended.
    pub(crate) fn adopted_ended(&mut self, index: u32) {
        let Some((slot, child)) = self.children.get(index) else { return };
        if !child.adopted || slot.state() != state::LIVE {
            return;
        }
        if let Some(pidfd) = &child.pidfd {
            let _closed_anyway = epoll::delete(&self.epoll, pidfd);
        }
        child.adopted = false;
        self.end(index, None, || ());
    }
}

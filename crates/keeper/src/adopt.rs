//! A keeper after another: taking over what the slots name.
//!
//! The children of the keeper before are not ours: their ends are seen through pidfds, and how they ended
//! nobody tells. A number in a slot may have been given to a stranger since, who must not be touched: it is
//! ours when the process behind it started between the keeper's note before the clone and the child's own
//! first note. Where that cannot be found out just now, it is asked again; nothing is signalled on a guess.

use std::collections::HashMap;
use std::os::fd::AsFd;

use clinit_sys::proc::{self, Look, TICK_NANOS};
use clinit_sys::slots::Slot;
use clinit_sys::{cgroup::Cgroup, reap, slots};
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::children::{flag, state};
use crate::run::{ADOPTED, Keeper};
use crate::{kin, ready, scope};

/// Whose a number is.
enum Whose {
    /// The slot's process, which lives.
    Ours,
    /// Nobody's, or the slot's, which has ended: if its group has members, they are its own.
    Nobodys,
    /// A stranger's: of the slot's process and its group nothing is left.
    Strangers,
    /// It cannot be found out now.
    Unknown,
}

/// Whose the number of the main process is.
fn whose_main(slot: &Slot) -> Whose {
    let Some(successor) = slot.successor() else { return whose(slot) };
    match proc::look(successor.pid) {
        Look::There(stat) if stat.started_nanos != successor.started_ticks * TICK_NANOS => Whose::Nobodys,
        Look::There(stat) if stat.is_zombie() => Whose::Nobodys,
        Look::There(_) => Whose::Ours,
        Look::Gone => Whose::Nobodys,
        Look::Unknown => Whose::Unknown,
    }
}

/// Whose the number of the first process is, and with it that of its group.
fn whose(slot: &Slot) -> Whose {
    let stat = match proc::look(slot.pid()) {
        Look::There(stat) => stat,
        Look::Gone => return Whose::Nobodys,
        Look::Unknown => return Whose::Unknown,
    };
    let begun = if slot.begun_nanos() == 0 { u64::MAX } else { slot.begun_nanos() };
    let is_its = stat.started_nanos + TICK_NANOS >= slot.spawned_nanos() && stat.started_nanos <= begun;
    match (is_its, stat.is_zombie()) {
        (true, false) => Whose::Ours,
        (true, true) => Whose::Nobodys,
        (false, _) => Whose::Strangers,
    }
}

impl Keeper {
    /// Looks at every slot that an earlier keeper left.
    pub(crate) fn adopt_all(&mut self) {
        let Some(last) = self.children.len().checked_sub(1) else { return };
        if self.children.grow_to(last).is_err() {
            return;
        }
        let mut folders = self.cgroup_folders();
        for index in 0..=last {
            let Some((slot, child)) = self.children.get(index) else { return };
            child.adopted = true;
            if slot.state() != state::FREE {
                child.cgroup = folders.remove(&index);
            }
            match (slot.state(), slot.pid()) {
                // The order was never carried out; the engine will give it again.
                (state::LIVE, 0) => slot.set_state(state::FREE),
                (state::LIVE, _) => {
                    if slot.successor().is_some() && matches!(whose(slot), Whose::Strangers) {
                        slot.set_flags(slot.flags() | flag::GROUP_GONE);
                    }
                    self.adopt(index);
                }
                (state::LEFTOVER, _) => match whose(slot) {
                    Whose::Strangers if slot.group() == 0 => slot.set_state(state::ENDED),
                    Whose::Strangers => {
                        slot.set_flags(slot.flags() | flag::GROUP_GONE);
                        self.children.leftovers.push(index);
                    }
                    Whose::Ours | Whose::Nobodys | Whose::Unknown => {
                        self.children.leftovers.push(index);
                    }
                },
                _ => {}
            }
        }
        self.look_after_leftovers();
    }

    /// Watches a main process that is not our child, or notes that it has ended.
    fn adopt(&mut self, index: u32) {
        let Some((slot, _)) = self.children.get(index) else { return };
        // One that the program started which this process was before is still a child: how it ends is told.
        let is_own = kin::is_main(slot, slot.main()) && reap::is_child(slot.main());
        if is_own {
            self.by_pid.insert(slot.main(), index);
        }
        let raw = i32::try_from(slot.main()).ok().and_then(Pid::from_raw);
        // First the handle, then the look: so it is the one that was looked at.
        let pidfd = raw.map(|pid| pidfd_open(pid, PidfdFlags::empty()));
        let (whose, pidfd) = match (whose_main(slot), pidfd) {
            (whose, Some(Ok(pidfd))) => (whose, Some(pidfd)),
            (Whose::Ours, Some(Err(Errno::SRCH)) | None) => (Whose::Nobodys, None),
            (Whose::Ours, Some(Err(_))) => (Whose::Unknown, None),
            (whose, Some(Err(_)) | None) => (whose, None),
        };
        match (whose, pidfd) {
            (Whose::Ours, Some(pidfd)) => {
                let data = epoll::EventData::new_u64(ADOPTED | u64::from(index));
                if epoll::add(&self.epoll, &pidfd, data, epoll::EventFlags::IN).is_err() {
                    self.unwatched.push(index);
                } else if let Some((slot, child)) = self.children.get(index) {
                    child.ready = ready::regain(self.state.as_fd(), index, slot, pidfd.as_fd());
                    child.pidfd = Some(pidfd);
                    if slot.successor().is_some() {
                        self.children.look_after_group(index);
                    }
                }
            }
            // It is about to be reaped: that tells how it ended.
            (Whose::Nobodys, _) if is_own => {}
            (Whose::Nobodys, _) => self.end(index, None, || ()),
            (Whose::Strangers, _) => {
                slot_ended(slot);
                self.children.owe(index, |owed| owed.ended = true);
            }
            (Whose::Ours | Whose::Unknown, _) => self.unwatched.push(index),
        }
    }

    /// Tries again to watch those that could not be.
    pub(crate) fn adopt_unwatched(&mut self) {
        for index in std::mem::take(&mut self.unwatched) {
            if self.children.get(index).is_some_and(|(slot, _)| slot.state() == state::LIVE) {
                self.adopt(index);
            }
        }
    }

    /// The entries' cgroups, by the number of the slot, which ends their names. Of two with one number the one
    /// that holds somebody is meant.
    fn cgroup_folders(&self) -> HashMap<u32, (Cgroup, String)> {
        let mut folders: HashMap<u32, (Cgroup, String)> = HashMap::new();
        let Some(cgroups) = self.nursery.cgroups() else { return folders };
        for name in cgroups.children() {
            let Some(index) = name.rsplit('.').next().and_then(|index| index.parse().ok()) else { continue };
            let Ok(cgroup) = cgroups.make(&name) else { continue };
            if cgroup.is_populated() || !folders.contains_key(&index) {
                folders.insert(index, (cgroup, name));
            }
        }
        folders
    }
}

/// The main processes, ended or not, of which something lives that a file of slots names, as far as can be found
/// out. For whoever finds the slots of a daemon that is gone.
///
/// # Errors
/// The file cannot be read, or is none of this version's.
pub fn living(file: &mut impl std::io::Read) -> std::io::Result<Vec<u32>> {
    let look = scope::CloseLook::default();
    let lives = |slot: &Slot| match slot.state() {
        state::LIVE => slot.pid() != 0 && matches!(whose_main(slot), Whose::Ours | Whose::Unknown),
        state::LEFTOVER => {
            kin::groups(slot).any(|group| look.lives(group)) && !matches!(whose(slot), Whose::Strangers)
        }
        _ => false,
    };
    Ok(slots::read(file)?.iter().filter(|slot| lives(slot)).map(Slot::main).collect())
}

/// It has ended, nobody knows how, and nothing of it is left.
fn slot_ended(slot: &Slot) {
    slot.set_ending(crate::protocol::Ending::Unknown.to_words().0);
    slot.set_state(state::ENDED);
}

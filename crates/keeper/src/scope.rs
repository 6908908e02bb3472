//! Whom a signal reaches, and whether anybody is left there.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::os::fd::AsFd;

use clinit_sys::slots::Slot;
use clinit_sys::{proc, signals};

use crate::children::{Child, flag, state};
use crate::kin;
use crate::protocol::Scope;

const SIGKILL: i32 = 9;
const SIGCONT: i32 = 18;

/// Sends `signal`, and CONT behind it, so that a stopped process can act on it.
pub(crate) fn stop(slot: &Slot, child: &Child, scope: Scope, signal: i32) {
    slot.set_flags(slot.flags() | flag::STOPPED);
    send(slot, child, scope, signal);
    send(slot, child, scope, SIGCONT);
}

/// Sends a signal to the main process, and nothing else.
pub(crate) fn signal(slot: &Slot, child: &Child, signal: i32) {
    send_to_main(slot, child, signal);
}

/// Sends KILL.
pub(crate) fn kill(slot: &Slot, child: &Child, scope: Scope) {
    slot.set_flags(slot.flags() | flag::KILLED);
    send(slot, child, scope, SIGKILL);
}

fn send(slot: &Slot, child: &Child, scope: Scope, signal: i32) {
    match (scope, &child.cgroup) {
        (Scope::Cgroup, Some((cgroup, _))) => {
            if signal == SIGKILL && cgroup.kill().is_ok() {
                slot.set_flags(slot.flags() | flag::CGROUP_KILLED);
            } else {
                for pid in cgroup.processes() {
                    let _gone = signals::send_to_child(pid, signal);
                }
            }
        }
        (Scope::Main, _) => send_to_main(slot, child, signal),
        (Scope::Group | Scope::Cgroup, _) => {
            // A child that was signalled before it could make its group is reached alone; its signals are
            // blocked until it is about to exec, and hit it then.
            let reached = kin::groups(slot).filter(|&group| signals::send_to_group(group, signal)).count();
            if reached == 0 {
                send_to_main(slot, child, signal);
            }
        }
    }
}

fn send_to_main(slot: &Slot, child: &Child, signal: i32) {
    if slot.state() == state::LIVE {
        let _gone = match &child.pidfd {
            Some(pidfd) => signals::send_to_pidfd(pidfd.as_fd(), signal),
            // Nobody else can have reaped it, so the number is still its own; of an adopted one that is not sure.
            None if child.adopted => false,
            None => signals::send_to_child(slot.main(), signal),
        };
    }
}

/// Whether anybody of the scope lives, after the main process has ended; `lives` tells it of a process group.
pub(crate) fn has_leftovers(slot: &Slot, child: &Child, scope: Scope, lives: &dyn Fn(u32) -> bool) -> bool {
    let is_left_alone = slot.flags() & (flag::STOPPED | flag::KILLED) == 0;
    if let (true, true, Some((cgroup, _))) =
        (slot.flags() & flag::HANDS_OVER != 0, is_left_alone, &child.cgroup)
        && cgroup.is_populated()
    {
        return true;
    }
    match (scope, &child.cgroup) {
        (Scope::Main, _) => false,
        (Scope::Cgroup, Some((cgroup, _))) => cgroup.is_populated(),
        (Scope::Group | Scope::Cgroup, _) => kin::groups(slot).any(lives),
    }
}

/// A closer look at process groups, which sees zombies: those of a stranger's children, and of services that were
/// adopted, are not ours to reap and may stay. Ours are as good as alive: their end is told when they are reaped. It is taken when somebody asks, and twice: a process may be made just
/// where it was looked already, and who made it end just before it is looked there.
#[derive(Debug, Default)]
pub(crate) struct CloseLook([OnceCell<HashSet<u32>>; 2]);

impl CloseLook {
    /// Whether a process group has a member that has not ended.
    pub(crate) fn lives(&self, group: u32) -> bool {
        let is_dead = |dead: &OnceCell<HashSet<u32>>| dead.get_or_init(proc::dead_groups).contains(&group);
        signals::group_exists(group) && !self.0.iter().all(is_dead)
    }
}

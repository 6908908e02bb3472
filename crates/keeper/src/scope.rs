//! Whom a signal reaches, and whether anybody is left there.

use std::os::fd::AsFd;

use clinit_sys::slots::Slot;
use clinit_sys::{proc, signals};

use crate::children::{Child, flag, state};
use crate::kin;
use crate::protocol::Scope;

const SIGKILL: i32 = 9;
const SIGCONT: i32 = 18;

/// How long after a KILL zombies that nobody reaps are no longer waited for.
const ZOMBIES_NANOS: u64 = 2_000_000_000;

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

/// Whether anybody of the scope lives, after the main process has ended.
pub(crate) fn has_leftovers(slot: &Slot, child: &Child, scope: Scope, now_nanos: u64) -> bool {
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
        (Scope::Group | Scope::Cgroup, _) => {
            let groups: Vec<u32> = kin::groups(slot).filter(|&group| signals::group_exists(group)).collect();
            if groups.is_empty() {
                return false;
            }
            // Zombies count as members. Ours are reaped at once; those of a living stranger may stay.
            let killed = slot.flags() & flag::KILLED != 0;
            let long = now_nanos.saturating_sub(child.leftover_since) > ZOMBIES_NANOS;
            !(killed && child.leftover_since != 0 && long) || groups.into_iter().any(proc::group_has_living)
        }
    }
}

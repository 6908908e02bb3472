//! Whether a process is one of an entry's: by its cgroup, its session or process group, or its ancestors.
//!
//! None of these can be had by a process of somebody else. A process that has left them all (a daemon that
//! has forked twice, where no cgroup can be made) is known by nothing but that it descends from the keeper.

use std::path::{Path, PathBuf};

use clinit_sys::cgroup;
use clinit_sys::proc::{self, Look, Stat, TICK_NANOS};
use clinit_sys::slots::Slot;

use crate::children::flag;
use crate::controllers::parent_of;

/// How far an ancestor is looked for.
const ANCESTORS_MAX: usize = 16;

/// The cgroup of all entries, as the kernel names it.
#[derive(Debug, Default)]
pub struct Home(Option<PathBuf>);

impl Home {
    /// Finds that called `name`, of the daemon that this process belongs to.
    #[must_use]
    pub fn find(name: &str) -> Self {
        Self(cgroup::path_of(std::process::id()).ok().map(|own| parent_of(&own, name).join(name)))
    }

    /// The slot in whose cgroup a process is, if it is in one.
    #[must_use]
    pub fn slot_of(&self, pid: u32) -> Option<u32> {
        let path = cgroup::path_of(pid).ok()?;
        slot_of(&path, self.0.as_ref()?)
    }
}

fn slot_of(path: &Path, home: &Path) -> Option<u32> {
    let folder = path.strip_prefix(home).ok()?.components().next()?;
    folder.as_os_str().to_str()?.rsplit_once('.')?.1.parse().ok()
}

/// Whether a process is not older than the life that a slot tells of: whatever it has to do with the slot's
/// entry, it may have had it with an earlier life.
#[must_use]
pub fn is_of_this_life(slot: &Slot, stat: &Stat) -> bool {
    stat.started_nanos + TICK_NANOS >= slot.spawned_nanos()
}

/// Whether a process is the main one of what a slot tells of. One that is gone already is believed by its
/// number.
#[must_use]
pub fn is_main(slot: &Slot, pid: u32) -> bool {
    if slot.main() != pid {
        return false;
    }
    let Look::There(stat) = proc::look(pid) else { return true };
    match slot.successor() {
        Some(successor) => stat.started_nanos == successor.started_ticks * TICK_NANOS,
        None => {
            let begun = if slot.begun_nanos() == 0 { u64::MAX } else { slot.begun_nanos() };
            is_of_this_life(slot, &stat) && stat.started_nanos <= begun
        }
    }
}

/// Whether a process shares session or process group with what a slot tells of, or descends from its main
/// process.
#[must_use]
pub fn is_related(slot: &Slot, stat: &Stat) -> bool {
    let is_ours = |number: u32| groups(slot).any(|group| group == number);
    is_ours(stat.session) || is_ours(stat.group) || descends(stat, slot.main())
}

/// The process groups of what a slot tells of: the one that it began with, while that has members, and that of
/// a successor.
pub(crate) fn groups(slot: &Slot) -> impl Iterator<Item = u32> {
    let first = if slot.flags() & flag::GROUP_GONE == 0 { slot.pid() } else { 0 };
    [first, slot.group()].into_iter().filter(|&group| group > 1)
}

fn descends(stat: &Stat, ancestor: u32) -> bool {
    let mut parent = stat.parent;
    for _ in 0..ANCESTORS_MAX {
        if parent <= 1 {
            return false;
        }
        if parent == ancestor {
            return true;
        }
        let Some(stat) = proc::stat(parent) else { return false };
        parent = stat.parent;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_named_by_a_cgroup_below_that_of_all_entries_alone() {
        let home = Path::new("/a/clinit-0");
        let found = |path: &str| slot_of(Path::new(path), home);
        assert_eq!(found("/a/clinit-0/web_httpd.3"), Some(3));
        assert_eq!(found("/a/clinit-0/web.x.12/deeper.9"), Some(12));
        for path in ["/", "/a/clinit-0", "/a/clinit-0/daemon", "/b/clinit-0/web.3", "/a/clinit-0/web.x"] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    /// A process as `/proc` would tell of it; its number and its start are of no process that is there.
    fn told(parent: u32, group: u32, session: u32) -> Stat {
        Stat { parent, group, session, ..proc::stat(std::process::id()).unwrap() }
    }

    #[test]
    fn who_shares_session_or_group_is_related_and_a_stranger_is_not() {
        const ENTRY: u32 = u32::MAX >> 10;
        let slot = Slot::default();
        slot.set_pid(ENTRY);
        for (what, stat) in [
            ("a child", told(ENTRY, 2, 2)),
            ("a member of the group", told(1, ENTRY, 2)),
            ("a member of the session", told(1, 2, ENTRY)),
        ] {
            assert!(is_related(&slot, &stat), "{what}");
        }
        assert!(!is_related(&slot, &told(1, 2, 2)));
        assert!(
            !is_related(&Slot::default(), &told(1, 0, 0)),
            "a leader outside the pid namespace is number 0"
        );
    }

    #[test]
    fn what_is_older_than_a_life_is_not_of_it() {
        let own = proc::stat(std::process::id()).unwrap();
        let slot = Slot::default();
        slot.set_spawned_nanos(own.started_nanos + TICK_NANOS);
        assert!(is_of_this_life(&slot, &own));
        slot.set_spawned_nanos(own.started_nanos + 2 * TICK_NANOS);
        assert!(!is_of_this_life(&slot, &own));
    }
}

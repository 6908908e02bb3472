//! Bounding the cgroups of entries: which controllers have to be enabled where (cgroups(7)).
//!
//! ```text
//!   parent                  the daemon's cgroup: its subtree_control hands controllers down to ...
//!   ├─ clinit-0123          ... the cgroup of all entries, and that one's to ...
//!   │  ├─ web_httpd.3       ... the entry's, which has memory.max, cpu.max and pids.max then
//!   │  └─ daemon            where the daemon itself goes, if it has to make room
//!   ```
//!
//! But for the root of the hierarchy, a cgroup that hands controllers down may hold no processes itself. So
//! the daemon steps aside, if it and what descends from it are all that is in the parent; with strangers in
//! it, entries stay unbounded, and the engine says so.

use std::io;
use std::path::{Path, PathBuf};

use clinit_sys::cgroup::{self, Cgroup};
use clinit_sys::proc;
use rustix::io::Errno;

use crate::orders::Cgroups;
use crate::steps::Bound;

/// The cgroup of the daemon, below that of all entries, when it has stepped aside. No entry's has a name
/// without a dot.
const ASIDE: &str = "daemon";

const SUBTREE_CONTROL: &str = "cgroup.subtree_control";
const PROCESSES: &str = "cgroup.procs";

/// The period in which processor time is given, in microseconds.
const CPU_PERIOD_MICROS: u64 = 100_000;

/// How far an ancestor is looked for.
const ANCESTORS_MAX: usize = 64;

/// The cgroup below which that of all entries, called `name`, is or is to be: the daemon's own, unless that
/// has stepped aside.
///
/// # Errors
/// There is no hierarchy of version 2.
pub fn cgroup_parent(name: &str) -> io::Result<PathBuf> {
    let path = cgroup::own_path()?;
    Ok(parent_of(&path, name).to_owned())
}

pub(crate) fn parent_of<'a>(own: &'a Path, name: &str) -> &'a Path {
    let is_aside = own.ends_with(Path::new(name).join(ASIDE));
    own.ancestors().nth(2).filter(|_| is_aside).unwrap_or(own)
}

impl Cgroups {
    /// Bounds an entry's cgroup. Returns the bits of what it could not be bounded in.
    pub(crate) fn bound(&self, cgroup: &Cgroup, bounds: &[(Bound, u64)]) -> u8 {
        let failed = bounds.iter().filter(|&&(bound, most)| self.bound_one(cgroup, bound, most).is_err());
        failed.fold(0, |bits, (bound, _)| bits | bound.bit())
    }

    fn bound_one(&self, cgroup: &Cgroup, bound: Bound, most: u64) -> io::Result<()> {
        let (file, text) = setting(bound, most);
        match cgroup.write(file, &text) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.enable(bound.controller())?;
                cgroup.write(file, &text)
            }
            result => result,
        }
    }

    /// Enables a controller for the cgroups of entries.
    fn enable(&self, controller: &str) -> io::Result<()> {
        let add = format!("+{controller}");
        if !self.own.controllers()?.iter().any(|name| name == controller) {
            if !self.parent.controllers()?.iter().any(|name| name == controller) {
                return Err(Errno::NOENT.into());
            }
            if !self.parent.is_root() {
                self.step_aside()?;
            }
            self.parent.write(SUBTREE_CONTROL, &add)?;
        }
        self.own.write(SUBTREE_CONTROL, &add)
    }

    /// Leaves the parent without processes.
    fn step_aside(&self) -> io::Result<()> {
        let processes = self.parent.processes();
        if !processes.iter().all(|&pid| is_ours(pid)) {
            return Err(Errno::BUSY.into());
        }
        if !processes.is_empty() {
            let aside = self.own.make(ASIDE)?;
            for pid in processes {
                match aside.write(PROCESSES, &pid.to_string()) {
                    // Ended meanwhile.
                    Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => {}
                    result => result?,
                }
            }
        }
        // With processes in it, some controllers would be handed down all the same, and no entry could be
        // started in its cgroup any more.
        if self.parent.processes().is_empty() { Ok(()) } else { Err(Errno::BUSY.into()) }
    }

    /// Undoes that, when all entries have ended.
    pub(crate) fn step_back(&self) {
        if self.parent.is_root() || !self.own.children().iter().any(|name| name == ASIDE) {
            return;
        }
        for cgroup in [&self.own, &self.parent] {
            for controller in cgroup.enabled().unwrap_or_default() {
                let _left_as_it_is = cgroup.write(SUBTREE_CONTROL, &format!("-{controller}"));
            }
        }
        // 0 is whoever writes.
        let _left_where_it_is = self.parent.write(PROCESSES, "0");
    }
}

/// Takes all bounds from a cgroup that is left to what still runs in it.
pub(crate) fn unbound(cgroup: &Cgroup) {
    for bound in Bound::ALL {
        let _not_bounded = cgroup.write(setting(bound, 0).0, "max");
    }
}

/// A file of a cgroup, and what is to be written to it.
fn setting(bound: Bound, most: u64) -> (&'static str, String) {
    match bound {
        Bound::Memory => ("memory.max", most.to_string()),
        Bound::Cpu => {
            let micros = most.saturating_mul(CPU_PERIOD_MICROS / 100);
            ("cpu.max", format!("{micros} {CPU_PERIOD_MICROS}"))
        }
        Bound::Pids => ("pids.max", most.to_string()),
    }
}

/// Whether a process is the keeper or descends from it.
fn is_ours(pid: u32) -> bool {
    let mut ancestors = std::iter::successors(Some(pid), |&pid| proc::stat(pid).map(|stat| stat.parent));
    ancestors.by_ref().take(ANCESTORS_MAX).any(|pid| pid == std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Folders and files that look like cgroups; what is written to one enables nothing.
    struct Fake(PathBuf);

    impl Fake {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let path = std::env::temp_dir().join(format!("clinit-controllers-{name}-{}", std::process::id()));
            let fake = Self(path);
            fs::create_dir_all(fake.0.join("own/entry.0")).unwrap();
            for (name, text) in files {
                fs::write(fake.0.join(name), text).unwrap();
            }
            fake
        }

        fn cgroups(&self) -> Cgroups {
            let open = |path: &Path| Cgroup::open(path).unwrap();
            Cgroups { parent: open(&self.0), name: "own".to_owned(), own: open(&self.0.join("own")) }
        }

        fn bound(&self, bounds: &[(Bound, u64)]) -> u8 {
            self.cgroups().bound(&Cgroup::open(&self.0.join("own/entry.0")).unwrap(), bounds)
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.0.join(name)).unwrap_or_default()
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn what_is_enabled_is_bounded() {
        let files = ["memory.max", "cpu.max", "pids.max"].map(|name| format!("own/entry.0/{name}"));
        let files: Vec<_> = files.iter().map(|name| (name.as_str(), "max\n")).collect();
        let fake = Fake::new("enabled", &files);
        assert_eq!(fake.bound(&[(Bound::Memory, 1 << 29), (Bound::Cpu, 150), (Bound::Pids, 64)]), 0);
        assert_eq!(fake.read("own/entry.0/memory.max"), "536870912");
        assert_eq!(fake.read("own/entry.0/cpu.max"), "150000 100000");
        assert_eq!(fake.read("own/entry.0/pids.max"), "64");
        unbound(&Cgroup::open(&fake.0.join("own/entry.0")).unwrap());
        assert_eq!(fake.read("own/entry.0/cpu.max"), "max");
    }

    #[test]
    fn a_controller_is_enabled_from_the_root_down() {
        let fake = Fake::new(
            "root",
            &[
                ("cgroup.controllers", "cpu memory pids\n"),
                ("cgroup.subtree_control", ""),
                ("own/cgroup.controllers", "cpu\n"),
                ("own/cgroup.subtree_control", ""),
            ],
        );
        // No file appears by that here, so it counts as unbounded.
        assert_eq!(fake.bound(&[(Bound::Memory, 1)]), Bound::Memory.bit());
        assert_eq!(fake.read("cgroup.subtree_control"), "+memory");
        assert_eq!(fake.read("own/cgroup.subtree_control"), "+memory");
        fs::write(fake.0.join("cgroup.subtree_control"), "").unwrap();
        assert_eq!(fake.bound(&[(Bound::Cpu, 1)]), Bound::Cpu.bit());
        assert_eq!(fake.read("cgroup.subtree_control"), "", "it was handed down already");
        assert_eq!(fake.read("own/cgroup.subtree_control"), "+cpu");
    }

    #[test]
    fn a_controller_that_is_not_there_is_not_asked_for() {
        let fake = Fake::new(
            "absent",
            &[
                ("cgroup.controllers", "\n"),
                ("cgroup.subtree_control", ""),
                ("own/cgroup.controllers", ""),
                ("own/cgroup.subtree_control", ""),
            ],
        );
        assert_eq!(fake.bound(&[(Bound::Memory, 1), (Bound::Pids, 1)]), 0b101);
        assert_eq!(fake.read("cgroup.subtree_control"), "");
        assert_eq!(fake.read("own/cgroup.subtree_control"), "");
    }

    #[test]
    fn a_parent_with_strangers_in_it_is_left_alone() {
        let own = format!("1\n{}\n", std::process::id());
        let fake = Fake::new(
            "strangers",
            &[
                ("cgroup.type", "domain\n"),
                ("cgroup.procs", &own),
                ("cgroup.controllers", "memory\n"),
                ("cgroup.subtree_control", ""),
                ("own/cgroup.controllers", ""),
                ("own/cgroup.subtree_control", ""),
            ],
        );
        assert_eq!(fake.bound(&[(Bound::Memory, 1)]), Bound::Memory.bit());
        assert_eq!(fake.read("cgroup.subtree_control"), "");
        assert_eq!(fake.read("cgroup.procs"), own);
        assert!(!fake.0.join("own/daemon").exists());
    }

    /// A cgroup of the kernel's, with a child of this process in it; `None` where none can be made.
    fn real() -> Option<(PathBuf, std::process::Child)> {
        let path = cgroup::own_path().ok()?.join(format!("clinit-controllers-{}", std::process::id()));
        fs::create_dir(&path).ok()?;
        let child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(path.join(PROCESSES), child.id().to_string()).unwrap();
        Some((path, child))
    }

    #[test]
    fn who_is_alone_in_the_parent_steps_aside() {
        let Some((path, mut child)) = real() else {
            eprintln!("skipped: this user can make no cgroup here");
            return;
        };
        let parent = Cgroup::open(&path).unwrap();
        let own = parent.make("own").unwrap();
        let cgroups = Cgroups { parent, name: "own".to_owned(), own };
        assert!(!cgroups.parent.is_root());
        cgroups.step_aside().unwrap();
        let aside = cgroups.own.make(ASIDE).unwrap();
        let found = (cgroups.parent.processes(), aside.processes());
        cgroups.step_aside().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        for folder in ["own/daemon", "own", "."] {
            let folder = path.join(folder).canonicalize().unwrap();
            while fs::remove_dir(&folder).is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy) {}
        }
        assert_eq!(found, (Vec::new(), vec![child.id()]));
    }

    #[test]
    fn who_has_stepped_aside_still_knows_the_parent() {
        let parent = |own: &str| parent_of(Path::new(own), "clinit-1").display().to_string();
        assert_eq!(parent("/cg/a"), "/cg/a");
        assert_eq!(parent("/cg/a/clinit-1/daemon"), "/cg/a");
        assert_eq!(parent("/cg/a/clinit-2/daemon"), "/cg/a/clinit-2/daemon");
        assert_eq!(parent("/cg/clinit-1"), "/cg/clinit-1");
    }

    #[test]
    fn a_process_is_ours_if_it_descends_from_the_keeper() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        assert!(is_ours(std::process::id()) && is_ours(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_ours(1) && !is_ours(0));
    }
}

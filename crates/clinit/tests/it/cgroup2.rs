//! Cgroups of version 2, where this machine has them and lets this user write.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::file;
use crate::user::skip;

/// The folder of this process's own cgroup.
pub(crate) fn of_this_process() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    let (root, point) = (line.split(' ').nth(3)?, line.split(' ').nth(4)?);
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?.to_owned();
    Some(Path::new(point).join(Path::new(&own).strip_prefix(root).ok()?))
}

/// The folder in which the daemon makes its cgroups, or `None` with a word about it where it can make none.
pub(crate) fn writable() -> Option<PathBuf> {
    let own = of_this_process();
    let probe = own.as_ref().map(|own| own.join(format!("clinit-probe-{}", std::process::id())));
    let can = probe.is_some_and(|probe| fs::create_dir(&probe).and_then(|()| fs::remove_dir(&probe)).is_ok());
    if !can {
        skip("there is no cgroup2 file system in which this user can make a cgroup");
        return None;
    }
    own
}

/// The path of a process's cgroup in the version 2 hierarchy.
pub(crate) fn of(pid: u32) -> String {
    path_in(&file(pid, "cgroup"))
}

/// The path of the version 2 line in the text of a /proc/PID/cgroup.
pub(crate) fn path_in(text: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_owned()
}

/// Removes a cgroup whose processes have just been killed, with those below.
pub(crate) fn remove(path: &Path) {
    for below in fs::read_dir(path).into_iter().flatten().flatten() {
        if below.path().is_dir() {
            remove(&below.path());
        }
    }
    for _ in 0..1000 {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => std::thread::yield_now(),
            Ok(()) | Err(_) => return,
        }
    }
}

//! Cgroups of version 2, where this machine has them and lets this user write.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of this process's own cgroup.
pub(crate) fn of_this_process() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    let (root, point) = (line.split(' ').nth(3)?, line.split(' ').nth(4)?);
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?.to_owned();
    Some(Path::new(point).join(Path::new(&own).strip_prefix(root).ok()?))
}

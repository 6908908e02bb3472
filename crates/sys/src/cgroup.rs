//! Cgroups of version 2: found through mountinfo, never assumed (cgroups(7), proc_pid_mountinfo(5)).
//!
//! No controller is needed: a cgroup is where the descendants of a process cannot leave, can be counted
//! and be killed at one stroke.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, mkdirat, open, openat, unlinkat};

/// A cgroup folder, held open.
#[derive(Debug)]
pub struct Cgroup(OwnedFd);

/// Where the cgroup of this process is, in a version 2 hierarchy.
///
/// # Errors
/// No such hierarchy is mounted, or /proc does not tell.
pub fn own_path() -> io::Result<PathBuf> {
    let (root, point) = mount()?;
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::"));
    let own = own.ok_or_else(missing)?;
    // The mount may show a part of the hierarchy only: what lies above its root cannot be reached.
    let below = Path::new(own).strip_prefix(&root).map_err(|_| missing())?;
    Ok(Path::new(&point).join(below))
}

/// The controllers that the version 2 hierarchy has, as far as it can be seen.
///
/// # Errors
/// No such hierarchy is mounted, or /proc does not tell.
pub fn controllers() -> io::Result<Vec<String>> {
    Cgroup::open(Path::new(&mount()?.1))?.controllers()
}

/// The cgroup of a process in the version 2 hierarchy, as a path below the hierarchy's root.
///
/// # Errors
/// There is no such process or hierarchy.
pub fn path_of(pid: u32) -> io::Result<PathBuf> {
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    own.lines().find_map(|line| line.strip_prefix("0::")).map(PathBuf::from).ok_or_else(missing)
}

fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "no cgroup2 file system is mounted")
}

/// Root and mount point of the version 2 hierarchy.
fn mount() -> io::Result<(String, String)> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    mounts.lines().find_map(cgroup2_mount).ok_or_else(missing)
}

/// Root and mount point of a cgroup2 line of mountinfo.
fn cgroup2_mount(line: &str) -> Option<(String, String)> {
    let (left, right) = line.split_once(" - ")?;
    if right.split(' ').next()? != "cgroup2" {
        return None;
    }
    let mut fields = left.split(' ');
    let root = fields.nth(3)?;
    Some((unescape(root), unescape(fields.next()?)))
}

/// Undoes the octal escapes of mountinfo.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.get(..3).and_then(|code| u8::from_str_radix(code, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &after[3..];
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out + rest
}

impl Cgroup {
    /// Opens a cgroup by path.
    ///
    /// # Errors
    /// open(2) failed.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(open(path, OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY, Mode::empty())?))
    }

    /// Makes a child, or takes the one that is there.
    ///
    /// # Errors
    /// mkdir(2) failed: mostly because the hierarchy is not ours to write.
    pub fn make(&self, name: &str) -> io::Result<Self> {
        match mkdirat(&self.0, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY | OFlags::NOFOLLOW;
        Ok(Self(openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Removes a child that holds no process.
    ///
    /// # Errors
    /// rmdir(2) failed; busy when a process is left.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// The names of its children.
    #[must_use]
    pub fn children(&self) -> Vec<String> {
        let Ok(folder) = rustix::fs::Dir::read_from(&self.0) else { return Vec::new() };
        let folders = folder.filter_map(Result::ok).filter(|entry| entry.file_type() == FileType::Directory);
        let names = folders.filter_map(|entry| Some(entry.file_name().to_str().ok()?.to_owned()));
        names.filter(|name| !name.starts_with('.')).collect()
    }

    /// Whether a living process is in it or below.
    #[must_use]
    pub fn is_populated(&self) -> bool {
        match self.read("cgroup.events") {
            Ok(text) => text.lines().any(|line| line == "populated 1"),
            // A folder that was removed holds nobody; what cannot be read for another reason may.
            Err(error) => !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)),
        }
    }

    /// Kills everything in it and below (cgroup.kill, Linux 5.14).
    ///
    /// # Errors
    /// The kernel has no such file, or it is not ours to write.
    pub fn kill(&self) -> io::Result<()> {
        let file = openat(&self.0, "cgroup.kill", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(&file, b"1")?;
        Ok(())
    }

    /// The processes in it, not below.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let text = self.read("cgroup.procs").unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// The controllers that it has, and could hand down to its children.
    ///
    /// # Errors
    /// It is gone, or no cgroup.
    pub fn controllers(&self) -> io::Result<Vec<String>> {
        Ok(self.read("cgroup.controllers")?.split_whitespace().map(str::to_owned).collect())
    }

    /// The controllers that it does hand down.
    ///
    /// # Errors
    /// It is gone, or no cgroup.
    pub fn enabled(&self) -> io::Result<Vec<String>> {
        Ok(self.read("cgroup.subtree_control")?.split_whitespace().map(str::to_owned).collect())
    }

    /// Whether it is the root of the whole hierarchy, for which some rules do not hold.
    #[must_use]
    pub fn is_root(&self) -> bool {
        let kind = rustix::fs::statat(&self.0, "cgroup.type", AtFlags::empty());
        kind.is_err_and(|error| error == rustix::io::Errno::NOENT)
    }

    /// Writes to one of its files.
    ///
    /// # Errors
    /// There is no such file, as its controller is not enabled, or the kernel refuses the value.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::CLOEXEC;
        let file = openat(&self.0, name, flags, Mode::empty())?;
        rustix::io::write(&file, text.as_bytes())?;
        Ok(())
    }

    fn read(&self, name: &str) -> io::Result<String> {
        let file = openat(&self.0, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        io::read_to_string(fs::File::from(file))
    }
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cgroup2_line_is_found_among_others() {
        let line = "41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw,relatime shared:4 - cgroup2 cgroup2 rw";
        assert_eq!(cgroup2_mount(line), Some(("/".into(), "/sys/fs/cgroup/uni fied".into())));
        assert_eq!(
            cgroup2_mount("40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd"),
            None
        );
    }
}

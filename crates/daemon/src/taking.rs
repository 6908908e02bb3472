//! Taking the state folder: one daemon has it at a time, and holds its lock for life.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use clinit_sys::proc::{self, Look};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, open, openat, stat};
use rustix::process::geteuid;

use crate::paths::state_folder;
use crate::start::{StartError, at, check_own_folder};

/// How often a state folder is tried to be taken that a daemon is just leaving.
const TAKES_MAX: u32 = 500;

/// How long each time it waits for who holds the lock of a keeper that is gone.
const HOLDER_PAUSE: Duration = Duration::from_millis(10);

/// Makes or takes the state folder and locks it.
pub(crate) fn take_state(socket: &Path) -> Result<(OwnedFd, OwnedFd), StartError> {
    let folder = state_folder(socket);
    // A daemon that is just ending removes the folder: then it is made again.
    let mut last = "a daemon that is just ending".to_owned();
    for _ in 0..TAKES_MAX {
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at("make the state folder", &folder)(error)),
        }
        check_own_folder(&folder, 0o077)?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let state = open(&folder, flags, Mode::empty()).map_err(at("open the state folder", &folder))?;
        let opened = fstat(&state).map_err(at("look at", &folder))?;
        if opened.st_uid != geteuid().as_raw() || opened.st_mode & 0o077 != 0 {
            return Err(StartError::Untrusted { path: folder });
        }
        let path = folder.join("lock");
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let lock = match openat(&state, "lock", flags, Mode::from_raw_mode(0o600)) {
            Ok(lock) => lock,
            // The folder was removed meanwhile.
            Err(rustix::io::Errno::NOENT) => continue,
            Err(error) => return Err(at("open", &path)(error)),
        };
        if let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if error == rustix::io::Errno::AGAIN {
                let holder = Holder::of(&lock);
                if holder.is_gone() {
                    // Its engine is about to be followed by another keeper, or its threads are still ending.
                    last = holder.to_string();
                    std::thread::sleep(HOLDER_PAUSE);
                    continue;
                }
                return Err(StartError::Held { path: socket.to_owned(), holder: holder.to_string() });
            }
            return Err(at("lock", &path)(error));
        }
        // The lock may be on a file that was removed between opening and locking it.
        let ours = fstat(&lock).map_err(at("look at", &path))?;
        if stat(&path).is_ok_and(|theirs| (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)) {
            return Ok((state, lock));
        }
    }
    Err(StartError::Held { path: socket.to_owned(), holder: last })
}

/// Who has the lock, as far as it can be told.
#[derive(Debug)]
struct Holder(Option<u32>);

impl Holder {
    fn of(lock: &OwnedFd) -> Self {
        let mut text = [0; 16];
        let length = rustix::io::pread(lock, &mut text, 0).unwrap_or(0);
        Self(std::str::from_utf8(&text[..length]).ok().and_then(|text| text.trim().parse().ok()))
    }

    /// Whether the process that took the lock has ended, so that somebody else of its daemon still holds it.
    fn is_gone(&self) -> bool {
        self.0.is_some_and(|pid| match proc::look(pid) {
            Look::There(stat) => stat.is_zombie(),
            Look::Gone => true,
            Look::Unknown => false,
        })
    }
}

impl Display for Holder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(pid) = self.0 else { return f.write_str("another clinit") };
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        match command.trim() {
            "" => write!(f, "pid {pid}"),
            command => write!(f, "pid {pid} ({command})"),
        }
    }
}

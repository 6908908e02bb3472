//! Starting a keeper in place of one that died. Done by the engine and by the logger, whoever lives:
//! the lock on `keeper.lock` lets one of two new keepers win.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use std::time::Duration;

use clinit_sys::inherit::duplicate_above;
use clinit_sys::slots::Slot;
use clinit_sys::spawn::{Image, Start, spawn};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;

use crate::descriptors as fixed;

/// What engine and logger hold so that they can start a keeper.
#[derive(Debug)]
pub struct Reviver {
    descriptors: [(OwnedFd, i32); 5],
    arguments: Vec<Vec<u8>>,
    environment: Vec<Vec<u8>>,
}

impl Reviver {
    /// Takes possession of the inherited descriptors that a keeper needs.
    ///
    /// # Errors
    /// They are not there: the process was not started by a keeper.
    pub fn take(arguments: Vec<Vec<u8>>, environment: Vec<Vec<u8>>) -> io::Result<Self> {
        let take = |number, as_number| {
            let fd = clinit_sys::inherit::take(number)?;
            Ok::<_, io::Error>((duplicate_above(fd.as_fd(), fixed::FREE)?, as_number))
        };
        let descriptors = [
            take(fixed::LISTEN, fixed::LISTEN)?,
            take(fixed::LOCK, fixed::LOCK)?,
            take(fixed::STATE, fixed::STATE)?,
            take(fixed::STDOUT, 1)?,
            take(fixed::STDERR, 2)?,
        ];
        Ok(Self { descriptors, arguments, environment })
    }

    /// The socket on which the daemon answers.
    #[must_use]
    pub fn listener(&self) -> &OwnedFd {
        &self.descriptors[0].0
    }

    /// The folder of the daemon's state.
    #[must_use]
    pub fn state(&self) -> &OwnedFd {
        &self.descriptors[2].0
    }

    /// The standard output that the daemon was started with.
    #[must_use]
    pub fn stdout(&self) -> &OwnedFd {
        &self.descriptors[3].0
    }

    /// The standard error that the daemon was started with.
    #[must_use]
    pub fn stderr(&self) -> &OwnedFd {
        &self.descriptors[4].0
    }

    /// Starts a keeper, and tries until there is one. It starts engine and logger of its own: the caller ends.
    pub fn revive(&self) {
        let mut pause = Duration::from_millis(50);
        while !self.try_once() || !self.is_kept() {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(1));
            if self.is_kept() {
                return;
            }
        }
    }

    /// Whether a keeper holds its lock, or comes to hold it within a moment.
    fn is_kept(&self) -> bool {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let Ok(lock) = openat(self.state(), "keeper.lock", flags, Mode::empty()) else {
            // The state is gone: the daemon has ended, and nothing is to be kept.
            return true;
        };
        for _ in 0..20 {
            if flock(&lock, FlockOperation::NonBlockingLockShared) == Err(Errno::AGAIN) {
                return true;
            }
            let _free_for_the_keeper = flock(&lock, FlockOperation::Unlock);
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn try_once(&self) -> bool {
        let mut image = Image::default();
        image.candidates.push(&[b"/proc/self/exe"]);
        image.arguments.push(&[b"clinit: ", crate::ROLE.as_bytes()]);
        self.arguments.iter().for_each(|argument| image.arguments.push(&[argument]));
        self.environment.iter().for_each(|variable| image.environment.push(&[variable]));
        let descriptors: Vec<_> =
            self.descriptors.iter().map(|(fd, number)| (fd.as_raw_fd(), *number)).collect();
        let slot = Slot::default();
        let keep_below = fixed::KEEP_KEEPER;
        let (cgroup, open_files) = (None, None);
        let start =
            Start { slot: &slot, descriptors: &descriptors, cgroup, keep_below, session: true, open_files };
        spawn(&mut image, &start).is_ok()
    }
}

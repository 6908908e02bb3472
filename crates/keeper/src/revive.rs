//! Starting a keeper in place of one that died. Done by the engine and by the logger, whoever lives:
//! the lock on `keeper.lock` lets one of two new keepers win.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use std::time::Duration;

use clinit_sys::image::Image;
use clinit_sys::inherit::duplicate_above;
use clinit_sys::slots::Slot;
use clinit_sys::spawn::{Start, spawn};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;

use crate::descriptors as fixed;

/// How long a keeper may take to open what the one before it held, and to end its companions.
const END_TIME: Duration = Duration::from_secs(2);

/// What engine and logger hold so that they can start a keeper.
#[derive(Debug)]
pub struct Reviver {
    /// Those that all three hold, as [`SHARED`](fixed::SHARED) lists them, then standard output and error.
    descriptors: Vec<(OwnedFd, i32)>,
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
        let shared = fixed::SHARED.map(|number| take(number, number));
        let standard = [take(fixed::STDOUT, 1), take(fixed::STDERR, 2)];
        let descriptors = shared.into_iter().chain(standard).collect::<io::Result<_>>()?;
        Ok(Self { descriptors, arguments, environment })
    }

    fn numbered(&self, number: i32) -> &OwnedFd {
        let place = self.descriptors.iter().position(|&(_, as_number)| as_number == number).unwrap_or(0);
        &self.descriptors[place].0
    }

    /// The socket on which the daemon answers.
    #[must_use]
    pub fn listener(&self) -> &OwnedFd {
        self.numbered(fixed::LISTEN)
    }

    /// The folder of the daemon's state.
    #[must_use]
    pub fn state(&self) -> &OwnedFd {
        self.numbered(fixed::STATE)
    }

    /// The socket to which entries send what they have to say.
    #[must_use]
    pub fn notify(&self) -> &OwnedFd {
        self.numbered(fixed::NOTIFY)
    }

    /// The socket that hears what entries write to their descriptors for readiness.
    #[must_use]
    pub fn ready(&self) -> &OwnedFd {
        self.numbered(fixed::READY)
    }

    /// The socket in whose queue the sockets of entries are kept.
    #[must_use]
    pub fn store(&self) -> &OwnedFd {
        self.numbered(fixed::STORE)
    }

    /// The standard output that the daemon was started with.
    #[must_use]
    pub fn stdout(&self) -> &OwnedFd {
        self.numbered(1)
    }

    /// The standard error that the daemon was started with.
    #[must_use]
    pub fn stderr(&self) -> &OwnedFd {
        self.numbered(2)
    }

    /// Starts a keeper, and tries until there is one. It starts engine and logger of its own: the caller ends, by
    /// its hand or by itself. Not before it has opened the FIFOs: until then the caller holds what is in them.
    pub fn revive(&self) {
        let mut pause = Duration::from_millis(50);
        while !self.try_once() || !self.is_kept() {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(1));
            if self.is_kept() {
                break;
            }
        }
        if self.lock().is_some() {
            std::thread::sleep(END_TIME);
        }
    }

    /// The keeper's lock. Without one the state is gone: the daemon has ended, and nothing is to be kept.
    fn lock(&self) -> Option<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        openat(self.state(), "keeper.lock", flags, Mode::empty()).ok()
    }

    /// Whether a keeper holds its lock, or comes to hold it within a moment.
    fn is_kept(&self) -> bool {
        let Some(lock) = self.lock() else { return true };
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
        let descriptors: Vec<_> =
            self.descriptors.iter().map(|(fd, number)| (fd.as_raw_fd(), *number)).collect();
        start(&self.arguments, &self.environment, &descriptors).is_ok()
    }
}

/// Starts a keeper: this very program in that role, with these arguments behind its name, `environment` as
/// `NAME=value`, and descriptors from, to.
///
/// # Errors
/// No process can be made.
pub fn start(
    arguments: &[Vec<u8>],
    environment: &[Vec<u8>],
    descriptors: &[(RawFd, RawFd)],
) -> io::Result<()> {
    let mut image = Image::default();
    image.candidates.push(&[b"/proc/self/exe"]);
    image.arguments.push(&[b"clinit: ", crate::ROLE.as_bytes()]);
    arguments.iter().for_each(|argument| image.arguments.push(&[argument]));
    environment.iter().for_each(|variable| image.environment.push(&[variable]));
    let start = Start {
        slot: &Slot::default(),
        descriptors,
        cgroup: None,
        keep_below: fixed::KEEP_KEEPER,
        keep_too: None,
        session: true,
        open_files: None,
    };
    spawn(&mut image, &start)
}

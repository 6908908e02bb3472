//! Becoming another program in place.
//!
//! ```text
//!   old engine ── Reexec ──> old keeper ── exec ──> new keeper ── Replaced ──> old engine: leaves
//!                                                       │  starts the new engine
//!                                                       │ ── leave ──> old logger: carries what it has, leaves
//!                                                       │  starts the new logger
//! ```
//!
//! The pid stays, and so the children stay its own; pending signals stay pending, and who ended meanwhile waits to
//! be reaped. The old companions live until the new keeper does: if it dies at its birth they bring the old program
//! back.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use clinit_sys::image::Image;
use clinit_sys::spawn::replace;
use clinit_sys::{clock, reap, signals};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{SendFlags, send};

use crate::companion::Companion;
use crate::handover::{Handover, VARIABLE, list};
use crate::protocol::{FEED_LEAVE, Report};
use crate::run::{Keeper, SIGHUP, SIGKILL};

/// How long companions of the program before may take to leave; then they are killed.
const SEE_OFF_NANOS: u64 = 5_000_000_000;

/// The companions of the program before, and what was done to see them off.
#[derive(Debug, Default)]
pub(crate) struct Farewell {
    by_nanos: Option<u64>,
    logger_told: bool,
}

impl Farewell {
    /// When they have to be gone.
    pub(crate) fn by_nanos(&self) -> Option<u64> {
        self.by_nanos
    }
}

impl Keeper {
    /// Becomes the program that is open as this descriptor of the engine's. Returns when that failed, as if nothing
    /// had been asked, and tells the engine.
    pub(crate) fn reexec(&mut self, descriptor: u32, arguments: &[u8]) {
        let error = self.try_reexec(descriptor, arguments);
        let errno = error.raw_os_error().unwrap_or(0);
        if let Some(link) = &self.link {
            // Lost where it does not fit: the engine waits for it no longer than some seconds.
            let _heard = send(
                link,
                &Report::NotReplaced { errno }.encode(),
                SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            );
        }
    }

    fn try_reexec(&mut self, descriptor: u32, arguments: &[u8]) -> io::Error {
        let (Some(engine), Some(link), None) = (self.engine.pid(), &self.link, self.leaving) else {
            return Errno::CANCELED.into();
        };
        // The very file that was tried, whatever is at its path now. The engine is not reaped: the number is its own.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let program = match open(format!("/proc/{engine}/fd/{descriptor}"), flags, Mode::empty()) {
            Ok(program) => program,
            Err(error) => return error.into(),
        };
        let own = [self.only.as_fd(), link.as_fd()];
        let pipes = [&self.feed, &self.notes, &self.life].into_iter().flatten().map(AsFd::as_fd);
        let mut left: Vec<BorrowedFd<'_>> = own.into_iter().chain(pipes).collect();
        left.extend(self.fifos.descriptors());
        let numbers: Vec<RawFd> = left.iter().map(AsRawFd::as_raw_fd).collect();
        let is_hup_owed = self.signals.iter().any(|&signal| i32::from(signal) == SIGHUP);
        let list = match list(self.shutdown, is_hup_owed, &numbers) {
            Ok(list) => list,
            Err(error) => return error,
        };
        left.push(list.as_fd());
        left.extend(self.inherited.iter().map(|(fd, _)| fd.as_fd()));
        left.push(self.state.as_fd());

        let mut image = Image::default();
        image.candidates.push(&[format!("/proc/self/fd/{}", program.as_raw_fd()).as_bytes()]);
        image.arguments.push(&[b"clinit: ", crate::ROLE.as_bytes()]);
        arguments.split(|&byte| byte == 0).for_each(|argument| image.arguments.push(&[argument]));
        self.nursery.environment().iter().for_each(|variable| image.environment.push(&[variable]));
        image.environment.push(&[format!("{VARIABLE}={}", list.as_raw_fd()).as_bytes()]);
        let mark = |flags| left.iter().try_for_each(|fd| fcntl_setfd(fd, flags));
        let error = match mark(FdFlags::empty()) {
            Ok(()) => replace(&mut image),
            Err(error) => error.into(),
        };
        let _as_before = mark(FdFlags::CLOEXEC);
        error
    }

    /// Takes the companions of the program before as its own, and tells the engine that it may leave.
    pub(crate) fn take_over(&mut self, handover: Handover) {
        let header = self.children.header();
        let pids = [header.pid(), header.flags()];
        for (companion, pid) in [&mut self.engine, &mut self.logger].into_iter().zip(pids) {
            if reap::is_child(pid) {
                companion.take_over(pid);
            }
        }
        self.shutdown = handover.shutdown;
        if handover.is_hup_owed
            && let Ok(signal) = u8::try_from(SIGHUP)
        {
            self.signals.push(signal);
        }
        self.farewell.by_nanos = Some(clock::boottime_nanos() + SEE_OFF_NANOS);
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let _else_it_is_killed = send(&handover.link, &Report::Replaced.encode(), flags);
        // They are open anew by now; the link is not needed any more.
        drop((handover.fifos, handover.link));
        // Whoever ended during the exec.
        self.reap_all();
    }

    /// Sees the companions of the program before off, one after the other.
    pub(crate) fn see_off(&mut self) {
        let Some(by_nanos) = self.farewell.by_nanos else { return };
        let old = [&self.engine, &self.logger].into_iter().filter(|companion| companion.is_old());
        let old: Vec<u32> = old.filter_map(Companion::pid).collect();
        if old.is_empty() {
            self.farewell = Farewell::default();
            return;
        }
        if !self.engine.is_old() && !std::mem::replace(&mut self.farewell.logger_told, true) {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            let _else_it_is_killed = send(&self.feed[0], &FEED_LEAVE, flags);
        }
        let now_nanos = clock::boottime_nanos();
        if now_nanos >= by_nanos {
            for pid in old {
                let _gone = signals::send_to_child(pid, SIGKILL);
            }
            self.farewell.by_nanos = Some(now_nanos + SEE_OFF_NANOS);
        }
    }
}

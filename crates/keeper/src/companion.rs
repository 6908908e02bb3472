//! Engine and logger: processes of clinit itself, which the keeper brings back when they die.

use std::os::fd::RawFd;

use clinit_sys::image::Image;
use clinit_sys::slots::Slot;
use clinit_sys::spawn::{Start, spawn};

use crate::descriptors as fixed;

/// One that lived longer than this is brought back at once.
const SHORT_LIFE_NANOS: u64 = 1_000_000_000;

/// One that did not is brought back after this, and twice as long after each further short life.
const PAUSE_NANOS: u64 = 10_000_000;

/// ... but never after more than this.
const PAUSE_NANOS_MAX: u64 = 1_000_000_000;

/// This very program, whatever became of its file.
const SELF: &[u8] = b"/proc/self/exe";

/// One of the two.
#[derive(Debug)]
pub struct Companion {
    role: &'static str,
    arguments: Vec<Vec<u8>>,
    slot: Slot,
    started_nanos: u64,
    due_nanos: Option<u64>,
    /// It is one of the program that this process was before.
    is_old: bool,
    /// How many lives in a row were short.
    short_lives: u32,
}

impl Companion {
    /// One that is to be started at once, in this role and with these arguments.
    #[must_use]
    pub fn new(role: &'static str, arguments: Vec<Vec<u8>>) -> Self {
        Self {
            role,
            arguments,
            slot: Slot::default(),
            started_nanos: 0,
            due_nanos: Some(0),
            is_old: false,
            short_lives: 0,
        }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        Some(self.slot.pid()).filter(|&pid| pid != 0)
    }

    /// When it is to be started, if it does not run.
    pub(crate) fn due_nanos(&self) -> Option<u64> {
        self.due_nanos
    }

    /// Starts it. One that cannot be started is tried again after a pause.
    pub(crate) fn start(
        &mut self,
        environment: &[Vec<u8>],
        descriptors: &[(RawFd, RawFd)],
        now_nanos: u64,
    ) -> bool {
        let mut image = Image::default();
        image.candidates.push(&[SELF]);
        image.arguments.push(&[b"clinit: ", self.role.as_bytes()]);
        self.arguments.iter().for_each(|argument| image.arguments.push(&[argument]));
        environment.iter().for_each(|variable| image.environment.push(&[variable]));
        // A session of its own keeps the terminal's signals away from it: those are the keeper's to hear.
        let start = Start {
            slot: &self.slot,
            descriptors,
            cgroup: None,
            keep_below: fixed::KEEP_COMPANION,
            keep_too: None,
            session: true,
            open_files: None,
        };
        let started = spawn(&mut image, &start).is_ok();
        self.started_nanos = now_nanos;
        self.due_nanos = (!started).then_some(now_nanos + PAUSE_NANOS_MAX);
        if !started {
            self.slot.set_pid(0);
        }
        started
    }

    /// Takes a process for it that the program before started in this process.
    pub(crate) fn take_over(&mut self, pid: u32) {
        self.slot.set_pid(pid);
        (self.due_nanos, self.is_old) = (None, true);
    }

    /// Whether it is one of the program before.
    pub(crate) fn is_old(&self) -> bool {
        self.is_old
    }

    /// What it needs cannot be had now: it is started after a pause.
    pub(crate) fn put_off(&mut self, now_nanos: u64) {
        self.due_nanos = Some(now_nanos + PAUSE_NANOS_MAX);
    }

    /// Whether this process is one in the same role for the same daemon, started by another keeper.
    pub(crate) fn is_same(&self, pid: u32) -> bool {
        let Ok(command) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
        let name = [b"clinit: ", self.role.as_bytes()].concat();
        let words = std::iter::once(&name).chain(&self.arguments);
        command == words.flat_map(|word| word.iter().copied().chain([0])).collect::<Vec<u8>>()
    }

    /// Notes that a child ended; true when it was this one.
    pub(crate) fn ended(&mut self, pid: u32, now_nanos: u64) -> bool {
        if self.pid() != Some(pid) {
            return false;
        }
        self.slot.set_pid(0);
        self.is_old = false;
        let short = now_nanos.saturating_sub(self.started_nanos) < SHORT_LIFE_NANOS;
        self.short_lives = if short { self.short_lives.saturating_add(1) } else { 0 };
        let doubled = PAUSE_NANOS << self.short_lives.saturating_sub(1).min(16);
        self.due_nanos = Some(if short { now_nanos + doubled.min(PAUSE_NANOS_MAX) } else { now_nanos });
        true
    }
}

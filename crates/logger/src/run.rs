//! The logger's loop.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

use clinit_keeper::Reviver;
use clinit_keeper::descriptors as fixed;
use clinit_sys::{inherit, signals};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, mkfifoat, openat};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::feed::{FEED_BYTES_MAX, Feed};
use crate::follow::Lines;
use crate::stamp;

const FEED: u64 = 1;
const NOTES: u64 = 2;
const LIFE: u64 = 3;
/// Marks the events of FIFOs; the slot's number is added.
const FIFO: u64 = 1 << 32;

/// How much is read at once: what a FIFO holds at most.
const READ_BYTES: usize = 64 * 1024;

/// Why the logger could not begin.
#[derive(Debug)]
pub struct LoggerError(io::Error);

impl std::fmt::Display for LoggerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed to take over the descriptors of a logger")
    }
}

impl std::error::Error for LoggerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl<E: Into<io::Error>> From<E> for LoggerError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[derive(Debug)]
struct Logger {
    epoll: OwnedFd,
    reviver: Reviver,
    feed: OwnedFd,
    notes: File,
    life: OwnedFd,
    /// Two loggers never read from the same FIFOs.
    _only: OwnedFd,
    log_file: Option<File>,
    /// Whether the next note begins a line of the log file.
    at_line_start: bool,
    followed: HashMap<u32, (File, Lines)>,
    buffer: Vec<u8>,
    out: Vec<u8>,
}

/// Runs the logger over the inherited descriptors until engine and keeper are gone.
///
/// # Errors
/// It could not begin. Once it runs it does not fail.
pub fn run(arguments: Vec<Vec<u8>>, environment: Vec<Vec<u8>>) -> Result<(), LoggerError> {
    let reviver = Reviver::take(arguments, environment)?;
    // Signals sent to all of clinit at once are the keeper's to answer: lines are carried to the end.
    signals::block_all_and_reset()?;
    let (feed, notes, life) =
        (inherit::take(fixed::FEED)?, inherit::take(fixed::NOTES)?, inherit::take(fixed::LIFE)?);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let only = openat(reviver.state(), "logger.lock", flags, Mode::from_raw_mode(0o600))?;
    flock(&only, FlockOperation::LockExclusive)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (fd, data) in [(&feed, FEED), (&notes, NOTES), (&life, LIFE)] {
        epoll::add(&epoll, fd, EventData::new_u64(data), EventFlags::IN)?;
    }
    let mut logger = Logger {
        epoll,
        reviver,
        feed,
        notes: File::from(notes),
        life,
        _only: only,
        log_file: None,
        at_line_start: true,
        followed: HashMap::new(),
        buffer: vec![0; READ_BYTES],
        out: Vec::new(),
    };
    logger.attend();
    Ok(())
}

impl Logger {
    fn attend(&mut self) {
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            if epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None).is_err() {
                continue;
            }
            let mut ended = false;
            for event in &events {
                match event.data.u64() {
                    FEED => self.take_feed(),
                    NOTES => self.carry_notes(),
                    LIFE => ended = true,
                    fifo => drop(self.carry(u32::try_from(fifo & !FIFO).unwrap_or(u32::MAX))),
                }
            }
            if ended {
                return self.end();
            }
        }
    }

    /// The keeper is gone, or has closed its end to say that it goes.
    fn end(&mut self) {
        let goes = matches!(rustix::io::read(&self.life, &mut [0u8; 1]), Ok(1));
        if !goes {
            // At once, and without printing anything before: a reader who does not read would hold it up.
            // What is in the FIFOs is the next logger's.
            self.reviver.revive();
            return;
        }
        let slots: Vec<u32> = self.followed.keys().copied().collect();
        slots.into_iter().for_each(|slot| self.unfollow(slot));
        self.carry_notes();
    }

    fn take_feed(&mut self) {
        let mut packet = [0; FEED_BYTES_MAX];
        loop {
            match recv(&self.feed, &mut packet[..], RecvFlags::DONTWAIT) {
                Ok((size, _)) if size > 0 => match Feed::decode(&packet[..size]) {
                    Some(Feed::Reset) => {
                        let slots: Vec<u32> = self.followed.keys().copied().collect();
                        slots.into_iter().for_each(|slot| self.unfollow(slot));
                        self.log_file = None;
                    }
                    Some(Feed::Follow { slot, label }) => self.follow(slot, label),
                    Some(Feed::Unfollow { slot }) => self.unfollow(slot),
                    Some(Feed::LogFile { path }) => self.open_log_file(&path),
                    None => {}
                },
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn follow(&mut self, slot: u32, label: Vec<u8>) {
        if let Some((_, lines)) = self.followed.get_mut(&slot) {
            return lines.relabel(label);
        }
        match self.open_fifo(slot) {
            Ok(fifo) => {
                self.followed.insert(slot, (fifo, Lines::new(label)));
            }
            Err(error) => {
                let text = String::from_utf8_lossy(&label).into_owned();
                self.note(format!("clinit: {text}its output is not shown: {error}\n").as_bytes());
            }
        }
    }

    fn open_fifo(&self, slot: u32) -> io::Result<File> {
        let path = format!("out/{slot}");
        match mkfifoat(self.reviver.state(), &path, Mode::from_raw_mode(0o600)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fifo = openat(self.reviver.state(), &path, flags, Mode::empty())?;
        epoll::add(&self.epoll, &fifo, EventData::new_u64(FIFO | u64::from(slot)), EventFlags::IN)?;
        Ok(File::from(fifo))
    }

    /// Carries what one FIFO holds now. False when it holds nothing.
    fn carry(&mut self, slot: u32) -> bool {
        let Some((fifo, lines)) = self.followed.get_mut(&slot) else { return false };
        let Ok(size @ 1..) = fifo.read(&mut self.buffer) else { return false };
        lines.push(&self.buffer[..size], &mut self.out);
        self.print();
        true
    }

    fn unfollow(&mut self, slot: u32) {
        // As much as a FIFO can hold, and not for ever: somebody may go on writing.
        for _ in 0..16 {
            if !self.carry(slot) {
                break;
            }
        }
        if let Some((_, mut lines)) = self.followed.remove(&slot) {
            lines.finish(&mut self.out);
            self.print();
        }
    }

    /// Prints to the daemon's standard output. Where nobody reads, nobody misses it.
    fn print(&mut self) {
        let mut stdout = io::stdout().lock();
        let _gone = stdout.write_all(&self.out).and_then(|()| stdout.flush());
        self.out.clear();
    }

    fn carry_notes(&mut self) {
        while let Ok(size @ 1..) = self.notes.read(&mut self.buffer) {
            let text = self.buffer[..size].to_vec();
            self.note(&text);
        }
    }

    fn note(&mut self, text: &[u8]) {
        let Some(file) = &mut self.log_file else {
            let _gone = io::stderr().write_all(text);
            return;
        };
        let mut stamped = Vec::with_capacity(text.len() + 32);
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            if self.at_line_start {
                stamped.extend(stamp::now().as_bytes());
                stamped.push(b' ');
            }
            stamped.extend(line);
            self.at_line_start = line.ends_with(b"\n");
        }
        if file.write_all(&stamped).is_err() {
            let _gone = io::stderr().write_all(text);
        }
    }

    fn open_log_file(&mut self, path: &[u8]) {
        let path = OsStr::from_bytes(path);
        match File::options().append(true).create(true).mode(0o640).open(path) {
            Ok(file) => {
                self.log_file = Some(file);
                self.at_line_start = true;
            }
            Err(error) => {
                let text = format!("clinit: failed to open the log file {}: {error}\n", path.display());
                self.note(text.as_bytes());
            }
        }
    }
}

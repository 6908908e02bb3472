//! The logger's loop.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::time::Duration;

use clinit_keeper::Reviver;
use clinit_keeper::descriptors as fixed;
use clinit_sys::clock::boottime_nanos;
use clinit_sys::{inherit, signals};
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::process::umask;

use crate::carrier::{Carrier, FIFO};
use crate::feed::{FEED_BYTES_MAX, Feed, Word};
use crate::stamp;

const FEED: u64 = 1;
const NOTES: u64 = 2;
const LIFE: u64 = 3;

/// How much the engine may say at once.
const NOTE_BYTES: usize = 16 * 1024;

/// At the end, how long a disk that is full may remain so before what waits for it is given up.
const FINISH_NANOS: u64 = 5_000_000_000;

/// How long to wait while the state folder has no room.
const STUCK_PAUSE: Duration = Duration::from_millis(50);

/// Files get the permissions that they are made with, whatever the daemon was started with.
const UMASK: u32 = 0o022;

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
    is_feed_full: bool,
    notes: File,
    life: OwnedFd,
    /// Two loggers never read from the same FIFOs.
    _only: OwnedFd,
    log_file: Option<File>,
    /// A logger of another program follows.
    leaving: bool,
    /// Whether the next note begins a line of the log file.
    at_line_start: bool,
    carrier: Carrier,
    /// The order to finish, and until when that may take.
    finishing: Option<(u32, u64)>,
    finished: Option<Word>,
}

/// Runs the logger over the inherited descriptors until engine and keeper are gone.
///
/// # Errors
/// It could not begin. Once it runs it does not fail.
pub fn run(arguments: Vec<Vec<u8>>, environment: Vec<Vec<u8>>) -> Result<(), LoggerError> {
    let reviver = Reviver::take(arguments, environment)?;
    // Signals sent to all of clinit at once are the keeper's to answer: lines are carried to the end.
    signals::block_all_and_reset()?;
    umask(Mode::from_raw_mode(UMASK));
    let (feed, notes, life) =
        (inherit::take(fixed::FEED)?, inherit::take(fixed::NOTES)?, inherit::take(fixed::LIFE)?);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let only = openat(reviver.state(), "logger.lock", flags, Mode::from_raw_mode(0o600))?;
    flock(&only, FlockOperation::LockExclusive)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (fd, data) in [(&feed, FEED), (&notes, NOTES), (&life, LIFE)] {
        epoll::add(&epoll, fd, EventData::new_u64(data), EventFlags::IN)?;
    }
    let carrier = Carrier::begin(reviver.state().try_clone()?, epoll.try_clone()?)?;
    let mut logger = Logger {
        epoll,
        reviver,
        feed,
        is_feed_full: false,
        notes: File::from(notes),
        life,
        _only: only,
        log_file: None,
        leaving: false,
        at_line_start: true,
        carrier,
        finishing: None,
        finished: None,
    };
    logger.attend();
    Ok(())
}

impl Logger {
    fn attend(&mut self) {
        let mut events = Vec::with_capacity(256);
        loop {
            self.finish_turn();
            events.clear();
            let timeout = self.timeout();
            let space = rustix::buffer::spare_capacity(&mut events);
            if epoll::wait(&self.epoll, space, timeout.as_ref()).is_err() {
                continue;
            }
            let mut ended = false;
            for event in &events {
                match event.data.u64() {
                    FEED => self.take_feed(),
                    NOTES => self.carry_notes(),
                    LIFE => ended = true,
                    // All was read, and nobody has it open for writing.
                    fifo if event.flags & (EventFlags::IN | EventFlags::HUP) == EventFlags::HUP => {
                        self.carrier.is_over(fifo & !FIFO);
                    }
                    fifo => drop(self.carrier.carry(fifo & !FIFO)),
                }
            }
            if ended {
                return self.end();
            }
            if self.leaving {
                // What is under way is in the state folder: the next one goes on from there.
                return self.finish_turn();
            }
        }
    }

    /// What a turn left to be said and tried again.
    fn finish_turn(&mut self) {
        if self.carrier.stuck.is_some() {
            // Nothing can be read: without this the loop would spin.
            std::thread::sleep(STUCK_PAUSE);
            self.carrier.unstick();
        }
        self.carrier.retry(false);
        if let Some((number, by_nanos)) = self.finishing
            && (self.carrier.troubled.is_empty() || boottime_nanos() >= by_nanos)
        {
            self.close_all();
            self.finishing = None;
            self.finished = Some(Word::Finished { number });
        }
        for note in std::mem::take(&mut self.carrier.notes) {
            self.note(format!("clinit: {note}\n").as_bytes());
        }
        self.tell();
    }

    fn timeout(&self) -> Option<Timespec> {
        let finish = self.finishing.map(|(_, by_nanos)| by_nanos);
        let next = self.carrier.next_retry().into_iter().chain(finish).min()?;
        Timespec::try_from(Duration::from_nanos(next.saturating_sub(boottime_nanos()))).ok()
    }

    /// Tells the engine what it should know, as far as it listens; the latest is what counts.
    fn tell(&mut self) {
        let mut is_full = false;
        let words: Vec<Word> = self.carrier.words.values().copied().chain(self.finished).collect();
        for word in words {
            match send(&self.feed, &word.encode(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => {
                    is_full = true;
                    break;
                }
                Ok(_) | Err(_) => match word {
                    Word::Fault { stream, .. } => drop(self.carrier.words.remove(&stream)),
                    Word::Finished { .. } => self.finished = None,
                },
            }
        }
        if is_full != self.is_feed_full {
            let flags = if is_full { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            if epoll::modify(&self.epoll, &self.feed, EventData::new_u64(FEED), flags).is_ok() {
                self.is_feed_full = is_full;
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
        self.close_all();
        for note in std::mem::take(&mut self.carrier.notes) {
            self.note(format!("clinit: {note}\n").as_bytes());
        }
        self.carry_notes();
    }

    fn close_all(&mut self) {
        self.carrier.numbers().into_iter().for_each(|stream| self.carrier.close(stream));
        self.carrier.sync.wait();
    }

    fn take_feed(&mut self) {
        let mut packet = [0; FEED_BYTES_MAX];
        loop {
            match recv(&self.feed, &mut packet[..], RecvFlags::DONTWAIT) {
                Ok((size, _)) if size > 0 => match Feed::decode(&packet[..size]) {
                    Some(Feed::Reset) => {
                        // What is followed goes on: it may print while it is not known any more.
                        self.log_file = None;
                        self.finishing = None;
                        self.carrier.numbers().into_iter().for_each(|stream| self.carrier.say(stream));
                    }
                    Some(Feed::Follow { stream, label, sink }) => self.carrier.follow(stream, label, sink),
                    Some(Feed::Ended { stream }) => self.carrier.end(stream),
                    Some(Feed::LogFile { path }) => self.open_log_file(&path),
                    Some(Feed::Leave) => {
                        // What comes behind it is the next one's.
                        self.leaving = true;
                        return;
                    }
                    Some(Feed::Finish { number }) => {
                        self.carrier.numbers().into_iter().for_each(|stream| self.carrier.drain(stream));
                        self.carrier.retry(true);
                        self.finishing = Some((number, boottime_nanos() + FINISH_NANOS));
                    }
                    None => {}
                },
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn carry_notes(&mut self) {
        let mut buffer = [0; NOTE_BYTES];
        while let Ok(size @ 1..) = self.notes.read(&mut buffer) {
            self.note(&buffer[..size]);
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
                stamped.extend(stamp::for_log_file().as_bytes());
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
        match open_own(path) {
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

/// Opens the daemon's own log. Where others may make files they lead it nowhere else: not by a link, nor another name,
/// nor a FIFO, on which opening would wait.
fn open_own(path: &OsStr) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = File::options();
    options.append(true).create(true).mode(0o640).custom_flags(flags.bits().cast_signed());
    let file = options.open(path).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => io::Error::other("it is a link: name the file itself"),
        Some(Errno::NXIO) => io::Error::other("it is no file"),
        _ => error,
    })?;
    let metadata = file.metadata()?;
    match metadata.file_type() {
        kind if kind.is_file() && metadata.nlink() > 1 => Err(io::Error::other("the file has other names")),
        kind if kind.is_file() || kind.is_char_device() => Ok(file),
        _ => Err(io::Error::other("it is no file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn the_daemons_own_log_is_led_nowhere_else() {
        let scratch = Scratch::new();
        let (victim, log) = (scratch.path("victim"), scratch.path("log"));
        open_own(log.as_os_str()).unwrap().write_all(b"one\n").unwrap();
        open_own(log.as_os_str()).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read(&log).unwrap(), b"one\ntwo\n");
        std::fs::write(&victim, "as it was").unwrap();
        let refuses = |word: &str| {
            let error = open_own(log.as_os_str()).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
            std::fs::remove_file(&log).unwrap();
        };
        std::fs::remove_file(&log).unwrap();
        std::os::unix::fs::symlink(&victim, &log).unwrap();
        refuses("a link");
        std::os::unix::fs::symlink(scratch.path("absent"), &log).unwrap();
        refuses("a link");
        std::fs::hard_link(&victim, &log).unwrap();
        refuses("other names");
        rustix::fs::mkfifoat(rustix::fs::CWD, &log, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        refuses("no file");
        assert_eq!(std::fs::read(&victim).unwrap(), b"as it was");
        open_own(OsStr::new("/dev/null")).unwrap();
    }
}

//! What cannot be written: held, tried again, and after a while, where the table says so, dropped and counted.

use std::io;
use std::os::fd::AsFd;

use clinit_sys::clock::boottime_nanos;

use crate::carrier::{Carrier, Outlet, Stream};
use crate::feed::{Sink, Word};
use crate::folder::Fault;
use crate::held::{Dropped, Held};
use crate::place::{Note, Source};
use crate::step::step;

/// How soon it is tried again, and how seldom at last.
const RETRY_NANOS: u64 = 20_000_000;
const RETRY_NANOS_MAX: u64 = 1_000_000_000;

/// How long lines wait for the system's log.
const SYSLOG_HOLD_MS: u64 = 5_000;

/// How much is dropped at once.
const DROP_BYTES: usize = 64 * 1024;

/// A stream whose lines cannot be written.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// What has left the FIFO; `None` while the state folder has no room for it.
    pub(crate) held: Option<Held>,
    pub(crate) why: String,
    pub(crate) errno: i32,
    since_nanos: u64,
    retry_nanos: u64,
    pause_nanos: u64,
    pub(crate) is_dropping: bool,
    is_said: bool,
}

impl Trouble {
    fn new(errno: i32, now_nanos: u64) -> Self {
        Self {
            held: None,
            why: String::new(),
            errno,
            since_nanos: now_nanos,
            retry_nanos: now_nanos + RETRY_NANOS,
            pause_nanos: RETRY_NANOS,
            is_dropping: false,
            is_said: false,
        }
    }

    /// That of a logger before this one: to be tried at once.
    pub(crate) fn again(held: Held) -> Self {
        let why = "clinit's logger was started anew".to_owned();
        Self { held: Some(held), why, retry_nanos: 0, ..Self::new(0, boottime_nanos()) }
    }
}

/// Bytes that have left a FIFO and are to be held, but the state folder has no room: nothing else is read until it
/// has.
#[derive(Debug)]
pub(crate) struct Stuck {
    pub(crate) note: Note,
    pub(crate) bytes: Vec<u8>,
    pub(crate) dropped: Dropped,
}

impl Carrier {
    /// Holds bytes of a stream, which begin where the note says.
    pub(crate) fn hold(&mut self, note: Note, bytes: &[u8], dropped: Dropped, fault: &Fault) {
        let number = note.stream;
        let Some(stream) = self.streams.get_mut(&number) else { return };
        // Opened anew before it is tried again: another disk may be mounted there then.
        if let Outlet::File(folder) = &mut stream.outlet {
            *folder = None;
        }
        let errno = fault.error.raw_os_error().unwrap_or(rustix::io::Errno::IO.raw_os_error());
        let now_nanos = boottime_nanos();
        let trouble = stream.trouble.get_or_insert_with(|| Box::new(Trouble::new(errno, now_nanos)));
        trouble.held = None;
        self.troubled.insert(number);
        // The beginning of a line, if there is one: it was held before.
        let bytes = [&std::mem::take(&mut stream.partial), bytes].concat();
        self.stuck = Some(Stuck { note, bytes, dropped });
        self.unstick();
        self.complain(number, fault, errno);
        self.watch(number);
    }

    /// Writes down what is to be held, if there is room for it by now.
    pub(crate) fn unstick(&mut self) {
        let Some(stuck) = &self.stuck else { return };
        let Stuck { note, bytes, dropped } = stuck;
        let note = Note { from: 0, to: note.to.saturating_sub(note.from), source: Source::Held, ..*note };
        let Ok(held) = Held::write(self.folder.as_fd(), note, bytes, *dropped) else { return };
        self.stuck = None;
        self.place.clear();
        step();
        if let Some(stream) = self.streams.get_mut(&note.stream) {
            match &mut stream.trouble {
                Some(trouble) => trouble.held = Some(held),
                None => stream.trouble = Some(Box::new(Trouble::again(held))),
            }
            self.troubled.insert(note.stream);
        }
        if self.staged.set_len(0).is_ok() {
            self.staged_size = 0;
        }
        step();
    }

    /// Says once of each trouble what it is; the engine hears of each change.
    fn complain(&mut self, number: u64, fault: &Fault, errno: i32) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let hold = hold_ms(&stream.sink);
        let Some(trouble) = &mut stream.trouble else { return };
        let why = fault.to_string();
        let is_news = (errno, &why) != (trouble.errno, &trouble.why) || !trouble.is_said;
        // A full queue of the system's log is nothing to speak of.
        let is_worth_words = fault.error.kind() != io::ErrorKind::WouldBlock;
        (trouble.errno, trouble.why) = (errno, why);
        if is_news && is_worth_words {
            trouble.is_said = true;
            let then = match hold {
                None => "it waits until they can be".to_owned(),
                Some(_) if trouble.is_dropping => "they are dropped meanwhile".to_owned(),
                Some(ms) => format!("in {} s they are dropped", ms.div_ceil(1000)),
            };
            let text =
                format!("{}: its lines cannot be written: {}; {then}", stream.name(), stream_why(stream));
            self.notes.push(text);
            self.say(number);
        }
    }

    /// Tells the engine how it is with a stream's lines.
    pub(crate) fn say(&mut self, number: u64) {
        let Some(stream) = self.streams.get(&number) else { return };
        let trouble = stream.trouble.as_ref().filter(|trouble| trouble.is_said);
        let word = Word::Fault {
            stream: number,
            errno: trouble.map_or(0, |trouble| trouble.errno),
            is_dropping: trouble.is_some_and(|trouble| trouble.is_dropping),
            dropped_lines: stream.dropped_lines,
        };
        self.words.insert(number, word);
    }

    /// When something is to be tried again, in nanoseconds since boot.
    pub(crate) fn next_retry(&self) -> Option<u64> {
        let troubles = self.troubled.iter().filter_map(|number| self.streams.get(number)?.trouble.as_ref());
        troubles.map(|trouble| trouble.retry_nanos).min()
    }

    /// Tries again what is due, or with `all` everything.
    pub(crate) fn retry(&mut self, all: bool) {
        let now_nanos = boottime_nanos();
        for number in self.troubled.clone() {
            if self.stuck.is_some() {
                return;
            }
            let trouble = self.streams.get(&number).and_then(|stream| stream.trouble.as_ref());
            if trouble.is_some_and(|trouble| all || trouble.retry_nanos <= now_nanos) {
                self.retry_one(number, now_nanos);
                self.watch(number);
            }
        }
    }

    fn retry_one(&mut self, number: u64, now_nanos: u64) {
        if self.try_held(number) {
            self.troubled.remove(&number);
            let Some(stream) = self.streams.get_mut(&number) else { return };
            stream.is_at_end = false;
            let was_said = stream.trouble.take().is_some_and(|trouble| trouble.is_said);
            if was_said {
                self.say(number);
            }
            return;
        }
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let hold = hold_ms(&stream.sink);
        let Some(trouble) = &mut stream.trouble else { return };
        trouble.pause_nanos = (trouble.pause_nanos * 2).min(RETRY_NANOS_MAX);
        trouble.retry_nanos = now_nanos + trouble.pause_nanos;
        let held_ms = now_nanos.saturating_sub(trouble.since_nanos) / 1_000_000;
        let is_over = hold.is_some_and(|hold| held_ms >= hold);
        // What is dropped is counted in the file of what is held.
        if is_over && !trouble.is_dropping && trouble.held.is_some() {
            trouble.is_dropping = true;
            trouble.is_said = true;
            let text = format!("{}: its lines are dropped: {}", stream.name(), stream_why(stream));
            self.notes.push(text);
        }
        self.say(number);
    }

    /// Writes what is held of a stream, and then how much was dropped. True when nothing is held any more.
    fn try_held(&mut self, number: u64) -> bool {
        if let Err(fault) = self.make_ready(number) {
            let errno = fault.error.raw_os_error().unwrap_or(rustix::io::Errno::IO.raw_os_error());
            self.complain(number, &fault, errno);
            return false;
        }
        loop {
            let held = self.streams.get(&number).and_then(|stream| stream.trouble.as_ref()?.held.as_ref());
            let Some((bytes, old, dropped)) =
                held.and_then(|held| Some((held.bytes().ok()?, held.note, held.dropped)))
            else {
                return false;
            };
            self.serial += 1;
            let note = Note { serial: self.serial, ..old };
            self.place.set(note);
            step();
            if !self.deliver(note, &bytes, dropped) {
                return false;
            }
            let Some(stream) = self.streams.get_mut(&number) else { return true };
            if dropped == Dropped::default() {
                if stream.partial.is_empty() {
                    Held::remove(self.folder.as_fd(), number);
                    self.place.clear();
                    step();
                }
                return true;
            }
            let is_mid = match &stream.outlet {
                Outlet::File(folder) => folder.as_ref().is_some_and(|folder| folder.is_mid),
                Outlet::Terminal | Outlet::Syslog(_) => !stream.partial.is_empty(),
            };
            let text = self.about(number, dropped, is_mid);
            let Some(stream) = self.streams.get_mut(&number) else { return true };
            stream.is_skipping = dropped.is_mid;
            let text = [std::mem::take(&mut stream.partial), text].concat();
            let note = Note::unwritten(self.serial, number, Source::Held, 0);
            let note = Note { time: crate::stamp::now(), ..note };
            // From here on what was dropped is a line of text.
            let Ok(held) = Held::write(self.folder.as_fd(), note, &text, Dropped::default()) else {
                return false;
            };
            if let Some(trouble) = &mut stream.trouble {
                trouble.held = Some(held);
            }
        }
    }

    /// The line that stands in place of what was dropped.
    fn about(&self, number: u64, dropped: Dropped, is_mid: bool) -> Vec<u8> {
        let why = self.streams.get(&number).map_or(String::new(), |stream| stream_why(stream).to_owned());
        let Dropped { lines, bytes, .. } = dropped;
        let begin = if is_mid { "\n" } else { "" };
        format!("{begin}clinit: {lines} lines ({bytes} bytes) were dropped here: {why}\n").into_bytes()
    }

    /// Reads some of a FIFO and counts it. False when there is nothing to read.
    pub(crate) fn drop_some(&mut self, number: u64) -> bool {
        let Some(stream) = self.streams.get_mut(&number) else { return false };
        let Some(held) = stream.trouble.as_mut().and_then(|trouble| trouble.held.as_mut()) else {
            return false;
        };
        self.source.resize(DROP_BYTES, 0);
        match rustix::io::read(&stream.fifo, &mut self.source[..]) {
            Ok(size @ 1..) => {
                let before = held.dropped.lines;
                held.drop_bytes(&self.source[..size]);
                stream.dropped_lines += held.dropped.lines - before;
                true
            }
            Ok(_) | Err(_) => false,
        }
    }
}

fn stream_why(stream: &Stream) -> &str {
    stream.trouble.as_ref().map_or("", |trouble| &trouble.why)
}

fn hold_ms(sink: &Sink) -> Option<u64> {
    match sink {
        Sink::File(files) => files.hold_ms,
        Sink::Syslog { .. } => Some(SYSLOG_HOLD_MS),
        Sink::Terminal => None,
    }
}

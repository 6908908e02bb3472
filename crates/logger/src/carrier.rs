//! Streams and where their lines go.
//!
//! ```text
//!                      ┌─ no room: held ──┐ again and again, then dropped and counted
//!   FIFO ──> staged ───┤                  v
//!                      └──────────> file, terminal, system's log
//! ```
//!
//! | file | room for |
//! |---|---|
//! | here | streams that are followed, and taking over from the logger before |
//! | `carry` | from FIFOs on |
//! | `trouble` | what cannot be written |
//!
//! All that has to outlive the logger is in the folder `log` in the daemon's state: `place` and `staged` (see
//! [`place`](crate::place)), `sink.STREAM` for each stream that has printed something, `held.STREAM` for what could not
//! be written.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use clinit_keeper::fifo;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fs::{Mode, OFlags, openat};

use crate::feed::{FileSink, Sink, Word};
use crate::folder::Folder;
use crate::held::{Dropped, Held};
use crate::lines::{DEV_LOG, Syslog};
use crate::place::{Note, Place, Source};
use crate::sinks;
use crate::stamp::now;
use crate::step::step;
use crate::sync::Sync;
use crate::trouble::{Stuck, Trouble};

/// Marks the events of FIFOs; the number of the stream is added.
pub(crate) const FIFO: u64 = 1 << 63;

/// How often a FIFO that is to be closed is read: more than it can hold, and not for ever, since somebody may go
/// on writing.
const LAST_READS: u32 = 16;

/// How the program at the other end is reached.
#[derive(Debug)]
pub(crate) enum Outlet {
    Terminal,
    /// Open while something is written and nothing is wrong.
    File(Option<Folder>),
    Syslog(Syslog),
}

/// A stream that is followed.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) fifo: File,
    pub(crate) is_watched: bool,
    /// All was read and nobody can print any more; what is held is still to be written.
    pub(crate) is_at_end: bool,
    pub(crate) label: Vec<u8>,
    pub(crate) sink: Sink,
    pub(crate) outlet: Outlet,
    /// What is known of the stream is in the state folder.
    pub(crate) is_kept: bool,
    /// Its folder's `current` was written by this logger, or the one before.
    pub(crate) is_ours: bool,
    /// Of a terminal or the system's log: a line whose end is still to come. It is held, too.
    pub(crate) partial: Vec<u8>,
    pub(crate) trouble: Option<Box<Trouble>>,
    /// The rest of a line of which the beginning was dropped is dropped, too.
    pub(crate) is_skipping: bool,
    pub(crate) dropped_lines: u64,
}

impl Stream {
    /// The entry's name, as far as the label tells it.
    pub(crate) fn name(&self) -> String {
        let name = match &self.sink {
            Sink::File(files) => &files.name,
            Sink::Syslog { tag } => tag,
            Sink::Terminal => &self.label,
        };
        String::from_utf8_lossy(name).into_owned()
    }

    /// Whether some of a piece that is held may be written already.
    pub(crate) fn has_begun_piece(&self) -> bool {
        let held = self.trouble.as_ref().and_then(|trouble| trouble.held.as_ref());
        held.is_some_and(|held| held.note.to > held.note.from)
    }

    /// Whether its FIFO is to be read.
    pub(crate) fn wants_more(&self) -> bool {
        !self.is_at_end && self.trouble.as_ref().is_none_or(|trouble| trouble.is_dropping)
    }
}

/// Everything that is carried.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) state: OwnedFd,
    epoll: OwnedFd,
    pub(crate) folder: OwnedFd,
    pub(crate) place: Place,
    pub(crate) staged: File,
    pub(crate) staged_size: u32,
    pub(crate) serial: u64,
    /// Boxed: half of a map's places are empty.
    pub(crate) streams: HashMap<u64, Box<Stream>>,
    pub(crate) troubled: BTreeSet<u64>,
    /// Those whose entries are gone: they are read until nobody can print any more.
    pub(crate) ended: BTreeSet<u64>,
    pub(crate) stuck: Option<Stuck>,
    pub(crate) sync: Sync,
    pub(crate) dev_log: PathBuf,
    pub(crate) source: Vec<u8>,
    pub(crate) out: Vec<u8>,
    /// What people should know.
    pub(crate) notes: Vec<String>,
    /// What the engine should; the latest of each stream.
    pub(crate) words: BTreeMap<u64, Word>,
}

impl Carrier {
    /// Goes on where the logger before this one was.
    pub(crate) fn begin(state: OwnedFd, epoll: OwnedFd) -> io::Result<Self> {
        let folder = sinks::open_folder(state.as_fd())?;
        let place = Place::open(folder.as_fd())?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let staged = File::from(openat(&folder, "staged", flags, Mode::from_raw_mode(0o600))?);
        let mut carrier = Self {
            state,
            epoll,
            folder,
            serial: place.serial(),
            place,
            staged,
            staged_size: 0,
            streams: HashMap::new(),
            troubled: BTreeSet::new(),
            ended: BTreeSet::new(),
            stuck: None,
            sync: Sync::default(),
            dev_log: DEV_LOG.into(),
            source: Vec::new(),
            out: Vec::new(),
            notes: Vec::new(),
            words: BTreeMap::new(),
        };
        carrier.take_over()?;
        let mut folders = HashMap::new();
        for (number, label, sink) in sinks::kept(carrier.folder.as_fd()) {
            // Of two entries that have one name the older one is gone.
            if let Sink::File(FileSink { base, name, .. }) = &sink
                && let Some(older) = folders.insert((base.clone(), name.clone()), number)
            {
                carrier.end(older);
            }
            carrier.follow(number, label, sink);
            if let Some(stream) = carrier.streams.get_mut(&number) {
                stream.is_kept = true;
                stream.is_ours = true;
            }
        }
        Ok(carrier)
    }

    /// Puts what was on its way to what is held: from there it goes on as if there had been no room for it.
    fn take_over(&mut self) -> io::Result<()> {
        let size = self.staged.metadata()?.len();
        self.staged_size = u32::try_from(size).map_err(|_| io::Error::other("staged is too long"))?;
        self.stuck = match self.place.note() {
            None => None,
            Some(note) => {
                let held = Held::read(self.folder.as_fd(), note.stream);
                let is_held = held.as_ref().is_some_and(|(held, _)| held.note.serial == note.serial);
                // What had left the FIFO just then has no time yet.
                let time = if note.time.is_zero() { now() } else { note.time };
                let note = Note { time, ..note };
                match note.source {
                    _ if is_held => None,
                    Source::Staged => self.staged_since(note, held)?,
                    Source::Held => held.map(|(held, bytes)| {
                        let rest = bytes.get(note.from as usize..).unwrap_or_default().to_vec();
                        Stuck { note, bytes: rest, dropped: held.dropped }
                    }),
                }
            }
        };
        self.unstick();
        Ok(())
    }

    /// What left a FIFO and is not known to be written.
    fn staged_since(&self, note: Note, held: Option<(Held, Vec<u8>)>) -> io::Result<Option<Stuck>> {
        let from = note.from.min(self.staged_size);
        let mut bytes = vec![0; (self.staged_size - from) as usize];
        self.staged.read_exact_at(&mut bytes, from.into())?;
        if bytes.is_empty() {
            return Ok(None);
        }
        Ok(Some(match held {
            None => Stuck { note, bytes, dropped: Dropped::default() },
            // The beginning of a line, of which these are the rest.
            Some((held, before)) => Stuck {
                note: Note {
                    time: note.time,
                    ..Note::unwritten(note.serial, note.stream, Source::Staged, from)
                },
                bytes: [before, bytes].concat(),
                dropped: held.dropped,
            },
        }))
    }

    /// Notes in the state folder where a stream goes: before the first line leaves the FIFO.
    pub(crate) fn keep(&mut self, number: u64) -> io::Result<()> {
        let Some(stream) = self.streams.get_mut(&number).filter(|stream| !stream.is_kept) else {
            return Ok(());
        };
        sinks::keep(self.folder.as_fd(), number, &stream.label, &stream.sink)?;
        stream.is_kept = true;
        Ok(())
    }

    /// Follows a stream, or follows it differently.
    pub(crate) fn follow(&mut self, number: u64, label: Vec<u8>, sink: Sink) {
        if let Some(stream) = self.streams.get_mut(&number) {
            if self.ended.remove(&number) {
                // An engine that could not write down that its entry is gone was followed by one that has it.
                stream.is_at_end = false;
                self.reopen(number);
            }
            return self.redirect(number, sink);
        }
        let fifo = match fifo::open(self.state.as_fd(), number, OFlags::NONBLOCK) {
            Ok(fifo) => File::from(fifo),
            Err(error) => {
                let name = String::from_utf8_lossy(&label).into_owned();
                return self.notes.push(format!("{name}: its output is not carried: {error}"));
            }
        };
        let outlet = outlet(&sink);
        let mut stream = Stream {
            fifo,
            is_watched: false,
            is_at_end: false,
            label,
            sink,
            outlet,
            is_kept: false,
            is_ours: false,
            partial: Vec::new(),
            trouble: None,
            is_skipping: false,
            dropped_lines: 0,
        };
        if let Some((held, bytes)) = Held::read(self.folder.as_fd(), number) {
            self.serial = self.serial.max(held.note.serial);
            let is_line = !matches!(stream.outlet, Outlet::File(_));
            if is_line && held.dropped == Dropped::default() && !bytes.contains(&b'\n') {
                stream.partial = bytes;
            } else {
                stream.trouble = Some(Box::new(Trouble::again(held)));
                self.troubled.insert(number);
            }
        }
        self.streams.insert(number, Box::new(stream));
        self.watch(number);
    }

    /// The entry of a stream is gone. Processes that left it may print on.
    pub(crate) fn end(&mut self, number: u64) {
        if !self.streams.contains_key(&number)
            && let Some((label, sink)) = sinks::read(self.folder.as_fd(), number)
        {
            // Only the logger before this one heard of it.
            self.follow(number, label, sink);
        }
        if !self.streams.contains_key(&number) {
            fifo::remove(self.state.as_fd(), number);
        } else if self.ended.insert(number) {
            self.reopen(number);
        }
    }

    /// Opens the FIFO of a stream again: of one that has ended for reading alone, so that it is seen when nobody writes
    /// any more. Linux shows that to readers alone who came while somebody could: at that time it is ourselves.
    fn reopen(&mut self, number: u64) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let state = self.state.as_fd();
        let opened = if self.ended.contains(&number) {
            fifo::open_end(state, number)
        } else {
            fifo::open(state, number, OFlags::NONBLOCK)
        };
        // Otherwise it is read as it was, and closed when the daemon ends.
        let Ok(fifo) = opened else { return };
        if std::mem::take(&mut stream.is_watched) {
            let _closed_anyway = epoll::delete(&self.epoll, &stream.fifo);
        }
        stream.fifo = fifo.into();
        self.watch(number);
    }

    /// Nobody can print into a FIFO any more, and all was read. What is held is written first.
    pub(crate) fn is_over(&mut self, number: u64) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        if stream.trouble.is_some() {
            stream.is_at_end = true;
            self.watch(number);
        } else if self.stuck.is_none() {
            self.close(number);
        }
    }

    /// Lets a stream's lines go elsewhere from now on.
    fn redirect(&mut self, number: u64, sink: Sink) {
        let Some(stream) = self.streams.get_mut(&number).filter(|stream| stream.sink != sink) else { return };
        let is_same = match (&stream.sink, &sink) {
            (Sink::File(old), Sink::File(new)) => (&old.base, &old.name) == (&new.base, &new.name),
            (Sink::File(_) | Sink::Terminal | Sink::Syslog { .. }, _) => false,
        };
        let was_kept = std::mem::take(&mut stream.is_kept);
        stream.sink = sink;
        if !is_same {
            stream.is_ours = false;
            let outlet = outlet(&stream.sink);
            let old = std::mem::replace(&mut stream.outlet, outlet);
            if let Outlet::File(Some(folder)) = old {
                folder.close();
            }
            // A line that had begun goes on there.
        }
        if was_kept {
            let _kept_with_the_next_line = self.keep(number);
        }
    }

    /// Carries what is left of a stream, and closes it.
    pub(crate) fn close(&mut self, number: u64) {
        self.drain(number);
        let Some(mut stream) = self.streams.remove(&number) else { return };
        self.troubled.remove(&number);
        self.ended.remove(&number);
        self.words.remove(&number);
        if stream.is_watched {
            let _closed_anyway = epoll::delete(&self.epoll, &stream.fifo);
        }
        if let Some(trouble) = stream.trouble.take() {
            let bytes =
                trouble.held.as_ref().and_then(|held| held.bytes().ok()).map_or(0, |bytes| bytes.len());
            let text = format!("{}: {bytes} bytes of its output are lost: {}", stream.name(), trouble.why);
            self.notes.push(text);
        }
        self.end_line(&mut stream);
        if let Outlet::File(Some(folder)) = std::mem::replace(&mut stream.outlet, Outlet::Terminal) {
            folder.close();
        }
        Held::remove(self.folder.as_fd(), number);
        sinks::remove(self.folder.as_fd(), number);
        step();
        fifo::remove(self.state.as_fd(), number);
    }

    /// Carries what is in a stream's FIFO.
    pub(crate) fn drain(&mut self, number: u64) {
        for _ in 0..LAST_READS {
            if !self.carry(number) {
                break;
            }
        }
    }

    /// The other streams that go into the same folder. One of two that do has ended: no two entries have one name.
    pub(crate) fn sharing(&self, number: u64) -> Vec<u64> {
        let folder_of = |number: &u64| match &self.streams.get(number)?.sink {
            Sink::File(FileSink { base, name, .. }) => Some((base, name)),
            Sink::Terminal | Sink::Syslog { .. } => None,
        };
        let folder = folder_of(&number);
        let is_same = |other: &u64| *other != number && folder.is_some() && folder_of(other) == folder;
        if self.ended.contains(&number) {
            self.streams.keys().copied().filter(is_same).collect()
        } else {
            self.ended.iter().copied().filter(is_same).collect()
        }
    }

    /// All streams.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.streams.keys().copied().collect()
    }

    /// Watches a stream's FIFO, or no longer.
    pub(crate) fn watch(&mut self, number: u64) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let wants = stream.wants_more();
        if wants == stream.is_watched {
            return;
        }
        let done = if wants {
            let data = EventData::new_u64(FIFO | number);
            epoll::add(&self.epoll, &stream.fifo, data, EventFlags::IN)
        } else {
            epoll::delete(&self.epoll, &stream.fifo)
        };
        if done.is_ok() {
            stream.is_watched = wants;
        }
    }
}

fn outlet(sink: &Sink) -> Outlet {
    match sink {
        Sink::Terminal => Outlet::Terminal,
        Sink::File(_) => Outlet::File(None),
        Sink::Syslog { .. } => Outlet::Syslog(Syslog::default()),
    }
}

//! Slots and where their lines go.
//!
//! ```text
//!                      ┌─ no room: held ──┐ again and again, then dropped and counted
//!   FIFO ──> staged ───┤                  v
//!                      └──────────> file, terminal, system's log
//! ```
//!
//! | file | room for |
//! |---|---|
//! | here | slots that are followed, what is kept of them, and taking over from the logger before |
//! | `carry` | from FIFOs on |
//! | `trouble` | what cannot be written |
//!
//! All that has to outlive the logger is in the folder `log` in the daemon's state: `place` and `staged` (see
//! [`place`](crate::place)), `sink.SLOT` for each slot that has printed something, `held.SLOT` for what could not
//! be written.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use clinit_keeper::fifo;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::feed::{Feed, Sink, Word};
use crate::folder::Folder;
use crate::held::{Dropped, Held};
use crate::lines::{DEV_LOG, Syslog};
use crate::place::{Note, Place, Source};
use crate::stamp::now;
use crate::step::step;
use crate::sync::Sync;
use crate::trouble::{Stuck, Trouble};

/// Marks the events of FIFOs; the slot's number is added.
pub(crate) const FIFO: u64 = 1 << 32;

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

/// A slot that is followed.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) fifo: File,
    pub(crate) is_watched: bool,
    pub(crate) label: Vec<u8>,
    pub(crate) sink: Sink,
    pub(crate) outlet: Outlet,
    /// What is known of the slot is in the state folder.
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

impl Slot {
    /// The entry's name, as far as the label tells it.
    pub(crate) fn name(&self) -> String {
        let name = match &self.sink {
            Sink::File(files) => &files.name,
            Sink::Syslog { tag } => tag,
            Sink::Terminal => &self.label,
        };
        String::from_utf8_lossy(name).into_owned()
    }

    /// Whether its FIFO is to be read.
    pub(crate) fn wants_more(&self) -> bool {
        self.trouble.as_ref().is_none_or(|trouble| trouble.is_dropping)
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
    pub(crate) slots: HashMap<u32, Box<Slot>>,
    pub(crate) troubled: BTreeSet<u32>,
    pub(crate) stuck: Option<Stuck>,
    pub(crate) sync: Sync,
    pub(crate) dev_log: PathBuf,
    pub(crate) source: Vec<u8>,
    pub(crate) out: Vec<u8>,
    /// What people should know.
    pub(crate) notes: Vec<String>,
    /// What the engine should; the latest of each slot.
    pub(crate) words: BTreeMap<u32, Word>,
}

impl Carrier {
    /// Goes on where the logger before this one was.
    pub(crate) fn begin(state: OwnedFd, epoll: OwnedFd) -> io::Result<Self> {
        match mkdirat(&state, "log", Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let folder = openat(&state, "log", flags, Mode::empty())?;
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
            slots: HashMap::new(),
            troubled: BTreeSet::new(),
            stuck: None,
            sync: Sync::default(),
            dev_log: DEV_LOG.into(),
            source: Vec::new(),
            out: Vec::new(),
            notes: Vec::new(),
            words: BTreeMap::new(),
        };
        carrier.take_over()?;
        for (slot, label, sink) in carrier.kept() {
            carrier.follow(slot, label, sink);
            if let Some(slot) = carrier.slots.get_mut(&slot) {
                slot.is_kept = true;
                slot.is_ours = true;
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
                let held = Held::read(self.folder.as_fd(), note.slot);
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
                    ..Note::unwritten(note.serial, note.slot, Source::Staged, from)
                },
                bytes: [before, bytes].concat(),
                dropped: held.dropped,
            },
        }))
    }

    /// The slots of which something is kept.
    fn kept(&self) -> Vec<(u32, Vec<u8>, Sink)> {
        let Ok(entries) = Dir::read_from(&self.folder) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
        // One that is just being made is not kept yet.
        let is_kept =
            |name: &String| name.strip_prefix("sink.").is_some_and(|slot| slot.parse::<u32>().is_ok());
        let packets = names.filter(is_kept).filter_map(|name| {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let mut packet = Vec::new();
            let file = openat(&self.folder, name, flags, Mode::empty()).ok()?;
            File::from(file).read_to_end(&mut packet).ok()?;
            Feed::decode(&packet)
        });
        let follows = packets.filter_map(|feed| match feed {
            Feed::Follow { slot, label, sink } => Some((slot, label, sink)),
            Feed::Reset | Feed::Unfollow { .. } | Feed::LogFile { .. } => None,
            Feed::Finish { .. } | Feed::Leave => None,
        });
        follows.collect()
    }

    /// Notes in the state folder where a slot's lines go: before the first of them leaves the FIFO.
    pub(crate) fn keep(&mut self, index: u32) -> io::Result<()> {
        let Some(slot) = self.slots.get_mut(&index).filter(|slot| !slot.is_kept) else { return Ok(()) };
        let feed = Feed::Follow { slot: index, label: slot.label.clone(), sink: slot.sink.clone() };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = openat(&self.folder, "sink.new", flags, Mode::from_raw_mode(0o600))?;
        File::from(file).write_all(&feed.encode())?;
        step();
        renameat(&self.folder, "sink.new", &self.folder, format!("sink.{index}"))?;
        step();
        slot.is_kept = true;
        Ok(())
    }

    /// Follows a slot, or follows it differently.
    pub(crate) fn follow(&mut self, index: u32, label: Vec<u8>, sink: Sink) {
        if self.slots.get(&index).is_some_and(|slot| slot.label != label) {
            // Another entry's from now on.
            self.unfollow(index);
        }
        if self.slots.contains_key(&index) {
            return self.redirect(index, sink);
        }
        let fifo = match fifo::open(self.state.as_fd(), index, OFlags::NONBLOCK) {
            Ok(fifo) => File::from(fifo),
            Err(error) => {
                let name = String::from_utf8_lossy(&label).into_owned();
                return self.notes.push(format!("{name}: its output is not carried: {error}"));
            }
        };
        let outlet = outlet(&sink);
        let mut slot = Slot {
            fifo,
            is_watched: false,
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
        if let Some((held, bytes)) = Held::read(self.folder.as_fd(), index) {
            self.serial = self.serial.max(held.note.serial);
            let is_line = !matches!(slot.outlet, Outlet::File(_));
            if is_line && held.dropped == Dropped::default() && !bytes.contains(&b'\n') {
                slot.partial = bytes;
            } else {
                slot.trouble = Some(Box::new(Trouble::again(held)));
                self.troubled.insert(index);
            }
        }
        self.slots.insert(index, Box::new(slot));
        self.watch(index);
    }

    /// Lets a slot's lines go elsewhere from now on.
    fn redirect(&mut self, index: u32, sink: Sink) {
        let Some(slot) = self.slots.get_mut(&index).filter(|slot| slot.sink != sink) else { return };
        let is_same = match (&slot.sink, &sink) {
            (Sink::File(old), Sink::File(new)) => (&old.base, &old.name) == (&new.base, &new.name),
            (Sink::File(_) | Sink::Terminal | Sink::Syslog { .. }, _) => false,
        };
        let was_kept = std::mem::take(&mut slot.is_kept);
        slot.sink = sink;
        if !is_same {
            slot.is_ours = false;
            let outlet = outlet(&slot.sink);
            let old = std::mem::replace(&mut slot.outlet, outlet);
            if let Outlet::File(Some(folder)) = old {
                folder.close();
            }
            // A line that had begun goes on there.
        }
        if was_kept {
            let _kept_with_the_next_line = self.keep(index);
        }
    }

    /// Carries what is left of a slot, and closes it.
    pub(crate) fn unfollow(&mut self, index: u32) {
        self.drain(index);
        let Some(mut slot) = self.slots.remove(&index) else { return };
        self.troubled.remove(&index);
        self.words.remove(&index);
        if slot.is_watched {
            let _closed_anyway = epoll::delete(&self.epoll, &slot.fifo);
        }
        if let Some(trouble) = slot.trouble.take() {
            let bytes =
                trouble.held.as_ref().and_then(|held| held.bytes().ok()).map_or(0, |bytes| bytes.len());
            let text = format!("{}: {bytes} bytes of its output are lost: {}", slot.name(), trouble.why);
            self.notes.push(text);
        }
        self.end_line(&mut slot);
        if let Outlet::File(Some(folder)) = std::mem::replace(&mut slot.outlet, Outlet::Terminal) {
            folder.close();
        }
        Held::remove(self.folder.as_fd(), index);
        let _not_there = unlinkat(&self.folder, format!("sink.{index}"), AtFlags::empty());
    }

    /// Carries what is in a slot's FIFO.
    pub(crate) fn drain(&mut self, index: u32) {
        for _ in 0..LAST_READS {
            if !self.carry(index) {
                break;
            }
        }
    }

    /// All slots.
    pub(crate) fn indices(&self) -> Vec<u32> {
        self.slots.keys().copied().collect()
    }

    /// Watches a slot's FIFO, or no longer.
    pub(crate) fn watch(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(&index) else { return };
        let wants = slot.wants_more();
        if wants == slot.is_watched {
            return;
        }
        let done = if wants {
            let data = EventData::new_u64(FIFO | u64::from(index));
            epoll::add(&self.epoll, &slot.fifo, data, EventFlags::IN)
        } else {
            epoll::delete(&self.epoll, &slot.fifo)
        };
        if done.is_ok() {
            slot.is_watched = wants;
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

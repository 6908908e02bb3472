//! Hearing what entries say of themselves, and making sure who says it.
//!
//! Two sockets, which outlive the engine with all that waits in them. To one anybody can send
//! (sd_notify(3)): a message counts when its sender is a process of an entry that notifies. To the other only
//! the descriptors lead that the keeper gave to entries (`readiness` `fd:N`): the address of the sender says
//! whose it is.
//!
//! A message is looked at, acted on and remembered before it is taken from the queue, so that none is lost
//! with an engine; one may be heard twice, which changes nothing. What was said before an end is heard before
//! that end: see [`Engine::take_reports`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use clinit_engine::care::Readiness;
use clinit_engine::event::{EntryId, Event, Generation, Said};
use clinit_engine::node::Node;
use clinit_engine::time::Instant;
use clinit_keeper::kin::{Home, is_main, is_of_this_life, is_related};
use clinit_keeper::protocol::Order;
use clinit_keeper::ready::life_of;
use clinit_sys::datagram::{Datagram, Sender, peek, take};
use clinit_sys::proc::{self, Look};
use clinit_sys::slots::Slots;
use rustix::fs::{Mode, OFlags, openat};

use super::Engine;
use super::speech::{SPEECH_BYTES_MAX, understand};

/// How many messages are heard at once. No more wait: a queue holds `net.unix.max_dgram_qlen`, mostly 10 to 512.
const MESSAGES_AT_ONCE: usize = 1024;

/// How many processes beside main ones are known as those of entries.
const KNOWN_MAX: usize = 256;

/// How often it is said that strangers send something.
const STRANGERS_PAUSE: Duration = Duration::from_secs(60);

/// A process that was found to be one of an entry's.
#[derive(Debug, Clone, Copy)]
struct Known {
    entry: EntryId,
    generation: Generation,
    started_nanos: u64,
    uid: u32,
}

/// What is needed to know who speaks.
#[derive(Debug)]
pub(crate) struct Hearing {
    home: Home,
    /// Entries of which processes may speak. What the table says of them by now is looked at when one does.
    speakers: BTreeSet<EntryId>,
    /// The keeper's memory, once it is needed: there it stands who the main processes are.
    slots: Option<Slots>,
    known: BTreeMap<u32, Known>,
    /// Lives that were heard at their descriptor for readiness.
    ready: BTreeMap<EntryId, Generation>,
    /// Messages of strangers of which nothing was said yet.
    unsaid: u64,
    said_at: Option<Instant>,
    text: Vec<u8>,
}

impl Hearing {
    pub(crate) fn new(cgroup: &str) -> Self {
        Self {
            home: Home::find(cgroup),
            speakers: BTreeSet::new(),
            slots: None,
            known: BTreeMap::new(),
            ready: BTreeMap::new(),
            unsaid: 0,
            said_at: None,
            text: vec![0; SPEECH_BYTES_MAX],
        }
    }

    /// An entry that may speak is started, or runs.
    pub(crate) fn expect(&mut self, id: EntryId) {
        self.speakers.insert(id);
    }

    /// Whose process sent a message; `None` when it is no entry's that notifies.
    fn speaker(&mut self, node: &Node, sender: Sender) -> Option<(EntryId, Generation)> {
        let Sender { pid, uid } = sender;
        if pid == 0 || self.speakers.is_empty() {
            return None;
        }
        let notifies = |&id: &EntryId| node.entry(id).is_some_and(|entry| entry.spec().program.notifies());
        self.speakers.retain(notifies);
        let slots = self.slots.as_ref()?;
        let life = |id: EntryId| {
            let generation = node.entry(id)?.generation();
            let slot = slots.get(id.0).filter(|slot| slot.generation() == generation.0)?;
            Some((slot, generation))
        };
        for &id in &self.speakers {
            if let Some((_, generation)) = life(id).filter(|(slot, _)| is_main(slot, pid)) {
                return Some((id, generation)).filter(|_| may_be(sender));
            }
        }
        let look = proc::look(pid);
        if let Some(&Known { entry, generation, started_nanos, uid: known_uid }) = self.known.get(&pid) {
            let is_it = match look {
                Look::There(stat) => stat.started_nanos == started_nanos && may_be(sender),
                // Of one that is gone this is all that can be known: its number may have been another's since.
                Look::Gone | Look::Unknown => known_uid == uid,
            };
            if is_it && self.speakers.contains(&entry) && life(entry).is_some_and(|life| life.1 == generation)
            {
                return Some((entry, generation));
            }
            self.known.remove(&pid);
        }
        let Look::There(stat) = look else { return None };
        if !may_be(sender) {
            return None;
        }
        let of_cgroup = self.home.slot_of(pid).map(EntryId).filter(|id| self.speakers.contains(id));
        let mut candidates = of_cgroup.into_iter().chain(self.speakers.iter().copied());
        let (entry, generation) = candidates.find_map(|id| {
            let (slot, generation) = life(id)?;
            let is_its = is_of_this_life(slot, &stat) && (of_cgroup == Some(id) || is_related(slot, &stat));
            is_its.then_some((id, generation))
        })?;
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(pid, Known { entry, generation, started_nanos: stat.started_nanos, uid });
        Some((entry, generation))
    }
}

/// Whether somebody may name a process as the main one: root may, and whoever it belongs to.
fn may_name(sender: Sender, pid: u32) -> bool {
    sender.uid == 0 || proc::users(pid).is_some_and(|users| users.contains(&sender.uid))
}

/// Whether the process that has the sender's number now can be the sender: who sent something and ended may have left
/// the number to a process of an entry. Of one that is gone nothing speaks against it.
fn may_be(sender: Sender) -> bool {
    sender.uid == 0 || proc::users(sender.pid).is_none_or(|users| users.contains(&sender.uid))
}

impl Engine {
    /// Hears all that entries have said by now.
    pub(super) fn hear_all(&mut self, now: Instant) {
        self.hear_readiness(now);
        self.hear_speeches(now);
    }

    /// The next message at a socket, left there, with as much of it as is read.
    fn next_message(&mut self, is_speech: bool) -> Option<Datagram> {
        loop {
            let socket = if is_speech { self.reviver.notify() } else { self.reviver.ready() };
            match peek(socket.as_fd(), &mut self.hearing.text) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.ok(),
            }
        }
    }

    /// What was heard is remembered; now it may go.
    fn drop_message(&mut self, is_speech: bool) {
        self.remember();
        let socket = if is_speech { self.reviver.notify() } else { self.reviver.ready() };
        let _was_there = take(socket.as_fd(), &mut []);
    }

    /// Hears what was sent as sd_notify(3) does.
    pub(super) fn hear_speeches(&mut self, now: Instant) {
        for _ in 0..MESSAGES_AT_ONCE {
            let Some(message) = self.next_message(true) else { return };
            self.look_at_slots();
            // The kernel tells of everybody.
            if let Some(sender) = message.sender {
                match self.hearing.speaker(&self.node, sender) {
                    Some((entry, generation)) => self.hear_speech(entry, generation, sender, &message, now),
                    None => self.hear_stranger(sender, now),
                }
            }
            self.drop_message(true);
        }
    }

    fn hear_speech(
        &mut self,
        entry: EntryId,
        generation: Generation,
        sender: Sender,
        message: &Datagram,
        now: Instant,
    ) {
        if message.is_cut {
            return;
        }
        for said in understand(&self.hearing.text[..message.size]) {
            match said {
                Said::MainPid(pid) if !may_name(sender, pid) => {}
                said => self.happen(Event::Notified { entry, generation, said }, now),
            }
        }
    }

    /// Says, and not too often, that somebody sends what nobody listens to.
    fn hear_stranger(&mut self, sender: Sender, now: Instant) {
        self.hearing.unsaid += 1;
        if self.hearing.said_at.is_some_and(|at| now.since(at) < STRANGERS_PAUSE) {
            return;
        }
        self.hearing.said_at = Some(now);
        let others = std::mem::take(&mut self.hearing.unsaid) - 1;
        let others = if others == 0 { String::new() } else { format!(", and {others} others before it") };
        let Sender { pid, uid } = sender;
        self.notes.say(&format!(
            "a message to NOTIFY_SOCKET was dropped{others}: pid {pid} of user {uid} is no process of an entry \
             with readiness notify or a watchdog, or has ended already"
        ));
    }

    /// Hears what was written to descriptors for readiness.
    pub(super) fn hear_readiness(&mut self, now: Instant) {
        for _ in 0..MESSAGES_AT_ONCE {
            let Some(message) = self.next_message(false) else { return };
            // A line, or more than any line has.
            let is_line = message.is_cut || self.hearing.text[..message.size].contains(&b'\n');
            let life = life_of(&message.from).filter(|_| is_line);
            if let Some((slot, generation)) = life {
                self.hear_line(EntryId(slot), Generation(generation), now);
            }
            self.drop_message(false);
            if let Some((slot, generation)) = life {
                self.keeper.send(Order::Heard { slot, generation }.encode());
            }
        }
    }

    fn hear_line(&mut self, id: EntryId, generation: Generation, now: Instant) {
        let speaks = self.node.entry(id).is_some_and(|entry| {
            entry.generation() == generation && matches!(entry.spec().program.readiness, Readiness::Fd(_))
        });
        // The first line alone: to be ready again would mean another thing.
        if speaks && self.hearing.ready.insert(id, generation) != Some(generation) {
            self.happen(Event::Notified { entry: id, generation, said: Said::Ready }, now);
        }
    }

    /// Sees to it that all slots can be looked at that there are by now.
    fn look_at_slots(&mut self) {
        let highest = self.hearing.speakers.last().map_or(0, |id| id.0);
        match &mut self.hearing.slots {
            Some(slots) if slots.len() > highest => {}
            Some(slots) => drop(slots.catch_up()),
            None => {
                let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                let file = openat(self.reviver.state(), "slots", flags, Mode::empty());
                self.hearing.slots = file.ok().and_then(|file| Slots::open(File::from(file)).ok());
            }
        }
    }

    /// After a restore: whom to listen to.
    pub(super) fn expect_speakers(&mut self) {
        let all = self.node.entries().filter(|(_, entry)| entry.spec().program.notifies());
        self.hearing.speakers.extend(all.map(|(id, _)| id));
    }
}

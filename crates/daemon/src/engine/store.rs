//! The sockets on which entries listen, held over their restarts and over the daemon's deaths.
//!
//! The engine holds them, and a copy of each entry's set lies in the queue of a socket that keeper, engine and
//! logger share and that is connected to itself (`SCM_RIGHTS`, unix(7)): what is in that queue lives as long as
//! one of the three. A new engine looks through it once. What is no longer wanted is taken out by sending the
//! queue around once, copy before original, so that a death in between loses nothing.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use clinit_engine::care::{Listen, ListenAddress};
use clinit_engine::event::EntryId;
use clinit_engine::name::EntryKey;
use clinit_keeper::protocol::SOCKETS_MAX;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// The longest label of a set: as many addresses as it may have, each as long as a path of a socket.
const LABEL_BYTES_MAX: usize = 16 * 1024;

/// More sets than this are never in the queue; what comes behind is not looked at.
const SETS_MAX: usize = 1 << 16;

/// The sockets of one entry, in the order of the table.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    /// Whose they are.
    pub(crate) key: EntryKey,
    /// Each with what the table said of it when it was opened.
    pub(crate) sockets: Vec<(Listen, Arc<OwnedFd>)>,
    /// Tells it from another with the same addresses: when it was put here.
    pub(crate) serial: u64,
}

/// What stands in the queue.
struct Letter {
    label: Vec<u8>,
    sockets: Vec<OwnedFd>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Store {
    queue: OwnedFd,
    sets: BTreeMap<EntryId, Set>,
}

impl Set {
    /// Whether it is just what the table lists.
    pub(crate) fn is(&self, listen: &[Listen]) -> bool {
        self.sockets.iter().map(|(listen, _)| listen).eq(listen)
    }

    /// What tells it from any other: the numbers of entry and set, the entry's name, then the addresses.
    fn label(&self, id: EntryId) -> Vec<u8> {
        let mut text = format!("{} {}\n{}\n", id.0, self.serial, self.key);
        for (Listen { address, mode }, _) in &self.sockets {
            let _a_string_takes_all = match address {
                ListenAddress::Tcp(address) => writeln!(text, "{mode} tcp {address}"),
                ListenAddress::Unix(path) => writeln!(text, "{mode} unix {path}"),
            };
        }
        text.into_bytes()
    }
}

/// What a label says: the numbers, the name, and what the sockets are.
fn read_label(label: &[u8]) -> Option<(EntryId, u64, String, Vec<Listen>)> {
    let mut lines = std::str::from_utf8(label).ok()?.lines();
    let (id, serial) = lines.next()?.split_once(' ')?;
    let (id, serial, name) = (EntryId(id.parse().ok()?), serial.parse().ok()?, lines.next()?.to_owned());
    let listens = lines.map(|line| {
        let mut words = line.splitn(3, ' ');
        let (mode, kind, address) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
        let address = match kind {
            "tcp" => ListenAddress::Tcp(address.parse().ok()?),
            "unix" => ListenAddress::Unix(address.into()),
            _ => return None,
        };
        Some(Listen { address, mode })
    });
    Some((id, serial, name, listens.collect::<Option<_>>()?))
}

impl Store {
    pub(crate) fn new(queue: OwnedFd) -> Self {
        Self { queue, sets: BTreeMap::new() }
    }

    pub(crate) fn get(&self, id: EntryId) -> Option<&Set> {
        self.sets.get(&id)
    }

    /// The entries that have sockets here.
    pub(crate) fn entries(&self) -> Vec<EntryId> {
        self.sets.keys().copied().collect()
    }

    /// Holds a set instead of what was held for that entry.
    ///
    /// # Errors
    /// The engine holds it, but the queue takes no more: the sockets would not outlive the engine.
    pub(crate) fn hold(&mut self, id: EntryId, set: Set) -> io::Result<()> {
        let label = set.label(id);
        let sockets: Vec<BorrowedFd<'_>> = set.sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
        let sent = send(&self.queue, &label, &sockets);
        if self.sets.insert(id, set).is_some() {
            self.sweep();
        }
        Ok(sent?)
    }

    /// Closes the sockets of an entry.
    pub(crate) fn close(&mut self, id: EntryId) {
        if self.sets.remove(&id).is_some() {
            self.sweep();
        }
    }

    /// Takes out of the queue what is not held any more.
    fn sweep(&mut self) {
        let sets = &self.sets;
        let mut seen = std::collections::BTreeSet::new();
        pass_through(&self.queue, |letter| {
            let Some((id, ..)) = read_label(&letter.label) else { return false };
            sets.get(&id).is_some_and(|set| set.label(id) == letter.label) && seen.insert(id)
        });
    }

    /// Takes over what an engine before this one held; `key_of` says which entry has a number now. Of two sets of
    /// one entry the later one holds.
    pub(crate) fn regain(&mut self, key_of: impl Fn(EntryId) -> Option<EntryKey>) {
        let mut found = BTreeMap::new();
        pass_through(&self.queue, |letter| {
            let Some((id, serial, name, listens)) = read_label(&letter.label) else { return false };
            let Some(key) = key_of(id).filter(|key| key.to_string() == name) else { return false };
            if listens.len() != letter.sockets.len() {
                // There was no room for all of them.
                return true;
            }
            let sockets = std::mem::take(&mut letter.sockets).into_iter().map(Arc::new);
            found.insert(id, Set { key, sockets: listens.into_iter().zip(sockets).collect(), serial });
            true
        });
        self.sets = found;
        self.sweep();
    }
}

/// Looks at every letter once, and drops those that are not to be kept. Those that are go to the end of the queue:
/// a copy is there before the original goes, unless the queue is full.
fn pass_through(queue: &OwnedFd, mut is_kept: impl FnMut(&mut Letter) -> bool) {
    let mut first = None;
    for _ in 0..SETS_MAX {
        let Ok(mut letter) = receive(queue, RecvFlags::PEEK) else { return };
        if first.as_ref() == Some(&letter.label) {
            return;
        }
        let originals: Vec<OwnedFd> =
            letter.sockets.iter().filter_map(|socket| socket.try_clone().ok()).collect();
        let is_kept = is_kept(&mut letter);
        let sockets: Vec<BorrowedFd<'_>> = originals.iter().map(AsFd::as_fd).collect();
        let is_copied = is_kept && send(queue, &letter.label, &sockets).is_ok();
        let _taken = receive(queue, RecvFlags::empty());
        if is_kept && !is_copied {
            let _there_is_room_now = send(queue, &letter.label, &sockets);
        }
        if is_kept {
            first.get_or_insert(letter.label);
        }
    }
}

fn send(queue: &OwnedFd, label: &[u8], sockets: &[BorrowedFd<'_>]) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !control.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(Errno::TOOBIG);
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(queue, &[IoSlice::new(label)], &mut control, flags).map(drop)
}

fn receive(queue: &OwnedFd, flags: RecvFlags) -> rustix::io::Result<Letter> {
    let mut label = vec![0; LABEL_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let size = recvmsg(queue, &mut [IoSliceMut::new(&mut label)], &mut control, flags)?.bytes;
    label.truncate(size);
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            sockets.extend(descriptors);
        }
    }
    Ok(Letter { label, sockets })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixDatagram;

    use clinit_engine::name::{GroupName, Tag};

    use super::*;

    fn queue() -> OwnedFd {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("clinit-store-{}-{count}", std::process::id()));
        let queue = UnixDatagram::bind(&path).unwrap();
        queue.connect(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        queue.into()
    }

    fn key(tag: &str) -> EntryKey {
        EntryKey { group: GroupName::new("web").unwrap(), tag: Tag::new(tag).unwrap() }
    }

    fn set(tag: &str, count: usize) -> Set {
        let one = |_| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = ListenAddress::Tcp(listener.local_addr().unwrap());
            (Listen { address, mode: 0o660 }, Arc::new(listener.into()))
        };
        Set { key: key(tag), sockets: (0..count).map(one).collect(), serial: 1 }
    }

    fn letters(queue: &OwnedFd) -> usize {
        let mut count = 0;
        pass_through(queue, |_| {
            count += 1;
            true
        });
        count
    }

    fn answers(set: &Set) -> bool {
        set.sockets.iter().all(|(listen, _)| match &listen.address {
            ListenAddress::Tcp(address) => TcpStream::connect(address).is_ok(),
            ListenAddress::Unix(_) => false,
        })
    }

    #[test]
    fn a_label_comes_back_as_it_went() {
        let mut set = set("a", 1);
        let path = ListenAddress::Unix("/run/with a blank".into());
        set.sockets.push((Listen { address: path, mode: 0o600 }, Arc::clone(&set.sockets[0].1)));
        let (id, serial, name, listens) = read_label(&set.label(EntryId(7))).unwrap();
        assert_eq!((id, serial, name.as_str()), (EntryId(7), 1, "web/a"));
        assert!(set.is(&listens));
        for label in
            ["", "7 1", "x 1\nweb/a\n", "7 1\nw\n384 tcp x", "7 1\nw\ntcp", "7\nw\n", "7 1\nw\n1 x y"]
        {
            assert!(read_label(label.as_bytes()).is_none(), "{label:?}");
        }
    }

    #[test]
    fn another_engine_takes_over_what_is_held() {
        let mut store = Store::new(queue());
        let mut sets = vec![set("a", 1), set("b", 3), set("c", 1)];
        for (id, set) in (1..).map(EntryId).zip(&sets) {
            store.hold(id, set.clone()).unwrap();
        }
        // The newest holds, and what was closed is closed.
        sets[0] = Set { serial: 2, ..set("a", 2) };
        store.hold(EntryId(1), sets[0].clone()).unwrap();
        store.close(EntryId(2));
        let closed = sets.remove(1);
        assert!(answers(&closed), "the test itself holds it yet");
        assert_eq!(letters(&store.queue), 2);
        let mut next = Store::new(store.queue.try_clone().unwrap());
        drop(store);
        let known = |id: EntryId| match id.0 {
            1 => Some(key("a")),
            // That number is another entry's by now.
            3 => Some(key("d")),
            _ => None,
        };
        next.regain(known);
        assert_eq!(next.entries(), [EntryId(1)]);
        let listens: Vec<Listen> = sets[0].sockets.iter().map(|(listen, _)| listen.clone()).collect();
        sets.clear();
        assert!(next.get(EntryId(1)).unwrap().is(&listens));
        assert!(answers(next.get(EntryId(1)).unwrap()));
        assert_eq!(letters(&next.queue), 1);
        next.close(EntryId(1));
        assert_eq!(letters(&next.queue), 0);
    }

    #[test]
    fn a_full_queue_loses_nothing_that_is_in_it() {
        let mut store = Store::new(queue());
        let socket = set("a", 1);
        let one = |number: u32| {
            let tag = format!("a{number}");
            Set { key: key(&tag), sockets: socket.sockets.clone(), serial: 1 }
        };
        let full = (0..5000).find(|&number| store.hold(EntryId(number), one(number)).is_err()).unwrap();
        assert!(full > 100, "{full}");
        store.close(EntryId(full));
        assert_eq!(letters(&store.queue), full as usize);
        for number in 0..full - 3 {
            store.close(EntryId(number));
        }
        assert_eq!(letters(&store.queue), 3);
    }
}

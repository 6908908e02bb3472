//! Who is connected to the socket, and what each is owed.
//!
//! A client that sends garbage, stalls or floods costs only itself: messages, clients and waits are
//! bounded, and one call of a client is answered before the next is read.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use clinit_control::CallError;
use clinit_control::frame::{self, Decoder, REQUEST_BYTES_MAX};
use clinit_engine::time::Instant;
use clinit_sys::peer;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use serde::Serialize;

use super::begin::source;

/// The most clients at once.
const CLIENTS_MAX: usize = 128;

/// The most clients of one user who is not the daemon's own, nor root.
const CLIENTS_OF_STRANGER_MAX: usize = 16;

/// How long a message may take to arrive whole.
const MESSAGE_TIME: Duration = Duration::from_secs(5);

/// How long a client may take to read what it is sent.
const READ_TIME: Duration = Duration::from_secs(10);

/// How long a client may be connected without asking anything.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// How long nobody is taken when no descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How much a client may be owed, and all strangers together: all that one status of the largest table can be.
const OWED_BYTES_MAX: usize = 128 << 20;

/// How many are taken at once: who connects without end keeps nobody else waiting.
const TAKEN_AT_ONCE: usize = 256;

/// Names a connection; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientId(pub(crate) u64);

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    uid: u32,
    decoder: Decoder,
    out: Vec<u8>,
    sent: usize,
    /// A call is being answered; the next waits.
    is_busy: bool,
    /// Its side of the connection has ended: it is kept for what it is owed.
    has_ended: bool,
    /// What is watched for.
    watched: EventFlags,
    /// Since when the present wait lasts: for the rest of a message, for reading, or for a call.
    since: Instant,
}

/// All clients.
#[derive(Debug)]
pub(crate) struct Clients {
    own_uid: u32,
    first_data: u64,
    next: u64,
    /// Until when nobody is taken, because no descriptor is left.
    deaf_until: Option<Instant>,
    clients: BTreeMap<ClientId, Client>,
}

/// A whole message of a client that may have one answered.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) client: ClientId,
    pub(crate) bytes: Vec<u8>,
}

impl Clients {
    pub(crate) fn new(own_uid: u32) -> Self {
        let first_data = source::FIRST_CLIENT;
        Self { own_uid, first_data, next: 0, deaf_until: None, clients: BTreeMap::new() }
    }

    /// Takes those who wait at the socket; if there are more, the next turn does.
    pub(crate) fn accept(&mut self, listener: BorrowedFd<'_>, epoll: BorrowedFd<'_>, now: Instant) {
        for _ in 0..TAKEN_AT_ONCE {
            match accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => self.admit(socket, epoll, now),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(_) => {
                    // No descriptor is left. Those who wait stay in the queue, and would wake us at once.
                    if !self.evict_longest(|client, _| client.is_idle()) {
                        self.listen(listener, epoll, Some(now + ACCEPT_PAUSE));
                        return;
                    }
                }
            }
        }
    }

    /// Looks at the socket, or not before some time has passed.
    fn listen(&mut self, listener: BorrowedFd<'_>, epoll: BorrowedFd<'_>, not_before: Option<Instant>) {
        let flags = if not_before.is_none() { EventFlags::IN } else { EventFlags::empty() };
        if epoll::modify(epoll, listener, EventData::new_u64(source::LISTEN), flags).is_ok() {
            self.deaf_until = not_before;
        }
    }

    fn admit(&mut self, socket: OwnedFd, epoll: BorrowedFd<'_>, now: Instant) {
        let Ok(uid) = peer::user_id(socket.as_fd()) else { return };
        let mut stream = UnixStream::from(socket);
        let of_user = self.clients.values().filter(|client| client.uid == uid).count();
        let may_change = self.may_change(uid);
        let stranger_has_enough = !may_change && of_user >= CLIENTS_OF_STRANGER_MAX;
        if stranger_has_enough || !self.make_room(may_change) {
            let mut refusal = Vec::new();
            let _said_or_not = frame::encode(&CallError::Busy, &mut refusal).map(|()| stream.write(&refusal));
            return;
        }
        let id = ClientId(self.next);
        self.next += 1;
        let data = EventData::new_u64(self.first_data + id.0);
        if epoll::add(epoll, &stream, data, EventFlags::IN).is_ok() {
            let client = Client {
                stream,
                uid,
                decoder: Decoder::new(REQUEST_BYTES_MAX),
                out: Vec::new(),
                sent: 0,
                is_busy: false,
                has_ended: false,
                watched: EventFlags::IN,
                since: now,
            };
            self.clients.insert(id, client);
        }
    }

    /// Makes room for a client: those who may change things before strangers, however many of these follow events;
    /// a stranger never sends one of the others away, who may only just have connected.
    fn make_room(&mut self, may_change: bool) -> bool {
        self.clients.len() < CLIENTS_MAX
            || self.evict_longest(|client, is_stranger| is_stranger && client.is_idle())
            || (may_change
                && (self.evict_longest(|_, is_stranger| is_stranger)
                    || self.evict_longest(|client, _| client.is_idle())))
    }

    /// Of the clients that may go the one goes that has asked nothing for longest.
    fn evict_longest(&mut self, may_go: impl Fn(&Client, bool) -> bool) -> bool {
        let may_go = |client: &Client| may_go(client, !self.may_change(client.uid));
        let those = self.clients.iter().filter(|(_, client)| may_go(client));
        let longest = those.min_by_key(|(_, client)| client.since).map(|(&id, _)| id);
        longest.is_some_and(|id| self.clients.remove(&id).is_some())
    }

    /// Strangers who do not read cost memory: all of them together no more than one client may. The one who is owed
    /// most goes.
    fn bound_strangers(&mut self) {
        let strangers = || self.clients.iter().filter(|(_, client)| !self.may_change(client.uid));
        let owed: usize = strangers().map(|(_, client)| client.out.len()).sum();
        let most = strangers().max_by_key(|(_, client)| client.out.len()).map(|(&id, _)| id);
        if let Some(id) = most.filter(|_| owed > OWED_BYTES_MAX) {
            self.clients.remove(&id);
        }
    }

    /// Whether a user may change things: root, and the daemon's own.
    fn may_change(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own_uid
    }

    /// Whether a client is still connected.
    pub(crate) fn is_there(&self, id: ClientId) -> bool {
        self.clients.contains_key(&id)
    }

    /// Whether a client may change things.
    pub(crate) fn is_trusted(&self, id: ClientId) -> bool {
        self.clients.get(&id).is_some_and(|client| self.may_change(client.uid))
    }

    /// Reads what a client sent: all of it from one that has hung up. One whose stream is of no use any
    /// more is gone.
    pub(crate) fn read(&mut self, data: u64, hung_up: bool, now: Instant) -> Option<ClientId> {
        let id = ClientId(data.checked_sub(self.first_data)?);
        let client = self.clients.get_mut(&id)?;
        let mut buffer = [0; 16 * 1024];
        // Otherwise one read a turn: nobody keeps the others waiting. While a call is being answered nothing
        // more is taken in than what fits behind it.
        while !client.has_ended && client.decoder.pending() <= REQUEST_BYTES_MAX {
            match client.stream.read(&mut buffer) {
                Ok(0) => client.has_ended = true,
                Ok(size) => {
                    client.decoder.push(&buffer[..size]);
                    client.since = now;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.clients.remove(&id);
                    return None;
                }
            }
            if !hung_up {
                break;
            }
        }
        Some(id)
    }

    /// The next call of a client, if it may have one answered now.
    pub(crate) fn next_message(&mut self, id: ClientId) -> Option<Message> {
        let client = self.clients.get_mut(&id)?;
        // One reply is read before the next is made: what is owed stays small.
        if client.is_busy || !client.out.is_empty() {
            return None;
        }
        match client.decoder.pop() {
            Ok(Some(bytes)) => {
                client.is_busy = true;
                Some(Message { client: id, bytes })
            }
            Ok(None) if !client.has_ended => None,
            // Too long a message, or the client has ended and was answered.
            Ok(None) | Err(_) => {
                if client.out.is_empty() {
                    self.clients.remove(&id);
                }
                None
            }
        }
    }

    /// Owes a client a reply.
    pub(crate) fn reply(&mut self, id: ClientId, reply: &impl Serialize) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let uid = client.uid;
        if frame::encode(reply, &mut client.out).is_err() || client.out.len() > OWED_BYTES_MAX {
            self.clients.remove(&id);
        }
        if !self.may_change(uid) {
            self.bound_strangers();
        }
    }

    /// The call was answered to the end.
    pub(crate) fn answered(&mut self, id: ClientId, now: Instant) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.is_busy = false;
            client.since = now;
        }
    }

    /// A client that sent what is no call.
    pub(crate) fn drop_client(&mut self, id: ClientId) {
        self.clients.remove(&id);
    }

    /// Sends what clients take, and sees to being told when they take more. Returns those who may have
    /// another call read.
    pub(crate) fn flush(&mut self, epoll: BorrowedFd<'_>, now: Instant) -> Vec<ClientId> {
        let mut ready = Vec::new();
        let first_data = self.first_data;
        self.clients.retain(|&id, client| {
            while client.sent < client.out.len() {
                match client.stream.write(&client.out[client.sent..]) {
                    Ok(size) => {
                        client.sent += size;
                        client.since = now;
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    Err(_) => return false,
                }
            }
            if client.sent == client.out.len() {
                client.out = Vec::new();
                client.sent = 0;
            }
            let owed = !client.out.is_empty();
            if client.has_ended && !owed && !client.is_busy && client.decoder.pending() == 0 {
                return false;
            }
            let wants_in = !client.has_ended && client.decoder.pending() <= REQUEST_BYTES_MAX;
            let mut flags = EventFlags::empty();
            flags.set(EventFlags::OUT, owed);
            flags.set(EventFlags::IN, wants_in);
            if flags != client.watched {
                let data = EventData::new_u64(first_data + id.0);
                if epoll::modify(epoll, client.stream.as_fd(), data, flags).is_err() {
                    return false;
                }
                client.watched = flags;
            }
            if !client.is_busy && !owed && client.decoder.pending() > 0 {
                ready.push(id);
            }
            true
        });
        ready
    }

    /// Lets those go who kept the daemon waiting too long.
    pub(crate) fn expire(&mut self, listener: BorrowedFd<'_>, epoll: BorrowedFd<'_>, now: Instant) {
        if self.deaf_until.is_some_and(|at| at <= now) {
            self.listen(listener, epoll, None);
        }
        self.clients.retain(|_, client| client.deadline().is_none_or(|at| at > now));
    }

    /// When the next of them has kept it waiting too long.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.clients.values().filter_map(Client::deadline).chain(self.deaf_until).min()
    }

    /// Whether somebody was answered after the last flush, and is not watched for taking it.
    pub(crate) fn is_flush_due(&self) -> bool {
        let is_due = |client: &Client| !client.out.is_empty() && !client.watched.contains(EventFlags::OUT);
        self.clients.values().any(is_due)
    }

    /// Whether anything is owed to anybody.
    pub(crate) fn all_are_paid(&self) -> bool {
        self.clients.values().all(|client| client.out.is_empty())
    }
}

impl Client {
    fn is_idle(&self) -> bool {
        !self.is_busy && self.out.is_empty()
    }

    fn deadline(&self) -> Option<Instant> {
        let time = if !self.out.is_empty() {
            READ_TIME
        } else if self.is_busy {
            return None;
        } else if self.decoder.pending() > 0 {
            MESSAGE_TIME
        } else {
            IDLE_TIME
        };
        Some(self.since + time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 5;

    fn client(uid: u32, owed: usize) -> Client {
        Client {
            stream: UnixStream::pair().unwrap().0,
            uid,
            decoder: Decoder::new(REQUEST_BYTES_MAX),
            out: vec![0; owed],
            sent: 0,
            is_busy: false,
            has_ended: false,
            watched: EventFlags::IN,
            since: Instant::default(),
        }
    }

    fn ids(clients: &Clients) -> Vec<u64> {
        clients.clients.keys().map(|id| id.0).collect()
    }

    #[test]
    fn strangers_who_do_not_read_are_owed_no_more_than_one_client_may_be() {
        let mut clients = Clients::new(OWN);
        let half = OWED_BYTES_MAX / 2;
        let all = [(OWN, half + 3), (0, half + 3), (7, half - 9), (8, half + 9), (9, 0)];
        for (id, (uid, owed)) in (0..).map(ClientId).zip(all) {
            clients.clients.insert(id, client(uid, owed));
        }
        clients.reply(ClientId(0), &"x");
        assert_eq!(ids(&clients), [0, 1, 2, 3, 4], "what the others are owed does not count");
        clients.reply(ClientId(4), &"x");
        assert_eq!(ids(&clients), [0, 1, 2, 4]);
        clients.reply(ClientId(4), &"x");
        assert_eq!(ids(&clients), [0, 1, 2, 4]);
    }

    #[test]
    fn strangers_make_room_for_those_who_may_change_things_and_not_the_other_way_round() {
        let mut clients = Clients::new(OWN);
        let users = [OWN, 0, 7].into_iter().chain(std::iter::repeat_n(8, CLIENTS_MAX - 3));
        for (id, uid) in (0..).map(ClientId).zip(users) {
            clients.clients.insert(id, Client { is_busy: uid == 7, ..client(uid, 0) });
        }
        assert!(clients.make_room(false), "an idle stranger goes");
        assert_eq!(clients.clients.len(), CLIENTS_MAX - 1);
        clients.clients.retain(|&id, _| id.0 < 3);
        for id in (3..).map(ClientId).take(CLIENTS_MAX - 3) {
            clients.clients.insert(id, client(OWN, 0));
        }
        for own in clients.clients.values_mut() {
            own.is_busy = own.uid == 7;
        }
        assert!(!clients.make_room(false), "none but the others is idle");
        assert!(clients.make_room(true));
        assert!(!ids(&clients).contains(&2), "a stranger goes before them, whatever it waits for");
        clients.clients.insert(ClientId(2), client(0, 0));
        assert!(clients.make_room(true), "among themselves the one that is idle goes");
    }
}

//! Asking whether somebody accepts connections at an address: nothing is sent, and the loop does not wait.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use clinit_engine::event::{EntryId, Event, Generation};
use clinit_engine::time::Instant;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, connect, getpeername, getsockname, ipproto, socket_with,
};

use super::Engine;

/// How long an answer from another machine is waited for.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// Marks the events of probes; the entry is added.
pub(super) const PROBE: u64 = 1 << 62;

/// A connection that is being made.
#[derive(Debug)]
struct Probe {
    generation: Generation,
    socket: OwnedFd,
    until: Instant,
}

/// All of them, one an entry.
#[derive(Debug, Default)]
pub(crate) struct Probes(BTreeMap<EntryId, Probe>);

impl Probes {
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.0.values().map(|probe| probe.until).min()
    }

    /// Asks. The answer, if it is there at once; from this machine it is.
    fn ask(
        &mut self,
        entry: EntryId,
        generation: Generation,
        address: SocketAddr,
        epoll: BorrowedFd<'_>,
        now: Instant,
    ) -> Option<bool> {
        // The one before was for an answer that nobody waits for any more.
        self.0.remove(&entry);
        let Ok(socket) = begin(address) else { return Some(false) };
        if let Some(answer) = answer(&socket) {
            return Some(answer);
        }
        let data = EventData::new_u64(PROBE | u64::from(entry.0));
        if epoll::add(epoll, &socket, data, EventFlags::OUT).is_err() {
            return Some(false);
        }
        self.0.insert(entry, Probe { generation, socket, until: now + ANSWER_TIME });
        None
    }

    /// The answer of a probe for which something has come.
    fn answered(&mut self, entry: EntryId) -> Option<(Generation, bool)> {
        let accepted = answer(&self.0.get(&entry)?.socket)?;
        Some((self.0.remove(&entry)?.generation, accepted))
    }

    /// A probe that has had its time.
    fn pop_late(&mut self, now: Instant) -> Option<(EntryId, Generation)> {
        let (&entry, _) = self.0.iter().find(|(_, probe)| probe.until <= now)?;
        Some((entry, self.0.remove(&entry)?.generation))
    }
}

fn begin(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}

/// Whether it was accepted; `None` while that is not known.
fn answer(socket: &OwnedFd) -> Option<bool> {
    let mut watched = [PollFd::new(socket, PollFlags::OUT)];
    match poll(&mut watched, Some(&Timespec::default())) {
        Ok(0) | Err(Errno::INTR) => return None,
        Ok(_) => {}
        Err(_) => return Some(false),
    }
    let is_connected = matches!(socket_error(socket), Ok(Ok(())));
    // Where nobody listens, a socket may be given that very port and find itself.
    let is_itself =
        matches!((getsockname(socket), getpeername(socket)), (Ok(own), Ok(Some(peer))) if own == peer);
    Some(is_connected && !is_itself)
}

impl Engine {
    pub(super) fn probe(
        &mut self,
        entry: EntryId,
        generation: Generation,
        address: SocketAddr,
        now: Instant,
    ) {
        if let Some(accepted) = self.probes.ask(entry, generation, address, self.epoll.as_fd(), now) {
            self.happen(Event::Probed { entry, generation, accepted }, now);
        }
    }

    pub(super) fn take_answer(&mut self, entry: EntryId, now: Instant) {
        if let Some((generation, accepted)) = self.probes.answered(entry) {
            self.happen(Event::Probed { entry, generation, accepted }, now);
        }
    }

    pub(super) fn give_up_probes(&mut self, now: Instant) {
        while let Some((entry, generation)) = self.probes.pop_late(now) {
            self.happen(Event::Probed { entry, generation, accepted: false }, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn ask(probes: &mut Probes, address: SocketAddr) -> Option<bool> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        probes.ask(EntryId(1), Generation(2), address, epoll.as_fd(), Instant::default())
    }

    #[test]
    fn on_this_machine_the_answer_is_there_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut probes = Probes::default();
        for _ in 0..3 {
            assert_eq!(ask(&mut probes, address), Some(true));
        }
        drop(listener);
        assert_eq!(ask(&mut probes, address), Some(false));
        assert_eq!(probes.next_deadline(), None);
    }

    #[test]
    fn an_answer_that_does_not_come_is_given_up() {
        let mut probes = Probes::default();
        // Nobody has addresses of this net (RFC 5737); where even that is refused, there is nothing to wait for.
        if ask(&mut probes, "192.0.2.1:9".parse().unwrap()).is_some() {
            return;
        }
        assert_eq!(probes.next_deadline(), Some(Instant::default() + ANSWER_TIME));
        assert_eq!(probes.pop_late(Instant::default()), None);
        assert_eq!(probes.pop_late(Instant::default() + ANSWER_TIME), Some((EntryId(1), Generation(2))));
        assert_eq!(probes.next_deadline(), None);
    }
}

//! One end of a packet socket, with a queue for what the other end does not take yet.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// A link to keeper or logger.
#[derive(Debug)]
pub(crate) struct Packets {
    socket: OwnedFd,
    queue: VecDeque<Vec<u8>>,
    is_full: bool,
    data: u64,
}

/// What was there to receive.
#[derive(Debug)]
pub(crate) enum Received {
    Packet(usize),
    Nothing,
    Ended,
}

impl Packets {
    pub(crate) fn new(socket: OwnedFd, epoll: BorrowedFd<'_>, data: u64) -> rustix::io::Result<Self> {
        epoll::add(epoll, &socket, EventData::new_u64(data), EventFlags::IN)?;
        Ok(Self { socket, queue: VecDeque::new(), is_full: false, data })
    }

    /// Sends a packet, behind those that wait.
    pub(crate) fn send(&mut self, packet: Vec<u8>) {
        if self.queue.is_empty() && self.try_send(&packet) {
            return;
        }
        self.queue.push_back(packet);
    }

    /// Sends what waits, and sees to being told when more can be sent.
    pub(crate) fn flush(&mut self, epoll: BorrowedFd<'_>) {
        while let Some(packet) = self.queue.pop_front() {
            if !self.try_send(&packet) {
                self.queue.push_front(packet);
                break;
            }
        }
        let is_full = !self.queue.is_empty();
        if is_full != self.is_full {
            let flags = if is_full { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            if epoll::modify(epoll, &self.socket, EventData::new_u64(self.data), flags).is_ok() {
                self.is_full = is_full;
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn receive(&self, packet: &mut [u8]) -> Received {
        match recv(&self.socket, packet, RecvFlags::DONTWAIT) {
            Ok((0, _)) => Received::Ended,
            Ok((size, _)) => Received::Packet(size),
            Err(Errno::AGAIN | Errno::INTR) => Received::Nothing,
            Err(_) => Received::Ended,
        }
    }

    /// Whether the packet needs no further care: it was sent, or there is nobody to take it.
    fn try_send(&self, packet: &[u8]) -> bool {
        match send(&self.socket, packet, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => false,
            Ok(_) | Err(_) => true,
        }
    }
}

impl AsFd for Packets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

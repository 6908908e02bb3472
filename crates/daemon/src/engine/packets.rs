//! One end of a packet socket, with a queue for what the other end does not take yet.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use clinit_keeper::protocol::SOCKETS_MAX;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, send, sendmsg};

/// A link to keeper or logger.
#[derive(Debug)]
pub(crate) struct Packets {
    socket: OwnedFd,
    queue: VecDeque<Packet>,
    is_full: bool,
    data: u64,
}

/// A packet with the descriptors that go along; mostly none.
#[derive(Debug)]
struct Packet {
    bytes: Vec<u8>,
    descriptors: Vec<Arc<OwnedFd>>,
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
    pub(crate) fn send(&mut self, bytes: Vec<u8>) {
        self.send_with(bytes, Vec::new());
    }

    /// Sends a packet and descriptors along with it.
    pub(crate) fn send_with(&mut self, bytes: Vec<u8>, descriptors: Vec<Arc<OwnedFd>>) {
        let packet = Packet { bytes, descriptors };
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

    /// Gives up the room that a long queue needed.
    pub(crate) fn shrink(&mut self) {
        self.queue.shrink_to_fit();
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
    fn try_send(&self, Packet { bytes, descriptors }: &Packet) -> bool {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = if descriptors.is_empty() {
            send(&self.socket, bytes, flags)
        } else {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(|fd| fd.as_fd()).collect();
            // Too many for one packet are refused before: the receiver finds none, and says so.
            let _all_or_none = control.push(SendAncillaryMessage::ScmRights(&descriptors));
            sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut control, flags)
        };
        match sent {
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

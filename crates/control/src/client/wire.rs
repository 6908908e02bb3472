//! The client's end of the socket: whole messages out and in, each before a deadline.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    socket_with,
};

use super::{ClientError, ProtocolError};
use crate::frame::{Decoder, REPLY_BYTES_MAX};

/// Longest path of a socket, in bytes (unix(7): `sun_path` has 108, of which one ends it).
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Read at once.
const READ_BYTES: usize = 16 << 10;

/// When a wait ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    /// `None` is never: further away than the clock can tell.
    at: Option<Instant>,
    after: Duration,
}

impl Deadline {
    pub(super) fn after(after: Duration) -> Self {
        Self { at: Instant::now().checked_add(after), after }
    }

    /// The time left, `None` for ever. It is never zero.
    ///
    /// # Errors
    /// It is over, and the daemon did not do `what`.
    fn left(&self, what: &'static str) -> Result<Option<Duration>, ClientError> {
        let Some(at) = self.at else { return Ok(None) };
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.missed(what)) } else { Ok(Some(left)) }
    }

    /// The nearer of this one and one `pause` from now.
    pub(super) fn or_after(&self, pause: Duration) -> Self {
        let other = Self::after(pause);
        let is_nearer = other.at.is_some_and(|at| self.at.is_none_or(|own| at < own));
        if is_nearer { other } else { *self }
    }

    /// # Errors
    /// It is over, and the daemon did not do `what`.
    pub(super) fn check(&self, what: &'static str) -> Result<(), ClientError> {
        self.left(what).map(drop)
    }

    fn missed(&self, what: &'static str) -> ClientError {
        ClientError::Timeout { what, after: self.after }
    }

    /// Sleeps for `pause` or until it is over.
    pub(super) fn sleep(&self, pause: Duration, what: &'static str) -> Result<(), ClientError> {
        std::thread::sleep(self.left(what)?.map_or(pause, |left| left.min(pause)));
        Ok(())
    }
}

fn not_connected(path: &Path, errno: Errno) -> ClientError {
    let (socket, source) = (path.to_owned(), io::Error::from(errno));
    match errno {
        Errno::NOENT | Errno::CONNREFUSED => ClientError::NoDaemon { socket, source },
        Errno::ACCESS | Errno::PERM => ClientError::NoPermission { socket, source },
        _ => ClientError::Io { what: "connect to the daemon", source },
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    socket: UnixStream,
    decoder: Decoder,
}

impl Wire {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self { socket, decoder: Decoder::new(REPLY_BYTES_MAX) }
    }

    pub(super) fn connect(path: &Path, deadline: &Deadline) -> Result<Self, ClientError> {
        const WHAT: &str = "take the connection";
        let failed = |errno| not_connected(path, errno);
        let bytes = path.as_os_str().as_bytes().len();
        if bytes > SOCKET_PATH_BYTES_MAX {
            return Err(ClientError::PathTooLong { socket: path.to_owned(), bytes });
        }
        let address = SocketAddrUnix::new(path).map_err(failed)?;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(failed)?;
        loop {
            // A listener whose queue is full makes connect(2) wait, and poll(2) would not help: the time
            // to send is what bounds it (unix(7)).
            set_socket_timeout(&socket, Timeout::Send, deadline.left(WHAT)?).map_err(failed)?;
            match connect(&socket, &address) {
                Ok(()) => return Ok(Self::new(socket.into())),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(deadline.missed(WHAT)),
                Err(errno) => return Err(failed(errno)),
            }
        }
    }

    /// Sends all of `bytes`.
    pub(super) fn send(&mut self, mut bytes: &[u8], deadline: &Deadline) -> Result<(), ClientError> {
        while !bytes.is_empty() {
            match send(&self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT, deadline, "take the call")?,
                // It hung up, and may have said why: the next receive tells.
                Err(Errno::PIPE | Errno::CONNRESET) => return Ok(()),
                Err(errno) => return Err(ClientError::Io { what: "send a call", source: errno.into() }),
            }
        }
        Ok(())
    }

    /// The next message, or `None` when the connection has ended.
    pub(super) fn receive(
        &mut self,
        deadline: &Deadline,
        what: &'static str,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        let mut bytes = [0; READ_BYTES];
        loop {
            if let Some(message) = self.decoder.pop().map_err(ProtocolError::TooLong)? {
                return Ok(Some(message));
            }
            // Also when bytes keep coming: a daemon that floods must not hold the caller.
            deadline.left(what)?;
            match recv(&self.socket, &mut bytes[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) | Err(Errno::CONNRESET) => return Ok(None),
                Ok((_, count)) => self.decoder.push(&bytes[..count]),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait(PollFlags::IN, deadline, what)?,
                Err(errno) => {
                    return Err(ClientError::Io { what: "receive an answer", source: errno.into() });
                }
            }
        }
    }

    /// Waits until the socket is ready, or something happened to it.
    fn wait(&self, ready: PollFlags, deadline: &Deadline, what: &'static str) -> Result<(), ClientError> {
        let left = deadline.left(what)?.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&self.socket, ready)], left.as_ref()) {
            Ok(0) => Err(deadline.missed(what)),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(ClientError::Io { what: "wait for the daemon", source: errno.into() }),
        }
    }
}

//! The client: one connection, one call at a time.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::value::RawValue;

use super::error::FINISH;
use super::wire::{Deadline, Wire};
use super::{ClientError, ProtocolError, Replies};
use crate::frame;
use crate::interface::{
    CallError, Method, Reexec, ReexecReply, Reread, RereadReply, Shutdown, ShutdownReply, Status,
    StatusReply, Tell, TellReply,
};
use crate::message::{Call, Reply};

/// How long an answer may take where nobody says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// How long [`Client::wait_gone`] waits before it looks again.
const GONE_PAUSE: Duration = Duration::from_millis(20);

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    /// Where it is connected to, unless the connection was given to it.
    socket: Option<PathBuf>,
    timeout: Duration,
    /// A call was sent whose last reply was not received.
    unanswered: bool,
}

impl Client {
    /// Connects to the socket at `path`. `timeout` holds for this and for each answer from here on;
    /// `Duration::MAX` is for ever.
    ///
    /// # Errors
    /// The path is too long, nobody listens there, the socket is not for this user, or the daemon takes
    /// no connection in time.
    pub fn connect(path: &Path, timeout: Duration) -> Result<Self, ClientError> {
        let wire = Wire::connect(path, &Deadline::after(timeout))?;
        Ok(Self { wire, socket: Some(path.to_owned()), timeout, unanswered: false })
    }

    /// A client over a connection that is there already, such as an inherited one.
    #[must_use]
    pub fn over(socket: UnixStream, timeout: Duration) -> Self {
        Self { wire: Wire::new(socket), socket: None, timeout, unanswered: false }
    }

    /// How long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Calls a method for one reply.
    ///
    /// # Errors
    /// The daemon refused ([`ClientError::Remote`]), or did not answer.
    pub fn call<M: Method>(&mut self, method: &M) -> Result<M::Reply, ClientError> {
        let deadline = Deadline::after(self.timeout);
        self.send(method, false, &deadline)?;
        match self.receive::<M>(&deadline)? {
            (reply, false) => Ok(reply),
            (_, true) => Err(ProtocolError::NotLast.into()),
        }
    }

    /// Calls a method for as many replies as it has.
    ///
    /// # Errors
    /// The daemon does not take the call. Whether it refuses is the first reply's matter.
    pub fn stream<M: Method>(&mut self, method: &M) -> Result<Replies<'_, M>, ClientError> {
        self.send(method, true, &Deadline::after(self.timeout))?;
        Ok(Replies::new(self))
    }

    /// Gives a group a level; returns when the transition has started.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn tell(&mut self, tell: &Tell) -> Result<TellReply, ClientError> {
        self.call(tell)
    }

    /// Gives a group a level; returns when the transition has ended, with its outcome, or after `wait`.
    ///
    /// # Errors
    /// As [`Self::call`]. A timeout leaves the transition as it is.
    pub fn tell_and_wait(&mut self, tell: &Tell, wait: Duration) -> Result<TellReply, ClientError> {
        self.call_and_wait(tell, wait, wait, |_| {})
    }

    /// The last of several replies, waited for no longer than `wait`. `meanwhile` hears each reply before it, and nothing
    /// whenever `pulse` has passed without one.
    ///
    /// # Errors
    /// As [`Self::call`]. A timeout leaves what was begun as it is.
    pub fn call_and_wait<M: Method>(
        &mut self,
        method: &M,
        wait: Duration,
        pulse: Duration,
        mut meanwhile: impl FnMut(Option<&M::Reply>),
    ) -> Result<M::Reply, ClientError> {
        let deadline = Deadline::after(wait);
        self.send(method, true, &Deadline::after(self.timeout))?;
        let mut is_begun = false;
        loop {
            match self.receive::<M>(&deadline.or_after(pulse)) {
                Ok((reply, false)) => return Ok(reply),
                Ok((reply, true)) => {
                    is_begun = true;
                    meanwhile(Some(&reply));
                }
                Err(ClientError::Timeout { what, .. }) => {
                    deadline.check(if is_begun { FINISH } else { what })?;
                    meanwhile(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks how everything is, or some of it.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn status(&mut self, status: &Status) -> Result<StatusReply, ClientError> {
        self.call(status)
    }

    /// Has the table reread.
    ///
    /// # Errors
    /// As [`Self::call`]. A table that was refused is no error: the reply says so.
    pub fn reread(&mut self) -> Result<RereadReply, ClientError> {
        self.call(&Reread {})
    }

    /// Has the daemon end; returns when it has begun to.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn shutdown(&mut self, shutdown: Shutdown) -> Result<ShutdownReply, ClientError> {
        self.call(&shutdown)
    }

    /// Has the daemon end; returns when it is gone, or after `wait`.
    ///
    /// # Errors
    /// As [`Self::call`]. A timeout leaves the daemon on its way out.
    pub fn shutdown_and_wait(
        mut self,
        shutdown: Shutdown,
        wait: Duration,
    ) -> Result<ShutdownReply, ClientError> {
        let deadline = Deadline::after(wait);
        self.send(&shutdown, true, &deadline)?;
        let (reply, _) = self.receive::<Shutdown>(&deadline)?;
        self.wait_gone_before(&deadline)?;
        Ok(reply)
    }

    /// Has the daemon become another program; returns when an engine of that answers, or after `wait`.
    ///
    /// # Errors
    /// As [`Self::call`]. The program is refused with [`CallError::ProgramRefused`]; then all goes on.
    pub fn reexec_and_wait(mut self, reexec: &Reexec, wait: Duration) -> Result<ReexecReply, ClientError> {
        const WHAT: &str = "become the new program";
        let deadline = Deadline::after(wait);
        self.send(reexec, true, &deadline)?;
        let (reply, _) = self.receive::<Reexec>(&deadline)?;
        // Another reply is a refusal; else the connection ends with the engine.
        match self.receive::<Reexec>(&deadline) {
            Ok(_) => return Err(ProtocolError::NotLast.into()),
            Err(ClientError::Closed | ClientError::Io { .. }) => {}
            Err(error) => return Err(error),
        }
        let Some(socket) = self.socket.clone() else { return Ok(reply) };
        loop {
            let now =
                Self::connect(&socket, self.timeout).and_then(|mut client| client.status(&Status::default()));
            match now {
                Ok(status) if status.daemon.keeper_pid != reply.keeper_pid => {
                    // The program before was brought back by those that it had left.
                    let program = reexec.program.clone().unwrap_or_else(|| "the new program".to_owned());
                    let reason =
                        "its keeper did not live, and the program before was brought back".to_owned();
                    return Err(CallError::ProgramRefused { program, reason }.into());
                }
                Ok(status) if status.daemon.engine_pid != reply.engine_pid => return Ok(reply),
                // That engine is just ending.
                Ok(_) | Err(ClientError::Closed | ClientError::Io { .. }) => {
                    deadline.sleep(GONE_PAUSE, WHAT)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the daemon is gone, but no longer than `wait`: the connection has ended and the socket
    /// takes no other. An engine that was merely restarted is not gone.
    ///
    /// # Errors
    /// It is still there, or the socket cannot be asked.
    pub fn wait_gone(self, wait: Duration) -> Result<(), ClientError> {
        self.wait_gone_before(&Deadline::after(wait))
    }

    fn wait_gone_before(mut self, deadline: &Deadline) -> Result<(), ClientError> {
        const WHAT: &str = "end";
        loop {
            while self.wire.receive(deadline, WHAT)?.is_some() {}
            let Some(socket) = &self.socket else { return Ok(()) };
            self.wire = match Wire::connect(socket, deadline) {
                Ok(wire) => wire,
                Err(ClientError::NoDaemon { .. }) => return Ok(()),
                Err(error) => return Err(error),
            };
            deadline.sleep(GONE_PAUSE, WHAT)?;
        }
    }

    fn send<M: Method>(&mut self, method: &M, more: bool, deadline: &Deadline) -> Result<(), ClientError> {
        if self.unanswered {
            return Err(ProtocolError::GivenUp.into());
        }
        let mut bytes = Vec::new();
        frame::encode(&Call { more, ..Call::new(M::NAME, method) }, &mut bytes)
            .map_err(ProtocolError::Call)?;
        self.unanswered = true;
        self.wire.send(&bytes, deadline)
    }

    /// The next reply, and whether another follows.
    pub(super) fn receive<M: Method>(
        &mut self,
        deadline: &Deadline,
    ) -> Result<(M::Reply, bool), ClientError> {
        let message = self.wire.receive(deadline, "answer")?.ok_or(ClientError::Closed)?;
        let reply = Reply::decode(&message).map_err(ProtocolError::Message)?;
        self.unanswered = reply.continues;
        let text = reply.parameters.map_or("{}", RawValue::get);
        if let Some(error) = reply.error {
            return Err(CallError::from_reply(&error, reply.parameters).map_or_else(
                || {
                    let (error, parameters) = (error.into_owned(), text.to_owned());
                    ProtocolError::UnknownError { error, parameters }.into()
                },
                ClientError::Remote,
            ));
        }
        let parameters = serde_json::from_str(text)
            .map_err(|source| ProtocolError::Parameters { method: M::NAME, source })?;
        Ok((parameters, reply.continues))
    }
}

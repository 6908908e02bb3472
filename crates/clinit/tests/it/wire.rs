//! The socket as any varlink client sees it: JSON texts, each ended by a NUL.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::wait::DEADLINE;

/// A connection to a daemon.
#[derive(Debug)]
pub(crate) struct Wire(BufReader<UnixStream>);

impl Wire {
    /// Connects, if somebody listens there.
    pub(crate) fn try_connect(socket: &Path) -> Option<Self> {
        let stream = UnixStream::connect(socket).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Some(Self(BufReader::new(stream)))
    }

    /// Connects.
    #[track_caller]
    pub(crate) fn connect(socket: &Path) -> Self {
        Self::try_connect(socket).unwrap()
    }

    /// Sends bytes, as far as the other side takes them.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.get_mut().write_all(bytes).is_ok()
    }

    /// Sends a message.
    #[track_caller]
    pub(crate) fn say(&mut self, message: &Value) {
        assert!(self.send(format!("{message}\0").as_bytes()));
    }

    /// Ends this side's half of the connection.
    pub(crate) fn end(&mut self) {
        self.0.get_mut().shutdown(Shutdown::Write).unwrap();
    }

    /// The next message; none when the connection has ended.
    pub(crate) fn try_hear(&mut self) -> Option<Value> {
        let mut bytes = Vec::new();
        self.0.read_until(0, &mut bytes).ok()?;
        serde_json::from_slice(bytes.strip_suffix(b"\0")?).ok()
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> Value {
        self.try_hear().unwrap()
    }

    /// The reply to a call.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.say(&json!({ "method": method, "parameters": parameters }));
        self.hear()
    }

    /// Whether the other side ends the connection, without another word.
    pub(crate) fn is_hung_up_on(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

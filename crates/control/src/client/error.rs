//! Why the daemon could not be asked, or did not do as it was told.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::SOCKET_PATH_BYTES_MAX;
use crate::frame::TooLong;
use crate::interface::CallError;
use crate::message::MessageError;

/// What the daemon does that has begun to do as it was asked.
pub(super) const FINISH: &str = "finish";

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens at the socket, or there is none.
    #[error("no daemon answers at {}", socket.display())]
    NoDaemon {
        /// Its path.
        socket: PathBuf,
        /// Which of the two.
        source: io::Error,
    },
    /// The socket's mode, or that of a folder above it, keeps this user out.
    #[error("not permitted to use the socket {}", socket.display())]
    NoPermission {
        /// Its path.
        socket: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// The path does not fit into the address of a socket.
    #[error(
        "the socket's path has {bytes} bytes, and the kernel takes {SOCKET_PATH_BYTES_MAX}: {}",
        socket.display()
    )]
    PathTooLong {
        /// The path.
        socket: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// The daemon is there, and does not do its part.
    #[error("the daemon did not {what} within {after:?}")]
    Timeout {
        /// What it did not do.
        what: &'static str,
        /// How long it had.
        after: Duration,
    },
    /// The connection ended in the middle.
    #[error("the daemon ended before it answered")]
    Closed,
    /// The daemon refused the call.
    #[error(transparent)]
    Remote(#[from] CallError),
    /// What came is not what clinit's daemon sends.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// This machine lacks something.
    #[error("failed to {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the kernel says.
        source: io::Error,
    },
}

/// How the two sides failed to understand each other.
#[derive(Debug, Error)]
pub enum ProtocolError {
    /// A reply is too long.
    #[error("the daemon's answer is too long")]
    TooLong(#[from] TooLong),
    /// A reply is no message.
    #[error("the daemon's answer is not understood")]
    Message(#[from] MessageError),
    /// A reply is not the method's.
    #[error("the daemon's answer to {method} is not understood")]
    Parameters {
        /// The method.
        method: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The daemon refused for a reason that this program does not know.
    #[error("the daemon refused with the unknown error {error} {parameters}")]
    UnknownError {
        /// The error's full name.
        error: String,
        /// Its parameters as they came.
        parameters: String,
    },
    /// A call for one reply got several.
    #[error("the daemon announced another answer to a call for one")]
    NotLast,
    /// The call has no form in JSON.
    #[error("the call cannot be written")]
    Call(#[source] serde_json::Error),
    /// An earlier call on this connection was given up: its answer could be taken for that of the next.
    #[error("an earlier call on this connection was given up")]
    GivenUp,
}

impl ClientError {
    /// What can be done about it, as a sentence for people.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoDaemon { .. } => {
                "start it with clinit -d, or name its socket with -s or in CLINIT_SOCKET"
            }
            Self::NoPermission { .. } => "ask as root, or as the user that the daemon runs as",
            Self::PathTooLong { .. } => {
                "use a shorter path, or a relative one, or a symbolic link to the socket's folder"
            }
            Self::Timeout { what, .. } if *what == FINISH => {
                "what was begun goes on: clinit status and clinit explain say how far it is"
            }
            Self::Timeout { .. } => "it may be stopped or overloaded; its log says more",
            Self::Closed => "if it was restarted, ask again; its log says more",
            Self::Remote(error) => return error.hint(),
            Self::Protocol(ProtocolError::GivenUp) => "connect again",
            Self::Protocol(_) => "program and daemon may be of different versions",
            Self::Io { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

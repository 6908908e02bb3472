//! The exit codes, one table for all commands.

use std::process::ExitCode;

use clinit_control::CallError;
use clinit_control::client::ClientError;
use clinit_daemon::start::StartError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked to.
    Done,
    /// It did not come out as asked: a table has faults, a group FAILED, there is no such group or entry.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// No daemon answers.
    NoDaemon,
    /// The time given with `--timeout` is over.
    Timeout,
    /// This user may not.
    NotPermitted,
    /// Another daemon has the socket.
    Held,
    /// The system refused something.
    System,
}

impl Exit {
    /// All of them, with what help says.
    pub(crate) const ALL: [(Self, &'static str); 8] = [
        (Self::Done, "done as asked"),
        (Self::Failed, "not as asked: faults in a table, a group FAILED, no such group or entry"),
        (Self::Usage, "the command line makes no sense"),
        (Self::NoDaemon, "no daemon answers"),
        (Self::Timeout, "the time given with --timeout is over; what was begun goes on"),
        (Self::NotPermitted, "this user may not"),
        (Self::Held, "another daemon has the socket"),
        (Self::System, "the system refused something; the message says what"),
    ];

    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoDaemon => 3,
            Self::Timeout => 4,
            Self::NotPermitted => 5,
            Self::Held => 6,
            Self::System => 7,
        }
    }

    /// The code for a call that was not answered as wished.
    pub(crate) fn of_client(error: &ClientError) -> Self {
        match error {
            ClientError::NoDaemon { .. } | ClientError::Closed => Self::NoDaemon,
            ClientError::NoPermission { .. } => Self::NotPermitted,
            ClientError::PathTooLong { .. } => Self::Usage,
            ClientError::Timeout { .. } => Self::Timeout,
            ClientError::Remote(error) => Self::of_call(error),
            ClientError::Protocol(_) | ClientError::Io { .. } => Self::System,
        }
    }

    fn of_call(error: &CallError) -> Self {
        match error {
            CallError::NoSuchGroup { .. } | CallError::NoSuchEntry { .. } | CallError::ShuttingDown => {
                Self::Failed
            }
            CallError::NoSuchLevel { .. } | CallError::Ambiguous { .. } => Self::Usage,
            CallError::NotPermitted { .. } | CallError::PermissionDenied => Self::NotPermitted,
            CallError::Busy => Self::NoDaemon,
            CallError::InvalidParameter { .. } => Self::Usage,
            CallError::InterfaceNotFound { .. } | CallError::MethodNotFound { .. } => Self::System,
            CallError::MethodNotImplemented { .. } | CallError::ExpectedMore => Self::System,
        }
    }

    /// The code for a daemon that could not be started.
    pub(crate) fn of_start(error: &StartError) -> Self {
        match error {
            StartError::Held { .. } => Self::Held,
            StartError::PathTooLong { .. } => Self::Usage,
            StartError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Self::NotPermitted
            }
            StartError::Table(_) | StartError::NotASocket { .. } => Self::System,
            StartError::Untrusted { .. } | StartError::Io { .. } => Self::System,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

//! The exit codes, one table for all commands.
//!
//! `run --wait` ends as its command did. What is clinit's own then has codes that commands seldom have:
//!
//! | code | means |
//! |---|---|
//! | 0 to 255 | the exit status of the command |
//! | 127 | the command was not executed; it is what shells say, too |
//! | 128 + N | the command was ended by the signal N |
//! | [`OF_RUN`] + N | clinit itself ended with the code N of the table |
//!
//! A command line that makes no sense is always 2: there was no command yet.

use std::process::ExitCode;

use clinit_control::CallError;
use clinit_control::client::ClientError;
use clinit_control::interface::ExitStatus;
use clinit_daemon::signal_number;
use clinit_daemon::start::StartError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
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
    /// The daemon was lost in the middle, and nobody can tell what came of it.
    Unknown,
    /// As a command ended, and what is said of it: `run --wait`.
    OfCommand(u8),
}

/// What is added to clinit's own codes where those of a command are passed on.
pub const OF_RUN: u8 = 110;

/// A command that was not executed.
const NOT_EXECUTED: u8 = 127;

/// Added to the number of a signal that ended a command.
const SIGNALLED: u8 = 128;

impl Exit {
    /// All of them, with what help says.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Done, "done as asked"),
        (
            Self::Failed,
            "not as asked: faults in a table, a group FAILED, no such group or entry, a program refused",
        ),
        (Self::Usage, "the command line makes no sense"),
        (Self::NoDaemon, "no daemon answers"),
        (Self::Timeout, "the time given with --timeout is over; what was begun goes on"),
        (Self::NotPermitted, "this user may not"),
        (Self::Held, "another daemon has the socket"),
        (Self::System, "the system refused something; the message says what"),
        (Self::Unknown, "the daemon was lost meanwhile, and what came of it cannot be told"),
    ];

    /// What `run --wait` adds to them.
    pub const OF_COMMANDS: &[(&str, &str)] = &[
        ("0 to 255", "the exit status of the command"),
        ("127", "the command was not executed"),
        ("128+N", "the signal N ended the command"),
        ("110+N", "clinit itself ended with the code N of these: 114 when the time was over"),
    ];

    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoDaemon => 3,
            Self::Timeout => 4,
            Self::NotPermitted => 5,
            Self::Held => 6,
            Self::System => 7,
            Self::Unknown => 8,
            Self::OfCommand(code) => code,
        }
    }

    /// The code where that of a command would be passed on.
    #[must_use]
    pub fn of_run(self) -> Self {
        match self {
            Self::Done | Self::OfCommand(_) => self,
            own => Self::OfCommand(OF_RUN.saturating_add(own.code())),
        }
    }

    /// The code of a command that ended like this.
    pub(crate) fn of_command(exit: &ExitStatus) -> Self {
        match exit {
            ExitStatus::Exited { code } => Self::OfCommand(*code),
            ExitStatus::Signalled { signal } => {
                let number = signal_number(signal).unwrap_or_default();
                Self::OfCommand(SIGNALLED.saturating_add(number))
            }
            ExitStatus::NotExecuted { .. } | ExitStatus::NotSpawned { .. } => Self::OfCommand(NOT_EXECUTED),
            ExitStatus::Unknown => Self::Unknown.of_run(),
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
            CallError::EntryExists { .. } => Self::Failed,
            CallError::InvalidEntry { .. } => Self::Usage,
            CallError::ProgramRefused { .. } => Self::Failed,
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
            StartError::OtherState { .. } => Self::System,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

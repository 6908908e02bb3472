//! The commands that people type.
//!
//! | file | room for |
//! |---|---|
//! | `arguments` | from words to an [`arguments::Invocation`] |
//! | `verbs` | the registry of verbs: help, man page and parser are made from it |
//! | `original` | the forms of Cluster::Init's and IS::Init's commands |
//! | `tell`, `status`, `check`, `up`, `shutdown`, `plan`, `events`, `explain` | one verb each |
//! | `order` | the verbs for entries: start, stop, restart, reset, signal |
//! | `exit` | the exit codes |
//! | `say` | output, and errors with their hints |

mod arguments;
mod check;
mod events;
mod exit;
mod explain;
mod help;
mod order;
mod original;
mod plan;
mod say;
mod shutdown;
mod status;
mod tell;
mod up;
mod verbs;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clinit_control::client::{Client, ClientError, TIMEOUT};
use clinit_daemon::paths::SOCKET_VARIABLE;
use clinit_daemon::start::find_socket;
use clinit_table::Dialect;

use arguments::{Invocation, Parsed};
use exit::Exit;

/// Where the daemon is: what all commands have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// `-c TABLE`
    pub(crate) table: Option<PathBuf>,
    /// `-s SOCKET`, else `$CLINIT_SOCKET`
    pub(crate) socket: Option<PathBuf>,
    /// By the name of the program.
    pub(crate) dialect: Dialect,
}

impl Place {
    /// The path of the daemon's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        find_socket(self.socket.clone(), self.table.as_deref(), self.dialect)
    }

    /// Connects to the daemon.
    pub(crate) fn connect(&self) -> Result<Client, ClientError> {
        Client::connect(&self.socket(), TIMEOUT)
    }
}

/// Runs the command of these words.
pub(crate) fn main(name: &OsStr, words: Vec<OsString>) -> Exit {
    let program = Path::new(name).file_name().and_then(OsStr::to_str).unwrap_or("clinit");
    let dialect = if program == "isinit" { Dialect::IsInit } else { Dialect::Clinit };
    let Parsed { mut place, invocation } = match arguments::parse(dialect, words) {
        Ok(parsed) => parsed,
        Err(fault) => {
            say::error(&fault.message, fault.hint.as_deref());
            return Exit::Usage;
        }
    };
    if place.socket.is_none() {
        place.socket = std::env::var_os(SOCKET_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    }
    match invocation {
        Invocation::Usage => {
            say::usage(dialect);
            Exit::Usage
        }
        Invocation::Help(verb) => help::print(verb),
        Invocation::Version => say::line(&format!("clinit {}", env!("CARGO_PKG_VERSION"))),
        Invocation::Original(original) => original::run(&place, &original),
        Invocation::Up(table) => up::run(&place, table),
        Invocation::Tell(tell) => tell::run(&place, &tell),
        Invocation::Status(status) => status::run(&place, &status),
        Invocation::Order(order) => order::run(&place, &order),
        Invocation::Explain(name) => explain::run(&place, &name),
        Invocation::Plan(plan) => plan::run(&place, &plan),
        Invocation::Events { follow, json } => events::run(&place, follow, json),
        Invocation::Check(check) => check::run(&place, &check),
        Invocation::Shutdown { now, timeout } => shutdown::run(&place, now, timeout),
    }
}

/// How long to wait when nobody says.
pub(crate) fn or_for_ever(timeout: Option<Duration>) -> Duration {
    timeout.unwrap_or(Duration::MAX)
}

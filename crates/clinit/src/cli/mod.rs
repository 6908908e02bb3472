//! The commands that people type. Public for the program alone, and for what makes the manual: no interface of
//! the library, and it changes as it likes.
//!
//! | file | room for |
//! |---|---|
//! | `arguments` | from words to an `Invocation` |
//! | `verbs` | the registry of verbs: help, manual, completion and parser are made from it |
//! | `manual` | what help and manual say beyond verbs: forms, options, files, environment, signals |
//! | `help` | `--help` and `help` |
//! | `original` | the forms of Cluster::Init's and IS::Init's commands |
//! | `logs` | the verb `logs`: reading what entries have printed |
//! | `daemon`, `tell`, `status`, `check`, `up`, `shutdown`, `reexec`, `plan`, `events`, `explain` | one verb each |
//! | `order` | the verbs for entries: start, stop, restart, reload, reset, signal |
//! | `run` | entries that no table has |
//! | `progress` | what is said to a terminal while somebody waits |
//! | `exit` | the exit codes |
//! | `say` | output, and errors with their hints |

mod arguments;
mod check;
mod daemon;
mod events;
pub mod exit;
mod explain;
mod help;
mod logs;
pub mod manual;
mod order;
mod original;
mod plan;
mod progress;
mod reexec;
mod run;
mod say;
mod shutdown;
mod status;
mod tell;
mod up;
pub mod verbs;

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
pub fn main(name: &OsStr, words: Vec<OsString>) -> Exit {
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
        Invocation::Topic(topic) => help::topic(&topic),
        Invocation::Version => say::line(&format!("clinit {}", env!("CARGO_PKG_VERSION"))),
        Invocation::Original(original) => original::run(&place, &original),
        Invocation::Daemon { table, foreground } => daemon::run(&place, table, foreground),
        Invocation::Logs(logs) => logs::run(&place, &logs),
        Invocation::Up(table) => up::run(&place, table),
        Invocation::Tell(tell) => tell::run(&place, &tell),
        Invocation::Status(status) => status::run(&place, &status),
        Invocation::Order(order) => order::run(&place, &order),
        Invocation::Run(run) => run::run(&place, &run),
        Invocation::Explain(name) => explain::run(&place, &name),
        Invocation::Plan(plan) => plan::run(&place, &plan),
        Invocation::Events { follow, json } => events::run(&place, follow, json),
        Invocation::Check(check) => check::run(&place, &check),
        Invocation::Reexec { program, timeout } => reexec::run(&place, program, timeout),
        Invocation::Shutdown { now, timeout } => shutdown::run(&place, now, timeout),
    }
}

/// How long to wait when nobody says.
pub(crate) fn or_for_ever(timeout: Option<Duration>) -> Duration {
    timeout.unwrap_or(Duration::MAX)
}

//! The trial of a program that is to replace this one: whether it can go on with the state as it is now.
//!
//! The engine starts it as a process of its own, as it is, with the folder of the state as standard input. It reads
//! everything, changes nothing, and says so: a line behind [`READY`]. Whatever else it does is a refusal.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use clinit_engine::node::Node;
use clinit_keeper::protocol;
use clinit_logger::feed;
use clinit_table::ParseOptions;
use rustix::fs::{Mode, OFlags, openat};

use super::journal::{self, Found, Memory};
use super::{now, tablefile};
use crate::roles::Setup;

/// What stands before the version in the line of a program that can go on.
pub(crate) const READY: &str = "reads the state: ";

/// How often a table is looked for that another one replaced meanwhile.
const TRIES: usize = 10;

/// The versions of what the old and the new processes say to each other while they are replaced; an argument.
pub(crate) fn versions() -> String {
    format!("--versions=keeper:{},feed:{}", protocol::VERSION, feed::VERSION)
}

/// Runs the trial, with what was said to the process: the setup, if it could be read, and the arguments.
///
/// # Errors
/// Why this program cannot go on.
pub(crate) fn run(setup: Option<Setup>, said: &[std::ffi::OsString]) -> Result<String, String> {
    let setup = setup.ok_or("it does not know all of how the daemon was started")?;
    let versions = versions();
    if !said.iter().any(|argument| *argument == *versions) {
        return Err("its processes speak another language than those of the daemon: shut down, and start it"
            .to_owned());
    }
    let state = io::stdin().as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
    let slots = openat(&state, "slots", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let slots =
        slots.map_err(io::Error::from).and_then(|slots| clinit_keeper::living(&mut File::from(slots)));
    slots.map_err(|error| format!("it cannot read the slots: {error}"))?;
    restore(state.as_fd(), &setup)?;
    Ok(format!("{READY}{}", env!("CARGO_PKG_VERSION")))
}

/// Restores a node from journal and table, which are being written meanwhile.
fn restore(state: BorrowedFd<'_>, setup: &Setup) -> Result<Node, String> {
    let mut missing = None;
    for _ in 0..TRIES {
        let Memory { records, table, has_gap, .. } = match journal::look(state) {
            Ok(Found::Ours(memory)) => memory,
            Ok(Found::OfVersion(version)) => {
                return Err(format!(
                    "it cannot read a journal of version {version}: its own is {}",
                    journal::VERSION
                ));
            }
            Ok(Found::Unreadable) => return Err("it cannot read the journal".to_owned()),
            Err(error) => return Err(format!("it cannot read the journal: {error}")),
        };
        if has_gap {
            return Err("it does not understand all that the journal says".to_owned());
        }
        match tablefile::read(state, table.unwrap_or(0)) {
            Ok(sources) => {
                let parsed = clinit_table::parse(&sources, ParseOptions { dialect: setup.dialect });
                return Ok(Node::restore(parsed.table, records, now()));
            }
            // Another one may hold by now.
            Err(error) => missing = Some(error),
        }
    }
    Err(missing.map_or_else(String::new, |error| format!("it cannot read the copy of the table: {error}")))
}

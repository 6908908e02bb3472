//! clinit as a library: talk to the daemon from Rust.
//!
//! ```no_run
//! use clinit::Init;
//!
//! let mut init = Init::connect()?;
//! println!("{}", init.tell("web", "start")?);
//! # Ok::<(), clinit::Error>(())
//! ```
//!
//! The program `clinit` is the other half of this crate; its commands are written with what is here and in
//! [`control`], where every call of the socket has its type.

#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod cli;

use std::path::{Path, PathBuf};

pub use clinit_control as control;
use clinit_control::client::Client;
pub use clinit_control::client::{ClientError as Error, TIMEOUT};
use clinit_control::interface::{Shutdown, Status, StatusReply, Tell};
use clinit_daemon::paths::SOCKET_VARIABLE;
use clinit_daemon::start::find_socket;
use clinit_table::Dialect;

/// A connection to a daemon.
#[derive(Debug)]
pub struct Init {
    client: Client,
}

impl Init {
    /// Connects to the daemon of `$CLINIT_SOCKET`, else of the default table, else of the default socket.
    ///
    /// # Errors
    /// No daemon answers there.
    pub fn connect() -> Result<Self, Error> {
        let named = std::env::var_os(SOCKET_VARIABLE).map(PathBuf::from);
        Self::connect_to(&find_socket(named, None, Dialect::Clinit))
    }

    /// Connects to the daemon at `socket`.
    ///
    /// # Errors
    /// No daemon answers there.
    pub fn connect_to(socket: &Path) -> Result<Self, Error> {
        Ok(Self { client: Client::connect(socket, TIMEOUT)? })
    }

    /// Gives a group a level. Returns the daemon's words when the transition has started.
    ///
    /// # Errors
    /// The daemon refuses, or does not answer.
    pub fn tell(&mut self, group: &str, level: &str) -> Result<String, Error> {
        let tell = Tell { group: group.to_owned(), level: level.to_owned(), strict: false };
        Ok(self.client.tell(&tell)?.reply)
    }

    /// How all groups and entries are.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn status(&mut self) -> Result<StatusReply, Error> {
        self.client.status(&Status::default())
    }

    /// Stops all groups and ends the daemon. Returns when that has begun.
    ///
    /// # Errors
    /// The daemon refuses, or does not answer.
    pub fn shutdown(&mut self) -> Result<String, Error> {
        Ok(self.client.shutdown(Shutdown::default())?.reply)
    }
}

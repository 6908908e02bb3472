//! `clinit up [TABLE]`

use std::io::IsTerminal;
use std::path::PathBuf;

use clinit_daemon::Manner;
use clinit_daemon::start::{Launch, prepare};

use super::exit::Exit;
use super::{Place, check, say};

/// Runs the verb: becomes the daemon.
pub(crate) fn run(place: &Place, table: Option<PathBuf>) -> Exit {
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let launch = Launch {
        table: table.or_else(|| place.table.clone()),
        // Not $CLINIT_SOCKET: that one is held by the daemon whose entry this may be.
        socket: place.socket.clone().filter(|socket| Some(socket.as_os_str()) != inherited().as_deref()),
        dialect: place.dialect,
        manner: Manner::Up,
        color,
        keeps_logs: false,
    };
    match prepare(&launch) {
        Ok(prepared) => {
            check::warn_of(&prepared);
            let (table, socket) = (prepared.setup.table.display(), prepared.setup.socket.display());
            say::line(&format!("clinit | running {table}; Ctrl-C stops it; in another terminal:"));
            say::line(&format!("clinit |   clinit -s {socket} status"));
            say::start_error(&prepared.become_keeper())
        }
        Err(error) => say::start_error(&error),
    }
}

fn inherited() -> Option<std::ffi::OsString> {
    std::env::var_os(clinit_daemon::paths::SOCKET_VARIABLE)
}

//! `clinit daemon [TABLE] [--foreground]`

use std::path::PathBuf;

use clinit_control::client::{Client, ClientError, TIMEOUT};
use clinit_control::interface::Status;
use clinit_daemon::start::{Launch, Prepared, prepare};
use clinit_daemon::{Manner, Setup};

use super::exit::Exit;
use super::{Place, check, say};

/// Runs the verb.
pub(crate) fn run(place: &Place, table: Option<PathBuf>, is_foreground: bool) -> Exit {
    let launch = Launch {
        table: table.or_else(|| place.table.clone()),
        socket: place.socket.clone(),
        dialect: place.dialect,
        manner: Manner::Daemon,
        color: false,
        keeps_logs: true,
    };
    let prepared = match prepare(&launch) {
        Ok(prepared) => prepared,
        Err(error) => return say::start_error(&error),
    };
    check::warn_of(&prepared);
    if is_foreground {
        say::text_as_it_is(&places(&prepared.setup));
        return say::start_error(&prepared.become_keeper());
    }
    let setup = prepared.setup.clone();
    match begin(prepared) {
        Ok(pid) => {
            say::line(&format!("clinit runs in the background, pid {pid}"));
            say::text_as_it_is(&places(&setup))
        }
        Err(exit) => exit,
    }
}

/// Starts a keeper, and waits until its engine answers. The keeper's pid.
fn begin(prepared: Prepared) -> Result<u32, Exit> {
    let socket = prepared.setup.socket.clone();
    prepared.start_keeper().map_err(|error| say::start_error(&error))?;
    let answer = Client::connect(&socket, TIMEOUT).and_then(|mut client| client.status(&Status::default()));
    answer.map(|reply| reply.daemon.keeper_pid).map_err(|error: ClientError| say::client_error(&error))
}

/// Where everything is.
fn places(setup: &Setup) -> String {
    let mut text = format!("table   {}\nsocket  {}\n", setup.table.display(), setup.socket.display());
    if let Some(logs) = &setup.logs {
        text.push_str(&format!("logs    {}\n", logs.display()));
    }
    text
}

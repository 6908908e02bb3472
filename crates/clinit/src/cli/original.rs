//! The forms of Cluster::Init's `clinit` and IS::Init's `isinit`.
//!
//! `isinit` is silent, and starts a daemon whatever it is asked; `clinit` prints the daemon's reply, and
//! starts one only for a level. An unknown group is no error of the program's: both exit with 0.

use std::time::{Duration, Instant};

use clinit_control::CallError;
use clinit_control::client::{Client, ClientError};
use clinit_control::interface::{Shutdown, Status, Tell, TellReply};
use clinit_daemon::Manner;
use clinit_daemon::start::{Launch, prepare};
use clinit_table::Dialect;

use super::arguments::Original;
use super::exit::Exit;
use super::{Place, check, say};

/// How long a daemon that is just ending is waited for.
const ENDING_TIME: Duration = Duration::from_secs(5);

/// Runs a command of old.
pub(crate) fn run(place: &Place, original: &Original) -> Exit {
    if original.daemon {
        return daemon(place);
    }
    let is_silent = place.dialect == Dialect::IsInit && !original.verbose;
    let done = match original.operands.as_slice() {
        _ if original.shutdown => shutdown(place, original.verbose),
        [] => reread(place),
        [level] => tell_host(place, level, is_silent),
        [group, level, ..] => tell(place, group, level, is_silent),
    };
    match done {
        Ok(Exit::Done) if original.verbose => print_status(place),
        Ok(exit) => exit,
        Err(error) => say::client_error(&error),
    }
}

/// In the background there is nobody to read what entries print: there it is kept.
fn launch(place: &Place, keeps_logs: bool) -> Launch {
    Launch {
        table: place.table.clone(),
        socket: place.socket.clone(),
        dialect: place.dialect,
        manner: Manner::Daemon,
        color: false,
        keeps_logs,
    }
}

fn daemon(place: &Place) -> Exit {
    match prepare(&launch(place, false)) {
        Ok(prepared) => {
            check::warn_of(&prepared);
            say::start_error(&prepared.become_keeper())
        }
        Err(error) => say::start_error(&error),
    }
}

/// Connects to the daemon; to one that is started for it, if none answers.
fn connect_or_start(place: &Place) -> Result<Client, Result<Exit, ClientError>> {
    connect_or_start_by(place, Instant::now() + ENDING_TIME)
}

fn connect_or_start_by(place: &Place, by: Instant) -> Result<Client, Result<Exit, ClientError>> {
    match place.connect() {
        Err(ClientError::NoDaemon { .. }) => {}
        result => return result.map_err(Err),
    }
    let started = prepare(&launch(place, true)).and_then(|prepared| {
        check::warn_of(&prepared);
        prepared.start_keeper()
    });
    match started {
        Ok(()) => place.connect().map_err(Err),
        // Somebody else was faster, which is as good; or one that ends still holds the socket.
        Err(clinit_daemon::start::StartError::Held { .. }) if Instant::now() < by => {
            std::thread::sleep(Duration::from_millis(20));
            connect_or_start_by(place, by)
        }
        Err(error) => Err(Ok(say::start_error(&error))),
    }
}

fn reread(place: &Place) -> Result<Exit, ClientError> {
    let connected = match place.dialect {
        Dialect::IsInit => connect_or_start(place),
        Dialect::Clinit => place.connect().map_err(Err),
    };
    let mut client = match connected {
        Ok(client) => client,
        Err(early) => return early,
    };
    let reply = client.reread()?;
    for warning in &reply.warnings {
        say::note(&format!("clinit: warning: {warning}"));
    }
    for fault in &reply.faults {
        say::note(&format!("clinit: {fault}"));
    }
    if reply.faults.is_empty() {
        return Ok(Exit::Done);
    }
    say::note("clinit: the table was not reread; the one that held goes on");
    Ok(Exit::Failed)
}

fn shutdown(place: &Place, is_verbose: bool) -> Result<Exit, ClientError> {
    match place.connect() {
        Ok(mut client) => {
            let reply = client.shutdown(Shutdown::default())?.reply;
            Ok(if is_verbose { say::line(&reply) } else { Exit::Done })
        }
        // Nothing runs, as wished.
        Err(ClientError::NoDaemon { .. }) if place.dialect == Dialect::IsInit => Ok(Exit::Done),
        Err(error) => Err(error),
    }
}

/// One operand: a level of the group that is named like this host.
fn tell_host(place: &Place, level: &str, is_silent: bool) -> Result<Exit, ClientError> {
    let node = rustix::system::uname();
    let host = node.nodename().to_string_lossy().into_owned();
    let short = host.split('.').next().unwrap_or(&host).to_owned();
    let mut client = match connect_or_start(place) {
        Ok(client) => client,
        Err(early) => return early,
    };
    let mut attempt =
        |group: &str| client.tell(&Tell { group: group.to_owned(), level: level.to_owned(), strict: true });
    let mut told = attempt(&host);
    if short != host && matches!(told, Err(ClientError::Remote(CallError::NoSuchGroup { .. }))) {
        told = attempt(&short);
    }
    if matches!(told, Err(ClientError::Remote(CallError::NoSuchGroup { .. }))) && !is_silent {
        say::note(&format!("hint: {level} alone is a level of the group named like this host, {short}"));
        say::note("hint: clinit help lists the commands");
    }
    finish(told, is_silent)
}

fn tell(place: &Place, group: &str, level: &str, is_silent: bool) -> Result<Exit, ClientError> {
    let tell = Tell { group: group.to_owned(), level: level.to_owned(), strict: false };
    let by = Instant::now() + ENDING_TIME;
    loop {
        let mut client = match connect_or_start(place) {
            Ok(client) => client,
            Err(early) => return early,
        };
        match client.tell(&tell) {
            // The daemon that answered is just ending: the next one is started when it has.
            Err(ClientError::Closed | ClientError::Remote(CallError::ShuttingDown))
                if Instant::now() < by =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            told => return finish(told, is_silent),
        }
    }
}

fn finish(told: Result<TellReply, ClientError>, is_silent: bool) -> Result<Exit, ClientError> {
    match told {
        Ok(_) | Err(ClientError::Remote(CallError::NoSuchGroup { .. })) if is_silent => Ok(Exit::Done),
        Ok(reply) => {
            if let Some(warning) = &reply.warning {
                say::note(&format!("clinit: warning: {warning}"));
            }
            Ok(say::line(&reply.reply))
        }
        Err(ClientError::Remote(error @ CallError::NoSuchGroup { .. })) => {
            if let Some(hint) = error.hint() {
                say::note(&format!("hint: {hint}"));
            }
            Ok(say::line(&error.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// What `status()` of Cluster::Init returns: a line for each group that was told a level.
fn print_status(place: &Place) -> Exit {
    let Ok(reply) = place.connect().and_then(|mut client| client.status(&Status::default())) else {
        // After a shutdown there is nobody to ask, and nothing to tell.
        return Exit::Done;
    };
    let mut text = String::new();
    for group in reply.groups {
        if let Some(level) = group.level.or(group.target) {
            text.push_str(&format!("{} {level} {}\n", group.name, group.state));
        }
    }
    say::text_as_it_is(&text)
}

//! `clinit reexec [--program FILE]`

use std::path::PathBuf;
use std::time::Duration;

use clinit_control::client::{Client, TIMEOUT};
use clinit_control::interface::Reexec;

use super::exit::Exit;
use super::{Place, say};

/// Runs the verb.
pub(crate) fn run(place: &Place, program: Option<PathBuf>, timeout: Option<Duration>) -> Exit {
    let program = program.map(|path| std::path::absolute(&path).unwrap_or(path));
    let call = Reexec {
        program: program.map(|path| path.to_string_lossy().into_owned()),
        timeout_ms: timeout.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
    };
    // The trial has its own time; then processes are replaced.
    let wait = timeout.unwrap_or_default().saturating_add(TIMEOUT);
    let replaced =
        Client::connect(&place.socket(), TIMEOUT).and_then(|client| client.reexec_and_wait(&call, wait));
    match replaced {
        Ok(reply) => say::line(&format!("the daemon runs clinit {} now", reply.version)),
        Err(error) => say::client_error(&error),
    }
}

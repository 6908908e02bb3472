//! `clinit shutdown [--now]`

use std::time::Duration;

use clinit_control::interface::Shutdown;

use super::exit::Exit;
use super::{Place, or_for_ever, say};

/// Runs the verb.
pub(crate) fn run(place: &Place, now: bool, timeout: Option<Duration>) -> Exit {
    let gone =
        place.connect().and_then(|client| client.shutdown_and_wait(Shutdown { now }, or_for_ever(timeout)));
    match gone {
        Ok(_) => Exit::Done,
        Err(error) => say::client_error(&error),
    }
}

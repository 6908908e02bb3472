//! `clinit events [-f] [--json]`

use std::time::Duration;

use clinit_control::client::ClientError;
use clinit_control::interface::{Event, Events};

use super::exit::Exit;
use super::{Place, say};

/// Runs the verb.
pub(crate) fn run(place: &Place, follow: bool, json: bool) -> Exit {
    match attempt(place, follow, json) {
        Ok(exit) => exit,
        Err(error) => say::client_error(&error),
    }
}

fn attempt(place: &Place, follow: bool, json: bool) -> Result<Exit, ClientError> {
    let mut client = place.connect()?;
    let wait = if follow { Duration::MAX } else { client.timeout() };
    let mut replies = client.stream(&Events { follow })?;
    while let Some(reply) = replies.next_within(wait) {
        let Some(event) = reply?.event else { return Ok(Exit::Done) };
        let text = if json { serde_json::to_string(&event).unwrap_or_default() } else { line(&event) };
        if say::line_or_gone(&text).is_err() {
            return Ok(Exit::Done);
        }
    }
    Ok(Exit::Done)
}

/// `10:42:07.003 web/httpd: started, pid 12`, in UTC.
fn line(event: &Event) -> String {
    let ms = event.time_ms;
    let (hour, minute, second) = (ms / 3_600_000 % 24, ms / 60_000 % 60, ms / 1000 % 60);
    let name = match &event.tag {
        Some(tag) => format!("{}/{tag}", event.group),
        None => event.group.to_string(),
    };
    format!("{hour:02}:{minute:02}:{second:02}.{:03}Z {name}: {}", ms % 1000, event.text)
}

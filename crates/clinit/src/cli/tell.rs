//! `clinit tell GROUP LEVEL [--wait]`

use clinit_control::client::ClientError;
use clinit_control::interface::{GroupState, Outcome, Tell as Call};

use super::arguments::Tell;
use super::exit::Exit;
use super::progress::Progress;
use super::{Place, or_for_ever, say};

/// Runs the verb.
pub(crate) fn run(place: &Place, tell: &Tell) -> Exit {
    match attempt(place, tell) {
        Ok(exit) => exit,
        Err(error) => say::client_error(&error),
    }
}

fn attempt(place: &Place, tell: &Tell) -> Result<Exit, ClientError> {
    let mut client = place.connect()?;
    let call = Call { group: tell.group.clone(), level: tell.level.clone(), strict: false };
    if !tell.wait {
        let reply = client.tell(&call)?;
        if let Some(warning) = &reply.warning {
            say::note(&format!("clinit: warning: {warning}"));
        }
        return Ok(say::line(&reply.reply));
    }
    let mut progress = Progress::new(place, &tell.group);
    let reply = client.call_and_wait(&call, or_for_ever(tell.timeout), progress.pulse(), |reply| {
        if reply.is_none() {
            progress.beat();
        }
    });
    drop(progress);
    let reply = reply?;
    if let Some(warning) = &reply.warning {
        say::note(&format!("clinit: warning: {warning}"));
    }
    for fault in &reply.faults {
        say::note(&format!("clinit: the table was not reread: {fault}"));
    }
    let (group, level) = (&reply.group, &reply.level);
    for entry in &reply.troubled {
        let why = entry.why.as_deref().unwrap_or("not as it should be");
        say::note(&format!("clinit: {group}/{}: {}: {why}", entry.tag, entry.state));
    }
    Ok(match (reply.outcome, reply.state) {
        (Some(Outcome::Settled), Some(state)) => {
            let said = say::line(&format!("{group} {level} {state}"));
            if state == GroupState::Failed || !reply.troubled.is_empty() {
                say::note(&format!("hint: clinit explain {group} says why"));
                return Ok(Exit::Failed);
            }
            said
        }
        (Some(Outcome::Gone), _) => {
            say::error(&format!("group {group} is gone: the table has it no longer"), None);
            Exit::Failed
        }
        (Some(_) | None, _) => {
            say::error(&format!("group {group} was told another level before it had {level}"), None);
            Exit::Failed
        }
    })
}

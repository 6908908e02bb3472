//! `clinit run -- COMMAND`
//!
//! While it waits, the daemon's engine may be lost; another one goes on where that was. So does this: it connects
//! again, and finds out by the entry's name what became of it.

use std::time::{Duration, Instant};

use clinit_control::CallError;
use clinit_control::client::{Client, ClientError};
use clinit_control::interface::{
    EntryState, EntryStatus, Events, ExitStatus, Run as Call, RunReply, Status, Stop,
};

use super::arguments::Run;
use super::exit::Exit;
use super::progress::Progress;
use super::{Place, or_for_ever, say};

/// How long another engine may take to answer.
const LOST_TIME: Duration = Duration::from_secs(30);

/// How often another engine is asked: it does not know who waited.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Runs the verb.
pub(crate) fn run(place: &Place, run: &Run) -> Exit {
    let exit = attempt(place, run);
    if run.wait { exit.of_run() } else { exit }
}

fn attempt(place: &Place, run: &Run) -> Exit {
    let call = Call {
        group: run.group.clone(),
        tag: run.tag.clone(),
        mode: run.mode.clone(),
        properties: run.properties.clone(),
        command: run.command.clone(),
        until_ended: run.wait,
    };
    let until = Instant::now().checked_add(or_for_ever(run.timeout));
    let mut progress = Progress::new(place, "");
    let mut made: Option<RunReply> = None;
    let reply = place.connect().and_then(|mut client| {
        client.call_and_wait(&call, or_for_ever(run.timeout), progress.pulse(), |reply| match reply {
            Some(reply) => {
                progress.rename(format!("{}/{}", reply.group, reply.tag));
                made = Some(reply.clone());
            }
            None => progress.beat(),
        })
    });
    let reply = match (reply, made) {
        (Err(ClientError::Closed), Some(made)) => find_out(place, run, &made, until, &mut progress),
        (reply, _) => reply.map(Some),
    };
    drop(progress);
    match reply {
        Ok(Some(reply)) => report(run.wait, &reply),
        Ok(None) => {
            say::error("the daemon was restarted meanwhile, and how it ended cannot be told", None);
            Exit::Unknown
        }
        Err(ClientError::Closed) => {
            let hint = "clinit status run shows whether it runs";
            say::error(
                "the daemon ended before it answered: whether it was started is not known",
                Some(hint),
            );
            Exit::Unknown
        }
        Err(ClientError::Remote(CallError::InvalidEntry { faults })) => {
            for fault in &faults {
                say::error(&format!("{}: {}", fault.source, fault.message), fault.hint.as_deref());
            }
            Exit::Usage
        }
        Err(error) => say::client_error(&error),
    }
}

/// Says what became of it.
fn report(wait: bool, reply: &RunReply) -> Exit {
    let name = format!("{}/{}", reply.group, reply.tag);
    let why = reply.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    if let Some(exit @ ExitStatus::NotExecuted { .. }) = &reply.exit {
        say::error(&format!("{name}: {exit}"), None);
        return if wait { Exit::of_command(exit) } else { Exit::Failed };
    }
    if wait {
        let Some(exit) = &reply.exit else {
            say::error(&format!("{name} was stopped before it ran{why}"), None);
            return Exit::Failed;
        };
        if *exit != (ExitStatus::Exited { code: 0 }) {
            say::error(&format!("{name}: {exit}"), None);
        }
        return Exit::of_command(exit);
    }
    let pid = reply.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    match (reply.state, &reply.exit) {
        (None, Some(exit)) => say::line(&format!("{name}: {exit}")),
        (None, None) => {
            say::error(&format!("{name} was stopped before it ran"), None);
            Exit::Failed
        }
        (Some(EntryState::GivenUp), _) => {
            say::error(&format!("{name}: given up{why}"), Some(&format!("clinit explain {name} says more")));
            Exit::Failed
        }
        (Some(state), exit) => {
            let ended = exit.as_ref().filter(|_| reply.pid.is_none());
            let ended = ended.map(|exit| format!(", {exit}")).unwrap_or_default();
            say::line(&format!("{name}: {state}{pid}{ended}"))
        }
    }
}

/// After the daemon's engine was lost: waits for what was waited for, and finds out how it came. `None` is that nobody
/// knows.
fn find_out(
    place: &Place,
    run: &Run,
    made: &RunReply,
    until: Option<Instant>,
    progress: &mut Progress<'_>,
) -> Result<Option<RunReply>, ClientError> {
    let (mut lost_at, mut beaten_at) = (Instant::now(), Instant::now());
    loop {
        match look(place, run.wait, made) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => lost_at = Instant::now(),
            Err(ClientError::Closed | ClientError::NoDaemon { .. }) if lost_at.elapsed() < LOST_TIME => {}
            Err(error) => return Err(error),
        }
        if let Some(after) = run.timeout.filter(|_| until.is_some_and(|until| until <= Instant::now())) {
            return Err(ClientError::Timeout { what: "answer", after });
        }
        if beaten_at.elapsed() >= progress.pulse() {
            beaten_at = Instant::now();
            progress.beat();
        }
        std::thread::sleep(ASK_AGAIN);
    }
}

/// Whether it has come to what is waited for, and how, if that is known.
#[expect(clippy::option_option, reason = "the outer one is not yet, the inner one unknown")]
fn look(place: &Place, wait: bool, made: &RunReply) -> Result<Option<Option<RunReply>>, ClientError> {
    let (group, tag) = (Some(made.group.to_string()), Some(made.tag.to_string()));
    let mut client = place.connect()?;
    let found = match client.status(&Status { group: group.clone(), tag: tag.clone() }) {
        Ok(reply) => reply.groups.into_iter().flat_map(|group| group.entries).next(),
        Err(ClientError::Remote(CallError::NoSuchEntry { .. } | CallError::NoSuchGroup { .. })) => None,
        Err(error) => return Err(error),
    };
    let Some(entry) = found else {
        // It is over: the new engine has seen how, or the one before it had.
        let exit = last_exit(&mut client, made)?;
        return Ok(Some(exit.map(|exit| RunReply {
            state: None,
            pid: None,
            exit: Some(exit),
            ..made.clone()
        })));
    };
    let has_ended = has_ended(entry.state);
    if !has_ended && (wait || !is_up(&entry)) {
        return Ok(None);
    }
    if has_ended && wait {
        // As the daemon would have: it was waited for, and nobody else need see it.
        client.call(&Stop { group, tag, now_only: false })?;
    }
    let EntryStatus { state, pid, last_exit: exit, why, .. } = entry;
    let exit = exit.filter(|_| has_ended);
    Ok(Some(Some(RunReply { state: Some(state), pid, exit, why, ..made.clone() })))
}

fn has_ended(state: EntryState) -> bool {
    match state {
        EntryState::Done | EntryState::Passed | EntryState::Failed | EntryState::GivenUp => true,
        EntryState::Down | EntryState::Starting | EntryState::Running | EntryState::Ready => false,
        EntryState::Clearing | EntryState::Pausing | EntryState::Stopping | EntryState::Killing => false,
    }
}

fn is_up(entry: &EntryStatus) -> bool {
    entry.state == EntryState::Ready || (entry.state == EntryState::Running && !entry.troubled)
}

/// How it ended last, as far as the daemon remembers.
fn last_exit(client: &mut Client, made: &RunReply) -> Result<Option<ExitStatus>, ClientError> {
    let mut exit = None;
    for reply in client.stream(&Events { follow: false })? {
        let Some(event) = reply?.event else { break };
        if event.group == made.group && event.tag.as_ref() == Some(&made.tag) && event.exit.is_some() {
            exit = event.exit;
        }
    }
    Ok(exit)
}

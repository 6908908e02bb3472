//! `clinit start | stop | restart | reload | reset | signal NAME`

use clinit_control::CallError;
use clinit_control::client::{Client, ClientError};
use clinit_control::interface::{
    EntryState, Method, OrderReply, OrderedEntry, Outcome, Reload, Reset, Restart, Signal, Start, Stop,
};

use super::arguments::{Order, OrderKind};
use super::exit::Exit;
use super::progress::Progress;
use super::{Place, or_for_ever, say};

/// Runs the verb.
pub(crate) fn run(place: &Place, order: &Order) -> Exit {
    let mut progress = Progress::new(place, &order.name);
    let reply = place.connect().and_then(|mut client| send(&mut client, order, &mut progress));
    drop(progress);
    match reply {
        Ok(reply) => report(&order.kind, &reply),
        Err(ClientError::Remote(CallError::InvalidParameter { parameter })) if parameter == "signal" => {
            let OrderKind::Signal(signal) = &order.kind else { return Exit::Usage };
            say::error(&format!("{signal} is no signal"), Some("such as HUP, SIGUSR1 or 10"));
            Exit::Usage
        }
        Err(error) => say::client_error(&error),
    }
}

/// A bare name is a group's, else a tag.
fn send(client: &mut Client, order: &Order, progress: &mut Progress<'_>) -> Result<OrderReply, ClientError> {
    let name = Some(order.name.clone());
    if order.name.contains('/') {
        return send_to(client, order, progress, None, name);
    }
    match send_to(client, order, progress, name.clone(), None) {
        Err(ClientError::Remote(CallError::NoSuchGroup { suggestion: of_group, .. })) => {
            send_to(client, order, progress, None, name).map_err(|error| match error {
                ClientError::Remote(CallError::NoSuchEntry { name, suggestion }) => {
                    let (name, suggestion) = (format!("{name}, nor a group"), of_group.or(suggestion));
                    ClientError::Remote(CallError::NoSuchEntry { name, suggestion })
                }
                other => other,
            })
        }
        result => result,
    }
}

fn send_to(
    client: &mut Client,
    order: &Order,
    progress: &mut Progress<'_>,
    group: Option<String>,
    tag: Option<String>,
) -> Result<OrderReply, ClientError> {
    fn wait<M: Method<Reply = OrderReply>>(
        client: &mut Client,
        order: &Order,
        progress: &mut Progress<'_>,
        call: &M,
    ) -> Result<OrderReply, ClientError> {
        client.call_and_wait(call, or_for_ever(order.timeout), progress.pulse(), |reply| {
            if reply.is_none() {
                progress.beat();
            }
        })
    }
    match &order.kind {
        OrderKind::Start => wait(client, order, progress, &Start { group, tag }),
        OrderKind::Stop { now_only } => {
            wait(client, order, progress, &Stop { group, tag, now_only: *now_only })
        }
        OrderKind::Restart => wait(client, order, progress, &Restart { group, tag }),
        OrderKind::Reload => wait(client, order, progress, &Reload { group, tag }),
        OrderKind::Reset => wait(client, order, progress, &Reset { group, tag }),
        OrderKind::Signal(signal) => client.call(&Signal { group, tag, signal: signal.clone() }),
    }
}

/// Says where each entry stands, and whether that is what was asked for.
fn report(kind: &OrderKind, reply: &OrderReply) -> Exit {
    let mut exit = Exit::Done;
    for entry in &reply.entries {
        let pid = entry.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
        let why = entry.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        say::line(&format!("{}/{}: {}{pid}{why}", entry.group, entry.tag, entry.state));
        if !is_as_asked(kind, entry) {
            exit = Exit::Failed;
        }
    }
    if reply.outcome == Some(Outcome::Superseded) {
        say::error("the group was told another level meanwhile", None);
        exit = Exit::Failed;
    }
    exit
}

fn is_as_asked(kind: &OrderKind, entry: &OrderedEntry) -> bool {
    match kind {
        OrderKind::Stop { .. } => entry.state == EntryState::Down,
        OrderKind::Start | OrderKind::Restart => match entry.state {
            EntryState::Running | EntryState::Ready => !entry.troubled,
            EntryState::Done | EntryState::Passed => !entry.troubled,
            EntryState::Down | EntryState::Starting | EntryState::Clearing | EntryState::Pausing => false,
            EntryState::Stopping | EntryState::Killing | EntryState::Failed => false,
            EntryState::GivenUp => false,
        },
        // What its group does not want stays down, as it should.
        OrderKind::Reset => {
            !matches!(entry.state, EntryState::Pausing | EntryState::Failed | EntryState::GivenUp)
        }
        OrderKind::Reload => !entry.troubled,
        OrderKind::Signal(_) => entry.pid.is_some(),
    }
}

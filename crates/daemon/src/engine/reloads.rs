//! Reloads: entries that are to read their configuration again, and what came of it.

use std::time::Duration;

use clinit_control::interface::{OrderReply, OrderedEntry, Outcome};
use clinit_control::message::Reply;
use clinit_engine::care::{Errand, Reload};
use clinit_engine::entry::{Entry, State};
use clinit_engine::event::{EntryId, Event, Exit, Generation, Notice, Order};
use clinit_engine::time::Instant;

use super::clients::ClientId;
use super::exits::{Ran, exit_status};
use super::requests::Caller;
use super::waiting::{Awaited, Ordered};
use super::{Engine, view};

/// How soon after its reload_signal an entry that speaks to clinit says that it reads its configuration, if it does:
/// many never do.
const ANSWER_TIME: Duration = Duration::from_millis(200);

/// An entry that is to reload.
#[derive(Debug)]
pub(super) struct Reloading {
    ordered: Ordered,
    generation: Generation,
    way: Way,
}

/// How it is made to.
#[derive(Debug)]
enum Way {
    /// Not at all: it cannot.
    None,
    /// By a command, and how that ended (the inner `None` is that it could not be started).
    Command(Option<Option<Exit>>),
    /// By a signal, and until when it may say that it has heard it.
    Signal { name: String, listens_until: Option<Instant> },
}

impl Reloading {
    pub(super) fn hear(&mut self, notice: &Notice) {
        match (notice, &mut self.way) {
            (Notice::ErrandEnded { entry, errand: Errand::Reload, exit }, Way::Command(came))
                if *entry == self.ordered.entry =>
            {
                *came = Some(*exit);
            }
            (Notice::Reloaded { entry }, Way::Signal { listens_until, .. })
                if *entry == self.ordered.entry =>
            {
                *listens_until = None;
            }
            (_, _) => {}
        }
    }

    /// Until when it is listened to.
    pub(super) fn listens_until(&self, now: Instant) -> Option<Instant> {
        match self.way {
            Way::Signal { listens_until, .. } => listens_until.filter(|&until| until > now),
            Way::None | Way::Command(_) => None,
        }
    }

    fn entry<'a>(&self, engine: &'a Engine) -> Option<&'a Entry> {
        let entry = engine.node.entry(self.ordered.entry)?;
        (*entry.key() == self.ordered.key && entry.generation() == self.generation).then_some(entry)
    }

    /// The entry, if it still lives the life that is to reload.
    fn living<'a>(&self, engine: &'a Engine) -> Option<&'a Entry> {
        self.entry(engine).filter(|entry| matches!(entry.state(), State::Running { .. } | State::Ready))
    }

    fn is_over(&self, engine: &Engine, now: Instant) -> bool {
        match (&self.way, self.living(engine)) {
            (Way::None, _) | (_, None) => true,
            (_, Some(entry)) => !entry.is_reloading() && self.listens_until(now).is_none(),
        }
    }

    /// What came of it.
    fn result(&self, engine: &Engine) -> OrderedEntry {
        let Some(as_it_is) = view::ordered(&engine.node, self.ordered.entry) else {
            return OrderedEntry { troubled: true, ..view::gone(&self.ordered.key) };
        };
        let entry = self.living(engine);
        let (troubled, why) = match (&self.way, entry) {
            (Way::None, _) => (true, self.ordered.refusal.clone().unwrap_or_default()),
            (Way::Command(Some(exit)), _) if !exit.is_some_and(Exit::is_success) => {
                (true, how(*exit, engine.node.entry(self.ordered.entry)))
            }
            (Way::Command(Some(_)), Some(_)) => (false, "reloaded".to_owned()),
            (Way::Command(_), _) | (_, None) => {
                (true, "it ended before it had read its configuration again".to_owned())
            }
            (Way::Signal { name, .. }, Some(_)) => (false, format!("sent {name}")),
        };
        OrderedEntry { troubled, why: Some(why), ..as_it_is }
    }
}

/// How a reload_command failed.
fn how(exit: Option<Exit>, entry: Option<&Entry>) -> String {
    let Some(exit) = exit else { return "its reload_command could not be started".to_owned() };
    let ran = entry.and_then(|entry| Ran::errand(entry, Errand::Reload));
    let text = format!("its reload_command failed: {}", exit_status(exit, ran));
    match (exit, entry) {
        (Exit::Signal(9), Some(entry)) => {
            let time = entry.spec().policy.care().reload_timeout;
            format!("{text} (it has {time:?}: reload_timeout)")
        }
        (Exit::Signal(_) | Exit::Code(_) | Exit::NotExecuted(_) | Exit::Unknown, _) => text,
    }
}

impl Engine {
    /// Has entries read their configuration again, and lets the caller wait for it if it wants to.
    pub(super) fn reload(&mut self, caller: Caller, mut entries: Vec<EntryId>, now: Instant) {
        let can = |id: &EntryId| self.node.why_not_reload(*id).is_none();
        if entries.len() > 1 && entries.iter().any(can) {
            // Of a group those are meant that can.
            entries.retain(can);
        }
        let reloading: Vec<Reloading> = entries.iter().filter_map(|&id| self.reloading(id, now)).collect();
        let after = self.actions.len();
        self.happen(Event::Ordered { entries, order: Order::Reload }, now);
        let Caller { client, more, oneway } = caller;
        let waits = more && !oneway;
        let first = OrderReply { entries: self.first_results(&reloading), outcome: None };
        if waits {
            self.clients.reply(client, &Reply::continued(first));
            self.let_wait(client, after, Awaited::Reload(reloading));
        } else {
            self.finish(client, oneway, Ok(first), now);
        }
    }

    fn reloading(&self, id: EntryId, now: Instant) -> Option<Reloading> {
        let ordered = Ordered { refusal: self.node.why_not_reload(id), ..self.willing(id)? };
        let entry = self.node.entry(id)?;
        let way = match &entry.spec().policy.care().reload {
            _ if ordered.refusal.is_some() => Way::None,
            None => Way::None,
            Some(Reload::Command(_)) => Way::Command(None),
            Some(Reload::Signal(signal)) => {
                let name = clinit_sys::signals::name(*signal);
                let name = name.strip_prefix("SIG").unwrap_or(&name).to_owned();
                let speaks = entry.spec().program.notifies();
                Way::Signal { name, listens_until: speaks.then_some(now + ANSWER_TIME) }
            }
        };
        Some(Reloading { ordered, generation: entry.generation(), way })
    }

    /// Where they stand when it has begun: only what is refused is told of.
    fn first_results(&self, reloading: &[Reloading]) -> Vec<OrderedEntry> {
        let ordered: Vec<Ordered> = reloading.iter().map(|entry| entry.ordered.clone()).collect();
        let with_refusal = self.ordered(&ordered).into_iter().zip(&ordered);
        let one = |(entry, ordered): (OrderedEntry, &Ordered)| {
            let troubled = entry.troubled || ordered.refusal.is_some();
            OrderedEntry { troubled, ..entry }
        };
        with_refusal.map(one).collect()
    }

    /// Tells what came of reloads, when all are over.
    pub(super) fn answer_reload(&mut self, client: ClientId, entries: &[Reloading], now: Instant) -> bool {
        if !entries.iter().all(|entry| entry.is_over(self, now)) {
            return false;
        }
        let entries = entries.iter().map(|entry| entry.result(self)).collect();
        let reply = OrderReply { entries, outcome: Some(Outcome::Settled) };
        self.clients.reply(client, &Reply::last(reply));
        true
    }
}

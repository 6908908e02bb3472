//! Clients that wait: for a group to come to rest, for entries to reload, for what they run.

use std::time::Duration;

use clinit_control::interface::{OrderReply, OrderedEntry, Outcome, TellReply};
use clinit_control::message::Reply;
use clinit_engine::entry::{Entry, State};
use clinit_engine::event::{EntryId, Notice};
use clinit_engine::group::{Group, Phase};
use clinit_engine::name::{EntryKey, GroupName, Level};
use clinit_engine::time::Instant;

use super::clients::ClientId;
use super::reloads::Reloading;
use super::runs::Running;
use super::{Engine, view};

/// How long a transition that has ended may be looked at before its end is told.
pub(super) const CONFIRM_TIME: Duration = Duration::from_secs(1);

/// How often.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A client that waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    client: ClientId,
    awaited: Awaited,
    /// How many of the turn's actions were there before it came: those are not its own.
    after: usize,
}

/// What a client waits for.
#[derive(Debug)]
pub(super) enum Awaited {
    /// A group comes to rest.
    Rest(Rest),
    /// Entries have read their configuration again.
    Reload(Vec<Reloading>),
    /// An entry that no table has runs, or has ended.
    Run(Running),
}

/// A group is to come to rest at a level.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) group: GroupName,
    pub(super) level: Option<Level>,
    pub(super) asked: Asked,
    /// How it ended, if it has; a group that moves on before that is told has not.
    pub(super) ended: Option<Outcome>,
    /// Until when it may take to see what became of the processes that were started.
    pub(super) look_until: Option<Instant>,
}

/// What was asked of it.
#[derive(Debug)]
pub(super) enum Asked {
    /// A level.
    Tell(TellReply),
    /// Something of its entries.
    Order(Vec<Ordered>),
}

/// An entry that was ordered something, and why that is not done, if so.
#[derive(Debug, Clone)]
pub(super) struct Ordered {
    pub(super) entry: EntryId,
    /// Its name: it may be gone, and its place another's.
    pub(super) key: EntryKey,
    pub(super) refusal: Option<String>,
}

impl Engine {
    /// Lets a client wait; the turn's first `after` actions are not its own.
    pub(super) fn let_wait(&mut self, client: ClientId, after: usize, awaited: Awaited) {
        self.waiters.push(Waiter { client, awaited, after });
    }

    /// Has those who wait hear what a notice says.
    pub(crate) fn tell_waiters(&mut self, index: usize, notice: &Notice, now: Instant) {
        let mut waiters = std::mem::take(&mut self.waiters);
        for waiter in waiters.iter_mut().filter(|waiter| waiter.after <= index) {
            match &mut waiter.awaited {
                Awaited::Rest(rest) => self.hear_of_rest(rest, notice, now),
                Awaited::Reload(entries) => entries.iter_mut().for_each(|entry| entry.hear(notice)),
                Awaited::Run(running) => running.hear(notice, &self.node),
            }
        }
        self.waiters.append(&mut waiters);
    }

    fn hear_of_rest(&self, rest: &mut Rest, notice: &Notice, now: Instant) {
        let (group, standing) = match notice {
            Notice::GroupForgotten { group } => (group, None),
            Notice::GroupChanged { group, target, phase, .. } => (group, Some((target, *phase))),
            Notice::Started { .. } | Notice::Ended { .. } | Notice::NotSpawned { .. } => return,
            Notice::Stopping { .. } | Notice::Killing { .. } | Notice::GivenUp { .. } => return,
            Notice::Ready { .. } | Notice::Missed { .. } | Notice::Failed { .. } => return,
            Notice::Recovered { .. } | Notice::Reloaded { .. } | Notice::ErrandEnded { .. } => return,
            Notice::Fallen { .. } => return,
        };
        if rest.group != *group || matches!(rest.ended, Some(Outcome::Gone | Outcome::Superseded)) {
            return;
        }
        rest.ended = match standing {
            None => Some(Outcome::Gone),
            Some((target, _)) if *target != rest.level => Some(Outcome::Superseded),
            Some((_, phase)) if phase.is_settled() => Some(Outcome::Settled),
            // A group without a level has nothing to settle at.
            Some((None, Phase::Configured)) => Some(Outcome::Settled),
            Some(_) if self.node.is_halting() => Some(Outcome::Superseded),
            Some(_) => None,
        };
        if rest.ended.is_some() {
            rest.look_until.get_or_insert(now + CONFIRM_TIME);
        }
    }

    /// Answers those for whom what they wait for has come.
    pub(crate) fn answer_waiters(&mut self, now: Instant) {
        let mut waiters = std::mem::take(&mut self.waiters);
        waiters.retain_mut(|Waiter { client, awaited, .. }| {
            if !self.clients.is_there(*client) {
                return false;
            }
            let is_answered = match awaited {
                Awaited::Rest(rest) => self.answer_rest(*client, rest, now),
                Awaited::Reload(entries) => self.answer_reload(*client, entries, now),
                Awaited::Run(running) => self.answer_run(*client, running, now),
            };
            if is_answered {
                self.clients.answered(*client, now);
            }
            !is_answered
        });
        self.waiters.append(&mut waiters);
    }

    /// Tells the end of a transition when it is known what became of what it started: a process that is there may
    /// yet fail to become the wanted program. All that is told is as it is at that moment.
    fn answer_rest(&mut self, client: ClientId, rest: &Rest, now: Instant) -> bool {
        let (Some(outcome), Some(by)) = (rest.ended, rest.look_until) else { return false };
        let of_group = || self.node.group(&rest.group).map(|group| group.members().to_vec());
        let entries = match &rest.asked {
            Asked::Tell(_) => of_group().unwrap_or_default(),
            Asked::Order(ordered) => ordered.iter().map(|ordered| ordered.entry).collect(),
        };
        let is_certain = |&id: &EntryId| self.node.entry(id).is_none_or(|entry| is_certain(entry, now >= by));
        if !entries.iter().all(is_certain) {
            return false;
        }
        match &rest.asked {
            Asked::Tell(first) => {
                let in_trouble = entries.into_iter().filter(|&id| view::is_in_trouble(&self.node, id));
                let troubled: Vec<Ordered> = in_trouble.filter_map(|id| self.willing(id)).collect();
                let group = self.node.group(&rest.group).filter(|_| outcome != Outcome::Gone);
                let state = group.map(Group::phase);
                let reply = first.clone().ended(outcome, state, self.ordered(&troubled));
                self.clients.reply(client, &Reply::last(reply));
            }
            Asked::Order(ordered) => {
                let reply = OrderReply { entries: self.ordered(ordered), outcome: Some(outcome) };
                self.clients.reply(client, &Reply::last(reply));
            }
        }
        true
    }

    /// An entry that does as it is ordered.
    pub(super) fn willing(&self, entry: EntryId) -> Option<Ordered> {
        Some(Ordered { entry, key: self.node.entry(entry)?.key().clone(), refusal: None })
    }

    /// Where entries stand that were ordered something.
    pub(super) fn ordered(&self, ordered: &[Ordered]) -> Vec<OrderedEntry> {
        let one = |Ordered { entry, key, refusal }: &Ordered| {
            let is_it = self.node.entry(*entry).is_some_and(|entry| entry.key() == key);
            let Some(as_it_is) = view::ordered(&self.node, *entry).filter(|_| is_it) else {
                return view::gone(key);
            };
            let waits = self.starts.why(*entry).map(str::to_owned);
            OrderedEntry { why: refusal.clone().or(waits).or(as_it_is.why), ..as_it_is }
        };
        ordered.iter().map(one).collect()
    }

    /// When [`Self::answer_waiters`] has to look again.
    pub(crate) fn next_look(&self, now: Instant) -> Option<Instant> {
        let soon = now + LOOK_AGAIN;
        let looks = self.waiters.iter().filter_map(|waiter| match &waiter.awaited {
            Awaited::Rest(rest) => rest.ended.map(|_| soon),
            Awaited::Run(running) => running.is_looked_at().then_some(soon),
            Awaited::Reload(entries) => entries.iter().filter_map(|entry| entry.listens_until(now)).min(),
        });
        looks.min()
    }

    /// The turn is over: whatever comes now concerns all who wait.
    pub(crate) fn forget_turn(&mut self) {
        self.waiters.iter_mut().for_each(|waiter| waiter.after = 0);
    }
}

/// Whether it is known what became of an entry: it runs the wanted program, or it does not run. `was_looked_at` is
/// whether it was looked at for long enough.
fn is_certain(entry: &Entry, was_looked_at: bool) -> bool {
    match entry.state() {
        // No group waits until it is ready.
        State::Running { .. } if entry.is_transient() && !entry.is_up() => false,
        State::Running { .. } => was_looked_at || entry.pid().is_none_or(has_executed),
        State::Starting | State::Clearing { .. } => was_looked_at,
        State::Ready | State::Down | State::Pausing { .. } => true,
        State::Done { .. } | State::GivenUp { .. } => true,
        State::Stopping { .. } | State::Killing { .. } => true,
    }
}

/// Whether a process has become another program than this one. Of one that has ended nobody can tell: its end
/// will be reported. What may not be looked at is another user's, and so another program.
pub(super) fn has_executed(pid: u32) -> bool {
    match (std::fs::read_link(format!("/proc/{pid}/exe")), std::fs::read_link("/proc/self/exe")) {
        (Ok(theirs), Ok(ours)) => theirs != ours,
        (Err(error), _) => error.kind() == std::io::ErrorKind::PermissionDenied,
        (_, Err(_)) => true,
    }
}

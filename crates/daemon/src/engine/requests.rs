//! Answering the socket's calls.

use std::path::PathBuf;
use std::time::Duration;

use clinit_control::interface::{
    DaemonStatus, EventsReply, GroupStatus, OrderReply, OrderedEntry, Outcome, PlanReply, RereadReply,
    ShutdownReply, Status, StatusReply, Tell, TellReply,
};
use clinit_control::message::{Call, Reply};
use clinit_control::{CallError, Request};
use clinit_engine::entry::{Hold, State};
use clinit_engine::event::{EntryId, Event, Notice, Order};
use clinit_engine::group::Phase;
use clinit_engine::name::{EntryKey, GroupName, Level, Tag};
use clinit_engine::time::Instant;
use clinit_table::{LoadError, ParseOptions, Parsed, nearest};

use super::clients::{ClientId, Message};
use super::disk::Looker;
use super::tables::{Waiting, judge, unreadable};
use super::{Engine, view};

/// How long a transition that has ended may be looked at before its end is told.
const CONFIRM_TIME: Duration = Duration::from_secs(1);

/// How often.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Who called, and how.
#[derive(Debug, Clone, Copy)]
struct Caller {
    client: ClientId,
    more: bool,
    oneway: bool,
}

/// What a waiting client is told when the transition has ended.
#[derive(Debug)]
enum Awaited {
    /// The end of a tell.
    Tell(TellReply),
    /// The end of an order to entries.
    Order(Vec<Ordered>),
}

/// An entry that was ordered something, and why that is not done, if so.
#[derive(Debug, Clone)]
struct Ordered {
    entry: EntryId,
    refusal: Option<String>,
}

impl Ordered {
    fn willing(entry: EntryId) -> Self {
        Self { entry, refusal: None }
    }
}

/// A client that waits for a transition to end.
#[derive(Debug)]
pub(crate) struct Waiter {
    client: ClientId,
    group: GroupName,
    level: Option<Level>,
    awaited: Awaited,
    /// How it ended, and until when it may take to see what became of the processes that were started.
    ended: Option<(Outcome, Option<Phase>, Instant)>,
    /// How many of the turn's actions were there before it came: those are not its own.
    after: usize,
}

impl Engine {
    /// Answers a call, or begins to.
    pub(crate) fn answer(&mut self, message: &Message, now: Instant) {
        let client = message.client;
        let Ok(call) = Call::decode(&message.bytes) else {
            return self.clients.drop_client(client);
        };
        let (more, oneway) = (call.more, call.oneway);
        let request = Request::parse(&call).and_then(|request| self.permit(client, request));
        match request {
            Ok(Request::Tell(tell)) => self.read_table_for(Waiting::Tell { client, tell, more, oneway }, now),
            Ok(Request::Reread(_)) => self.read_table_for(Waiting::Reread { client, oneway }, now),
            Ok(Request::Status(status)) => {
                let reply = self.status(&status, now);
                self.finish(client, oneway, reply, now);
            }
            Ok(Request::Start(call)) => {
                self.order(Caller { client, more, oneway }, &call.group, &call.tag, Order::Start, now);
            }
            Ok(Request::Stop(call)) => {
                let hold = if call.now_only { Hold::UntilTold } else { Hold::UntilStarted };
                self.order(
                    Caller { client, more, oneway },
                    &call.group,
                    &call.tag,
                    Order::Stop { hold },
                    now,
                );
            }
            Ok(Request::Restart(call)) => {
                self.order(Caller { client, more, oneway }, &call.group, &call.tag, Order::Restart, now);
            }
            Ok(Request::Reset(call)) => {
                self.order(Caller { client, more, oneway }, &call.group, &call.tag, Order::Reset, now);
            }
            Ok(Request::Signal(call)) => match clinit_sys::signals::number(&call.signal) {
                Some(signal) => {
                    let order = Order::Signal(signal);
                    self.order(Caller { client, more: false, oneway }, &call.group, &call.tag, order, now);
                }
                None => {
                    let error = CallError::InvalidParameter { parameter: "signal".to_owned() };
                    self.finish::<OrderReply>(client, oneway, Err(error), now);
                }
            },
            Ok(Request::Shutdown(shutdown)) => {
                self.halt(shutdown.now, now);
                if more && !oneway {
                    // Stays busy: the end of the connection is the sign that the daemon is gone.
                    self.clients.reply(client, &Reply::continued(ShutdownReply::default()));
                } else {
                    self.finish(client, oneway, Ok(ShutdownReply::default()), now);
                }
            }
            Ok(Request::Plan(plan)) => {
                let options = ParseOptions { dialect: self.setup.dialect };
                let path = plan.table.map_or_else(|| self.setup.table.clone(), PathBuf::from);
                let name = path.to_string_lossy().into_owned();
                self.disk.look_at_table(&path, options, Looker { client, oneway, name });
            }
            Ok(Request::Events(_)) if !more => {
                self.finish::<EventsReply>(client, oneway, Err(CallError::ExpectedMore), now);
            }
            Ok(Request::Events(events)) => {
                if oneway || self.events.tell(client, events.follow, &mut self.clients) {
                    self.clients.answered(client, now);
                }
            }
            Ok(Request::GetInfo(info)) => self.finish(client, oneway, Ok(info.answer()), now),
            Ok(Request::GetInterfaceDescription(description)) => {
                self.finish(client, oneway, description.answer(), now);
            }
            Err(error) => self.finish::<ShutdownReply>(client, oneway, Err(error), now),
        }
    }

    /// Refuses what the caller may not do.
    fn permit(&self, client: ClientId, request: Request) -> Result<Request, CallError> {
        let what = match &request {
            Request::Status(_) | Request::GetInfo(_) | Request::GetInterfaceDescription(_) => {
                return Ok(request);
            }
            Request::Events(_) => return Ok(request),
            Request::Plan(_) => "to have a table read",
            Request::Tell(_) => "to tell a group its level",
            Request::Start(_) | Request::Stop(_) | Request::Restart(_) => "to start or stop an entry",
            Request::Reset(_) | Request::Signal(_) => "to reset an entry or send it a signal",
            Request::Reread(_) => "to reread the table",
            Request::Shutdown(_) => "to shut the daemon down",
        };
        if !self.clients.is_trusted(client) {
            let remedy = "only root and the user who runs the daemon may change things".to_owned();
            return Err(CallError::NotPermitted { what: what.to_owned(), remedy });
        }
        match request {
            // Asked twice, it may be in more of a hurry.
            Request::Shutdown(_) => Ok(request),
            _ if self.node.is_halting() => Err(CallError::ShuttingDown),
            _ => Ok(request),
        }
    }

    /// The last reply to a call.
    fn finish<R: serde::Serialize>(
        &mut self,
        client: ClientId,
        oneway: bool,
        reply: Result<R, CallError>,
        now: Instant,
    ) {
        match reply {
            _ if oneway => {}
            Ok(reply) => self.clients.reply(client, &Reply::last(reply)),
            Err(error) => self.clients.reply(client, &error),
        }
        self.clients.answered(client, now);
    }

    /// Serves somebody who waited for the table to be read.
    pub(crate) fn serve(&mut self, waiting: Waiting, now: Instant) {
        match waiting {
            Waiting::Signal => {}
            Waiting::Reread { client, oneway } => {
                let verdict = self.tables.verdict.clone();
                let (changed, faults, warnings) = (verdict.changed, verdict.faults, verdict.warnings);
                self.finish(client, oneway, Ok(RereadReply { changed, faults, warnings }), now);
            }
            Waiting::Tell { client, tell, more, oneway } => {
                let after = self.actions.len();
                match self.tell(&tell, now) {
                    Ok(first) if more && !oneway => {
                        self.clients.reply(client, &Reply::continued(first.clone()));
                        let (group, level) = (first.group.clone(), Some(first.level.clone()));
                        self.waiters.push(Waiter {
                            client,
                            group,
                            level,
                            awaited: Awaited::Tell(first),
                            ended: None,
                            after,
                        });
                    }
                    reply => self.finish(client, oneway, reply, now),
                }
            }
        }
    }

    fn tell(&mut self, tell: &Tell, now: Instant) -> Result<TellReply, CallError> {
        if self.node.is_halting() {
            return Err(CallError::ShuttingDown);
        }
        let group = self.find_group(&tell.group)?;
        let level = Level::new(&tell.level)
            .map_err(|_| CallError::InvalidParameter { parameter: "level".to_owned() })?;
        let mut warning = None;
        if let Some(known) = self.node.group(&group)
            && !self.node.has_level(known, &level)
        {
            let levels: Vec<String> =
                self.node.named_levels(known).iter().map(|level| level.as_str().to_owned()).collect();
            if tell.strict {
                let suggestion =
                    nearest(level.as_str(), levels.iter().map(String::as_str)).map(str::to_owned);
                let (group, level) = (tell.group.clone(), tell.level.clone());
                return Err(CallError::NoSuchLevel { group, level, levels, suggestion });
            }
            warning = Some(format!("no entry of group {group} has level {level}: all of them are stopped"));
        }
        self.happen(Event::Told { group: group.clone(), level: level.clone() }, now);
        Ok(TellReply::started(group, level, warning, self.tables.verdict.faults.clone()))
    }

    /// Tells what a table would change.
    pub(crate) fn tell_plan(
        &mut self,
        looker: &Looker,
        parsed: Result<Box<Parsed>, LoadError>,
        now: Instant,
    ) {
        let (verdict, lines) = match parsed {
            Ok(parsed) => {
                let verdict = judge(&parsed, self.setup.dialect, &looker.name);
                let lines =
                    if verdict.faults.is_empty() { self.node.plan(&parsed.table) } else { Vec::new() };
                (verdict, lines.into_iter().map(view::plan_line).collect())
            }
            Err(error) => (unreadable(&error, &looker.name), Vec::new()),
        };
        let reply = PlanReply { lines, faults: verdict.faults, warnings: verdict.warnings };
        self.finish(looker.client, looker.oneway, Ok(reply), now);
    }

    /// Orders entries something, and lets the caller wait for the end if it wants to.
    fn order(
        &mut self,
        caller: Caller,
        group: &Option<String>,
        tag: &Option<String>,
        order: Order,
        now: Instant,
    ) {
        let Caller { client, more, oneway } = caller;
        let wanted = Status { group: group.clone(), tag: tag.clone() };
        let mut entries = match self.pick(&wanted).and_then(|picked| self.entries_of(&picked)) {
            Ok(entries) => entries,
            Err(error) => return self.finish::<OrderReply>(client, oneway, Err(error), now),
        };
        if tag.is_none() && matches!(order, Order::Start | Order::Restart) {
            // Of a group only what belongs to its level is meant, if anything does.
            let startable = |id: &EntryId| self.node.why_not_start(*id).is_none();
            if entries.iter().any(startable) {
                entries.retain(startable);
            }
        }
        let ordered: Vec<Ordered> = entries
            .iter()
            .map(|&entry| match order {
                Order::Start | Order::Restart => Ordered { entry, refusal: self.node.why_not_start(entry) },
                Order::Stop { .. } | Order::Reset | Order::Signal(_) => Ordered::willing(entry),
            })
            .collect();
        let after = self.actions.len();
        self.happen(Event::Ordered { entries: entries.clone(), order }, now);
        let reply = OrderReply { entries: self.ordered(&ordered), outcome: None };
        let group =
            entries.first().and_then(|&id| self.node.entry(id)).map(|entry| entry.key().group.clone());
        match group.filter(|_| more && !oneway) {
            Some(group) => {
                self.clients.reply(client, &Reply::continued(reply));
                let level = self.node.group(&group).and_then(|group| group.target().cloned());
                self.waiters.push(Waiter {
                    client,
                    group,
                    level,
                    awaited: Awaited::Order(ordered),
                    ended: None,
                    after,
                });
            }
            None => self.finish(client, oneway, Ok(reply), now),
        }
    }

    fn entries_of(&self, picked: &Picked) -> Result<Vec<EntryId>, CallError> {
        match picked {
            Picked::All => Err(CallError::InvalidParameter { parameter: "group".to_owned() }),
            Picked::Group(name) => {
                Ok(self.node.group(name).map(|group| group.members().to_vec()).unwrap_or_default())
            }
            Picked::Entry(key) => Ok(self.node.entry_id(key).into_iter().collect()),
        }
    }

    fn ordered(&self, ordered: &[Ordered]) -> Vec<OrderedEntry> {
        let one = |Ordered { entry, refusal }: &Ordered| {
            let as_it_is = view::ordered(self.node.entry(*entry)?);
            let waits = self.starts.why(*entry).map(str::to_owned);
            Some(OrderedEntry { why: refusal.clone().or(waits).or(as_it_is.why), ..as_it_is })
        };
        ordered.iter().filter_map(one).collect()
    }

    fn find_group(&self, name: &str) -> Result<GroupName, CallError> {
        let found = GroupName::new(name).ok().filter(|group| self.node.has_group(group));
        found.ok_or_else(|| {
            let names = self.node.groups().map(|group| group.name().as_str());
            let suggestion = nearest(name, names).map(str::to_owned);
            CallError::NoSuchGroup { group: name.to_owned(), suggestion }
        })
    }

    fn status(&self, wanted: &Status, now: Instant) -> Result<StatusReply, CallError> {
        let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let daemon = DaemonStatus {
            keeper_pid: self.keeper_pid,
            engine_pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            table: path(&self.setup.table),
            socket: path(&self.setup.socket),
            clstat: self.setup.clstat.as_deref().map(path).unwrap_or_default(),
            since_ms: view::milliseconds(now.since(self.started)),
        };
        let picked = self.pick(wanted)?;
        let groups = self.node.groups().filter(|group| match &picked {
            Picked::All => true,
            Picked::Group(name) => group.name() == name,
            Picked::Entry(key) => *group.name() == key.group,
        });
        let groups = groups.map(|group| {
            view::group(&self.node, group, now, |entry| match &picked {
                Picked::All | Picked::Group(_) => true,
                Picked::Entry(key) => entry.key() == key,
            })
        });
        let mut groups: Vec<GroupStatus> = groups.collect();
        if !self.starts.is_idle() {
            groups.iter_mut().for_each(|group| self.explain_waiting(group));
        }
        Ok(StatusReply { daemon, groups })
    }

    /// Says of entries that were not handed to the keeper yet what they wait for.
    fn explain_waiting(&self, group: &mut GroupStatus) {
        for entry in &mut group.entries {
            let key = EntryKey { group: group.name.clone(), tag: entry.tag.clone() };
            if let Some(why) = self.node.entry_id(&key).and_then(|id| self.starts.why(id)) {
                entry.why = Some(why.to_owned());
            }
        }
    }

    /// What a status is asked of.
    fn pick(&self, wanted: &Status) -> Result<Picked, CallError> {
        match (&wanted.group, &wanted.tag) {
            (None, None) => Ok(Picked::All),
            (Some(group), None) => {
                let known = GroupName::new(group).ok().filter(|name| self.node.group(name).is_some());
                known.map(Picked::Group).map_or_else(|| self.find_group(group).map(Picked::Group), Ok)
            }
            (Some(group), Some(tag)) => self.pick_entry(group, tag),
            (None, Some(name)) => match name.split_once('/') {
                Some((group, tag)) => self.pick_entry(group, tag),
                None => self.pick_tag(name),
            },
        }
    }

    fn pick_entry(&self, group: &str, tag: &str) -> Result<Picked, CallError> {
        let group = self.find_group(group)?;
        let key = Tag::new(tag).ok().map(|tag| EntryKey { group: group.clone(), tag });
        key.filter(|key| self.node.entry_id(key).is_some()).map(Picked::Entry).ok_or_else(|| {
            let tags = self.node.entries().map(|(_, entry)| entry.key()).filter(|key| key.group == group);
            let suggestion =
                nearest(tag, tags.map(|key| key.tag.as_str())).map(|tag| format!("{group}/{tag}"));
            CallError::NoSuchEntry { name: format!("{group}/{tag}"), suggestion }
        })
    }

    /// An entry by its tag alone, which is unique in a table.
    fn pick_tag(&self, name: &str) -> Result<Picked, CallError> {
        let mut keys =
            self.node.entries().map(|(_, entry)| entry.key()).filter(|key| key.tag.as_str() == name);
        let is_group = GroupName::new(name).is_ok_and(|group| self.node.has_group(&group));
        match (keys.next(), is_group) {
            (Some(_), true) => Err(CallError::Ambiguous { name: name.to_owned() }),
            (Some(key), false) => Ok(Picked::Entry(key.clone())),
            (None, _) => {
                let tags = self.node.entries().map(|(_, entry)| entry.key().tag.as_str());
                let suggestion = nearest(name, tags).map(str::to_owned);
                Err(CallError::NoSuchEntry { name: name.to_owned(), suggestion })
            }
        }
    }

    /// Tells those whose transition has ended by what a notice says.
    pub(crate) fn tell_waiters(&mut self, index: usize, notice: &Notice, now: Instant) {
        let (group, outcome) = match notice {
            Notice::GroupForgotten { group } => (group, None),
            Notice::GroupChanged { group, target, phase, .. } => (group, Some((target, *phase))),
            Notice::Started { .. } | Notice::Ended { .. } | Notice::NotSpawned { .. } => return,
            Notice::Stopping { .. } | Notice::Killing { .. } => return,
        };
        let mut waiters = std::mem::take(&mut self.waiters);
        waiters.retain_mut(|waiter| {
            if waiter.group != *group || index < waiter.after || waiter.ended.is_some() {
                return true;
            }
            let (outcome, state) = match outcome {
                None => (Outcome::Gone, None),
                Some((target, phase)) if *target != waiter.level => (Outcome::Superseded, Some(phase)),
                Some((_, phase)) if phase.is_settled() => (Outcome::Settled, Some(phase)),
                // A group without a level has nothing to settle at.
                Some((None, Phase::Configured)) => (Outcome::Settled, Some(Phase::Configured)),
                Some((_, phase)) if self.node.is_halting() => (Outcome::Superseded, Some(phase)),
                Some(_) => return true,
            };
            waiter.ended = Some((outcome, state, now + CONFIRM_TIME));
            true
        });
        self.waiters.append(&mut waiters);
    }

    /// Answers those whose transition has ended, when it is known what became of what it started: a process
    /// that is there may yet fail to become the wanted program.
    pub(crate) fn answer_waiters(&mut self, now: Instant) {
        let mut waiters = std::mem::take(&mut self.waiters);
        waiters.retain(|waiter| {
            let Some((outcome, state, by)) = waiter.ended else { return true };
            let of_group = || self.node.group(&waiter.group).map(|group| group.members().to_vec());
            let entries = match &waiter.awaited {
                Awaited::Tell(_) => of_group().unwrap_or_default(),
                Awaited::Order(ordered) => ordered.iter().map(|ordered| ordered.entry).collect(),
            };
            if now < by && !entries.iter().all(|&id| self.is_certain(id)) {
                return true;
            }
            match &waiter.awaited {
                Awaited::Tell(first) => {
                    let in_trouble = |id: &EntryId| self.node.entry(*id).is_some_and(view::is_in_trouble);
                    let troubled: Vec<Ordered> =
                        entries.into_iter().filter(in_trouble).map(Ordered::willing).collect();
                    let reply = first.clone().ended(outcome, state, self.ordered(&troubled));
                    self.clients.reply(waiter.client, &Reply::last(reply));
                }
                Awaited::Order(ordered) => {
                    let reply = OrderReply { entries: self.ordered(ordered), outcome: Some(outcome) };
                    self.clients.reply(waiter.client, &Reply::last(reply));
                }
            }
            self.clients.answered(waiter.client, now);
            false
        });
        self.waiters.append(&mut waiters);
    }

    /// Whether it is known what became of an entry: it runs the wanted program, or it does not run.
    fn is_certain(&self, id: EntryId) -> bool {
        let Some(entry) = self.node.entry(id) else { return true };
        match entry.state() {
            State::Running => entry.pid().is_none_or(has_executed),
            State::Starting | State::Clearing { .. } => false,
            State::Down | State::Pausing { .. } | State::Done { .. } => true,
            State::Stopping { .. } | State::Killing { .. } => true,
        }
    }

    /// When [`Self::answer_waiters`] has to look again.
    pub(crate) fn next_look(&self, now: Instant) -> Option<Instant> {
        self.waiters.iter().any(|waiter| waiter.ended.is_some()).then_some(now + LOOK_AGAIN)
    }

    /// The turn is over: whatever comes now concerns all who wait.
    pub(crate) fn forget_turn(&mut self) {
        self.waiters.iter_mut().for_each(|waiter| waiter.after = 0);
    }
}

/// Whether a process has become another program than this one. Of one that has ended nobody can tell: its end
/// will be reported. What may not be looked at is another user's, and so another program.
fn has_executed(pid: u32) -> bool {
    match (std::fs::read_link(format!("/proc/{pid}/exe")), std::fs::read_link("/proc/self/exe")) {
        (Ok(theirs), Ok(ours)) => theirs != ours,
        (Err(error), _) => error.kind() == std::io::ErrorKind::PermissionDenied,
        (_, Err(_)) => true,
    }
}

/// What a status is asked of.
enum Picked {
    All,
    Group(GroupName),
    Entry(EntryKey),
}

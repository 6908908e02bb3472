//! Answering the socket's calls.

use clinit_control::interface::{
    DaemonStatus, Outcome, RereadReply, ShutdownReply, Status, StatusReply, Tell, TellReply,
};
use clinit_control::message::{Call, Reply};
use clinit_control::{CallError, Request};
use clinit_engine::event::{Event, Notice};
use clinit_engine::name::{EntryKey, GroupName, Level, Tag};
use clinit_engine::time::Instant;
use clinit_table::nearest;

use super::clients::{ClientId, Message};
use super::tables::Waiting;
use super::{Engine, view};

/// A client that waits for a transition to end.
#[derive(Debug)]
pub(crate) struct Waiter {
    client: ClientId,
    first: TellReply,
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
            Ok(Request::Shutdown(shutdown)) => {
                self.halt(shutdown.now, now);
                if more && !oneway {
                    // Stays busy: the end of the connection is the sign that the daemon is gone.
                    self.clients.reply(client, &Reply::continued(ShutdownReply::default()));
                } else {
                    self.finish(client, oneway, Ok(ShutdownReply::default()), now);
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
            Request::Tell(_) => "to tell a group its level",
            Request::Reread(_) => "to reread the table",
            Request::Shutdown(_) => "to shut the daemon down",
        };
        if !self.clients.is_trusted(client) {
            let remedy = "only root and the user who runs the daemon may change things".to_owned();
            return Err(CallError::NotPermitted { what: what.to_owned(), remedy });
        }
        match request {
            Request::Tell(_) | Request::Reread(_) if self.node.is_halting() => Err(CallError::ShuttingDown),
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
                        self.waiters.push(Waiter { client, first, after });
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
        Ok(StatusReply { daemon, groups: groups.collect() })
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
        waiters.retain(|waiter| {
            if waiter.first.group != *group || index < waiter.after {
                return true;
            }
            let (outcome, state) = match outcome {
                None => (Outcome::Gone, None),
                Some((target, phase)) if target.as_ref() != Some(&waiter.first.level) => {
                    (Outcome::Superseded, Some(phase))
                }
                Some((_, phase)) if phase.is_settled() => (Outcome::Settled, Some(phase)),
                Some((_, phase)) if self.node.is_halting() => (Outcome::Superseded, Some(phase)),
                Some(_) => return true,
            };
            let reply = waiter.first.clone().ended(outcome, state);
            self.clients.reply(waiter.client, &Reply::last(reply));
            self.clients.answered(waiter.client, now);
            false
        });
        self.waiters.append(&mut waiters);
    }

    /// The turn is over: whatever comes now concerns all who wait.
    pub(crate) fn forget_turn(&mut self) {
        self.waiters.iter_mut().for_each(|waiter| waiter.after = 0);
    }
}

/// What a status is asked of.
enum Picked {
    All,
    Group(GroupName),
    Entry(EntryKey),
}

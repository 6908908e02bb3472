//! Answering the socket's calls.

use std::path::PathBuf;
use std::time::Duration;

use clinit_control::interface::{
    EventsReply, ExplainReply, OrderReply, PlanReply, RereadReply, ShutdownReply, Tell, TellReply,
};
use clinit_control::message::{Call, Reply};
use clinit_control::{CallError, Request};
use clinit_engine::entry::Hold;
use clinit_engine::event::{Event, Order};
use clinit_engine::group::Group;
use clinit_engine::name::Level;
use clinit_engine::time::Instant;
use clinit_table::{LoadError, ParseOptions, Parsed, nearest};

use super::clients::{ClientId, Message};
use super::disk::Looker;
use super::tables::{Waiting, judge, unreadable};
use super::waiting::{Asked, Awaited, Rest};
use super::{Engine, view};

/// Who called, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) client: ClientId,
    pub(super) more: bool,
    pub(super) oneway: bool,
}

impl Engine {
    /// Answers a call, or begins to.
    pub(crate) fn answer(&mut self, message: &Message, now: Instant) {
        let client = message.client;
        let Ok(call) = Call::decode(&message.bytes) else {
            return self.clients.drop_client(client);
        };
        let (more, oneway) = (call.more, call.oneway);
        let caller = Caller { client, more, oneway };
        let request = Request::parse(&call).and_then(|request| self.permit(client, request));
        match request {
            Ok(Request::Tell(tell)) => self.read_table_for(Waiting::Tell { client, tell, more, oneway }, now),
            Ok(Request::Reread(_)) => self.read_table_for(Waiting::Reread { client, oneway }, now),
            Ok(Request::Status(status)) => {
                let reply = self.status(&status, now);
                self.finish(client, oneway, reply, now);
            }
            Ok(Request::Start(call)) => {
                self.order(caller, &call.group, &call.tag, Order::Start, now);
            }
            Ok(Request::Stop(call)) => {
                let hold = if call.now_only { Hold::UntilTold } else { Hold::UntilStarted };
                self.order(caller, &call.group, &call.tag, Order::Stop { hold }, now);
            }
            Ok(Request::Restart(call)) => {
                self.order(caller, &call.group, &call.tag, Order::Restart, now);
            }
            Ok(Request::Reload(call)) => {
                self.order(caller, &call.group, &call.tag, Order::Reload, now);
            }
            Ok(Request::Reset(call)) => {
                self.order(caller, &call.group, &call.tag, Order::Reset, now);
            }
            Ok(Request::Run(call)) => self.run(caller, &call, now),
            Ok(Request::Explain(call)) => {
                let reply = self.explain(&call, now);
                self.finish::<ExplainReply>(client, oneway, reply, now);
            }
            Ok(Request::Signal(call)) => match clinit_sys::signals::number(&call.signal) {
                Some(signal) => {
                    let order = Order::Signal(signal);
                    self.order(Caller { more: false, ..caller }, &call.group, &call.tag, order, now);
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
            Ok(Request::Reexec(reexec)) => {
                let timeout = reexec.timeout_ms.map(Duration::from_millis);
                let program = reexec.program.map(PathBuf::from);
                self.begin_upgrade((client, more, oneway), program, timeout, now);
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
            Request::Events(_) | Request::Explain(_) => return Ok(request),
            Request::Plan(_) => "to have a table read",
            Request::Tell(_) => "to tell a group its level",
            Request::Start(_) | Request::Stop(_) | Request::Restart(_) => "to start or stop an entry",
            Request::Reset(_) | Request::Signal(_) => "to reset an entry or send it a signal",
            Request::Reload(_) => "to have an entry reload",
            Request::Run(_) => "to run a command",
            Request::Reread(_) => "to reread the table",
            Request::Reexec(_) => "to replace the daemon's program",
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
    pub(super) fn finish<R: serde::Serialize>(
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
                        let rest =
                            Rest { group, level, asked: Asked::Tell(first), ended: None, look_until: None };
                        self.let_wait(client, after, Awaited::Rest(rest));
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
        if self.node.group(&group).is_some_and(Group::is_transient) {
            // What was made by hand has no levels.
            return Err(CallError::NoSuchGroup { group: tell.group.clone(), suggestion: None });
        }
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
        self.told(&group, &level);
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
}

//! Entries that are made through the socket, and what becomes of them.

use clinit_control::CallError;
use clinit_control::interface::{ExitStatus, Fault, Run, RunReply};
use clinit_control::message::Reply;
use clinit_engine::entry::{Entry, Hold, State};
use clinit_engine::event::{EntryId, Event, Next, Notice, Order};
use clinit_engine::name::{EntryKey, GroupName, NameFault, Tag};
use clinit_engine::node::Node;
use clinit_engine::spec::EntrySpec;
use clinit_engine::time::Instant;
use clinit_table::{Diagnostic, RESERVED_GROUPS, TRANSIENT_GROUP, Wanted, transient_entry};

use super::clients::ClientId;
use super::exits::{Ran, exit_status};
use super::requests::Caller;
use super::waiting::{Awaited, CONFIRM_TIME, has_executed};
use super::{Engine, view};

/// How many that failed are kept for people to see; the oldest go first.
const FAILED_MAX: usize = 64;

/// How much of a program's name becomes a tag, in bytes: there is room for a number behind it.
const TAG_BYTES_MAX: usize = 100;

/// An entry that somebody runs and waits for.
#[derive(Debug)]
pub(super) struct Running {
    entry: EntryId,
    /// Its name: it may be gone, and its place another's.
    key: EntryKey,
    until_ended: bool,
    /// How its main process ended last.
    exit: Option<ExitStatus>,
    is_over: bool,
    /// Until when it may take to see that its process has become the wanted program.
    looked_at_until: Option<Instant>,
}

impl Running {
    pub(super) fn hear(&mut self, notice: &Notice, node: &Node) {
        if let Notice::Ended { entry, exit, next } = notice
            && *entry == self.entry
        {
            self.exit = Some(exit_status(*exit, self.find(node).map(Ran::main)));
            self.is_over |= matches!(next, Next::Done | Next::GivenUp);
        }
    }

    fn find<'a>(&self, node: &'a Node) -> Option<&'a Entry> {
        node.entry(self.entry).filter(|entry| *entry.key() == self.key)
    }

    /// Whether it has to be looked at again soon.
    pub(super) fn is_looked_at(&self) -> bool {
        self.looked_at_until.is_some()
    }

    fn has_come(&mut self, node: &Node, now: Instant) -> bool {
        let Some(entry) = self.find(node) else { return true };
        let is_over =
            self.is_over || matches!(entry.state(), State::Down | State::Done { .. } | State::GivenUp { .. });
        if is_over || self.until_ended {
            return is_over;
        }
        let (is_up, pid) = (entry.is_up(), entry.pid());
        if is_up {
            let until = *self.looked_at_until.get_or_insert(now + CONFIRM_TIME);
            return now >= until || pid.is_none_or(has_executed);
        }
        self.looked_at_until = None;
        // It was there, and is started again.
        self.exit.is_some()
    }
}

impl Engine {
    /// Makes an entry, and lets the caller wait for its start or its end if it wants to.
    pub(super) fn run(&mut self, caller: Caller, call: &Run, now: Instant) {
        let Caller { client, more, oneway } = caller;
        let (key, spec) = match self.wanted(call) {
            Ok(wanted) => wanted,
            Err(error) => return self.finish::<RunReply>(client, oneway, Err(error), now),
        };
        self.forget_oldest(now);
        let after = self.actions.len();
        self.happen(Event::Added { group: key.group.clone(), spec: Box::new(spec) }, now);
        let Some(entry) = self.node.entry_id(&key) else {
            return self.finish::<RunReply>(client, oneway, Err(CallError::ShuttingDown), now);
        };
        let running = Running {
            entry,
            key,
            until_ended: call.until_ended,
            exit: None,
            is_over: false,
            looked_at_until: None,
        };
        let reply = self.run_reply(&running);
        if more && !oneway {
            self.clients.reply(client, &Reply::continued(reply));
            self.let_wait(client, after, Awaited::Run(running));
        } else {
            self.finish(client, oneway, Ok(reply), now);
        }
    }

    /// What a call wants, with the name that it is to have.
    fn wanted(&self, call: &Run) -> Result<(EntryKey, EntrySpec), CallError> {
        let mut faults = Vec::new();
        let group = call.group.as_deref().unwrap_or(TRANSIENT_GROUP);
        let group = match GroupName::new(group) {
            Ok(name) if group == TRANSIENT_GROUP || !RESERVED_GROUPS.contains(&group) => Some(name),
            Ok(_) => {
                let hint = format!("take another group, or none for the group {TRANSIENT_GROUP}");
                faults.push(fault(&format!("group {group}"), "the name is reserved".to_owned(), Some(hint)));
                None
            }
            Err(no_name) => {
                faults.push(bad_name("group", group, no_name));
                None
            }
        };
        let tag = match call.tag.as_deref() {
            Some(tag) => Tag::new(tag).map_err(|no_name| faults.push(bad_name("tag", tag, no_name))).ok(),
            None => self.free_tag(call.command.first().map_or("", String::as_str)),
        };
        let no_tag = tag.is_none().then(|| Tag::new(TRANSIENT_GROUP).ok()).flatten();
        let spec = tag.as_ref().or(no_tag.as_ref()).map(|tag| {
            let (mode, properties, command) = (call.mode.as_deref(), &call.properties, &call.command);
            transient_entry(&Wanted { tag, mode, properties, command })
        });
        match (group, tag, spec) {
            (Some(group), Some(tag), Some(Ok(spec))) => {
                // A tag names one entry, whichever group it is in.
                let mut keys = self.node.entries().map(|(_, entry)| entry.key());
                match keys.find(|key| key.tag == tag) {
                    Some(key) => Err(CallError::EntryExists { name: key.to_string() }),
                    None => Ok((EntryKey { group, tag }, spec)),
                }
            }
            (_, _, spec) => {
                let of_spec = spec.and_then(Result::err).unwrap_or_default();
                faults.extend(of_spec.iter().map(as_fault));
                Err(CallError::InvalidEntry { faults })
            }
        }
    }

    /// A tag made from a program's path that no entry has.
    fn free_tag(&self, program: &str) -> Option<Tag> {
        let name = program.rsplit('/').next().unwrap_or_default().trim_start_matches('-');
        let mut base = String::new();
        for c in name.chars().filter(|&c| Tag::new(c.encode_utf8(&mut [0; 4])).is_ok() || c == '-') {
            if base.len() + c.len_utf8() > TAG_BYTES_MAX {
                break;
            }
            base.push(c);
        }
        if base.is_empty() {
            TRANSIENT_GROUP.clone_into(&mut base);
        }
        let taken: std::collections::BTreeSet<&str> =
            self.node.entries().map(|(_, entry)| entry.key().tag.as_str()).collect();
        let numbered = (2u32..).map(|number| format!("{base}-{number}"));
        let mut names = std::iter::once(base.clone()).chain(numbered);
        names.find(|name| !taken.contains(name.as_str())).and_then(|name| Tag::new(&name).ok())
    }

    /// Makes room among those that failed and that nobody has looked after.
    fn forget_oldest(&mut self, now: Instant) {
        let transient = self.node.entries().filter(|(_, entry)| entry.is_transient());
        let mut failed: Vec<(Instant, EntryId)> =
            transient.filter(|(_, entry)| has_ended(entry)).map(|(id, entry)| (entry.since(), id)).collect();
        if failed.len() < FAILED_MAX {
            return;
        }
        failed.sort_unstable();
        let oldest = failed.iter().take(failed.len() + 1 - FAILED_MAX).map(|&(_, id)| id).collect();
        self.forget(oldest, now);
    }

    fn forget(&mut self, entries: Vec<EntryId>, now: Instant) {
        self.happen(Event::Ordered { entries, order: Order::Stop { hold: Hold::UntilStarted } }, now);
    }

    fn run_reply(&self, running: &Running) -> RunReply {
        let EntryKey { group, tag } = running.key.clone();
        let stands = running.find(&self.node).and_then(|_| view::ordered(&self.node, running.entry));
        let waits = self.starts.why(running.entry).map(str::to_owned);
        RunReply {
            group,
            tag,
            state: stands.as_ref().map(|entry| entry.state),
            pid: stands.as_ref().and_then(|entry| entry.pid),
            exit: running.exit.clone(),
            why: stands.and_then(|entry| waits.or(entry.why)),
        }
    }

    /// Tells what became of an entry, when that has come.
    pub(super) fn answer_run(&mut self, client: ClientId, running: &mut Running, now: Instant) -> bool {
        if !running.has_come(&self.node, now) {
            return false;
        }
        self.clients.reply(client, &Reply::last(self.run_reply(running)));
        // Whoever waited has heard of its failure: nobody else need see it.
        let was_not_executed = matches!(running.exit, Some(ExitStatus::NotExecuted { .. }));
        let entry = running.find(&self.node);
        if entry.is_some_and(|entry| was_not_executed || (running.until_ended && has_ended(entry))) {
            self.forget(vec![running.entry], now);
        }
        true
    }
}

/// Whether nothing of it runs, and nothing will.
fn has_ended(entry: &Entry) -> bool {
    matches!(entry.state(), State::Done { leftovers: false, .. } | State::GivenUp { .. })
}

fn fault(source: &str, message: String, hint: Option<String>) -> Fault {
    Fault { source: source.to_owned(), line: 0, column: 0, message, hint }
}

fn bad_name(what: &str, name: &str, fault: NameFault) -> Fault {
    self::fault(&format!("{what} {name}"), fault.to_string(), None)
}

fn as_fault(diagnostic: &Diagnostic) -> Fault {
    let source = diagnostic.span.as_ref().map_or("command", |span| &span.source);
    fault(source, diagnostic.message.clone(), diagnostic.hint.clone())
}

//! From the inherited descriptors, and what an engine before this one remembered, to a running engine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

use clinit_engine::event::{Action, Event};
use clinit_engine::name::{GroupName, Level};
use clinit_engine::node::{Node, Recall};
use clinit_engine::record::Record;
use clinit_engine::spec::{KillScope, Table};
use clinit_engine::time::Instant;
use clinit_keeper::{Reviver, cgroup_parent, descriptors as fixed};
use clinit_sys::inherit;
use clinit_sys::signals::{SignalFd, block_all_and_reset};
use clinit_table::{ParseOptions, Source};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, openat, unlinkat};
use rustix::process::{geteuid, getppid};

use super::clients::Clients;
use super::disk::Disk;
use super::ending::Ending;
use super::finder::Finder;
use super::hearing::Hearing;
use super::journal::{Item, Journal};
use super::logs::Logs;
use super::lowering::Lowering;
use super::notes::Notes;
use super::packets::Packets;
use super::probes::Probes;
use super::starts::Starts;
use super::store::Store;
use super::tables::{self, Tables, Waiting};
use super::{Engine, Status, now, tablefile};
use crate::accounts::accounts_of;
use crate::roles::{Manner, Setup};

/// What the events of the loop are of; clients come behind.
pub(super) mod source {
    pub(crate) const KEEPER: u64 = 1;
    pub(crate) const FEED: u64 = 2;
    pub(crate) const LISTEN: u64 = 3;
    pub(crate) const LIFE: u64 = 4;
    pub(crate) const DISK: u64 = 5;
    pub(crate) const SIGNALS: u64 = 6;
    pub(crate) const FINDER: u64 = 7;
    pub(crate) const NOTIFY: u64 = 8;
    pub(crate) const READY: u64 = 9;
    pub(crate) const TRIAL: u64 = 10;
    pub(crate) const FIRST_CLIENT: u64 = 16;
}

/// A file in the state folder that asks the engine to read the table: a daemon was started where another
/// had died, and goes on where that one was before it looks at what the table says now.
pub(crate) const REREAD: &str = "reread";

/// Why the engine could not begin.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It was not started by a keeper.
    #[error("failed to take over the descriptors of an engine")]
    Descriptors(#[source] io::Error),
    /// Its state folder is of no use.
    #[error("failed to use the state folder")]
    State(#[source] io::Error),
    /// The system refused something that a loop needs.
    #[error("failed to prepare the engine's loop")]
    Loop(#[source] io::Error),
}

/// Puts into a new state folder what the first engine begins with: the table, when it all began, and what was told
/// before.
pub(crate) fn prepare_state(state: OwnedFd, sources: &[Source], recall: Recall) -> io::Result<()> {
    tablefile::write(&state, 0, sources)?;
    let (mut journal, _) = Journal::open(state)?;
    let levels = recall.levels.into_iter().map(|(group, level)| Item::Told(group, level));
    let held = recall.held.into_iter().map(Item::Held);
    journal.append(&[], || {
        [Item::Started(now()), Item::Table(0)].into_iter().chain(levels).chain(held).collect()
    })
}

/// Runs the engine until all has ended or the keeper is gone.
///
/// # Errors
/// It could not begin. Once it runs it does not fail.
pub(crate) fn run(setup: Setup, arguments: Vec<OsString>) -> Result<(), EngineError> {
    let arguments = arguments.into_iter().map(OsStringExt::into_vec).collect();
    let environment =
        std::env::vars_os().map(|(name, value)| [name.into_vec(), b"=".to_vec(), value.into_vec()].concat());
    let reviver = Reviver::take(arguments, environment.collect()).map_err(EngineError::Descriptors)?;
    let mut engine = Engine::begin(setup, reviver)?;
    engine.attend();
    Ok(())
}

impl Engine {
    fn begin(setup: Setup, reviver: Reviver) -> Result<Self, EngineError> {
        let take = |number| inherit::take(number).map_err(EngineError::Descriptors);
        let (keeper, feed, life) = (take(fixed::KEEPER)?, take(fixed::FEED)?, take(fixed::LIFE)?);
        block_all_and_reset().map_err(EngineError::Loop)?;
        let state = reviver.state().try_clone().map_err(EngineError::Descriptors)?;
        let only = wait_for_the_last_engine(&state).map_err(EngineError::State)?;
        let (journal, memory) = Journal::open(state).map_err(EngineError::State)?;

        let now = now();
        let revision = memory.table.unwrap_or(0);
        let sources = tablefile::read(reviver.state(), revision).map_err(EngineError::State)?;
        let options = ParseOptions { dialect: setup.dialect };
        let parsed = clinit_table::parse(&sources, options);
        let name = setup.table.to_string_lossy().into_owned();
        let mut verdict = tables::judge(&parsed, setup.dialect, &name);
        verdict.changed = false;
        let begun_before = !memory.records.is_empty();
        // Started where another daemon died with all its processes: what that one was told to end with it is over.
        let is_next_daemon = unlinkat(reviver.state(), REREAD, AtFlags::empty()).is_ok();
        let mut records = memory.records;
        if is_next_daemon {
            records.retain(|record| *record != Record::Halting);
        }
        let mut node =
            if begun_before { Node::restore(parsed.table.clone(), records, now) } else { Node::new() };

        node.recall(Recall { levels: memory.told.clone(), held: memory.held });

        let signals = SignalFd::new(&[1, 2, 15]).map_err(EngineError::Loop)?;
        let disk = Disk::new().map_err(EngineError::Loop)?;
        let finder = Finder::new().map_err(EngineError::Loop)?;
        let epoll =
            epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| EngineError::Loop(error.into()))?;
        let listener = reviver.listener();
        for (fd, data) in [
            (listener.as_fd(), source::LISTEN),
            (reviver.notify().as_fd(), source::NOTIFY),
            (reviver.ready().as_fd(), source::READY),
            (life.as_fd(), source::LIFE),
            (disk.ready(), source::DISK),
            (finder.ready(), source::FINDER),
            (signals.as_fd(), source::SIGNALS),
        ] {
            let data = EventData::new_u64(data);
            epoll::add(&epoll, fd, data, EventFlags::IN).map_err(|error| EngineError::Loop(error.into()))?;
        }
        let link =
            |fd, data| Packets::new(fd, epoll.as_fd(), data).map_err(|error| EngineError::Loop(error.into()));
        let (keeper, feed) = (link(keeper, source::KEEPER)?, link(feed, source::FEED)?);
        let store = Store::new(reviver.store().try_clone().map_err(EngineError::Descriptors)?);
        let hearing = Hearing::new(&setup.cgroup);
        let path = std::env::var_os("PATH");
        let mut engine = Self {
            lowering: Lowering::new(path.as_deref(), &setup.socket, setup.manner, setup.logs.clone()),
            events: super::events::Events::default(),
            notes: Notes::new(setup.manner, label(&setup)),
            keeper_pid: getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs()),
            clients: Clients::new(geteuid().as_raw()),
            tables: Tables::new(revision, sources, verdict),
            logs: Logs::new(reviver.state().as_fd()),
            setup,
            node,
            epoll,
            reviver,
            keeper,
            feed,
            signals,
            waiters: Vec::new(),
            disk,
            finder,
            starts: Starts::default(),
            hearing,
            probes: Probes::default(),
            store,
            ending: Ending::new(&parsed, memory.status),
            told: memory.told,
            remembering: Status { is_stale: true, ..Status::default() },
            upgrade: None,
            replaced: false,
            journal,
            actions: Vec::new(),
            items: Vec::new(),
            journal_failed: false,
            status: Status { is_stale: true, ..Status::default() },
            slack: super::slack::Slack::default(),
            was_asked_to_end: false,
            started: memory.started.unwrap_or(now),
            is_restored: begun_before,
            is_inventory_taken: false,
            leaving: false,
            keeper_gone: false,
            _life: life,
            _only: only,
        };
        // The table was read, and what was remembered.
        engine.slack.expect(now);
        engine.look_up_all(&parsed.table);
        if begun_before {
            engine.remember_names();
            // Known before anything can be forgotten.
            engine.logs.has_new_logger();
            engine.expect_speakers();
            engine.store.regain(|id| engine.node.entry(id).map(|entry| entry.key().clone()));
            if is_next_daemon {
                engine.read_table_for(Waiting::Signal, now);
            }
        } else {
            engine.warn_of_cgroups(&parsed.table);
            engine.happen(Event::TableAccepted(parsed.table), now);
            if engine.setup.manner == Manner::Up {
                engine.bring_up(now);
            }
        }
        Ok(engine)
    }

    /// Has everybody looked up whom the entries of a table run as, known or not.
    pub(super) fn look_up_all(&mut self, table: &Table) {
        let accounts = accounts_of(table);
        self.starts.expect(&accounts);
        if !accounts.is_empty() {
            let options = ParseOptions { dialect: self.setup.dialect };
            // An engine before this one has said it.
            let is_news = !self.is_restored || self.is_inventory_taken;
            let about = is_news.then(|| (Arc::clone(&self.tables.known), options));
            self.finder.look_up(accounts.into_iter().collect(), about);
        }
    }

    fn remember_names(&mut self) {
        for (id, entry) in self.node.entries() {
            self.notes.name(id, entry.key());
        }
    }

    /// Says so when an entry is to be killed by its cgroup and can have none.
    pub(super) fn warn_of_cgroups(&mut self, table: &Table) {
        let entries = table.groups.iter().flat_map(|group| &group.entries);
        let mut by_cgroup = entries.filter(|entry| entry.policy.stop.scope == KillScope::Cgroup);
        let Some(entry) = by_cgroup.next() else { return };
        let can = cgroup_parent(&self.setup.cgroup).is_ok_and(|path| path.join(&self.setup.cgroup).is_dir());
        if !can {
            self.notes.say(&format!(
                "{}: kill_mode is cgroup, and no cgroup can be made here: its process group is killed instead",
                entry.tag
            ));
        }
    }

    /// `up`: every group that has no initdefault, but one level only, takes that one.
    fn bring_up(&mut self, now: Instant) {
        let untold: Vec<_> = self
            .node
            .groups()
            .filter(|group| group.target().is_none() && !group.members().is_empty())
            .map(|group| (group.name().clone(), self.node.named_levels(group)))
            .collect();
        for (group, levels) in untold {
            if let [level] = levels.as_slice() {
                self.happen(Event::Told { group, level: level.clone() }, now);
                continue;
            }
            let levels: Vec<&str> = levels.iter().map(clinit_engine::Level::as_str).collect();
            let socket = self.setup.socket.display();
            self.notes.say(&format!(
                "{group}: left alone: it has the levels {} and no initdefault; tell it one: \
                 clinit -s {socket} tell {group} LEVEL",
                levels.join(", ")
            ));
        }
    }

    /// Everything that is to be remembered, for a journal that is written anew.
    pub(super) fn everything(
        node: &Node,
        told: &BTreeMap<GroupName, Level>,
        status: u8,
        started: Instant,
        revision: u64,
    ) -> Vec<Item> {
        let records = node.all_records().into_iter().map(Item::Node);
        let told = told.iter().map(|(group, level)| Item::Told(group.clone(), level.clone()));
        let held = node.recalled().held.iter().cloned().map(Item::Held);
        let first = [Item::Started(started), Item::Table(revision)];
        let status = (status != 0).then_some(Item::Status(status));
        first.into_iter().chain(status).chain(told).chain(held).chain(records).collect()
    }

    /// What changed in the node since it was last asked.
    pub(super) fn take_items(&mut self) -> Vec<Item> {
        let mut records: Vec<Record> = Vec::new();
        self.node.take_records(&mut records);
        self.end_streams(&records);
        for record in &records {
            if let Record::GroupForgotten(group) = record {
                self.untold(group);
            }
        }
        let mut items = std::mem::take(&mut self.items);
        items.extend(records.into_iter().map(Item::Node));
        items
    }

    /// Lets something happen to the node; what is to be done waits for the end of the turn.
    pub(super) fn happen(&mut self, event: Event, now: Instant) {
        let mut actions: Vec<Action> = std::mem::take(&mut self.actions);
        self.node.step(now, event, &mut actions);
        self.actions = actions;
    }
}

/// What stands before the engine's own lines.
fn label(setup: &Setup) -> String {
    match (setup.manner, setup.color) {
        (Manner::Daemon, _) => "clinit: ".to_owned(),
        (Manner::Up, false) => "clinit | ".to_owned(),
        (Manner::Up, true) => "\u{1b}[1mclinit\u{1b}[0m | ".to_owned(),
    }
}

/// The engine before this one may be just ending.
fn wait_for_the_last_engine(state: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let lock = openat(state, "engine.lock", flags, Mode::from_raw_mode(0o600))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    Ok(lock)
}

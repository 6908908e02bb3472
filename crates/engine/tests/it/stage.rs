//! A node on a stage: told things in a few words, and asked what it did about them.
//!
//! A table is written `group:tag:levels:mode:command`, a group's property `group::initdefault:level`, the links of an
//! entry `group:tag::after:tags` behind its line. Tags are unique, so that an entry is named by its tag alone; several
//! are named in one word, `"a b"`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clinit_engine::entry::{Entry, State};
use clinit_engine::event::{Action, EntryId, Event, ExecFault, ExecStage, Exit, Generation, Notice, Order};
use clinit_engine::name::{EntryKey, GroupName, Level, Tag};
use clinit_engine::record::Record;
use clinit_engine::spec::{Command, EntrySpec, GroupSpec, Levels, Mode, Output, Program, Table};
use clinit_engine::{Instant, Node};

pub(crate) struct Stage {
    pub(crate) node: Node,
    pub(crate) table: Table,
    now: Instant,
    actions: Vec<Action>,
    log: Vec<Record>,
    /// Names of entries that may be gone since.
    names: BTreeMap<EntryId, String>,
}

pub(crate) fn group(text: &str) -> GroupName {
    GroupName::new(text).unwrap()
}

pub(crate) fn level(text: &str) -> Level {
    Level::new(text).unwrap()
}

fn mode(text: &str) -> Mode {
    *Mode::ALL.iter().find(|mode| mode.as_str() == text).unwrap_or_else(|| panic!("no mode {text:?}"))
}

/// Reads a table as it is written on a stage.
pub(crate) fn table(text: &str) -> Table {
    let mut table = Table::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut fields = line.splitn(5, ':');
        let mut field = || fields.next().unwrap_or("");
        let (name, tag, levels, word, command) = (group(field()), field(), field(), field(), field());
        let place = table.groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
            table.groups.push(GroupSpec { name, initdefault: None, entries: Vec::new() });
            table.groups.len() - 1
        });
        match (tag, levels) {
            ("", "initdefault") => table.groups[place].initdefault = Some(level(word)),
            ("", _) => {}
            (_, "") => link(table.groups[place].entries.last_mut().unwrap(), word, command),
            _ => table.groups[place].entries.push(entry(tag, levels, word, command)),
        }
    }
    table
}

fn entry(tag: &str, levels: &str, word: &str, command: &str) -> EntrySpec {
    EntrySpec {
        tag: Tag::new(tag).unwrap(),
        levels: Arc::new(match levels.split_once(',') {
            None => Levels::Word(level(levels)),
            Some(_) => Levels::Labels(levels.split(',').filter(|l| !l.is_empty()).map(level).collect()),
        }),
        mode: mode(word),
        program: Arc::new(Program {
            output: Output::Null,
            cgroup: false,
            ..Program::plain(Command::Shell(command.into()))
        }),
        policy: Arc::default(),
        links: None,
    }
}

fn link(entry: &mut EntrySpec, word: &str, tags: &str) {
    let tags = || tags.split(' ').map(|tag| Tag::new(tag).unwrap()).collect();
    let mut links = entry.links.as_deref().cloned().unwrap_or_default();
    match word {
        "after" => links.after = tags(),
        "requires" => links.requires = tags(),
        _ => panic!("no link {word:?}"),
    }
    entry.links = Some(Arc::new(links));
}

impl Stage {
    /// A node that has read this table.
    pub(crate) fn new(text: &str) -> Self {
        let mut stage = Self {
            node: Node::new(),
            table: Table::default(),
            now: Instant::from_nanos(0),
            actions: Vec::new(),
            log: Vec::new(),
            names: BTreeMap::new(),
        };
        stage.reread(text);
        stage
    }

    pub(crate) fn happens(&mut self, event: Event) {
        self.node.step(self.now, event, &mut self.actions);
        self.node.take_records(&mut self.log);
        self.node.audit().unwrap();
        self.names.extend(self.node.entries().map(|(id, entry)| (id, entry.key().tag.to_string())));
    }

    pub(crate) fn reread(&mut self, text: &str) {
        self.accept(table(text));
    }

    /// The same table with something changed in one entry.
    pub(crate) fn change(&mut self, tag: &str, change: impl Fn(&mut EntrySpec)) {
        let mut table = self.table.clone();
        let mut entries = table.groups.iter_mut().flat_map(|group| &mut group.entries);
        change(entries.find(|entry| entry.tag.as_str() == tag).unwrap());
        self.accept(table);
    }

    pub(crate) fn accept(&mut self, table: Table) {
        self.table = table.clone();
        self.happens(Event::TableAccepted(table));
    }

    pub(crate) fn tell(&mut self, name: &str, to: &str) {
        self.happens(Event::Told { group: group(name), level: level(to) });
    }

    pub(crate) fn order(&mut self, tags: &str, order: Order) {
        let entries = tags.split(' ').map(|tag| self.id(tag)).collect();
        self.happens(Event::Ordered { entries, order });
    }

    /// Lets seconds pass, and everything happen that is due meanwhile.
    pub(crate) fn wait(&mut self, seconds: f64) {
        let until = self.now + Duration::from_secs_f64(seconds);
        while let Some(at) = self.node.next_deadline().filter(|&at| at <= until) {
            self.now = at.max(self.now);
            self.happens(Event::TimePassed);
        }
        self.now = until;
    }

    /// A level is told so many seconds later, to a node that slept through what was due before.
    pub(crate) fn tell_late(&mut self, seconds: f64, name: &str, to: &str) {
        self.now = self.now + Duration::from_secs_f64(seconds);
        self.tell(name, to);
    }

    fn each(&mut self, tags: &str, event: impl Fn(EntryId, Generation) -> Event) {
        for tag in tags.split(' ') {
            let generation = self.entry(tag).generation();
            self.happens(event(self.id(tag), generation));
        }
    }

    pub(crate) fn spawned(&mut self, tags: &str) {
        self.each(tags, |entry, generation| Event::Spawned { entry, generation, pid: 100 + entry.0 });
    }

    pub(crate) fn not_spawned(&mut self, tags: &str) {
        self.each(tags, |entry, generation| Event::SpawnFailed { entry, generation, errno: 11 });
    }

    /// Their main processes exit with this status, and nothing of them is left.
    pub(crate) fn exited(&mut self, tags: &str, code: u8) {
        self.ended(tags, Exit::Code(code), false);
    }

    pub(crate) fn not_executed(&mut self, tags: &str) {
        self.ended(tags, Exit::NotExecuted(ExecFault { stage: ExecStage::Exec, errno: 2 }), false);
    }

    pub(crate) fn ended(&mut self, tags: &str, exit: Exit, leftovers: bool) {
        self.each(tags, |entry, generation| Event::Exited { entry, generation, exit, leftovers });
    }

    pub(crate) fn emptied(&mut self, tags: &str) {
        self.each(tags, |entry, generation| Event::Emptied { entry, generation });
    }

    /// They are told to be there, and their processes are.
    pub(crate) fn running(text: &str, name: &str, to: &str, tags: &str) -> Self {
        let mut stage = Self::new(text);
        stage.tell(name, to);
        stage.spawned(tags);
        stage.did();
        stage.said();
        stage
    }

    /// The process that runs the engine is lost; another goes on from the records.
    pub(crate) fn crash(&mut self) {
        self.node = Node::restore(self.table.clone(), self.log.clone(), self.now);
        self.node.audit().unwrap();
        self.actions.clear();
    }

    pub(crate) fn id(&self, tag: &str) -> EntryId {
        let mut entries = self.node.entries().filter(|(_, entry)| entry.key().tag.as_str() == tag);
        entries.next().unwrap_or_else(|| panic!("no entry {tag:?}")).0
    }

    pub(crate) fn entry(&self, tag: &str) -> &Entry {
        self.node.entry(self.id(tag)).unwrap()
    }

    pub(crate) fn has(&self, name: &str, tag: &str) -> bool {
        self.node.entry_id(&EntryKey { group: group(name), tag: Tag::new(tag).unwrap() }).is_some()
    }

    /// A state in one word.
    pub(crate) fn state(&self, tag: &str) -> &'static str {
        match self.entry(tag).state() {
            State::Down => "down",
            State::Starting => "starting",
            State::Running { .. } => "running",
            State::Ready => "ready",
            State::Clearing { .. } => "clearing",
            State::Pausing { .. } => "pausing",
            State::Stopping { .. } => "stopping",
            State::Killing { .. } => "killing",
            State::Done { leftovers: false, .. } => "done",
            State::Done { leftovers: true, .. } => "done, with leftovers",
            State::GivenUp { .. } => "given up",
        }
    }

    pub(crate) fn phase(&self, name: &str) -> &'static str {
        self.node.group(&group(name)).unwrap().phase().as_str()
    }

    /// What the node ordered since it was last asked.
    pub(crate) fn did(&mut self) -> String {
        let name = |id: &EntryId| self.names.get(id).map_or("?", String::as_str);
        let words = self.actions.iter().filter_map(|action| match action {
            Action::Spawn { entry, .. } => Some(format!("spawn {}", name(entry))),
            Action::Stop { entry, .. } => Some(format!("stop {}", name(entry))),
            Action::Kill { entry, .. } => Some(format!("kill {}", name(entry))),
            Action::Signal { entry, signal, .. } => Some(format!("signal {} {signal}", name(entry))),
            Action::Probe { entry, .. } => Some(format!("probe {}", name(entry))),
            Action::Follow { entry, pid, .. } => Some(format!("follow {} {pid}", name(entry))),
            Action::Release { entry, .. } => Some(format!("release {}", name(entry))),
            Action::Leave => Some("leave".to_owned()),
            Action::Notice(_) => None,
        });
        let words = words.collect::<Vec<_>>().join(", ");
        self.actions.retain(|action| matches!(action, Action::Notice(_)));
        words
    }

    /// What it said of groups since it was last asked: level, target and phase.
    pub(crate) fn said(&mut self) -> String {
        let text = |level: &Option<Level>| level.as_ref().map_or("-".to_owned(), ToString::to_string);
        let words = self.actions.iter().filter_map(|action| match action {
            Action::Notice(Notice::GroupChanged { group, level, target, phase }) => {
                Some(format!("{group} {}>{} {phase}", text(level), text(target)))
            }
            Action::Notice(Notice::GroupForgotten { group }) => Some(format!("{group} forgotten")),
            Action::Notice(_) | Action::Leave => None,
            Action::Spawn { .. } | Action::Stop { .. } | Action::Kill { .. } => None,
            Action::Signal { .. } | Action::Release { .. } => None,
            Action::Probe { .. } | Action::Follow { .. } => None,
        });
        let words = words.collect::<Vec<_>>().join(", ");
        self.actions.retain(|action| !matches!(action, Action::Notice(_)));
        words
    }
}

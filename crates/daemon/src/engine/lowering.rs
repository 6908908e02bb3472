//! From an entry of the table to the order that starts it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clinit_engine::care::{Listen, Readiness};
use clinit_engine::entry::Entry;
use clinit_engine::event::{EntryId, Exit, Generation};
use clinit_engine::logging::{Full, Stamp};
use clinit_engine::name::{EntryKey, Level};
use clinit_engine::node::Node;
use clinit_engine::spec::{Command, KillScope, Output as SpecOutput, Program};
use clinit_engine::task::Task;
use clinit_keeper::protocol::{ORDER_BYTES_MAX, Order, Output, Scope, Spawn};
use clinit_logger::feed::{FileSink, Sink, StampKind};
use clinit_logger::folder_name;
use rustix::process::{getegid, geteuid};

use super::exits;
use super::surroundings::{self, Own, Prepared};
use super::view;
use crate::logs::{Carried, carried};
use crate::paths::{SOCKET_VARIABLE, notify_socket};
use crate::roles::Manner;

/// PATH when the environment has none, as execvp(3) has it.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// What clinit itself tells its services begins so; nothing else can.
const OWN_VARIABLES: &[u8] = b"CLINIT_";

/// The longest path that the kernel takes.
const PATH_BYTES_MAX: usize = 4096;

/// What does not change from one start to the next.
#[derive(Debug)]
pub(crate) struct Lowering {
    path: Vec<u8>,
    socket: Vec<u8>,
    notify_socket: Vec<u8>,
    manner: Manner,
    /// Where output is kept that the table says nothing of, if anywhere.
    logs: Option<PathBuf>,
    own: Own,
}

/// The keeper's word for a scope.
pub(crate) fn scope(scope: KillScope) -> Scope {
    match scope {
        KillScope::Group => Scope::Group,
        KillScope::Main => Scope::Main,
        KillScope::Cgroup => Scope::Cgroup,
    }
}

/// What is started: an entry, or a command that runs for one.
#[derive(Debug)]
pub(crate) struct Launched<'a> {
    /// The entry.
    key: &'a EntryKey,
    /// The level of its group.
    level: Option<&'a Level>,
    program: &'a Program,
    command: &'a Command,
    scope: KillScope,
    /// Names its cgroup.
    name: String,
    /// What else its environment tells it.
    facts: Vec<(&'static str, String)>,
    /// The stream into which it prints: the entry's.
    stream: Generation,
    /// The place of the entry; `None` when that is gone.
    pub(crate) owner: Option<EntryId>,
    /// Whether it is the entry itself: that alone is listened to, and has sockets.
    is_entry: bool,
}

impl<'a> Launched<'a> {
    /// What stands at a place; `None` when nothing does.
    pub(crate) fn at(node: &'a Node, id: EntryId) -> Option<Self> {
        let level = |key: &EntryKey| node.group(&key.group).and_then(|group| group.level());
        if let Some(entry) = node.entry(id) {
            return Some(Self {
                key: entry.key(),
                level: level(entry.key()),
                program: &entry.spec().program,
                command: &entry.spec().program.command,
                scope: entry.spec().policy.stop.scope,
                name: entry.key().to_string(),
                facts: Vec::new(),
                stream: entry.stream(),
                owner: Some(id),
                is_entry: true,
            });
        }
        let task = node.task(id)?;
        let owner = node.entry_id(task.owner());
        Some(Self {
            key: task.owner(),
            level: level(task.owner()),
            program: task.program(),
            command: task.command(),
            scope: KillScope::Group,
            name: format!("{}-{}", task.owner(), task.errand().as_str()),
            facts: facts(task, owner.and_then(|owner| node.entry(owner))),
            stream: task.stream(),
            owner,
            is_entry: false,
        })
    }

    /// The entry.
    pub(crate) fn key(&self) -> &'a EntryKey {
        self.key
    }

    /// Whether it is the entry itself.
    pub(crate) fn is_entry(&self) -> bool {
        self.is_entry
    }

    /// The sockets that it is given.
    pub(crate) fn listen(&self) -> &'a [Listen] {
        if self.is_entry { &self.program.listen } else { &[] }
    }

    /// Whether it is listened to as sd_notify(3) speaks.
    pub(crate) fn notifies(&self) -> bool {
        self.is_entry && self.program.notifies()
    }

    /// How often it has to say that it is well.
    fn watchdog(&self) -> Option<Duration> {
        self.program.watchdog.filter(|_| self.is_entry)
    }

    /// The number of its descriptor for readiness; 0 for none.
    pub(crate) fn ready(&self) -> u16 {
        match self.program.readiness {
            Readiness::Fd(number) if self.is_entry => number,
            Readiness::Fd(_) | Readiness::Started | Readiness::Notify | Readiness::Check(_) => 0,
        }
    }

    /// What else clinit tells it in its environment.
    fn own_variables(&self, notify_socket: &[u8], sockets: usize) -> Vec<(&'static [u8], Vec<u8>)> {
        let mut own: Vec<(&'static [u8], Vec<u8>)> = Vec::new();
        if self.notifies() {
            own.push((b"NOTIFY_SOCKET", notify_socket.to_vec()));
        }
        if let Some(span) = self.watchdog() {
            own.push((b"WATCHDOG_USEC", span.as_micros().to_string().into_bytes()));
        }
        if sockets > 0 {
            own.push((b"LISTEN_FDS", sockets.to_string().into_bytes()));
        }
        own
    }

    /// What the entry is started with.
    pub(crate) fn program(&self) -> &'a Program {
        self.program
    }
}

/// What the environment of a command tells it of the entry that it runs for.
fn facts(task: &Task, owner: Option<&Entry>) -> Vec<(&'static str, String)> {
    let mut facts = vec![("CLINIT_ERRAND", task.errand().as_str().to_owned())];
    if let Some(failing) = task.failing() {
        facts.push(("CLINIT_FAILURE", failing.as_str().to_owned()));
    }
    let Some(owner) = owner else { return facts };
    facts.extend(owner.pid().map(|pid| ("CLINIT_MAINPID", pid.to_string())));
    facts.push(("CLINIT_RESTARTS", owner.history().restarts.to_string()));
    if let Some((exit, _)) = owner.history().last_exit {
        facts.push(("CLINIT_EXIT", exits::exit_of(exit, owner).to_string()));
        match exit {
            Exit::Code(code) => facts.push(("CLINIT_EXIT_CODE", code.to_string())),
            Exit::Signal(signal) => facts.push(("CLINIT_EXIT_SIGNAL", signal.to_string())),
            Exit::NotExecuted(_) | Exit::Unknown => {}
        }
    }
    facts
}

/// NUL-ended strings with their number.
#[derive(Default)]
struct Strings {
    bytes: Vec<u8>,
    count: u16,
}

impl Strings {
    fn push(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.bytes.extend(*part));
        self.bytes.push(0);
        self.count = self.count.saturating_add(1);
    }
}

impl Lowering {
    pub(crate) fn new(path: Option<&OsStr>, socket: &Path, manner: Manner, logs: Option<PathBuf>) -> Self {
        let path = path.map_or(DEFAULT_PATH, OsStrExt::as_bytes).to_vec();
        let own = Own { uid: geteuid().as_raw(), gid: getegid().as_raw() };
        let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
        Self { path, socket: bytes(socket), notify_socket: bytes(&notify_socket(socket)), manner, logs, own }
    }

    /// Where an entry's output goes.
    pub(crate) fn output(&self, program: &Program) -> Output {
        match (program.output, self.manner) {
            (SpecOutput::Null, _) => Output::Null,
            // With `up` it is shown, whatever a daemon of the same table does with it.
            (SpecOutput::Inherit | SpecOutput::Usual | SpecOutput::Logged, Manner::Up) => Output::Fifo,
            (SpecOutput::Inherit, Manner::Daemon) => Output::Inherit,
            (SpecOutput::Logged, Manner::Daemon) => Output::Fifo,
            (SpecOutput::Usual, Manner::Daemon) if self.logs.is_some() => Output::Fifo,
            (SpecOutput::Usual, Manner::Daemon) => Output::Inherit,
        }
    }

    /// Where the logger carries an entry's lines, if it does.
    pub(crate) fn sink(&self, entry: &Entry) -> Option<Sink> {
        let (spec, key) = (entry.spec(), entry.key());
        if self.output(&spec.program) != Output::Fifo {
            return None;
        }
        if self.manner == Manner::Up {
            return Some(Sink::Terminal);
        }
        let log = &spec.policy.log;
        let base = match carried(self.logs.as_deref(), spec)? {
            Carried::Syslog => return Some(Sink::Syslog { tag: key.to_string().into_bytes() }),
            Carried::Below(base) => base,
        };
        Some(Sink::File(FileSink {
            base: base.as_os_str().as_bytes().to_vec(),
            name: folder_name(key.group.as_str(), key.tag.as_str()).into_bytes(),
            size: log.size_bytes,
            count: log.count,
            stamp: match log.stamp {
                Stamp::Tai64n => StampKind::Tai64n,
                Stamp::Iso => StampKind::Iso,
                Stamp::None => StampKind::None,
            },
            hold_ms: match log.full {
                Full::Hold => None,
                Full::Drop => Some(view::milliseconds(log.hold)),
            },
        }))
    }

    /// The order as a packet; `None` when it is longer than any command may be.
    pub(crate) fn spawn(
        &self,
        id: EntryId,
        what: &Launched<'_>,
        generation: Generation,
        kill_rest: bool,
        prepared: Prepared<'_>,
    ) -> Option<Vec<u8>> {
        let (mut candidates, mut arguments, mut variables) =
            (Strings::default(), Strings::default(), Strings::default());
        let around = what.program.surroundings.as_deref();
        let given = surroundings::variables(around, prepared);
        match what.command {
            Command::Direct(words) => {
                // As a shell would: in the PATH that the command itself has.
                let path = given.get(&b"PATH"[..]).map(|path| path.unwrap_or(DEFAULT_PATH));
                search(path.unwrap_or(&self.path), words.first()?.as_bytes(), &mut candidates);
                words.iter().for_each(|word| arguments.push(&[word.as_bytes()]));
            }
            Command::Shell(text) => {
                candidates.push(&[b"/bin/sh"]);
                for word in ["/bin/sh", "-c", text] {
                    arguments.push(&[word.as_bytes()]);
                }
            }
        }
        let key = what.key;
        let level = what.level.map_or("", Level::as_str);
        for (name, value) in [
            ("CLINIT_GROUP", key.group.as_str().as_bytes()),
            ("CLINIT_TAG", key.tag.as_str().as_bytes()),
            ("CLINIT_LEVEL", level.as_bytes()),
            (SOCKET_VARIABLE, &self.socket),
        ] {
            variables.push(&[name.as_bytes(), b"=", value]);
        }
        for (name, value) in &what.facts {
            variables.push(&[name.as_bytes(), b"=", value.as_bytes()]);
        }
        let own = what.own_variables(&self.notify_socket, prepared.sockets);
        own.iter().for_each(|(name, value)| variables.push(&[name, b"=", value]));
        // Which the keeper adds: they hold the process's number.
        let with_pid: [(bool, &[u8]); 2] =
            [(prepared.sockets > 0, b"LISTEN_PID"), (what.watchdog().is_some(), b"WATCHDOG_PID")];
        let is_own = |name: &[u8]| {
            let is_with_pid = with_pid.iter().any(|&(is_added, other)| is_added && name == other);
            name.starts_with(OWN_VARIABLES) || is_with_pid || own.iter().any(|(other, _)| name == *other)
        };
        for (name, value) in given.into_iter().filter(|(name, _)| !is_own(name)) {
            match value {
                Some(value) => variables.push(&[name, b"=", value]),
                None => variables.push(&[name]),
            }
        }
        let counts = [candidates.count, arguments.count, variables.count];
        let strings = [candidates.bytes, arguments.bytes, variables.bytes].concat();
        let packet = Order::Spawn(Spawn {
            slot: id.0,
            generation: generation.0,
            kill_rest,
            cgroup: what.program.cgroup,
            scope: scope(what.scope),
            output: self.output(what.program),
            stream: what.stream.0,
            ready: what.ready(),
            sockets: u8::try_from(prepared.sockets).ok()?,
            hands_over: what.notifies(),
            watchdog_pid: what.watchdog().is_some(),
            name: what.name.as_bytes(),
            steps: &around
                .map(|around| surroundings::steps(around, prepared.identity, self.own))
                .unwrap_or_default(),
            strings: &strings,
            counts,
        })
        .encode();
        (packet.len() <= ORDER_BYTES_MAX).then_some(packet)
    }
}

/// The paths that a command's first word may mean: itself, or one in each folder of PATH.
fn search(path: &[u8], word: &[u8], into: &mut Strings) {
    if word.contains(&b'/') {
        return into.push(&[word]);
    }
    for folder in path.split(|&byte| byte == b':') {
        let folder = if folder.is_empty() { b"." } else { folder };
        if folder.len() + 1 + word.len() < PATH_BYTES_MAX {
            into.push(&[folder, b"/", word]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_a_slash_is_a_path_and_any_other_is_searched() {
        let paths = |word: &str| {
            let mut strings = Strings::default();
            search(b"/a::/b", word.as_bytes(), &mut strings);
            (String::from_utf8(strings.bytes).unwrap(), strings.count)
        };
        assert_eq!(paths("./x"), ("./x\0".to_owned(), 1));
        assert_eq!(paths("x"), ("/a/x\0./x\0/b/x\0".to_owned(), 3));
    }
}

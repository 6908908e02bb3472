//! From an entry of the table to the order that starts it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clinit_engine::entry::Entry;
use clinit_engine::event::{EntryId, Generation};
use clinit_engine::name::Level;
use clinit_engine::spec::{Command, KillScope, Output as SpecOutput};
use clinit_keeper::protocol::{ORDER_BYTES_MAX, Order, Output, Scope, Spawn};
use rustix::process::{getegid, geteuid};

use super::surroundings::{self, Own, Prepared};
use crate::paths::SOCKET_VARIABLE;
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
    manner: Manner,
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
    pub(crate) fn new(path: Option<&OsStr>, socket: &Path, manner: Manner) -> Self {
        let path = path.map_or(DEFAULT_PATH, OsStrExt::as_bytes).to_vec();
        let own = Own { uid: geteuid().as_raw(), gid: getegid().as_raw() };
        Self { path, socket: socket.as_os_str().as_bytes().to_vec(), manner, own }
    }

    /// Where an entry's output goes.
    pub(crate) fn output(&self, entry: &Entry) -> Output {
        match (entry.spec().program.output, self.manner) {
            (SpecOutput::Null, _) => Output::Null,
            (SpecOutput::Inherit, Manner::Up) => Output::Fifo,
            (SpecOutput::Inherit, Manner::Daemon) => Output::Inherit,
        }
    }

    /// The order as a packet; `None` when it is longer than any command may be.
    pub(crate) fn spawn(
        &self,
        id: EntryId,
        entry: &Entry,
        level: Option<&Level>,
        generation: Generation,
        kill_rest: bool,
        prepared: Prepared<'_>,
    ) -> Option<Vec<u8>> {
        let (mut candidates, mut arguments, mut variables) =
            (Strings::default(), Strings::default(), Strings::default());
        let around = entry.spec().program.surroundings.as_deref();
        let given = surroundings::variables(around, prepared);
        match &entry.spec().program.command {
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
        let key = entry.key();
        let level = level.map_or("", Level::as_str);
        for (name, value) in [
            ("CLINIT_GROUP", key.group.as_str().as_bytes()),
            ("CLINIT_TAG", key.tag.as_str().as_bytes()),
            ("CLINIT_LEVEL", level.as_bytes()),
            (SOCKET_VARIABLE, &self.socket),
        ] {
            variables.push(&[name.as_bytes(), b"=", value]);
        }
        for (name, value) in given.into_iter().filter(|(name, _)| !name.starts_with(OWN_VARIABLES)) {
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
            cgroup: entry.spec().program.cgroup,
            scope: scope(entry.spec().policy.stop.scope),
            output: self.output(entry),
            name: key.to_string().as_bytes(),
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

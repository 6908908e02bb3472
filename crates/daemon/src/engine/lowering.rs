//! From an entry of the table to the order that starts it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clinit_engine::entry::Entry;
use clinit_engine::event::{EntryId, Generation};
use clinit_engine::name::Level;
use clinit_engine::spec::{Command, KillScope, Output as SpecOutput};
use clinit_keeper::protocol::{ORDER_BYTES_MAX, Order, Output, Scope, Spawn};

use crate::paths::SOCKET_VARIABLE;
use crate::roles::Manner;

/// PATH when the environment has none, as execvp(3) has it.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// The longest path that the kernel takes.
const PATH_BYTES_MAX: usize = 4096;

/// What does not change from one start to the next.
#[derive(Debug)]
pub(crate) struct Lowering {
    path: Vec<u8>,
    socket: Vec<u8>,
    manner: Manner,
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
        Self { path, socket: socket.as_os_str().as_bytes().to_vec(), manner }
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
    ) -> Option<Vec<u8>> {
        let (mut candidates, mut arguments, mut variables) =
            (Strings::default(), Strings::default(), Strings::default());
        match &entry.spec().program.command {
            Command::Direct(words) => {
                self.candidates(words.first()?.as_bytes(), &mut candidates);
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
            strings: &strings,
            counts,
        })
        .encode();
        (packet.len() <= ORDER_BYTES_MAX).then_some(packet)
    }

    /// The paths that a command's first word may mean: itself, or one in each folder of PATH.
    fn candidates(&self, word: &[u8], into: &mut Strings) {
        if word.contains(&b'/') {
            return into.push(&[word]);
        }
        for folder in self.path.split(|&byte| byte == b':') {
            let folder = if folder.is_empty() { b"." } else { folder };
            if folder.len() + 1 + word.len() < PATH_BYTES_MAX {
                into.push(&[folder, b"/", word]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_a_slash_is_a_path_and_any_other_is_searched() {
        let lowering = Lowering::new(Some(OsStr::new("/a::/b")), Path::new("/s"), Manner::Daemon);
        let paths = |word: &str| {
            let mut strings = Strings::default();
            lowering.candidates(word.as_bytes(), &mut strings);
            (String::from_utf8(strings.bytes).unwrap(), strings.count)
        };
        assert_eq!(paths("./x"), ("./x\0".to_owned(), 1));
        assert_eq!(paths("x"), ("/a/x\0./x\0/b/x\0".to_owned(), 3));
    }
}

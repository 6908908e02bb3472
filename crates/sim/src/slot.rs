//! One life as the keeper holds it: a main process, and what it made.

use std::collections::VecDeque;
use std::sync::Arc;

use clinit_engine::care::Errand;
use clinit_engine::event::{EntryId, Event, Exit, Generation};
use clinit_engine::name::EntryKey;
use clinit_engine::spec::{KillScope, Mode, Program};
use clinit_engine::time::Instant;

use crate::process::{Birth, Process};

/// What an order to spawn carries beside the action: who and what it is that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// The entry, or the one that a task runs for.
    pub(crate) key: EntryKey,
    /// What it is run for, if it is a task.
    pub(crate) errand: Option<Errand>,
    pub(crate) mode: Mode,
    pub(crate) program: Arc<Program>,
    pub(crate) scope: KillScope,
}

/// What became of a main process.
#[derive(Debug)]
pub(crate) enum Main {
    Lives(Process),
    Ended(Exit),
    /// There was no process to be had; the error's number.
    NeverWas(i32),
}

/// One life as the keeper holds it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) generation: Generation,
    pub(crate) content: Content,
    pub(crate) main: Main,
    pub(crate) rest: Vec<Process>,
    kill_rest: bool,
    /// It was asked to stop.
    pub(crate) asked: bool,
    /// It was killed.
    pub(crate) killed: bool,
    /// The engine was told of leftovers, and waits to hear that they are gone.
    owes_emptied: bool,
    /// Another keeper started it, so how it ends cannot be told.
    is_adopted: bool,
}

impl Main {
    pub(crate) fn process(&self) -> Option<&Process> {
        match self {
            Self::Lives(process) => Some(process),
            Self::Ended(_) | Self::NeverWas(_) => None,
        }
    }

    pub(crate) fn process_mut(&mut self) -> Option<&mut Process> {
        match self {
            Self::Lives(process) => Some(process),
            Self::Ended(_) | Self::NeverWas(_) => None,
        }
    }
}

impl Slot {
    pub(crate) fn new(generation: Generation, content: Content, kill_rest: bool, birth: Birth) -> Self {
        let (main, rest) = match birth {
            Birth::NoProcess { errno } => (Main::NeverWas(errno), Vec::new()),
            Birth::Runs { main, rest, .. } => (Main::Lives(main), rest),
        };
        let (asked, killed, owes_emptied, is_adopted) = (false, false, false, false);
        Self { generation, content, main, rest, kill_rest, asked, killed, owes_emptied, is_adopted }
    }

    /// Whether a process of its scope lives.
    pub(crate) fn is_alive(&self) -> bool {
        self.has_main() || !self.rest.is_empty()
    }

    /// Whether its main process lives.
    pub(crate) fn has_main(&self) -> bool {
        self.main.process().is_some()
    }

    /// Whether one of its processes will live until somebody interferes.
    pub(crate) fn has_endless(&self) -> bool {
        self.processes().any(|process| process.end().is_none())
    }

    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.main.process().into_iter().chain(&self.rest)
    }

    pub(crate) fn processes_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.main.process_mut().into_iter().chain(&mut self.rest)
    }

    pub(crate) fn aim(&mut self, scope: KillScope) {
        self.content.scope = scope;
        self.let_go_of_strays();
    }

    fn let_go_of_strays(&mut self) {
        if self.content.scope == KillScope::Main && !self.has_main() {
            self.rest.clear();
        }
    }

    /// Those whom a signal reaches.
    pub(crate) fn targets(&mut self) -> impl Iterator<Item = &mut Process> {
        let main_only = self.content.scope == KillScope::Main;
        let rest = if main_only { &mut [][..] } else { &mut self.rest[..] };
        self.main.process_mut().into_iter().chain(rest)
    }

    /// Its main process ends. Returns how, as far as anybody can tell.
    pub(crate) fn end_main(&mut self, now: Instant) -> Exit {
        let end = self.main.process().and_then(Process::end);
        let exit = end.map_or(Exit::Unknown, |(_, exit)| exit);
        let exit = if self.is_adopted { Exit::Unknown } else { exit };
        self.main = Main::Ended(exit);
        self.let_go_of_strays();
        if self.kill_rest && !self.asked && !self.killed {
            self.rest.iter_mut().for_each(|process| process.kill(now));
            self.rest.retain(|process| process.end().is_none_or(|(at, _)| at > now));
        }
        exit
    }

    /// Takes one of its processes for the main one. Returns whether there is one with this id.
    pub(crate) fn follow(&mut self, pid: u32) -> bool {
        if self.main.process().is_some_and(|main| main.pid() == pid) {
            return true;
        }
        let Some(place) = self.rest.iter().position(|process| process.pid() == pid) else { return false };
        let next = self.rest.swap_remove(place);
        if let Main::Lives(before) = std::mem::replace(&mut self.main, Main::Lives(next)) {
            self.rest.push(before);
        }
        self.owes_emptied = false;
        true
    }

    /// Another keeper holds it from now on.
    pub(crate) fn be_adopted(&mut self) {
        self.is_adopted = true;
    }

    pub(crate) fn tell_exited(&mut self, entry: EntryId, exit: Exit) -> Event {
        self.owes_emptied = !self.rest.is_empty();
        Event::Exited { entry, generation: self.generation, exit, leftovers: self.owes_emptied }
    }

    pub(crate) fn tell_if_emptied(&mut self, entry: EntryId, tell: &mut VecDeque<Event>) {
        if self.owes_emptied && self.rest.is_empty() {
            self.owes_emptied = false;
            tell.push_back(Event::Emptied { entry, generation: self.generation });
        }
    }
}

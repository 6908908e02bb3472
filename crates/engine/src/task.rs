//! A task: a command that runs for an entry, once and within bounds.
//!
//! ```text
//!   Starting ──> Running ──ends──> (told) ──> gone
//!      │            │ kill_at        │ others of its group live
//!      └────────────┴──> Killing <───┘
//! ```
//!
//! Its process is started like an entry's, under a place and a generation of its own, so it survives the same
//! deaths. When its main process ends its result is told to the entry; its place is free when nothing of it is
//! left.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::care::{Errand, Failing};
use crate::entry::KILL_AGAIN;
use crate::event::{Action, EntryId, Exit, Generation};
use crate::name::EntryKey;
use crate::spec::{Command, KillScope, Program};
use crate::time::Instant;

/// What was last seen of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Handed to the keeper.
    Starting,
    /// Its main process runs.
    Running,
    /// It was killed, or its main process has ended and the rest was.
    Killing,
}

/// A command that runs for an entry.
#[derive(Debug, Clone)]
pub struct Task {
    /// The entry that it runs for, by name: the entry may be gone.
    pub(crate) owner: EntryKey,
    /// The place of that entry, while it waits for the result.
    pub(crate) awaited_by: Option<EntryId>,
    pub(crate) errand: Errand,
    pub(crate) command: Command,
    /// What the entry is started with, but for its command.
    pub(crate) program: Arc<Program>,
    /// How the entry failed, where that is what it is run for.
    pub(crate) failing: Option<Failing>,
    pub(crate) state: TaskState,
    pub(crate) generation: Generation,
    /// The stream into which it prints: its owner's.
    pub(crate) stream: Generation,
    pub(crate) pid: Option<u32>,
    /// When it is killed, or killed again; `None` is never.
    pub(crate) kill_at: Option<Instant>,
    /// After a restore: the keeper has not yet confirmed it.
    pub(crate) unverified: bool,
    pub(crate) dirty: bool,
}

/// What happens to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskEvent {
    Spawned(u32),
    SpawnFailed,
    Exited {
        exit: Exit,
        leftovers: bool,
    },
    Emptied,
    Due,
    /// Its result is not wanted any more.
    Drop,
    /// After a restore: the keeper knows nothing of it.
    Missing,
}

/// What came of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Came {
    /// It has a result, or can have none.
    pub(crate) result: Option<Option<Exit>>,
    /// Nothing of it is left.
    pub(crate) is_gone: bool,
}

impl Task {
    /// The entry that it runs for.
    #[must_use]
    pub fn owner(&self) -> &EntryKey {
        &self.owner
    }

    /// What it is run for.
    #[must_use]
    pub fn errand(&self) -> Errand {
        self.errand
    }

    /// What is run.
    #[must_use]
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// What the entry that it runs for is started with.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// How that entry failed, where that is what it is run for.
    #[must_use]
    pub fn failing(&self) -> Option<Failing> {
        self.failing
    }

    /// Its life.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The stream into which it prints: that of the entry that it runs for.
    #[must_use]
    pub fn stream(&self) -> Generation {
        self.stream
    }

    /// What was last seen of it.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.state
    }

    /// Its main process, if that runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    pub(crate) fn order_spawn(&self, id: EntryId, out: &mut Vec<Action>) {
        out.push(Action::Spawn { entry: id, generation: self.generation, kill_rest: true });
    }

    fn order_kill(&self, id: EntryId, out: &mut Vec<Action>) {
        out.push(Action::Kill { entry: id, generation: self.generation, scope: KillScope::Group });
    }

    /// The machine. Events of another generation do not get here.
    pub(crate) fn step(
        &mut self,
        event: TaskEvent,
        id: EntryId,
        now: Instant,
        out: &mut Vec<Action>,
    ) -> Came {
        use TaskEvent as E;
        match (self.state, event) {
            (TaskState::Starting, E::Spawned(pid)) => {
                self.state = TaskState::Running;
                self.pid = Some(pid);
                self.dirty = true;
                Came::default()
            }
            (TaskState::Running | TaskState::Killing, E::Spawned(pid)) => {
                self.dirty |= self.pid.replace(pid) != Some(pid);
                Came::default()
            }
            (TaskState::Starting, E::Missing) => {
                self.order_spawn(id, out);
                Came::default()
            }
            (TaskState::Starting | TaskState::Running | TaskState::Killing, E::SpawnFailed) => self.end(None),
            (TaskState::Running | TaskState::Killing, E::Missing) => self.end(Some(Exit::Unknown)),
            (TaskState::Starting | TaskState::Running | TaskState::Killing, E::Emptied) => {
                self.end(Some(Exit::Unknown))
            }
            (
                TaskState::Starting | TaskState::Running | TaskState::Killing,
                E::Exited { exit, leftovers: false },
            ) => self.end(Some(exit)),
            (
                TaskState::Starting | TaskState::Running | TaskState::Killing,
                E::Exited { exit, leftovers: true },
            ) => {
                // The keeper has killed the rest of it already.
                self.pid = None;
                self.begin_killing(now);
                Came { result: Some(Some(exit)), is_gone: false }
            }
            (TaskState::Starting | TaskState::Running, E::Due | E::Drop) | (TaskState::Killing, E::Due) => {
                self.order_kill(id, out);
                self.begin_killing(now);
                Came::default()
            }
            (TaskState::Killing, E::Drop) => Came::default(),
        }
    }

    fn begin_killing(&mut self, now: Instant) {
        self.state = TaskState::Killing;
        self.kill_at = Some(now + KILL_AGAIN);
        self.dirty = true;
    }

    fn end(&mut self, exit: Option<Exit>) -> Came {
        self.pid = None;
        Came { result: Some(exit), is_gone: true }
    }

    /// After a restore: gives the order of its state again, which may not have been sent.
    pub(crate) fn repeat_order(&self, id: EntryId, out: &mut Vec<Action>) {
        match self.state {
            TaskState::Killing => self.order_kill(id, out),
            TaskState::Starting | TaskState::Running => {}
        }
    }
}

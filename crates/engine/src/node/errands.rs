//! Commands that run for entries: started when a step of an entry wishes so, and their results told to it.

use std::sync::Arc;

use super::Node;
use crate::care::{Check, Errand, Failing, Readiness, Reload};
use crate::entry::{Entry, EntryEvent, Wish};
use crate::event::{Action, EntryId, Generation};
use crate::record::{Record, TaskRecord};
use crate::spec::Command;
use crate::task::{Task, TaskEvent, TaskState};
use crate::time::Instant;

/// How long a command that tells somebody of a failure may take.
const TELLING_TIME: std::time::Duration = std::time::Duration::from_secs(60);

/// ... and how long when everything ends.
const LAST_TELLING_TIME: std::time::Duration = std::time::Duration::from_secs(10);

impl Node {
    /// A task by place.
    #[must_use]
    pub fn task(&self, id: EntryId) -> Option<&Task> {
        self.tasks.get(&id)
    }

    /// All tasks, by place.
    pub fn tasks(&self) -> impl Iterator<Item = (EntryId, &Task)> {
        self.tasks.iter().map(|(&id, task)| (id, task))
    }

    /// Does what a step of an entry wished.
    pub(super) fn grant(&mut self, owner: EntryId, wishes: Vec<Wish>, now: Instant, out: &mut Vec<Action>) {
        for wish in wishes {
            match wish {
                Wish::Run(errand, failing) => self.run_errand(owner, errand, failing, now, out),
                Wish::Drop(errand) => self.drop_errand(owner, errand, now, out),
            }
        }
    }

    fn run_errand(
        &mut self,
        owner: EntryId,
        errand: Errand,
        failing: Option<Failing>,
        now: Instant,
        out: &mut Vec<Action>,
    ) {
        let Some(entry) = self.entries[owner.0 as usize].as_ref() else { return };
        let care = entry.spec.policy.care();
        let readiness = &entry.spec.program.readiness;
        let (command, time) = match errand {
            Errand::Ready => (check_command(readiness), Some(crate::entry::READY_ANSWER)),
            Errand::Health => match &care.health {
                Some(health) => (exec_of(&health.check), Some(health.timeout)),
                None => (None, None),
            },
            Errand::Stop => (care.stop_command.clone(), None),
            Errand::Reload => match &care.reload {
                Some(Reload::Command(command)) => (Some(command.clone()), Some(care.reload_timeout)),
                Some(Reload::Signal(_)) | None => (None, None),
            },
            Errand::Failure => (care.on_failure.clone(), Some(TELLING_TIME)),
        };
        let Some(command) = command else { return };
        let (key, program, stream) = (entry.key.clone(), Arc::clone(&entry.spec.program), entry.stream);
        self.generations.0 += 1;
        let task = Task {
            owner: key,
            awaited_by: Some(owner),
            errand,
            command,
            program,
            failing,
            state: TaskState::Starting,
            generation: self.generations,
            stream,
            pid: None,
            kill_at: time.map(|time| now + time),
            unverified: false,
            dirty: true,
        };
        let id = self.free_place();
        task.order_spawn(id, out);
        self.timers.change(id, None, task.kill_at);
        self.dirty_entries.push(id);
        self.tasks.insert(id, task);
        if let Some(entry) = self.entries[owner.0 as usize].as_mut() {
            entry.set_errand(errand, Some(id));
        }
    }

    /// The result of a command is not wanted any more.
    pub(super) fn drop_errand(
        &mut self,
        owner: EntryId,
        errand: Errand,
        now: Instant,
        out: &mut Vec<Action>,
    ) {
        let Some(entry) = self.entries[owner.0 as usize].as_mut() else { return };
        let Some(id) = entry.errand(errand) else { return };
        // The end of a stop command is awaited even when it is killed.
        if errand != Errand::Stop {
            entry.set_errand(errand, None);
            self.leave_task(id);
        }
        self.happen_to_task(id, TaskEvent::Drop, now, out);
    }

    /// An entry is forgotten: nobody awaits what runs for it.
    pub(super) fn leave_tasks(&mut self, owner: &Entry) {
        Errand::ALL.into_iter().filter_map(|errand| owner.errand(errand)).for_each(|id| self.leave_task(id));
    }

    fn leave_task(&mut self, id: EntryId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.awaited_by = None;
        if !std::mem::replace(&mut task.dirty, true) {
            self.dirty_entries.push(id);
        }
    }

    /// An event that the keeper saw. Returns whether it was of a task.
    pub(super) fn seen_task(
        &mut self,
        id: EntryId,
        generation: Generation,
        event: &EntryEvent,
        now: Instant,
        out: &mut Vec<Action>,
    ) -> bool {
        let Some(task) = self.tasks.get_mut(&id).filter(|task| task.generation == generation) else {
            return false;
        };
        task.unverified = false;
        let event = match *event {
            EntryEvent::Spawned(pid) => TaskEvent::Spawned(pid),
            EntryEvent::SpawnFailed(_) => TaskEvent::SpawnFailed,
            EntryEvent::Exited { exit, leftovers } => TaskEvent::Exited { exit, leftovers },
            EntryEvent::Emptied => TaskEvent::Emptied,
            EntryEvent::Missing => TaskEvent::Missing,
            EntryEvent::Due => TaskEvent::Due,
            EntryEvent::Start | EntryEvent::Stop | EntryEvent::Hurry | EntryEvent::Reload => return true,
            EntryEvent::Said(_) | EntryEvent::Probed(_) | EntryEvent::NotFollowed => return true,
            EntryEvent::ErrandEnded(..) => return true,
        };
        self.happen_to_task(id, event, now, out);
        true
    }

    pub(super) fn happen_to_task(
        &mut self,
        id: EntryId,
        event: TaskEvent,
        now: Instant,
        out: &mut Vec<Action>,
    ) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let (was_dirty, deadline) = (task.dirty, task.kill_at);
        let came = task.step(event, id, now, out);
        self.timers.change(id, if event == TaskEvent::Due { None } else { deadline }, task.kill_at);
        if task.dirty && !was_dirty {
            self.dirty_entries.push(id);
        }
        let (errand, generation) = (task.errand, task.generation);
        let told = came.result.and_then(|exit| Some((exit, task.awaited_by.take()?)));
        if came.is_gone {
            out.push(Action::Release { entry: id, generation });
            self.timers.change(id, task.kill_at, None);
            let task = self.tasks.remove(&id);
            self.free.push(id);
            self.forget_place(id, generation);
            if let Some(task) = task {
                self.end_stream(&task.owner, task.stream);
            }
        }
        if let Some((exit, owner)) = told {
            if let Some(entry) = self.entries[owner.0 as usize].as_mut() {
                entry.set_errand(errand, None);
            }
            self.mark(owner);
            self.happen(owner, EntryEvent::ErrandEnded(errand, exit), now, out);
        }
    }

    /// Everything ends: what is still being told has less time.
    pub(super) fn hurry_tasks(&mut self, now: Instant) {
        for (&id, task) in &mut self.tasks {
            if task.errand == Errand::Failure && task.state != TaskState::Killing {
                let by = now + LAST_TELLING_TIME;
                let kill_at = task.kill_at.map_or(by, |at| at.min(by));
                self.timers.change(id, task.kill_at, Some(kill_at));
                task.kill_at = Some(kill_at);
                if !std::mem::replace(&mut task.dirty, true) {
                    self.dirty_entries.push(id);
                }
            }
        }
    }

    pub(super) fn kill_tasks(&mut self, now: Instant, out: &mut Vec<Action>) {
        let ids: Vec<EntryId> = self.tasks.keys().copied().collect();
        ids.into_iter().for_each(|id| self.happen_to_task(id, TaskEvent::Drop, now, out));
    }

    pub(super) fn restore_task(&mut self, record: TaskRecord) {
        let owner = self.entry_id(&record.owner);
        let program = owner.and_then(|id| self.entry(id)).map(|entry| Arc::clone(&entry.spec.program));
        let task = Task {
            awaited_by: owner.filter(|_| record.is_awaited),
            errand: record.errand,
            command: record.command,
            program: program
                .unwrap_or_else(|| Arc::new(crate::spec::Program::plain(Command::Direct(Box::default())))),
            failing: record.failing,
            state: record.state,
            generation: record.generation,
            stream: record.stream,
            pid: record.pid,
            kill_at: record.kill_at,
            unverified: true,
            dirty: false,
            owner: record.owner,
        };
        let id = record.id;
        while self.entries.len() <= id.0 as usize {
            self.entries.push(None);
        }
        self.generations = self.generations.max(task.generation);
        self.timers.change(id, None, task.kill_at);
        if let Some(owner) = task.awaited_by
            && let Some(entry) = self.entries[owner.0 as usize].as_mut()
        {
            let deadline = entry.deadline();
            entry.set_errand(task.errand, Some(id));
            self.timers.change(owner, deadline, entry.deadline());
        }
        self.tasks.insert(id, task);
    }

    pub(super) fn resume_tasks(&mut self, now: Instant, out: &mut Vec<Action>) {
        let ids: Vec<EntryId> = self.tasks.keys().copied().collect();
        for id in ids {
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            if std::mem::take(&mut task.unverified) {
                self.happen_to_task(id, TaskEvent::Missing, now, out);
            } else {
                task.repeat_order(id, out);
            }
        }
    }
}

fn exec_of(check: &Check) -> Option<Command> {
    match check {
        Check::Exec(command) => Some(command.clone()),
        Check::Tcp(_) => None,
    }
}

fn check_command(readiness: &Readiness) -> Option<Command> {
    match readiness {
        Readiness::Check(check) => exec_of(check),
        Readiness::Started | Readiness::Fd(_) | Readiness::Notify => None,
    }
}

/// A task as it is remembered.
pub(super) fn task_record(id: EntryId, task: &Task) -> Record {
    Record::Task(Box::new(TaskRecord {
        id,
        owner: task.owner.clone(),
        is_awaited: task.awaited_by.is_some(),
        errand: task.errand,
        command: task.command.clone(),
        failing: task.failing,
        state: task.state,
        generation: task.generation,
        stream: task.stream,
        pid: task.pid,
        kill_at: task.kill_at,
    }))
}

//! What is known of single lives and of the commands that run for them, for the promises about them.

use std::collections::BTreeMap;
use std::time::Duration;

use clinit_engine::care::{Check, Errand, Failing, Readiness};
use clinit_engine::entry::{Entry, State};
use clinit_engine::event::{Action, EntryId, Event, Generation, Notice, Said};
use clinit_engine::name::EntryKey;
use clinit_engine::time::Instant;

use crate::moment::Step;

/// One life of an entry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    pub(crate) generation: Generation,
    /// It said, or showed, that it is ready.
    pub(crate) is_ready: bool,
    /// By when it has to be ready.
    pub(crate) ready_by: Option<Instant>,
    /// Bad answers since the last good one.
    pub(crate) misses: u32,
    /// Since when an answer to a probe is awaited, and how long that may take.
    pub(crate) asked: Option<(Instant, Duration)>,
}

/// A command that runs for an entry.
#[derive(Debug, Clone)]
pub(crate) struct Chore {
    pub(crate) key: EntryKey,
    pub(crate) errand: Errand,
    pub(crate) generation: Generation,
    /// The life that it asks after.
    owner: (EntryId, Generation),
    /// By when it has to have ended or be killed.
    pub(crate) by: Option<Instant>,
    pub(crate) killed: Option<Instant>,
}

/// All lives and commands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watches {
    lives: BTreeMap<EntryId, Watch>,
    pub(crate) chores: BTreeMap<EntryId, Chore>,
    /// The latest life of a command at each place.
    pub(crate) latest: BTreeMap<EntryId, Generation>,
    /// When entries were started again of their own accord.
    pub(crate) restarts: BTreeMap<EntryKey, Vec<Instant>>,
}

/// How long a question whether an entry is ready may take.
const READY_ANSWER: Duration = Duration::from_secs(10);

/// How long it may take to tell somebody of a failure.
const TELLING_TIME: Duration = Duration::from_secs(60);

impl Watches {
    pub(crate) fn of(&self, id: EntryId, generation: Generation) -> Option<&Watch> {
        self.lives.get(&id).filter(|watch| watch.generation == generation)
    }

    fn of_mut(&mut self, id: EntryId, generation: Generation) -> Option<&mut Watch> {
        self.lives.get_mut(&id).filter(|watch| watch.generation == generation)
    }

    /// The process that asked is gone, and with it what it was answered.
    pub(crate) fn lose_answers(&mut self) {
        self.lives.values_mut().for_each(|watch| watch.asked = None);
    }

    /// What an event says of a life, before the engine makes anything of it.
    pub(crate) fn take(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Notified { entry, generation, said } => {
                let Some(watch) = self.of_mut(*entry, *generation) else { return };
                match said {
                    Said::Ready => watch.is_ready = true,
                    Said::Extend(span) => {
                        watch.ready_by = watch.ready_by.map(|by| by.max(now + *span));
                    }
                    Said::Reloading | Said::Stopping | Said::Well | Said::Unwell => {}
                    Said::MainPid(_) | Said::Status(_) => {}
                }
            }
            Event::Probed { entry, generation, accepted } => {
                let Some(watch) = self.of_mut(*entry, *generation) else { return };
                if *accepted && watch.asked.is_some() {
                    (watch.is_ready, watch.misses) = (true, 0);
                }
            }
            Event::Exited { entry, generation, exit, .. } => {
                let chore = self.chores.get(entry).filter(|chore| chore.generation == *generation);
                let Some(&Chore { errand, owner: (id, life), .. }) = chore else { return };
                let Some(watch) = self.of_mut(id, life).filter(|_| exit.is_success()) else { return };
                match errand {
                    Errand::Ready => watch.is_ready = true,
                    Errand::Health => watch.misses = 0,
                    Errand::Stop | Errand::Reload | Errand::Failure => {}
                }
            }
            Event::TableAccepted(_) | Event::Told { .. } | Event::Added { .. } | Event::Ordered { .. } => {}
            Event::ShutdownRequested | Event::HurryRequested => {}
            Event::Spawned { .. } | Event::SpawnFailed { .. } | Event::Emptied { .. } => {}
            Event::NotFollowed { .. } | Event::InventoryTaken | Event::TimePassed => {}
        }
    }

    /// What the engine did.
    pub(crate) fn note(&mut self, step: &Step<'_>) {
        if let Event::Probed { entry, generation, .. } = step.event
            && let Some(watch) = self.of_mut(*entry, *generation)
        {
            watch.asked = None;
        }
        for action in step.actions {
            match action {
                Action::Spawn { entry, generation, .. } => self.note_spawn(*entry, *generation, step),
                Action::Kill { entry, generation, .. } => {
                    let chore = self.chores.get_mut(entry);
                    if let Some(chore) = chore.filter(|chore| chore.generation == *generation) {
                        chore.killed.get_or_insert(step.now);
                    }
                }
                Action::Probe { entry, generation, .. } => {
                    let timeout = step.node.entry(*entry).and_then(answer_time);
                    if let Some(watch) = self.of_mut(*entry, *generation) {
                        watch.asked = timeout.map(|timeout| (step.now, timeout));
                    }
                }
                Action::Notice(notice) => self.note_notice(notice, step),
                Action::Stop { .. } | Action::Signal { .. } | Action::Follow { .. } => {}
                Action::Release { .. } | Action::Leave => {}
            }
        }
        for (id, _) in step.node.entries().filter(|(_, entry)| entry.is_postponed()) {
            // Who is to leave anyway may be late.
            if let Some(watch) = self.lives.get_mut(&id) {
                watch.ready_by = None;
            }
        }
        self.chores.retain(|&id, chore| {
            step.node.task(id).is_some_and(|task| task.generation() == chore.generation)
        });
        for key in restarted(step) {
            self.note_restart(step, key);
        }
    }

    fn note_spawn(&mut self, id: EntryId, generation: Generation, step: &Step<'_>) {
        if let Some(task) = step.node.task(id).filter(|task| task.generation() == generation) {
            let known = self.chores.get(&id).is_some_and(|chore| chore.generation == generation);
            let owner = step.node.entry_id(task.owner());
            let owner = owner.and_then(|id| Some((id, step.node.entry(id)?)));
            let Some((owner, entry)) = owner.filter(|_| !known) else { return };
            let chore = Chore {
                key: task.owner().clone(),
                errand: task.errand(),
                generation,
                owner: (owner, entry.generation()),
                by: bound(task.errand(), entry).map(|bound| step.now + bound),
                killed: None,
            };
            self.chores.insert(id, chore);
            self.latest.insert(id, generation);
        } else if self.of(id, generation).is_none() {
            self.lives.insert(id, Watch { generation, ..Watch::default() });
        }
        if let Some(entry) = step.node.entry(id).filter(|_| step.is_fresh(id)) {
            self.restarts.remove(entry.key());
        }
    }

    fn note_notice(&mut self, notice: &Notice, step: &Step<'_>) {
        let (id, failing) = match notice {
            Notice::Started { entry, .. } | Notice::Missed { entry, .. } => (*entry, None),
            Notice::Failed { entry, failing } => (*entry, Some(*failing)),
            _ => return,
        };
        let Some(entry) = step.node.entry(id) else { return };
        let Some(watch) = self.of_mut(id, entry.generation()) else { return };
        match (notice, failing) {
            (Notice::Started { .. }, _) => {
                let has_to_be = entry.spec().program.readiness != Readiness::Started;
                let timeout = entry.spec().policy.care().start_timeout.filter(|_| has_to_be);
                watch.ready_by = timeout.map(|timeout| step.now + timeout);
            }
            (Notice::Missed { .. }, _) => {
                watch.misses += 1;
                watch.asked = None;
            }
            (_, Some(Failing::NotReady)) => watch.ready_by = None,
            _ => {}
        }
    }

    fn note_restart(&mut self, step: &Step<'_>, key: EntryKey) {
        let entry = step.node.entry_id(&key).and_then(|id| step.node.entry(id));
        let Some(retry) = entry.and_then(|entry| entry.spec().policy.care().retry) else { return };
        // No more are remembered than count: a policy that is widened later does not look further back.
        let restarts = self.restarts.entry(key).or_default();
        restarts.push(step.now);
        let too_many = restarts.len().saturating_sub(retry.count.into());
        restarts.drain(..too_many);
    }
}

/// How long an answer to what an entry is asked by a probe may take.
fn answer_time(entry: &Entry) -> Option<Duration> {
    if entry.is_up() {
        let health = entry.spec().policy.care().health.as_ref();
        return health.filter(|health| matches!(health.check, Check::Tcp(_))).map(|health| health.timeout);
    }
    Some(READY_ANSWER)
}

/// How long a command may run before it is killed.
fn bound(errand: Errand, owner: &Entry) -> Option<Duration> {
    let care = owner.spec().policy.care();
    match errand {
        Errand::Ready => Some(READY_ANSWER),
        Errand::Health => care.health.as_ref().map(|health| health.timeout),
        // Its entry's end is its own.
        Errand::Stop => None,
        Errand::Reload => Some(care.reload_timeout),
        Errand::Failure => Some(TELLING_TIME),
    }
}

/// The entries that ended in this step and start again of their own accord, at once or after a pause.
pub(crate) fn restarted<'a>(step: &'a Step<'_>) -> impl Iterator<Item = EntryKey> + use<'a> {
    step.before.iter().filter_map(|(&id, before)| {
        let entry = step.node.entry(id).filter(|entry| entry.key() == &before.key)?;
        let had_life = match before.state {
            State::Starting | State::Running { .. } | State::Ready | State::Clearing { .. } => true,
            State::Stopping { .. } | State::Killing { .. } => before.again,
            State::Down | State::Pausing { .. } | State::Done { .. } | State::GivenUp { .. } => false,
        };
        let starts = match entry.state() {
            State::Pausing { reason, .. } => {
                !matches!(reason, clinit_engine::entry::PauseReason::NoProcess(_))
            }
            State::Starting => entry.generation() != before.generation && !step.is_fresh(id),
            State::Down | State::Running { .. } | State::Ready | State::Clearing { .. } => false,
            State::Stopping { .. } | State::Killing { .. } => false,
            State::Done { .. } | State::GivenUp { .. } => false,
        };
        (had_life && starts).then(|| before.key.clone())
    })
}

//! The keeper's part: it holds processes by entry and generation, does what it is ordered, and tells.
//!
//! What the engine relies on, in short:
//!
//! - A life is spawned once, however often it is ordered. A newer life takes the place of an ended one.
//! - A life is asked to stop once, however often it is ordered; a kill is a kill each time.
//! - The scope of the latest order says who counts: with `main` alone, the end of the main process is the
//!   end of the life, and others that it made are nobody's.
//! - With `kill_rest`, the rest of the scope is killed when the main process ends by itself.
//! - The inventory tells of every life that was not released, as the ordinary events would.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use clinit_engine::event::{Action, EntryId, Event, Exit, Generation};
use clinit_engine::name::EntryKey;
use clinit_engine::spec::{KillScope, Mode, Program};
use clinit_engine::time::Instant;

use crate::process::{Birth, Process, birth, no_process};
use crate::rng::Rng;

/// What an order to spawn carries beside the action: who and what it is that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) key: EntryKey,
    pub(crate) mode: Mode,
    pub(crate) program: Arc<Program>,
    pub(crate) scope: KillScope,
}

/// An action on its way from the engine to the keeper.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) action: Action,
    pub(crate) content: Option<Content>,
}

/// What became of a main process.
#[derive(Debug)]
enum Main {
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
    pid: u32,
    kill_rest: bool,
    main: Main,
    rest: Vec<Process>,
    /// It was asked to stop.
    pub(crate) asked: bool,
    /// It was killed.
    pub(crate) killed: bool,
    /// The engine was told of leftovers, and waits to hear that they are gone.
    owes_emptied: bool,
}

/// Which process of a life.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Member {
    Main,
    Rest(usize),
}

/// The keeper with its processes.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    slots: BTreeMap<EntryId, Slot>,
    last_pid: u32,
}

/// What an order meets when it is carried out.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) now: Instant,
    /// The machine has no process to give.
    pub(crate) starved: bool,
    pub(crate) rng: &'a mut Rng,
    /// Where the engine is told.
    pub(crate) tell: &'a mut VecDeque<Event>,
}

impl Main {
    fn process(&self) -> Option<&Process> {
        match self {
            Self::Lives(process) => Some(process),
            Self::Ended(_) | Self::NeverWas(_) => None,
        }
    }

    fn process_mut(&mut self) -> Option<&mut Process> {
        match self {
            Self::Lives(process) => Some(process),
            Self::Ended(_) | Self::NeverWas(_) => None,
        }
    }
}

impl Slot {
    fn new(generation: Generation, content: Content, pid: u32, kill_rest: bool, birth: Birth) -> Self {
        let (main, rest) = match birth {
            Birth::NoProcess { errno } => (Main::NeverWas(errno), Vec::new()),
            Birth::Runs { main, rest, .. } => (Main::Lives(main), rest),
        };
        let (asked, killed, owes_emptied) = (false, false, false);
        Self { generation, content, pid, kill_rest, main, rest, asked, killed, owes_emptied }
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

    fn processes(&self) -> impl Iterator<Item = &Process> {
        self.main.process().into_iter().chain(&self.rest)
    }

    fn aim(&mut self, scope: KillScope) {
        self.content.scope = scope;
        self.let_go_of_strays();
    }

    fn let_go_of_strays(&mut self) {
        if self.content.scope == KillScope::Main && !self.has_main() {
            self.rest.clear();
        }
    }

    /// Those whom a signal reaches.
    fn targets(&mut self) -> impl Iterator<Item = &mut Process> {
        let main_only = self.content.scope == KillScope::Main;
        let rest = if main_only { &mut [][..] } else { &mut self.rest[..] };
        self.main.process_mut().into_iter().chain(rest)
    }

    fn end_main(&mut self, exit: Exit, now: Instant) {
        self.main = Main::Ended(exit);
        self.let_go_of_strays();
        if self.kill_rest && !self.asked && !self.killed {
            self.rest.iter_mut().for_each(|process| process.kill(now));
            self.rest.retain(|process| process.end().is_none_or(|(at, _)| at > now));
        }
    }

    fn tell_exited(&mut self, entry: EntryId, exit: Exit) -> Event {
        self.owes_emptied = !self.rest.is_empty();
        Event::Exited { entry, generation: self.generation, exit, leftovers: self.owes_emptied }
    }

    fn tell_if_emptied(&mut self, entry: EntryId, tell: &mut VecDeque<Event>) {
        if self.owes_emptied && self.rest.is_empty() {
            self.owes_emptied = false;
            tell.push_back(Event::Emptied { entry, generation: self.generation });
        }
    }
}

impl Keeper {
    /// All lives that were not released.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (EntryId, &Slot)> {
        self.slots.iter().map(|(&id, slot)| (id, slot))
    }

    /// Does what it is ordered.
    ///
    /// # Errors
    /// What a keeper has to be able to rely on, when the engine broke it.
    pub(crate) fn obey(&mut self, order: Order, around: Surroundings<'_>) -> Result<(), String> {
        match order.action {
            Action::Spawn { entry, generation, kill_rest } => {
                let content = order.content.ok_or("a spawn without a program")?;
                self.make_room(entry, generation)?;
                self.spawn(entry, generation, content, kill_rest, around);
                Ok(())
            }
            Action::Stop { entry, generation, signal, scope } => {
                let Some(slot) = self.life(entry, generation).filter(|slot| !slot.asked) else {
                    return Ok(());
                };
                slot.asked = true;
                slot.aim(scope);
                slot.targets().for_each(|process| process.ask_to_stop(signal, around.now));
                slot.tell_if_emptied(entry, around.tell);
                Ok(())
            }
            Action::Kill { entry, generation, scope } => {
                let Some(slot) = self.life(entry, generation) else { return Ok(()) };
                slot.killed = true;
                slot.aim(scope);
                slot.targets().for_each(|process| process.kill(around.now));
                slot.tell_if_emptied(entry, around.tell);
                Ok(())
            }
            Action::Release { entry, generation } => {
                let Some(slot) = self.life(entry, generation) else { return Ok(()) };
                if slot.is_alive() {
                    return Err(format!("{} was released alive", slot.content.key));
                }
                self.slots.remove(&entry);
                Ok(())
            }
            Action::Signal { entry, generation, signal } => {
                let main = self.life(entry, generation).and_then(|slot| slot.main.process_mut());
                if let Some(main) = main.filter(|_| around.rng.chance(50)) {
                    main.ask_to_stop(signal, around.now);
                }
                Ok(())
            }
            Action::Notice(_) | Action::Leave => Ok(()),
        }
    }

    fn life(&mut self, entry: EntryId, generation: Generation) -> Option<&mut Slot> {
        self.slots.get_mut(&entry).filter(|slot| slot.generation == generation)
    }

    /// A newer life takes the place of an ended one.
    fn make_room(&mut self, entry: EntryId, generation: Generation) -> Result<(), String> {
        let Some(old) = self.slots.get(&entry).filter(|old| old.generation != generation) else {
            return Ok(());
        };
        if old.generation > generation || old.is_alive() {
            let (key, old) = (&old.content.key, old.generation);
            return Err(format!("{key} was spawned as {generation:?} over {old:?}"));
        }
        self.slots.remove(&entry);
        Ok(())
    }

    fn spawn(
        &mut self,
        entry: EntryId,
        generation: Generation,
        content: Content,
        kill_rest: bool,
        around: Surroundings<'_>,
    ) {
        let Surroundings { now, starved, rng, tell } = around;
        if self.slots.contains_key(&entry) {
            return;
        }
        let birth = if starved { no_process() } else { birth(rng, &content.program, content.mode, now) };
        self.last_pid += 1;
        let pid = self.last_pid;
        match birth {
            Birth::NoProcess { errno } => tell.push_back(Event::SpawnFailed { entry, generation, errno }),
            Birth::Runs { announced: true, .. } => tell.push_back(Event::Spawned { entry, generation, pid }),
            Birth::Runs { announced: false, .. } => {}
        }
        self.slots.insert(entry, Slot::new(generation, content, pid, kill_rest, birth));
    }

    /// The processes whose time has come.
    pub(crate) fn due(&self, now: Instant) -> Vec<(EntryId, Member)> {
        let is_due = |process: &Process| process.end().is_some_and(|(at, _)| at <= now);
        let mut due = Vec::new();
        for (&id, slot) in &self.slots {
            due.extend(slot.main.process().is_some_and(is_due).then_some((id, Member::Main)));
            let rest = slot.rest.iter().enumerate().filter(|(_, process)| is_due(process));
            due.extend(rest.map(|(place, _)| (id, Member::Rest(place))));
        }
        due
    }

    /// When the next process ends.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        let processes = self.slots.values().flat_map(Slot::processes);
        processes.filter_map(|process| process.end().map(|(at, _)| at)).min()
    }

    /// One process ends, and the engine is told what it has to know.
    pub(crate) fn reap(&mut self, entry: EntryId, member: Member, now: Instant, tell: &mut VecDeque<Event>) {
        let Some(slot) = self.slots.get_mut(&entry) else { return };
        match member {
            Member::Main => {
                let end = slot.main.process().and_then(Process::end);
                let exit = end.map_or(Exit::Unknown, |(_, exit)| exit);
                slot.end_main(exit, now);
                tell.push_back(slot.tell_exited(entry, exit));
            }
            Member::Rest(place) => {
                slot.rest.swap_remove(place);
                slot.tell_if_emptied(entry, tell);
            }
        }
    }

    /// Tells a new engine of everything that it holds.
    pub(crate) fn take_inventory(&mut self, tell: &mut VecDeque<Event>) {
        for (&entry, slot) in &mut self.slots {
            tell.push_back(match slot.main {
                Main::Lives(_) => Event::Spawned { entry, generation: slot.generation, pid: slot.pid },
                Main::Ended(exit) => slot.tell_exited(entry, exit),
                Main::NeverWas(errno) => Event::SpawnFailed { entry, generation: slot.generation, errno },
            });
        }
        tell.push_back(Event::InventoryTaken);
    }
}

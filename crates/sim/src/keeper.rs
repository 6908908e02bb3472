//! The keeper's part: it holds processes by entry and generation, does what it is ordered, and tells.
//!
//! What the engine relies on, in short:
//!
//! - A life is spawned once, however often it is ordered. A newer life takes the place of an ended one.
//! - A life is asked to stop once, however often it is ordered; a kill is a kill each time.
//! - The scope of the latest order says who counts: with `main` alone, the end of the main process is the
//!   end of the life, and others that it made are nobody's.
//! - With `kill_rest`, the rest of the scope is killed when the main process ends by itself.
//! - One of the processes of a life is taken for the main one when it is told so; a stranger never is.
//! - The inventory tells of every life that was not released, as the ordinary events would.

use std::collections::{BTreeMap, VecDeque};

use clinit_engine::care::Errand;
use clinit_engine::event::{Action, EntryId, Event, Generation};
use clinit_engine::name::EntryKey;
use clinit_engine::spec::SIGTERM;
use clinit_engine::time::Instant;

use crate::process::{Birth, Process, birth, no_process};
use crate::rng::Rng;
use crate::slot::{Content, Main, Slot};

/// An action on its way from the engine to the keeper.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) action: Action,
    pub(crate) content: Option<Content>,
}

/// Which process of a life, and whether it ends or says something.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Member {
    Main,
    Rest(usize),
    Speaker(u32),
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

impl Keeper {
    /// All lives that were not released.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (EntryId, &Slot)> {
        self.slots.iter().map(|(&id, slot)| (id, slot))
    }

    /// All lives of entries, without those of tasks.
    pub(crate) fn lives(&self) -> impl Iterator<Item = (EntryId, &Slot)> {
        self.slots().filter(|(_, slot)| slot.content.errand.is_none())
    }

    /// Does what it is ordered.
    ///
    /// # Errors
    /// What a keeper has to be able to rely on, when the engine broke it.
    pub(crate) fn obey(&mut self, order: Order, mut around: Surroundings<'_>) -> Result<(), String> {
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
            Action::Probe { entry, generation, .. } => {
                self.probe(entry, generation, &mut around);
                Ok(())
            }
            Action::Follow { entry, generation, pid } => {
                let is_followed = self.life(entry, generation).is_some_and(|slot| slot.follow(pid));
                around.tell.push_back(match is_followed {
                    true => Event::Spawned { entry, generation, pid },
                    false => Event::NotFollowed { entry, generation },
                });
                Ok(())
            }
            Action::Notice(_) | Action::Leave => Ok(()),
        }
    }

    fn life(&mut self, entry: EntryId, generation: Generation) -> Option<&mut Slot> {
        self.slots.get_mut(&entry).filter(|slot| slot.generation == generation)
    }

    /// Whether somebody accepts a connection; the one who hangs does neither this nor that.
    fn probe(&mut self, entry: EntryId, generation: Generation, around: &mut Surroundings<'_>) {
        let answer = match self.life(entry, generation).and_then(|slot| slot.main.process()) {
            Some(main) => main.nature().accepts(around.rng),
            None => Some(false),
        };
        around.tell.extend(answer.map(|accepted| Event::Probed { entry, generation, accepted }));
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
        let birth = if starved { no_process() } else { birth(rng, &content, now, &mut self.last_pid) };
        let mut early = Vec::new();
        match &birth {
            Birth::NoProcess { errno } => {
                tell.push_back(Event::SpawnFailed { entry, generation, errno: *errno });
            }
            Birth::Runs { announced, main, .. } => {
                early.extend(announced.then(|| Event::Spawned { entry, generation, pid: main.pid() }));
            }
        }
        let mut slot = Slot::new(generation, content, kill_rest, birth);
        // What it says at once may be heard before the keeper's word.
        if rng.chance(50) {
            for process in slot.processes_mut() {
                early
                    .splice(0..0, process.speak(now).map(|said| Event::Notified { entry, generation, said }));
            }
        }
        tell.extend(early);
        self.slots.insert(entry, slot);
    }

    /// The processes whose time has come. Who has something to say says it before the end.
    pub(crate) fn due(&self, now: Instant) -> Vec<(EntryId, Member)> {
        let has_come = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let mut due = Vec::new();
        for (&id, slot) in &self.slots {
            let speakers = slot.processes().filter(|process| has_come(process.speaks_at()));
            due.extend(speakers.map(|process| (id, Member::Speaker(process.pid()))));
            let ends = |process: &Process| !has_come(process.speaks_at()) && has_come(process.ends_at());
            due.extend(slot.main.process().is_some_and(ends).then_some((id, Member::Main)));
            let rest = slot.rest.iter().enumerate().filter(|(_, process)| ends(process));
            due.extend(rest.map(|(place, _)| (id, Member::Rest(place))));
        }
        due
    }

    /// When the next process ends or says something.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        let processes = self.slots.values().flat_map(Slot::processes);
        processes.flat_map(|process| [process.ends_at(), process.speaks_at()]).flatten().min()
    }

    /// One process ends or speaks, and the engine is told what it has to know.
    pub(crate) fn reap(&mut self, entry: EntryId, member: Member, now: Instant, tell: &mut VecDeque<Event>) {
        let Some(slot) = self.slots.get_mut(&entry) else { return };
        let generation = slot.generation;
        match member {
            Member::Main => {
                let exit = slot.end_main(now);
                let stopped = slot.content.errand == Some(Errand::Stop) && exit.is_success();
                let key = slot.content.key.clone();
                tell.push_back(slot.tell_exited(entry, exit));
                if stopped {
                    self.stop_by_command(&key, now);
                }
            }
            Member::Rest(place) => {
                slot.rest.swap_remove(place);
                slot.tell_if_emptied(entry, tell);
            }
            Member::Speaker(pid) => {
                let said = slot.processes_mut().find(|process| process.pid() == pid);
                let said = said.and_then(|process| process.speak(now));
                tell.extend(said.map(|said| Event::Notified { entry, generation, said }));
            }
        }
    }

    /// A stop command has done what it is for.
    fn stop_by_command(&mut self, key: &EntryKey, now: Instant) {
        let lives = self.slots.values_mut().filter(|slot| slot.content.errand.is_none());
        if let Some(slot) = lives.into_iter().find(|slot| &slot.content.key == key) {
            slot.targets().for_each(|process| process.ask_to_stop(SIGTERM, now));
        }
    }

    /// Another keeper goes on: how what runs will end cannot be told any more.
    pub(crate) fn die(&mut self, rng: &mut Rng, now: Instant) {
        for slot in self.slots.values_mut() {
            slot.be_adopted();
            // A request to stop that was not noted is made again.
            slot.asked &= rng.chance(50);
            if slot.main.process().and_then(Process::end).is_some_and(|(at, _)| at <= now) {
                slot.end_main(now);
            }
        }
    }

    /// Tells a new engine of everything that it holds.
    pub(crate) fn take_inventory(&mut self, tell: &mut VecDeque<Event>) {
        for (&entry, slot) in &mut self.slots {
            let generation = slot.generation;
            tell.push_back(match slot.main {
                Main::Lives(ref process) => Event::Spawned { entry, generation, pid: process.pid() },
                Main::Ended(exit) => slot.tell_exited(entry, exit),
                Main::NeverWas(errno) => Event::SpawnFailed { entry, generation, errno },
            });
        }
        tell.push_back(Event::InventoryTaken);
    }
}

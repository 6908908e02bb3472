//! Doing what the engine wants done.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use clinit_sys::berths::Berths;
use clinit_sys::cgroup::Cgroup;
use clinit_sys::clock;
use clinit_sys::memory;
use clinit_sys::slots::Slot;
use clinit_sys::spawn::Start;
use rustix::fs::{Mode, OFlags, fchmod};
use rustix::io::Errno;

use crate::children::{Owed, flag, scope_flag, set_scope, set_unbounded, state};
use crate::controllers;
use crate::kin::Home;
use crate::passing::Passing;
use crate::protocol::{Order, Output, Scope, Spawn};
use crate::run::{Keeper, LEAVING};
use crate::steps::Bound;
use crate::{fifo, ready, scope, steps};

/// How long after the last of many starts the room that they needed is given up.
const REST_NANOS: u64 = 100_000_000;

/// What every start needs and none changes.
#[derive(Debug)]
pub(crate) struct Nursery {
    berths: Berths,
    /// What the cgroup of what is laid out is bounded in.
    bounds: Vec<(Bound, u64)>,
    /// The keeper's own environment, `NAME=value`.
    environment: Vec<Vec<u8>>,
    null: OwnedFd,
    /// The limit of open files that entries get: the keeper has raised its own.
    open_files: (u64, u64),
    /// Where the entries' cgroups are made, if anywhere.
    cgroups: Option<Cgroups>,
    home: Home,
}

/// The cgroup below which each entry gets its own.
#[derive(Debug)]
pub(crate) struct Cgroups {
    pub(crate) parent: Cgroup,
    pub(crate) name: String,
    pub(crate) own: Cgroup,
}

impl Cgroups {
    /// Makes or takes it, below the keeper's own cgroup; `None` where none can be made.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let parent = Cgroup::open(&controllers::cgroup_parent(name).ok()?).ok()?;
        let own = parent.make(name).ok()?;
        Some(Self { parent, name: name.to_owned(), own })
    }
}

impl Nursery {
    pub(crate) fn new(
        null: OwnedFd,
        open_files: (u64, u64),
        cgroups: Option<Cgroups>,
        home: Home,
        environment: Vec<Vec<u8>>,
    ) -> Self {
        Self { berths: Berths::default(), bounds: Vec::new(), environment, null, open_files, cgroups, home }
    }

    /// Whether more children were on their way at a time than is usual.
    pub(crate) fn has_room_to_spare(&self) -> bool {
        self.berths.are_many()
    }

    /// Gives that room up.
    pub(crate) fn rest(&mut self) {
        self.berths.rest();
        memory::give_back();
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    pub(crate) fn null(&self) -> BorrowedFd<'_> {
        self.null.as_fd()
    }

    pub(crate) fn cgroups(&self) -> Option<&Cgroup> {
        self.cgroups.as_ref().map(|cgroups| &cgroups.own)
    }

    /// Nothing runs any more: leaves no cgroup behind.
    pub(crate) fn remove_cgroups(&self) {
        let Some(cgroups) = &self.cgroups else { return };
        cgroups.step_back();
        let Cgroups { parent, name, own } = cgroups;
        own.children().iter().for_each(|child| drop(own.remove(child)));
        let _busy = parent.remove(name);
    }

    pub(crate) fn environment(&self) -> &[Vec<u8>] {
        &self.environment
    }

    /// Lays out what is executed. Variables of the order stand before, and instead of, the keeper's own; one
    /// without a value only takes the place of that.
    fn lay_out(&mut self, order: &Spawn<'_>) {
        // What it does to itself, it would do to us if it shared our memory.
        let image = self.berths.image(!order.steps.is_empty());
        image.candidates.clear();
        image.arguments.clear();
        image.environment.clear();
        image.steps.clear();
        self.bounds = steps::lay_out(order.steps, &mut image.steps);
        let mut strings = order.strings.split(|&byte| byte == 0);
        let [candidates, arguments, variables] = order.counts;
        strings.by_ref().take(candidates.into()).for_each(|text| image.candidates.push(&[text]));
        strings.by_ref().take(arguments.into()).for_each(|text| image.arguments.push(&[text]));
        let added: Vec<&[u8]> = strings.take(variables.into()).collect();
        let given = added.iter().filter(|text| text.contains(&b'='));
        given.for_each(|text| image.environment.push(&[text]));
        if order.sockets > 0 {
            image.environment.push_with_pid(b"LISTEN_PID=");
        }
        if order.watchdog_pid {
            image.environment.push_with_pid(b"WATCHDOG_PID=");
        }
        let name = |text: &[u8]| text.iter().position(|&byte| byte == b'=').unwrap_or(text.len());
        for own in &self.environment {
            let end = name(own);
            if !added.iter().any(|text| name(text) == end && text[..end] == own[..end]) {
                image.environment.push(&[own]);
            }
        }
    }
}

impl Keeper {
    pub(crate) fn obey(&mut self, packet: &[u8], sockets: &[OwnedFd]) {
        match Order::decode(packet) {
            Some(Order::Spawn(order)) => self.spawn(&order, sockets),
            Some(Order::Stop { slot, generation, signal, scope }) => {
                self.with_life(slot, generation, |slot, child| {
                    set_scope(slot, scope);
                    // Repeated after a crash of the engine, it would hit a process that is just stopping.
                    if slot.flags() & flag::STOPPED == 0 {
                        scope::stop(slot, child, scope, signal.into());
                    }
                });
            }
            Some(Order::Signal { slot, generation, signal }) => {
                self.with_life(slot, generation, |slot, child| scope::signal(slot, child, signal.into()));
            }
            Some(Order::Kill { slot, generation, scope }) => {
                self.with_life(slot, generation, |slot, child| {
                    set_scope(slot, scope);
                    scope::kill(slot, child, scope);
                });
                // What was counted as left for another reason than the scope is not any more.
                let hands_over = |slot: &Slot| slot.flags() & flag::HANDS_OVER != 0;
                if self.children.get(slot).is_some_and(|(slot, _)| hands_over(slot)) {
                    self.look_after_leftovers();
                }
            }
            Some(Order::Follow { slot, generation, pid }) => self.follow(slot, generation, pid),
            Some(Order::Heard { slot, generation }) => self.heard(slot, generation),
            Some(Order::Release { slot, generation }) => self.release(slot, generation),
            Some(Order::Reexec { descriptor, arguments }) => self.reexec(descriptor, arguments),
            Some(Order::Leave { status }) => {
                // A keeper after this one would find that nothing is left to do.
                self.children.header().set_ending(status.into());
                self.children.header().set_state(LEAVING);
                self.leaving = Some(status);
            }
            None => {}
        }
    }

    fn with_life(&mut self, index: u32, generation: u64, act: impl FnOnce(&Slot, &crate::children::Child)) {
        if let Some((slot, child)) = self.children.get(index)
            && slot.generation() == generation
            && matches!(slot.state(), state::LIVE | state::LEFTOVER)
        {
            act(slot, child);
        }
    }

    fn spawn(&mut self, order: &Spawn<'_>, sockets: &[OwnedFd]) {
        if self.children.grow_to(order.slot).is_err() {
            // No slot, no memory of it: the engine hears so at once and tries again.
            self.refused.push_back((order.slot, order.generation, Errno::NOSPC.raw_os_error()));
            return;
        }
        let Some((slot, _)) = self.children.get(order.slot) else { return };
        let busy = matches!(slot.state(), state::LIVE | state::LEFTOVER);
        if busy || (slot.state() != state::FREE && slot.generation() >= order.generation) {
            // Not carried out: the engine is told what is so instead.
            let is_live = slot.state() == state::LIVE;
            self.children
                .owe(order.slot, |owed| if is_live { owed.spawned = true } else { owed.ended = true });
            return;
        }
        let started = self.start(order, sockets);
        let now_nanos = clock::boottime_nanos();
        self.nursery_rests_at = self.nursery.has_room_to_spare().then_some(now_nanos + REST_NANOS);
        let Some((slot, _)) = self.children.get(order.slot) else { return };
        match started {
            Ok(()) => {
                self.by_pid.insert(slot.pid(), order.slot);
                self.children.owe(order.slot, |owed| owed.spawned = true);
            }
            Err(error) => {
                slot.set_ending(u32::try_from(error.raw_os_error().unwrap_or(0)).unwrap_or(0));
                slot.set_spawned_nanos(now_nanos);
                slot.set_state(state::NOT_SPAWNED);
                self.children.owe(order.slot, |owed| owed.ended = true);
            }
        }
    }

    /// Writes the slot and makes the process.
    fn start(&mut self, order: &Spawn<'_>, sockets: &[OwnedFd]) -> io::Result<()> {
        self.nursery.lay_out(order);
        let fifo = (order.output == Output::Fifo).then(|| self.fifo(order));
        let Some((slot, child)) = self.children.get(order.slot) else {
            return Err(io::Error::from(Errno::NOSPC));
        };
        let kill_rest = if order.kill_rest { flag::KILL_REST } else { 0 };
        let hands_over = if order.hands_over { flag::HANDS_OVER } else { 0 };
        // A cgroup that was killed once kills every child that is cloned into it (seen on Linux 6.18: the child is
        // measured by its parent's count of kills): it is replaced.
        let was_killed = slot.flags() & flag::CGROUP_KILLED != 0;
        if let (true, Some(cgroups)) = (was_killed, self.nursery.cgroups())
            && let Some((cgroup, name)) = child.cgroup.take()
        {
            drop(cgroup);
            let _busy_with_what_escaped = cgroups.remove(&name);
        }
        slot.set_state(state::FREE);
        slot.set_pid(0);
        slot.set_ending(0);
        slot.set_fault(0);
        slot.set_flags(kill_rest | hands_over | scope_flag(order.scope));
        slot.set_successor(None);
        slot.set_group(0);
        slot.set_ready(order.ready.into());
        slot.set_generation(order.generation);
        slot.set_spawned_nanos(clock::boottime_nanos());
        slot.set_begun_nanos(0);
        // What was owed of the last life would be told of this one.
        child.owed = Owed::default();
        child.adopted = false;
        child.pidfd = None;
        child.ready = None;
        if !order.cgroup && order.scope != Scope::Cgroup {
            child.cgroup = None;
        } else if let (None, Some(cgroups)) = (&child.cgroup, self.nursery.cgroups()) {
            // The name tells people; the number keeps two names apart that differ in what was replaced.
            let mut name = cgroup_name(order.name, order.slot);
            if was_killed && cgroups.children().contains(&name) {
                // It could not be removed.
                name = cgroup_name(
                    &[order.name, format!("-{}", order.generation).as_bytes()].concat(),
                    order.slot,
                );
            }
            child.cgroup = cgroups.make(&name).ok().map(|cgroup| (cgroup, name));
        }
        if !self.nursery.bounds.is_empty() {
            let bounds = &self.nursery.bounds;
            let unbounded = match (&child.cgroup, &self.nursery.cgroups) {
                (Some((cgroup, _)), Some(cgroups)) => cgroups.bound(cgroup, bounds),
                _ => bits_of(bounds),
            };
            set_unbounded(slot, unbounded);
        }
        if sockets.len() != usize::from(order.sockets) {
            // We had no room for them.
            return Err(io::Error::from(Errno::MFILE));
        }
        if order.ready != 0 {
            child.ready = Some(ready::make(self.state.as_fd(), order.slot, order.generation)?);
        }
        let fifo = fifo.transpose()?;
        let out = match order.output {
            Output::Inherit => None,
            Output::Null => Some(self.nursery.null.as_fd()),
            Output::Fifo => fifo.as_ref().map(AsFd::as_fd),
        };
        let ready = child.ready.as_ref().map(|fd| (fd.as_fd(), order.ready));
        let passing = Passing::new(self.nursery.null.as_fd(), out, sockets, ready)?;
        slot.set_state(state::LIVE);
        let mut start = Start {
            slot,
            descriptors: &passing.pairs,
            cgroup: None,
            keep_below: passing.keep_below,
            keep_too: passing.keep_too,
            session: true,
            open_files: Some(self.nursery.open_files),
        };
        if let Some((cgroup, _)) = &child.cgroup {
            match self.nursery.berths.spawn(&Start { cgroup: Some(cgroup.as_fd()), ..start }) {
                // The cgroup takes no process, or is gone: a service without one is better than none.
                Err(error) if !is_lack(&error) => start.cgroup = None,
                result => return result,
            }
            child.cgroup = None;
            set_unbounded(slot, bits_of(&self.nursery.bounds));
        }
        self.nursery.berths.spawn(&start)
    }

    /// Opens the FIFO for a start. It is held, so that nothing printed is lost when the entry has ended and the
    /// logger has not read it; opened anew for each life, since flags that a life sets (O_NONBLOCK) would be the
    /// next one's, too.
    fn fifo(&mut self, order: &Spawn<'_>) -> io::Result<OwnedFd> {
        let state = self.state.as_fd();
        self.fifos.hold(state, order.stream)?;
        let fifo = fifo::open(state, order.stream, OFlags::empty())?;
        if !order.steps.is_empty() {
            // By /dev/stdout, whoever it runs as may open it again; by its path only we can.
            let _as_it_is = fchmod(&fifo, Mode::from_raw_mode(0o622));
        }
        Ok(fifo)
    }

    /// The engine has heard what a life had to say through its descriptor for readiness.
    fn heard(&mut self, index: u32, generation: u64) {
        if let Some((slot, child)) = self.children.get(index)
            && slot.generation() == generation
        {
            slot.set_ready(0);
            if let Some(socket) = child.ready.take() {
                ready::silence(&socket);
            }
        }
    }

    /// Forgets a life that has ended, and what was held for the slot.
    fn release(&mut self, index: u32, generation: u64) {
        let Some((slot, child)) = self.children.get(index) else { return };
        if slot.generation() != generation || !matches!(slot.state(), state::ENDED | state::NOT_SPAWNED) {
            return;
        }
        slot.set_state(state::FREE);
        child.pidfd = None;
        child.ready = None;
        if let (Some((cgroup, name)), Some(cgroups)) = (child.cgroup.take(), self.nursery.cgroups()) {
            // Busy when its processes outlive a scope that is not the cgroup; the folder is found again.
            if cgroups.remove(&name).is_err() {
                controllers::unbound(&cgroup);
            }
        }
    }
}

/// The bits of all these bounds.
fn bits_of(bounds: &[(Bound, u64)]) -> u8 {
    bounds.iter().fold(0, |bits, (bound, _)| bits | bound.bit())
}

/// Whether the machine lacks what any start needs.
fn is_lack(error: &io::Error) -> bool {
    let lacks = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE];
    lacks.iter().any(|lack| error.raw_os_error() == Some(lack.raw_os_error()))
}

/// A name for a cgroup: the entry's, with what the file system or cgroups themselves give a meaning
/// replaced, and the number of its slot.
fn cgroup_name(entry: &[u8], slot: u32) -> String {
    let plain =
        |&byte: &u8| if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) { byte.into() } else { '_' };
    let name: String = entry.iter().take(100).map(plain).collect();
    format!("{name}.{slot}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroup_names_hold_no_meaning_but_their_own() {
        assert_eq!(cgroup_name(b"web/httpd", 3), "web_httpd.3");
        assert_eq!(cgroup_name("\u{e9}../x".as_bytes(), 0), "__.._x.0");
        assert!(cgroup_name(&[b'x'; 4000], 1).len() < 120);
    }
}

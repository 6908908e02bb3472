//! A turn of the loop: sources to events, actions to effects.

use std::fs;
use std::os::fd::AsFd;
use std::time::Duration;

use clinit_engine::event::{Action, EntryId, Event, ExecFault, Exit, Generation};
use clinit_engine::time::Instant;
use clinit_keeper::GONE;
use clinit_keeper::protocol::{Ending, Order, REPORT_BYTES, Report};
use clinit_table::ParseOptions;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventFlags};

use super::begin::source;
use super::clients::ClientId;
use super::disk::{Done, TableRead};
use super::faults::stage_of;
use super::journal::Item;
use super::packets::Received;
use super::probes::PROBE;
use super::tables::{Verdict, Waiting, judge, refusal, unreadable};
use super::{Engine, lowering, now, tablefile, view};
use crate::paths::{notify_socket, state_folder};
use crate::roles::Manner;

/// How many reports of the keeper are taken before they are acted on.
const REPORTS_AT_ONCE: usize = 256;

/// How long after one status file the next is written.
const STATUS_PAUSE: Duration = Duration::from_millis(20);

/// How long after a file could not be written it is tried again.
pub(super) const STATUS_RETRY: Duration = Duration::from_secs(5);

/// How long the way out may wait for slow clients and disks.
const LEAVE_TIME: Duration = Duration::from_secs(2);

const SIGHUP: i32 = 1;

impl Engine {
    /// The loop.
    pub(super) fn attend(&mut self) {
        let mut events = Vec::with_capacity(64);
        loop {
            self.finish_turn();
            if self.keeper_gone {
                return self.outlive_keeper();
            }
            if self.leaving && self.are_logs_finished(now()) {
                return self.leave();
            }
            if self.replaced {
                return self.make_way();
            }
            events.clear();
            let timeout = self.timeout();
            let waited =
                epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref());
            let now = now();
            if waited.is_ok() {
                for event in &events {
                    self.take(event.data.u64(), event.flags, now);
                }
            }
            self.pass_time(now);
        }
    }

    fn take(&mut self, data: u64, flags: EventFlags, now: Instant) {
        match data {
            source::KEEPER => self.take_reports(now),
            source::FEED => self.take_words(now),
            source::LISTEN => {
                let listener = self.reviver.listener().as_fd();
                self.clients.accept(listener, self.epoll.as_fd(), now);
            }
            source::LIFE => self.keeper_gone = true,
            source::DISK => self.take_done(now),
            source::FINDER => self.take_found(now),
            source::NOTIFY | source::READY => self.hear_all(now),
            source::TRIAL => self.take_tried(now),
            source::SIGNALS => {
                while let Some(pending) = self.signals.next() {
                    self.signalled(pending.signal, now);
                }
            }
            probe if probe & PROBE != 0 => {
                self.take_answer(EntryId(u32::try_from(probe & !PROBE).unwrap_or(u32::MAX)), now);
            }
            client => {
                let hung_up = flags.intersects(EventFlags::HUP | EventFlags::ERR);
                if let Some(client) = self.clients.read(client, hung_up, now) {
                    self.answer_all(client, now);
                    if hung_up {
                        // What it asked for was heard; there is nobody to hear the answer.
                        self.clients.drop_client(client);
                    }
                }
            }
        }
    }

    /// Answers a client's calls as far as they can be answered now.
    fn answer_all(&mut self, client: ClientId, now: Instant) {
        while let Some(message) = self.clients.next_message(client) {
            self.answer(&message, now);
        }
    }

    fn take_reports(&mut self, now: Instant) {
        let mut packet = [0; REPORT_BYTES];
        loop {
            let mut reports = Vec::new();
            let mut are_all_taken = false;
            while reports.len() < REPORTS_AT_ONCE && !are_all_taken {
                match self.keeper.receive(&mut packet) {
                    Received::Packet(size) => reports.extend(Report::decode(&packet[..size])),
                    Received::Nothing => are_all_taken = true,
                    Received::Ended => (self.keeper_gone, are_all_taken) = (true, true),
                }
            }
            // What an entry said before it ended it said in time.
            let is_end = |report: &Report| matches!(report, Report::Exited { .. } | Report::Emptied { .. });
            if reports.iter().any(is_end) {
                self.hear_all(now);
            }
            reports.into_iter().for_each(|report| self.take_report(report, now));
            if are_all_taken {
                return;
            }
        }
    }

    fn take_report(&mut self, report: Report, now: Instant) {
        let event = match report {
            Report::Spawned { slot, generation, pid, unbounded } => {
                self.note_unbounded(EntryId(slot), unbounded);
                if !self.is_inventory_taken {
                    self.regain_sockets(EntryId(slot), pid);
                }
                Event::Spawned { entry: EntryId(slot), generation: Generation(generation), pid }
            }
            Report::NotSpawned { slot, generation, errno } => {
                Event::SpawnFailed { entry: EntryId(slot), generation: Generation(generation), errno }
            }
            Report::Exited { slot, generation, ending, leftovers } => Event::Exited {
                entry: EntryId(slot),
                generation: Generation(generation),
                exit: exit(ending),
                leftovers,
            },
            Report::Emptied { slot, generation } => {
                Event::Emptied { entry: EntryId(slot), generation: Generation(generation) }
            }
            Report::NotFollowed { slot, generation } => {
                Event::NotFollowed { entry: EntryId(slot), generation: Generation(generation) }
            }
            Report::InventoryTaken => {
                self.is_inventory_taken = true;
                if !self.is_restored {
                    return;
                }
                Event::InventoryTaken
            }
            Report::Signalled { signal } => return self.keeper_signalled(signal.into(), now),
            Report::LoggerStarted => return self.logs.has_new_logger(),
            Report::Replaced => {
                self.replaced = true;
                return;
            }
            Report::NotReplaced { errno } => return self.not_replaced(errno, now),
        };
        self.happen(event, now);
    }

    fn signalled(&mut self, signal: i32, now: Instant) {
        if signal == SIGHUP && self.setup.manner == Manner::Daemon {
            self.read_table_for(Waiting::Signal, now);
        } else {
            self.halt(false, now);
        }
    }

    /// A signal that the keeper was sent. With `up`, a second one means that somebody is in a hurry; one that a new
    /// engine is told again is no second one.
    fn keeper_signalled(&mut self, signal: i32, now: Instant) {
        let again = std::mem::replace(&mut self.was_asked_to_end, true) && self.node.is_halting();
        self.signalled(signal, now);
        if again && self.setup.manner == Manner::Up {
            self.halt(true, now);
        }
    }

    /// Ends everything; `hurry` without grace.
    pub(super) fn halt(&mut self, hurry: bool, now: Instant) {
        if !self.node.is_halting() {
            self.notes.say("shutting down: all groups halting");
        }
        self.happen(Event::ShutdownRequested, now);
        if hurry {
            self.happen(Event::HurryRequested, now);
        }
    }

    /// Has the table read for somebody; those who come while it is being read have it read again.
    pub(super) fn read_table_for(&mut self, waiting: Waiting, now: Instant) {
        if let Some(since) = self.tables.reading_since {
            self.tables.later.push(waiting);
            if now.since(since) >= super::tables::READ_TIME {
                // The file system hangs: nobody else waits for it.
                self.give_up_reading(now);
            }
            return;
        }
        self.tables.served.push(waiting);
        self.tables.reading_since = Some(now);
        let options = ParseOptions { dialect: self.setup.dialect };
        self.disk.read_table(&self.setup.table, options, &self.tables.known);
    }

    fn take_done(&mut self, now: Instant) {
        for done in self.disk.done() {
            match done {
                Done::TableRead(read) => {
                    self.take_table(read, now);
                    self.serve_all(now);
                    self.tables.reading_since = None;
                    for waiting in std::mem::take(&mut self.tables.later) {
                        self.read_table_for(waiting, now);
                    }
                }
                Done::TableLookedAt(looker, parsed) => self.tell_plan(&looker, parsed, now),
                Done::StatusWritten(result) => {
                    self.status.is_being_written = false;
                    self.status.not_before = now + STATUS_PAUSE;
                    if let Err(error) = result {
                        self.status.is_stale = true;
                        self.status.not_before = now + STATUS_RETRY;
                        if !std::mem::replace(&mut self.status.has_failed, true) {
                            self.notes.say(&format!("the status file cannot be written: {error}"));
                        }
                    } else {
                        self.status.has_failed = false;
                    }
                }
                Done::StatusRemoved => {}
                Done::Remembered(result) => self.remembered(result, now),
            }
        }
    }

    fn serve_all(&mut self, now: Instant) {
        for waiting in std::mem::take(&mut self.tables.served) {
            self.serve(waiting, now);
        }
    }

    /// What the reading of the table brought: a new one, the old one, or a reason to keep the old one.
    fn take_table(&mut self, read: TableRead, now: Instant) {
        let name = self.setup.table.to_string_lossy().into_owned();
        match read {
            TableRead::Same => {
                self.tables.verdict.changed = false;
                // The table is the same; who its names stand for need not be.
                self.finder.refresh(self.starts.accounts());
            }
            TableRead::Failed(error) => {
                self.refuse(unreadable(&error, &name));
                // Read again, the same content is to be looked at again.
                self.tables.known = std::sync::Arc::default();
            }
            TableRead::Other(sources, parsed) => {
                self.slack.expect(now);
                self.tables.known = sources;
                let verdict = judge(&parsed, self.setup.dialect, &name);
                if !verdict.faults.is_empty() {
                    return self.refuse(verdict);
                }
                let revision = self.tables.revision + 1;
                if let Err(error) = tablefile::write(self.reviver.state(), revision, &self.tables.known) {
                    self.tables.known = std::sync::Arc::default();
                    return self
                        .refuse(refusal(format!("the state folder has no room for it: {error}"), &name));
                }
                self.tables.accepted = std::sync::Arc::clone(&self.tables.known);
                let old = std::mem::replace(&mut self.tables.revision, revision);
                self.items.push(Item::Table(revision));
                self.tables.verdict = verdict;
                for warning in self.tables.verdict.warnings.clone() {
                    self.notes.say(&warning.to_string());
                }
                self.warn_of_cgroups(&parsed.table);
                self.look_up_all(&parsed.table);
                self.take_ending(&parsed);
                self.happen(Event::TableAccepted(parsed.table), now);
                self.remembering.is_stale = true;
                self.follow_anew();
                // What is not remembered yet is remembered before the copy it rests on goes.
                self.remember();
                if !self.journal_failed {
                    tablefile::remove(self.reviver.state(), old);
                }
            }
        }
    }

    fn refuse(&mut self, verdict: Verdict) {
        self.notes.refused(&verdict.faults);
        self.tables.verdict = verdict;
    }

    fn pass_time(&mut self, now: Instant) {
        if self.node.next_deadline().is_some_and(|at| at <= now) {
            self.happen(Event::TimePassed, now);
        }
        if self.tables.deadline().is_some_and(|at| at <= now) {
            self.give_up_reading(now);
        }
        self.give_up_probes(now);
        self.give_slack_back(now);
        self.clients.expire(self.reviver.listener().as_fd(), self.epoll.as_fd(), now);
    }

    /// Serves all who wait for the table with the one that holds.
    fn give_up_reading(&mut self, now: Instant) {
        let name = self.setup.table.to_string_lossy().into_owned();
        let message = format!("could not be read within {:?}", super::tables::READ_TIME);
        self.refuse(refusal(message, &name));
        let later = std::mem::take(&mut self.tables.later);
        self.tables.served.extend(later);
        self.serve_all(now);
    }

    /// Remembers, acts, tells.
    fn finish_turn(&mut self) {
        let now = now();
        self.look_at_ending(now);
        self.remember();
        self.tell_logger();
        self.slack.weigh(self.actions.len(), now);
        for (index, action) in std::mem::take(&mut self.actions).into_iter().enumerate() {
            self.act(index, action, now);
        }
        self.tend_sockets();
        self.forget_turn();
        self.answer_waiters(now);
        self.keeper.flush(self.epoll.as_fd());
        self.feed.flush(self.epoll.as_fd());
        self.write_status(now);
        self.write_remembered(now);
        for client in self.clients.flush(self.epoll.as_fd(), now) {
            self.answer_all(client, now);
        }
        self.go_on_with_upgrade(now);
    }

    pub(super) fn remember(&mut self) {
        let items = self.take_items();
        if items.is_empty() && !self.journal_failed {
            return;
        }
        let (node, told, status) = (&self.node, &self.told, self.ending.status);
        let (started, revision) = (self.started, self.tables.revision);
        match self.journal.append(&items, || Self::everything(node, told, status, started, revision)) {
            Ok(()) => self.journal_failed = false,
            Err(error) => {
                if !std::mem::replace(&mut self.journal_failed, true) {
                    let folder = state_folder(&self.setup.socket);
                    self.notes.say(&format!(
                        "state cannot be written to {}: {error}: make room there; until then a crash of clinit \
                         may forget what happened",
                        folder.display()
                    ));
                }
            }
        }
    }

    fn act(&mut self, index: usize, action: Action, now: Instant) {
        match action {
            Action::Spawn { entry, generation, kill_rest } => self.spawn(entry, generation, kill_rest, now),
            // What waits to be started is not the keeper's to stop.
            Action::Stop { entry, generation, .. } | Action::Kill { entry, generation, .. }
                if self.starts.withdraw(entry, generation) =>
            {
                let errno = rustix::io::Errno::CANCELED.raw_os_error();
                self.happen(Event::SpawnFailed { entry, generation, errno }, now);
                self.hand_over_ready(now);
            }
            Action::Stop { entry, generation, signal, scope } => {
                let (slot, generation, scope) = (entry.0, generation.0, lowering::scope(scope));
                self.keeper.send(Order::Stop { slot, generation, signal, scope }.encode());
            }
            Action::Signal { entry, generation, signal } => {
                self.keeper.send(Order::Signal { slot: entry.0, generation: generation.0, signal }.encode());
            }
            Action::Probe { entry, generation, address } => self.probe(entry, generation, address, now),
            Action::Follow { entry, generation, pid } => {
                let (slot, generation) = (entry.0, generation.0);
                self.keeper.send(Order::Follow { slot, generation, pid }.encode());
            }
            Action::Kill { entry, generation, scope } => {
                let (slot, generation, scope) = (entry.0, generation.0, lowering::scope(scope));
                self.keeper.send(Order::Kill { slot, generation, scope }.encode());
            }
            Action::Release { entry, generation } => {
                self.keeper.send(Order::Release { slot: entry.0, generation: generation.0 }.encode());
            }
            Action::Notice(notice) => {
                if let Some(event) = self.notes.notice(&notice, &self.node, now) {
                    self.events.happened(event, &mut self.clients);
                }
                self.status.is_stale |= matches!(
                    notice,
                    clinit_engine::Notice::GroupChanged { .. } | clinit_engine::Notice::GroupForgotten { .. }
                );
                self.tell_waiters(index, &notice, now);
            }
            Action::Leave => self.leaving = true,
        }
    }

    fn write_status(&mut self, now: Instant) {
        let Some(path) = &self.setup.clstat else { return };
        if self.status.is_stale && !self.status.is_being_written && self.status.not_before <= now {
            self.status.is_stale = false;
            self.status.is_being_written = true;
            self.disk.write_status(path, view::status_file(&self.node));
        }
    }

    fn timeout(&self) -> Option<Timespec> {
        let status = &self.status;
        let write = status.is_stale && !status.is_being_written && self.setup.clstat.is_some();
        let deadlines = [
            self.node.next_deadline(),
            self.tables.deadline(),
            self.probes.next_deadline(),
            self.clients.next_deadline(),
            self.next_look(now()),
            self.upgrade_deadline(),
            self.logs.deadline(),
            self.slack.deadline(),
            write.then_some(status.not_before),
            self.next_remembering(),
            self.next_hurry(),
            (!self.actions.is_empty() || self.clients.is_flush_due()).then_some(Instant::default()),
        ];
        let next = deadlines.into_iter().flatten().min()?;
        Timespec::try_from(next.since(now())).ok()
    }

    /// Everything has ended: the last word to all, and nothing left behind.
    fn leave(&mut self) {
        self.keeper.send(Order::Leave { status: self.ending.status }.encode());
        if let Some(path) = self.setup.clstat.clone() {
            self.disk.remove_status(&path);
        }
        let by = now() + LEAVE_TIME;
        let mut removed = self.setup.clstat.is_none();
        let is_remembered = |engine: &Self| !engine.remembering.is_being_written;
        while now() < by
            && !(removed && is_remembered(self) && self.keeper.is_empty() && self.clients.all_are_paid())
        {
            self.keeper.flush(self.epoll.as_fd());
            self.clients.flush(self.epoll.as_fd(), now());
            for done in self.disk.done() {
                removed |= matches!(done, Done::StatusRemoved);
                if let Done::Remembered(result) = done {
                    self.remembered(result, now());
                }
            }
            self.write_remembered(now());
            std::thread::sleep(Duration::from_millis(1));
        }
        self.notes.say("all has ended");
        for socket in [&self.setup.socket, &notify_socket(&self.setup.socket)] {
            let _gone_anyway = fs::remove_file(socket);
        }
        // Under another name: a daemon that starts now makes a folder of its own. The logger may not even have begun,
        // and needs it; the keeper removes it at the very end.
        let folder = state_folder(&self.setup.socket);
        let mut gone = folder.clone().into_os_string();
        gone.push(format!("{GONE}{}", std::process::id()));
        let _left_for_the_next = fs::rename(&folder, &gone);
    }

    /// An engine of another program follows: what clients are owed is sent, and nothing else is left to do.
    fn make_way(&mut self) {
        let by = now() + LEAVE_TIME;
        while now() < by && !self.clients.all_are_paid() {
            self.clients.flush(self.epoll.as_fd(), now());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The keeper is gone: another one takes over, with an engine of its own.
    fn outlive_keeper(&self) {
        self.reviver.revive();
    }
}

fn exit(ending: Ending) -> Exit {
    match ending {
        Ending::Code(code) => Exit::Code(code),
        Ending::Signal(signal) => Exit::Signal(signal),
        Ending::Unknown => Exit::Unknown,
        Ending::NotExecuted(step, errno) => Exit::NotExecuted(ExecFault { stage: stage_of(step), errno }),
    }
}

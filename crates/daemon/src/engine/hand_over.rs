//! Handing starts over to the keeper: at once, or when what they need was found out.

use std::sync::Arc;

use clinit_engine::care::Listen;
use clinit_engine::entry::State;
use clinit_engine::event::{EntryId, Event, ExecFault, ExecStage, Exit, Generation};
use clinit_engine::time::Instant;
use rustix::io::Errno;

use super::Engine;
use super::finder::Found;
use super::listening::{Opened, Wanted, sockets_fit, take_from};
use super::lowering::Launched;
use super::starts::{File, Sockets, Start};
use super::store::Set;
use super::surroundings::Prepared;
use crate::accounts::Account;

impl Engine {
    /// Starts an entry, or lets it wait for what has to be found out first.
    pub(super) fn spawn(&mut self, id: EntryId, generation: Generation, kill_rest: bool, now: Instant) {
        let Some(what) = Launched::at(&self.node, id) else { return };
        if self.node.task(id).is_none() {
            self.notes.name(id, what.key());
        }
        if what.notifies() {
            self.hearing.expect(id);
        }
        if let Err(fault) = sockets_fit(&what) {
            return self.not_executed(id, generation, fault, now);
        }
        let listen: Box<[Listen]> = what.listen().into();
        let around = what.program().surroundings.clone();
        let needs_nothing = around.is_none() && listen.is_empty() && self.store.get(id).is_none();
        if needs_nothing && self.starts.is_idle() {
            return self.hand_over(id, generation, kill_rest, Prepared::default(), now);
        }
        // Only an entry that is started for the first time has a turn in its group.
        let is_first = self.node.entry(id).is_some_and(|entry| entry.history().restarts == 0);
        let line = is_first.then(|| what.key().group.clone());
        let account = around.as_deref().and_then(Account::of);
        if let Some(account) = account.as_ref().filter(|account| self.starts.must_ask(account)) {
            self.finder.look_up(vec![account.clone()], None);
        }
        let file = match around.as_ref().and_then(|around| around.environment_file.clone()) {
            None => File::None,
            Some(file) => {
                self.finder.read_environment(id, generation, file);
                File::Asked
            }
        };
        let sockets = self.ask_for_sockets(id, generation, listen, account.clone());
        self.starts.add(id, Start { generation, kill_rest, line, account, file, sockets });
        self.hand_over_ready(now);
    }

    /// Has the finder open the sockets of a start that are not open. Those that the table lists no longer are
    /// closed before: another's may be at the same address.
    fn ask_for_sockets(
        &mut self,
        id: EntryId,
        generation: Generation,
        listen: Box<[Listen]>,
        owner: Option<Account>,
    ) -> Sockets {
        if self.node.entry(id).is_none() || self.store.get(id).is_some_and(|set| set.is(&listen)) {
            return Sockets::None;
        }
        let held = self.store.get(id).map(|set| set.sockets.clone()).unwrap_or_default();
        let held: Opened = held.into_iter().filter(|(one, _)| listen.contains(one)).collect();
        self.store.close(id);
        if listen.is_empty() {
            return Sockets::None;
        }
        self.finder.open_sockets(id, generation, Wanted { listen, held, owner });
        Sockets::Asked
    }

    /// Holds what was opened for a start.
    fn hold_sockets(&mut self, id: EntryId, sockets: Opened) {
        let Some(key) = self.node.entry(id).map(|entry| entry.key().clone()) else { return };
        let name = key.to_string();
        let serial = clinit_sys::clock::boottime_nanos();
        if let Err(error) = self.store.hold(id, Set { key, sockets, serial }) {
            self.notes.say(&format!(
                "{name}: its sockets would not outlive a crash of clinit: {error}: there are too many of them"
            ));
        }
    }

    /// Closes the sockets of entries that are not to run any more.
    pub(super) fn tend_sockets(&mut self) {
        for id in self.store.entries() {
            let is_used = self.node.entry(id).is_some_and(|entry| match entry.state() {
                State::Down => entry.is_wanted(),
                State::Done { leftovers, .. } => leftovers,
                State::GivenUp { .. } => false,
                State::Starting | State::Running { .. } | State::Ready | State::Clearing { .. } => true,
                State::Pausing { .. } | State::Stopping { .. } | State::Killing { .. } => true,
            });
            let is_its = self
                .node
                .entry(id)
                .zip(self.store.get(id))
                .is_some_and(|(entry, set)| *entry.key() == set.key);
            if !is_used || !is_its {
                self.store.close(id);
            }
        }
    }

    /// After all of the daemon had died: takes the sockets of an entry from its main process, if that has them.
    pub(super) fn regain_sockets(&mut self, id: EntryId, pid: u32) {
        let Some(entry) = self.node.entry(id).filter(|_| self.store.get(id).is_none()) else { return };
        let listen = &entry.spec().program.listen;
        if listen.is_empty() {
            return;
        }
        if let Some(sockets) = take_from(pid, listen) {
            self.hold_sockets(id, sockets);
        }
    }

    /// Hands over what waited and has all it needs.
    pub(super) fn hand_over_ready(&mut self, now: Instant) {
        while let Some((id, start)) = self.starts.next() {
            let Start { generation, kill_rest, account, file, sockets, .. } = start;
            let identity = account.and_then(|account| self.starts.identity(&account).cloned()).transpose();
            let variables = match file {
                File::None | File::Asked => Ok(Vec::new()),
                File::Read(read) => read,
            };
            let sockets = match sockets {
                Sockets::None | Sockets::Asked => Ok(()),
                Sockets::Opened(opened) => opened.map(|opened| self.hold_sockets(id, opened)),
            };
            match (identity, variables, sockets) {
                (Ok(identity), Ok(variables), Ok(())) => {
                    let prepared =
                        Prepared { identity: identity.as_ref(), variables: &variables, sockets: 0 };
                    self.hand_over(id, generation, kill_rest, prepared, now);
                }
                (Err(fault), _, _) | (_, Err(fault), _) | (_, _, Err(fault)) => {
                    self.not_executed(id, generation, fault, now);
                }
            }
        }
    }

    /// Gives the order that starts an entry.
    fn hand_over(
        &mut self,
        id: EntryId,
        generation: Generation,
        kill_rest: bool,
        prepared: Prepared<'_>,
        now: Instant,
    ) {
        let Some(what) = Launched::at(&self.node, id) else { return };
        let sockets = self.store.get(id).filter(|_| what.is_entry()).map(|set| set.sockets.as_slice());
        let sockets: Vec<_> = sockets.unwrap_or_default().iter().map(|(_, fd)| Arc::clone(fd)).collect();
        let prepared = Prepared { sockets: sockets.len(), ..prepared };
        let Some(packet) = self.lowering.spawn(id, &what, generation, kill_rest, prepared) else {
            // Longer than the kernel would take, too.
            let errno = Errno::TOOBIG.raw_os_error();
            return self.not_executed(id, generation, ExecFault { stage: ExecStage::Exec, errno }, now);
        };
        if let Some(owner) = what.owner {
            self.follow(owner);
        }
        self.keeper.send_with(packet, sockets);
    }

    fn not_executed(&mut self, entry: EntryId, generation: Generation, fault: ExecFault, now: Instant) {
        let exit = Exit::NotExecuted(fault);
        self.happen(Event::Exited { entry, generation, exit, leftovers: false }, now);
    }

    /// Says once of an entry in what its cgroup is not bounded; an engine before this one may have said it.
    pub(super) fn note_unbounded(&mut self, id: EntryId, bits: u8) {
        if bits != 0
            && let Some(entry) = self.node.entry(id)
        {
            self.notes.unbounded(entry.key(), bits, self.is_inventory_taken);
        }
    }

    /// Takes what was found out for starts, and goes on with those that waited for it.
    pub(super) fn take_found(&mut self, now: Instant) {
        for found in self.finder.found() {
            match found {
                Found::Accounts(identities, warnings) => {
                    self.starts.learn(identities);
                    for warning in &warnings {
                        self.notes.say(&clinit_table::render_one_line(warning).to_string());
                    }
                }
                Found::Sockets(entry, generation, opened) => self.starts.opened(entry, generation, opened),
                Found::Environment(entry, generation, read) => {
                    self.starts.file_read(entry, generation, read);
                }
            }
        }
        self.hand_over_ready(now);
    }
}

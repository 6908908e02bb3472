//! Handing starts over to the keeper: at once, or when what they need was found out.

use clinit_engine::event::{EntryId, Event, ExecFault, ExecStage, Exit, Generation};
use clinit_engine::time::Instant;
use clinit_keeper::protocol::Output;
use rustix::io::Errno;

use super::Engine;
use super::finder::Found;
use super::starts::{File, Start};
use super::surroundings::Prepared;
use crate::accounts::Account;

impl Engine {
    /// Starts an entry, or lets it wait for what has to be found out first.
    pub(super) fn spawn(&mut self, id: EntryId, generation: Generation, kill_rest: bool, now: Instant) {
        let Some(entry) = self.node.entry(id) else { return };
        self.notes.name(id, entry.key());
        let around = entry.spec().program.surroundings.clone();
        if around.is_none() && self.starts.is_idle() {
            return self.hand_over(id, generation, kill_rest, Prepared::default(), now);
        }
        let is_first = entry.history().restarts == 0;
        let line = is_first.then(|| entry.key().group.clone());
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
        self.starts.add(id, Start { generation, kill_rest, line, account, file });
        self.hand_over_ready(now);
    }

    /// Hands over what waited and has all it needs.
    pub(super) fn hand_over_ready(&mut self, now: Instant) {
        while let Some((id, start)) = self.starts.next() {
            let Start { generation, kill_rest, account, file, .. } = start;
            let identity = account.and_then(|account| self.starts.identity(&account).cloned()).transpose();
            let variables = match file {
                File::None | File::Asked => Ok(Vec::new()),
                File::Read(read) => read,
            };
            match (identity, variables) {
                (Ok(identity), Ok(variables)) => {
                    let prepared = Prepared { identity: identity.as_ref(), variables: &variables };
                    self.hand_over(id, generation, kill_rest, prepared, now);
                }
                (Err(fault), _) | (_, Err(fault)) => self.not_executed(id, generation, fault, now),
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
        let Some(entry) = self.node.entry(id) else { return };
        let level = self.node.group(&entry.key().group).and_then(|group| group.level());
        let Some(packet) = self.lowering.spawn(id, entry, level, generation, kill_rest, prepared) else {
            // Longer than the kernel would take, too.
            let errno = Errno::TOOBIG.raw_os_error();
            return self.not_executed(id, generation, ExecFault { stage: ExecStage::Exec, errno }, now);
        };
        if self.lowering.output(entry) == Output::Fifo {
            self.follow(id);
        }
        self.keeper.send(packet);
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
                Found::Environment(entry, generation, read) => {
                    self.starts.file_read(entry, generation, read);
                }
            }
        }
        self.hand_over_ready(now);
    }
}

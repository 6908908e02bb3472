//! Children end: what is killed with them, what is noted, what is owed to the engine.

use clinit_sys::reap::{self, Ended};
use clinit_sys::{clock, signals};
use rustix::event::epoll;

use crate::children::{flag, scope as scope_of, state};
use crate::protocol::Ending;
use crate::run::Keeper;
use crate::scope::{self, CloseLook};

impl Keeper {
    /// Reaps the child that a signal names, and tells of it: to look for others takes longer the more there are, and
    /// the engine acts meanwhile.
    pub(crate) fn reap_first(&mut self, pid: u32) {
        if let Some(ended) = reap::ended(pid) {
            self.bury(pid, ended);
            self.report();
        }
    }

    /// Reaps everything that has ended.
    pub(crate) fn reap_all(&mut self) {
        while let Some((pid, ended)) = reap::next_ended() {
            self.bury(pid, ended);
        }
        self.look_after_leftovers();
    }

    fn bury(&mut self, pid: u32, ended: Ended) {
        match self.by_pid.remove(&pid) {
            // Until it is reaped its number is nobody else's, so its group can be signalled safely.
            Some(index) => self.end(index, Some(ended), || reap::reap(pid)),
            None => {
                reap::reap(pid);
                self.companion_ended(pid);
            }
        }
    }

    /// The main process of a slot has ended; `bury` gives its number back.
    pub(crate) fn end(&mut self, index: u32, ended: Option<Ended>, bury: impl FnOnce()) {
        let Some((slot, child)) = self.children.get(index) else { return bury() };
        let scope = scope_of(slot);
        let by_itself = slot.flags() & (flag::STOPPED | flag::KILLED) == 0;
        if by_itself && slot.flags() & flag::KILL_REST != 0 && slot.fault() == 0 {
            scope::kill(slot, child, scope);
        }
        bury();
        let fault = slot.fault();
        let ending = match ended {
            _ if fault != 0 => Ending::NotExecuted(
                (fault >> 24).to_le_bytes()[0],
                i32::try_from(fault & 0xff_ffff).unwrap_or(0),
            ),
            Some(Ended::Code(code)) => Ending::Code(code),
            Some(Ended::Signal(signal)) => Ending::Signal(signal),
            None => Ending::Unknown,
        };
        if let Some(pidfd) = child.pidfd.take().filter(|_| child.adopted) {
            // A child that has not yet exec'd may hold it open.
            let _watched_no_more = epoll::delete(&self.epoll, &pidfd);
        }
        slot.set_ending(ending.to_words().0);
        let has_leftovers = scope::has_leftovers(slot, child, scope, &signals::group_exists);
        slot.set_state(if has_leftovers { state::LEFTOVER } else { state::ENDED });
        if has_leftovers {
            self.children.leftovers.push(index);
            // They may be zombies alone, of which nobody tells.
            self.look_closely_soon();
        }
        self.children.owe(index, |owed| owed.ended = true);
    }

    /// Finds out which slots have emptied, whenever a child has ended.
    pub(crate) fn look_after_leftovers(&mut self) {
        self.forget_emptied(&signals::group_exists);
    }

    /// Finds out more closely, now and then: not every leftover has to be a child of the keeper, and those that are not
    /// may have ended although their process group is there.
    pub(crate) fn look_closely_after_leftovers(&mut self) {
        let look = CloseLook::default();
        self.forget_emptied(&|group| look.lives(group));
    }

    fn forget_emptied(&mut self, lives: &dyn Fn(u32) -> bool) {
        self.children.look_after_groups();
        if self.children.leftovers.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.children.leftovers);
        waiting.retain(|&index| {
            let Some((slot, child)) = self.children.get(index) else { return false };
            if slot.state() != state::LEFTOVER {
                return false;
            }
            if scope::has_leftovers(slot, child, scope_of(slot), lives) {
                return true;
            }
            slot.set_state(state::ENDED);
            self.children.owe(index, |owed| owed.emptied = true);
            false
        });
        self.children.leftovers.append(&mut waiting);
    }

    fn companion_ended(&mut self, pid: u32) {
        let now_nanos = clock::boottime_nanos();
        if self.engine.ended(pid, now_nanos) {
            self.drop_link();
        }
        self.logger.ended(pid, now_nanos);
    }

    /// Asks companions to end, the hard way.
    pub(crate) fn kill_companions(&self) {
        for pid in [self.engine.pid(), self.logger.pid()].into_iter().flatten() {
            let _gone = signals::send_to_child(pid, 9);
        }
    }
}

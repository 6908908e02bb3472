//! Stops and kills.

use super::{Context, Entry, KILL_AGAIN, Outcome, State, Wish};
use crate::care::{Errand, Failing};
use crate::event::{Action, Exit, Next, Notice};

impl Entry {
    /// Asks it to stop: by its `stop_command` if it has one, else by a signal. Because of `again` it is started anew
    /// afterwards.
    pub(super) fn stop(&mut self, again: Option<Failing>, cx: &mut Context<'_>) {
        cx.out.push(Action::Notice(Notice::Stopping { entry: cx.id }));
        let runs = matches!(self.state, State::Running { .. } | State::Ready);
        let by_command = self.spec.policy.care().stop_command.is_some()
            && (runs || (self.runs_once() && matches!(self.state, State::Done { .. })));
        self.end_vigil(cx);
        self.postponed = false;
        self.again = again;
        if by_command {
            cx.wishes.push(Wish::Run(Errand::Stop, None));
        } else {
            self.order_stop(cx);
        }
        let kill_at = self.spec.policy.stop.timeout.map(|timeout| cx.now + timeout);
        self.enter(State::Stopping { kill_at, lives: true, signalled: !by_command }, cx);
    }

    /// It ran once and is not wanted any more: what it did is undone.
    pub(super) fn undo(&mut self, cx: &mut Context<'_>) {
        let was_executed = !matches!(self.history.last_exit, Some((Exit::NotExecuted(_), _)));
        if self.spec.policy.care().stop_command.is_none() || !self.runs_once() || !was_executed {
            return self.enter(State::Down, cx);
        }
        cx.out.push(Action::Notice(Notice::Stopping { entry: cx.id }));
        cx.wishes.push(Wish::Run(Errand::Stop, None));
        self.postponed = false;
        let kill_at = self.spec.policy.stop.timeout.map(|timeout| cx.now + timeout);
        self.enter(State::Stopping { kill_at, lives: false, signalled: false }, cx);
    }

    pub(super) fn order_stop(&self, cx: &mut Context<'_>) {
        let (signal, scope) = (self.spec.policy.stop.signal, self.spec.policy.stop.scope);
        cx.out.push(Action::Stop { entry: cx.id, generation: self.generation, signal, scope });
    }

    /// It is not wanted any more while it goes down in order to come back.
    pub(super) fn stay_down(&mut self, _cx: &mut Context<'_>) {
        self.dirty |= self.again.is_some();
        self.again = None;
    }

    pub(super) fn kill(&mut self, cx: &mut Context<'_>) {
        let (lives, is_first) = match self.state {
            State::Stopping { lives, .. } => (lives, true),
            State::Killing { lives, .. } => (lives, false),
            State::Down | State::Starting | State::Running { .. } | State::Ready => (true, true),
            State::Clearing { .. } | State::Pausing { .. } => (true, true),
            State::Done { .. } | State::GivenUp { .. } => (true, true),
        };
        if is_first {
            cx.out.push(Action::Notice(Notice::Killing { entry: cx.id }));
            self.end_vigil(cx);
            cx.wishes.push(Wish::Drop(Errand::Stop));
        }
        self.postponed = false;
        if lives {
            self.order_kill(cx);
        }
        self.enter(State::Killing { again_at: cx.now + KILL_AGAIN, lives }, cx);
    }

    pub(super) fn order_kill(&self, cx: &mut Context<'_>) {
        let scope = self.spec.policy.stop.scope;
        cx.out.push(Action::Kill { entry: cx.id, generation: self.generation, scope });
    }

    /// Its main process ended after it was asked to.
    pub(super) fn ended_as_asked(&mut self, exit: Exit, leftovers: bool, cx: &mut Context<'_>) {
        self.note_exit(exit, cx);
        cx.out.push(Action::Notice(Notice::Ended { entry: cx.id, exit, next: Next::Down }));
        if !leftovers {
            self.lives_no_more(cx);
        }
    }

    /// No process of it is left; the command that stops it may not have ended.
    pub(super) fn lives_no_more(&mut self, cx: &mut Context<'_>) {
        self.pid = None;
        self.dirty = true;
        // Once more after a restore: the release may not have been sent.
        self.release(cx);
        match &mut self.state {
            State::Stopping { lives, .. } | State::Killing { lives, .. } => *lives = false,
            State::Down | State::Starting | State::Running { .. } | State::Ready => {}
            State::Clearing { .. } | State::Pausing { .. } => {}
            State::Done { .. } | State::GivenUp { .. } => {}
        }
        if self.errand(Errand::Stop).is_none() {
            self.gone(cx);
        }
    }

    /// The command that stops it has ended: what it was to stop may need the time it has, but a command that failed
    /// stopped nothing.
    pub(super) fn stop_command_ended(&mut self, exit: Option<Exit>, cx: &mut Context<'_>) {
        let failed = exit.is_none_or(|exit| !exit.is_success());
        cx.out.push(Action::Notice(Notice::ErrandEnded { entry: cx.id, errand: Errand::Stop, exit }));
        match self.state {
            State::Stopping { kill_at, lives: true, signalled: false } if failed => {
                self.order_stop(cx);
                self.enter(State::Stopping { kill_at, lives: true, signalled: true }, cx);
            }
            State::Stopping { lives: false, .. } | State::Killing { lives: false, .. } => self.gone(cx),
            State::Stopping { .. } | State::Killing { .. } => {}
            State::Down | State::Starting | State::Running { .. } | State::Ready => {}
            State::Clearing { .. } | State::Pausing { .. } => {}
            State::Done { .. } | State::GivenUp { .. } => {}
        }
    }

    /// Nothing of it runs any more, as asked for.
    fn gone(&mut self, cx: &mut Context<'_>) {
        match self.again.take() {
            Some(failing) => drop(self.go_on(Some(failing), cx)),
            None => self.enter(State::Down, cx),
        }
    }

    /// After a restore: gives the order of its state again, which may not have been sent.
    pub(crate) fn repeat_order(&self, cx: &mut Context<'_>) {
        match self.state {
            State::Stopping { lives: true, signalled: true, .. } => self.order_stop(cx),
            State::Killing { lives: true, .. } => self.order_kill(cx),
            // Of others the keeper has killed the rest.
            State::Clearing { .. } if self.spec.program.notifies() => self.order_kill(cx),
            State::Clearing { .. } => {}
            State::Stopping { .. } | State::Killing { .. } => {}
            State::Running { .. } | State::Ready => self.repeat_follow(cx),
            State::Down | State::Pausing { .. } | State::GivenUp { .. } => {}
            State::Starting => {}
            State::Done { outcome: Outcome::Done | Outcome::Passed | Outcome::Failed, .. } => {}
        }
    }
}

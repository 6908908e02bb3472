//! Starts, restarts, pauses, and giving up.

use super::{Context, Entry, GiveUp, KILL_AGAIN, Outcome, PauseReason, SPAWN_RETRY, State, Wish};
use crate::care::{Errand, Failing, Failover, Readiness, Restart};
use crate::event::{Action, Exit, Generation, Next, Notice};
use crate::spec::{Mode, ThrottlePolicy};
use crate::time::Instant;

impl Entry {
    /// The first start at this level.
    pub(super) fn spawn(&mut self, cx: &mut Context<'_>) {
        self.history.restarts = 0;
        self.history.given_up = None;
        self.throttle.forget();
        self.retries.forget();
        self.streak = 0;
        self.next_life(cx);
    }

    fn spawn_again(&mut self, cx: &mut Context<'_>) {
        self.history.restarts = self.history.restarts.saturating_add(1);
        self.next_life(cx);
    }

    fn next_life(&mut self, cx: &mut Context<'_>) {
        cx.generations.0 += 1;
        self.generation = *cx.generations;
        self.begin_stream();
        self.again = None;
        if self.spec.mode == Mode::Respawn {
            self.throttle.started(self.spec.policy.throttle, cx.now);
        }
        self.order_spawn(cx);
        self.enter(State::Starting, cx);
    }

    /// The first life that is known of names the stream.
    pub(crate) fn begin_stream(&mut self) {
        if self.stream == Generation::default() {
            self.stream = self.generation;
        }
    }

    pub(super) fn order_spawn(&self, cx: &mut Context<'_>) {
        // Of one that may name another main process the rest has to outlive the first.
        let kill_rest = self.spec.mode == Mode::Respawn && !self.spec.program.notifies();
        cx.out.push(Action::Spawn { entry: cx.id, generation: self.generation, kill_rest });
    }

    /// After a restore the order to spawn it has turned out to be lost.
    pub(super) fn spawn_after_all(&mut self, cx: &mut Context<'_>) {
        if self.postponed {
            // It is to leave anyway.
            return self.enter(State::Down, cx);
        }
        self.order_spawn(cx);
    }

    /// The keeper has made its process.
    pub(super) fn confirm(&mut self, pid: u32, cx: &mut Context<'_>) {
        self.pid = Some(pid);
        cx.out.push(Action::Notice(Notice::Started { entry: cx.id, pid }));
        let has_to_be_ready = self.spec.program.readiness != Readiness::Started;
        let timeout = self.spec.policy.care().start_timeout.filter(|_| has_to_be_ready);
        self.enter(State::Running { ready_by: timeout.map(|timeout| cx.now + timeout) }, cx);
        self.begin_vigil(cx);
    }

    pub(super) fn lack_process(&mut self, errno: i32, cx: &mut Context<'_>) {
        let until = cx.now + SPAWN_RETRY;
        self.throttle.failed();
        self.release(cx);
        cx.out.push(Action::Notice(Notice::NotSpawned { entry: cx.id, errno, retry: Some(until) }));
        self.end_vigil(cx);
        self.enter(State::Pausing { until, reason: PauseReason::NoProcess(errno) }, cx);
    }

    pub(super) fn note_exit(&mut self, exit: Exit, cx: &mut Context<'_>) {
        self.pid = None;
        self.history.last_exit = Some((exit, cx.now));
        self.end_vigil(cx);
        self.dirty = true;
    }

    /// The main process has ended by itself.
    pub(super) fn end(&mut self, exit: Exit, leftovers: bool, cx: &mut Context<'_>) {
        if leftovers && self.keep_for_the_next_main(exit) {
            if self.state == State::Starting {
                // Nobody will say any more that the first one was there, so the keeper is asked now.
                self.repeat_follow(cx);
            }
            return;
        }
        if cx.now.since(self.since) >= self.spec.policy.throttle.interval {
            self.streak = 0;
        }
        self.note_exit(exit, cx);
        let failing = (!self.ends_well(exit)).then_some(Failing::Exited);
        let outcome = match self.spec.mode {
            Mode::Respawn => {
                if leftovers {
                    cx.out.push(Action::Notice(Notice::Ended { entry: cx.id, exit, next: Next::Clear }));
                    if self.spec.program.notifies() {
                        // The keeper left the rest alone, in case that one of it was the main process.
                        self.order_kill(cx);
                    }
                    self.enter(State::Clearing { again_at: cx.now + KILL_AGAIN }, cx);
                } else {
                    let at = cx.out.len();
                    let next = self.go_on(failing, cx);
                    cx.out.insert(at, Action::Notice(Notice::Ended { entry: cx.id, exit, next }));
                }
                return;
            }
            Mode::Test if failing.is_none() => Outcome::Passed,
            Mode::Test => Outcome::Failed,
            Mode::Wait | Mode::Once | Mode::Off => Outcome::Done,
        };
        cx.out.push(Action::Notice(Notice::Ended { entry: cx.id, exit, next: Next::Done }));
        if !leftovers {
            self.release(cx);
        }
        self.enter(State::Done { outcome, leftovers }, cx);
        self.fail(failing, cx);
    }

    /// What its main process left behind is gone, too.
    pub(super) fn cleared(&mut self, cx: &mut Context<'_>) {
        let ended_well = self.history.last_exit.is_some_and(|(exit, _)| self.ends_well(exit));
        self.go_on((!ended_well).then_some(Failing::Exited), cx);
    }

    /// Nothing of the last life is left. `failing` says how that failed, if it did: the next one follows, at once or
    /// after a pause, or none.
    pub(super) fn go_on(&mut self, failing: Option<Failing>, cx: &mut Context<'_>) -> Next {
        if self.postponed {
            // It was to leave anyway.
            self.release(cx);
            self.enter(State::Down, cx);
            return Next::Down;
        }
        let starts_again = self.spec.mode == Mode::Respawn
            && match self.spec.policy.care().restart {
                Restart::Always => true,
                Restart::OnFailure => failing.is_some(),
                Restart::Never => false,
            };
        if !starts_again && failing.is_none() {
            self.release(cx);
            self.enter(State::Done { outcome: Outcome::Done, leftovers: false }, cx);
            return Next::Done;
        }
        if !starts_again {
            return self.give_up(GiveUp::NoRestart, failing, cx);
        }
        if self.has_no_retry_left(cx.now) {
            return self.give_up(GiveUp::Retries, failing, cx);
        }
        self.fail(failing, cx);
        self.streak = self.streak.saturating_add(1);
        if let Some(until) = self.throttle.pause(self.spec.policy.throttle, cx.now) {
            self.release(cx);
            self.enter(State::Pausing { until, reason: PauseReason::TooOften }, cx);
            return Next::Pause(until);
        }
        let delay = self.spec.policy.care().delay;
        if !delay.first.is_zero() {
            let doubled = delay.first.saturating_mul(1 << self.streak.saturating_sub(1).min(20));
            let until = cx.now + doubled.min(delay.most.max(delay.first));
            self.release(cx);
            self.enter(State::Pausing { until, reason: PauseReason::Delay }, cx);
            return Next::Pause(until);
        }
        self.spawn_again(cx);
        Next::Respawn
    }

    /// A pause is over.
    pub(super) fn resume(&mut self, cx: &mut Context<'_>) {
        if self.postponed {
            return self.enter(State::Down, cx);
        }
        // Whatever it waited for: the table may throttle it more by now.
        match self.throttle.pause(self.spec.policy.throttle, cx.now) {
            Some(until) => {
                self.release(cx);
                self.enter(State::Pausing { until, reason: PauseReason::TooOften }, cx);
            }
            None => self.spawn_again(cx),
        }
    }

    /// Counts a restart, unless it is one too many.
    fn has_no_retry_left(&mut self, now: Instant) -> bool {
        let care = self.spec.policy.care();
        let Some(retry) = care.retry else { return false };
        let policy = ThrottlePolicy {
            starts: retry.count,
            interval: retry.interval,
            pause: std::time::Duration::ZERO,
        };
        let is_one_too_many = retry.count == 0 || self.retries.is_full(policy, now);
        if is_one_too_many && care.failover != Failover::LogOnly {
            return true;
        }
        // Those that are let be count, too: the table may say something else before they are old.
        self.retries.started(policy, now);
        false
    }

    fn give_up(&mut self, reason: GiveUp, failing: Option<Failing>, cx: &mut Context<'_>) -> Next {
        self.again = None;
        self.history.given_up = Some((reason, cx.now));
        self.release(cx);
        self.enter(State::GivenUp { reason }, cx);
        cx.out.push(Action::Notice(Notice::GivenUp { entry: cx.id, reason }));
        if let Some(failing) = failing {
            self.history.last_failure = Some((failing, cx.now));
        }
        self.have_told(Failing::GivenUp, cx);
        Next::GivenUp
    }

    /// Notes that it failed, and has somebody told.
    pub(super) fn fail(&mut self, failing: Option<Failing>, cx: &mut Context<'_>) {
        let Some(failing) = failing else { return };
        self.history.last_failure = Some((failing, cx.now));
        self.have_told(failing, cx);
    }

    /// Has somebody told how it failed, if the table names a command for that.
    fn have_told(&mut self, failing: Failing, cx: &mut Context<'_>) {
        self.dirty = true;
        if self.spec.policy.care().on_failure.is_none() {
            return;
        }
        if self.errand(Errand::Failure).is_some() {
            // One at a time: the newest is told when the one before has been.
            self.vigil().untold = Some(failing);
        } else {
            cx.wishes.push(Wish::Run(Errand::Failure, Some(failing)));
        }
    }

    /// A command has told somebody that it failed.
    pub(super) fn failure_told(&mut self, cx: &mut Context<'_>) {
        let untold = self.vigil.as_mut().and_then(|vigil| vigil.untold.take());
        if untold.is_some() {
            self.dirty = true;
            cx.wishes.push(Wish::Run(Errand::Failure, untold));
        }
    }
}

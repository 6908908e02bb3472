//! Whether an entry is ready and well: what it is asked, what it says of itself, and what follows.
//!
//! ```text
//!   confirmed ──> asked or heard until ready ──> asked every health_interval, heard within watchdog
//!                    │ not by start_timeout          │ badly health_threshold times, or not heard
//!                    └──────────── stopped, and started again ────────────┘
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Context, Entry, State, Wish};
use crate::care::{Check, Errand, Failing, Failover, Readiness, Reload};
use crate::event::{Action, EntryId, Exit, Notice, Said};
use crate::spec::EntrySpec;
use crate::time::Instant;

/// How soon an entry that was not ready is asked again; twice as long after each answer.
const READY_AGAIN: Duration = Duration::from_millis(20);

/// ... but not longer than this.
const READY_AGAIN_MAX: Duration = Duration::from_secs(1);

/// How long the answer to whether an entry is ready may take.
pub(crate) const READY_ANSWER: Duration = Duration::from_secs(10);

/// What the end of a check says. One that nobody saw, because a keeper died, says nothing.
pub(super) fn answer(exit: Exit) -> Option<bool> {
    (exit != Exit::Unknown).then(|| exit.is_success())
}

/// What is known of an entry from asking and hearing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vigil {
    /// When it is asked next, or has to have answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) check_at: Option<Instant>,
    /// Whether it was asked by a connection and has not answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_asked: bool,
    /// How many bad answers it gave in a row.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) misses: u32,
    /// By when it has to have said that it is well.
    #[serde(skip)]
    pub(crate) well_by: Option<Instant>,
    /// It is not well, and `failover_mode` lets it be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_unwell: bool,
    /// It said that it is ready before the keeper said that it is there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_early: bool,
    /// It said that it reads its configuration.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_reloading: bool,
    /// It said that this is its main process, and the keeper has not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) following: Option<u32>,
    /// How the main process before that ended, meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stashed: Option<Exit>,
    /// What it says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<Box<str>>,
    /// A failure that somebody is to be told of when they have been told of the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) untold: Option<Failing>,
    /// The commands that run for it.
    #[serde(skip)]
    pub(crate) errands: Vec<(Errand, EntryId)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Vigil {
    /// What another engine would have to know of it.
    pub(crate) fn remembered(&self) -> Option<Self> {
        let remembered = Self { well_by: None, errands: Vec::new(), ..self.clone() };
        (remembered != Self::default()).then_some(remembered)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.check_at.into_iter().chain(self.well_by).min()
    }
}

impl Entry {
    pub(super) fn vigil(&mut self) -> &mut Vigil {
        self.vigil.get_or_insert_default()
    }

    /// A command that runs for it.
    pub(crate) fn errand(&self, errand: Errand) -> Option<EntryId> {
        let errands = &self.vigil.as_ref()?.errands;
        errands.iter().find(|(other, _)| *other == errand).map(|&(_, id)| id)
    }

    /// Notes that a command runs for it, or no longer.
    pub(crate) fn set_errand(&mut self, errand: Errand, id: Option<EntryId>) {
        let errands = &mut self.vigil().errands;
        errands.retain(|(other, _)| *other != errand);
        errands.extend(id.map(|id| (errand, id)));
        self.tidy();
    }

    fn tidy(&mut self) {
        if self.vigil.as_deref() == Some(&Vigil::default()) {
            self.vigil = None;
        }
    }

    /// What it says of itself (sd_notify(3), STATUS=).
    #[must_use]
    pub fn says(&self) -> Option<&str> {
        self.vigil.as_ref()?.text.as_deref()
    }

    /// How often in a row its health check failed; 0 when all is well.
    #[must_use]
    pub fn misses(&self) -> u32 {
        self.vigil.as_ref().filter(|_| self.is_up()).map_or(0, |vigil| vigil.misses)
    }

    /// Whether it is not well and `failover_mode` lets it be.
    #[must_use]
    pub fn is_unwell(&self) -> bool {
        self.vigil.as_ref().is_some_and(|vigil| vigil.is_unwell)
    }

    /// Whether it is reading its configuration again.
    #[must_use]
    pub fn is_reloading(&self) -> bool {
        self.errand(Errand::Reload).is_some() || self.vigil.as_ref().is_some_and(|vigil| vigil.is_reloading)
    }

    /// Its process is there.
    pub(super) fn begin_vigil(&mut self, cx: &mut Context<'_>) {
        let is_early = self.vigil.as_mut().is_some_and(|vigil| std::mem::take(&mut vigil.is_early));
        self.repeat_follow(cx);
        match &self.spec.program.readiness {
            Readiness::Started => self.begin_care(cx),
            Readiness::Fd(_) | Readiness::Notify if is_early => self.become_ready(cx),
            Readiness::Fd(_) | Readiness::Notify => {}
            Readiness::Check(_) => self.ask(cx),
        }
    }

    fn become_ready(&mut self, cx: &mut Context<'_>) {
        self.enter(State::Ready, cx);
        cx.out.push(Action::Notice(Notice::Ready { entry: cx.id }));
        if let Some(vigil) = &mut self.vigil {
            (vigil.check_at, vigil.misses, vigil.is_asked) = (None, 0, false);
        }
        self.begin_care(cx);
    }

    /// It does what it is for: from now on its health is looked after.
    fn begin_care(&mut self, cx: &mut Context<'_>) {
        if let Some(interval) = self.spec.policy.care().health.as_ref().map(|health| health.interval) {
            self.vigil().check_at = Some(cx.now + interval);
        }
        if let Some(span) = self.spec.program.watchdog {
            self.vigil().well_by = Some(cx.now + span);
        }
        self.tidy();
    }

    /// Its life is over, or about to be: nothing is asked or heard any more.
    pub(super) fn end_vigil(&mut self, cx: &mut Context<'_>) {
        let Some(vigil) = &mut self.vigil else { return };
        let (untold, errands) = (vigil.untold.take(), std::mem::take(&mut vigil.errands));
        for errand in [Errand::Ready, Errand::Health, Errand::Reload] {
            if errands.iter().any(|(other, _)| *other == errand) {
                cx.wishes.push(Wish::Drop(errand));
            }
        }
        **vigil = Vigil { untold, errands, ..Vigil::default() };
        self.dirty = true;
        self.tidy();
    }

    /// Whether what it is asked to see whether it is well is something else by this content.
    pub(crate) fn is_asked_otherwise(&self, spec: &EntrySpec) -> bool {
        self.is_up() && self.spec.policy.care().check() != spec.policy.care().check()
    }

    /// The table says something else of it, while its life goes on.
    pub(crate) fn take_spec(&mut self, spec: EntrySpec, now: Instant) {
        if self.is_asked_otherwise(&spec) {
            // What it answered to the question before says nothing of this one. Who speaks is not well till he says so.
            let speaks = self.spec.program.watchdog.is_some();
            let vigil = self.vigil();
            (vigil.check_at, vigil.misses, vigil.is_asked) = (None, 0, false);
            vigil.is_unwell &= speaks;
            self.tidy();
        }
        self.spec = spec;
        self.renew_care(now);
    }

    /// What the table says of its care has changed, or an engine before this one has begun it.
    fn renew_care(&mut self, now: Instant) {
        if !self.is_up() {
            return;
        }
        let interval = self.spec.policy.care().health.as_ref().map(|health| health.interval);
        let is_probed = self.vigil.as_ref().is_some_and(|vigil| vigil.is_asked);
        let is_being_asked = is_probed || self.errand(Errand::Health).is_some();
        if let Some(interval) = interval.filter(|_| !is_being_asked) {
            let latest = now + interval;
            let vigil = self.vigil();
            vigil.check_at = Some(vigil.check_at.map_or(latest, |at| at.min(latest)));
        }
        if let Some(span) = self.spec.program.watchdog {
            self.vigil().well_by.get_or_insert(now + span);
        }
        self.tidy();
    }

    /// After a restore: goes on asking where an engine before this one asked, and gives it the whole span to say
    /// that it is well. What it answered to that engine is lost, so it is asked again.
    pub(crate) fn resume_care(&mut self, now: Instant) {
        if let Some(vigil) = self.vigil.as_mut().filter(|vigil| vigil.is_asked) {
            (vigil.is_asked, vigil.check_at) = (false, Some(now));
        }
        let asks = matches!(self.spec.program.readiness, Readiness::Check(_));
        if asks && matches!(self.state, State::Running { .. }) && self.errand(Errand::Ready).is_none() {
            self.vigil().check_at.get_or_insert(now);
        }
        self.renew_care(now);
    }

    /// What it is asked now, how long that may take, and what for.
    fn question(&self) -> Option<(&Check, Duration, Errand)> {
        if self.is_up() {
            let health = self.spec.policy.care().health.as_ref()?;
            return Some((&health.check, health.timeout, Errand::Health));
        }
        match &self.spec.program.readiness {
            Readiness::Check(check) => Some((check, READY_ANSWER, Errand::Ready)),
            Readiness::Started | Readiness::Fd(_) | Readiness::Notify => None,
        }
    }

    fn ask(&mut self, cx: &mut Context<'_>) {
        let (answer_by, is_asked) = match self.question() {
            Some((Check::Tcp(address), timeout, _)) => {
                let (generation, address) = (self.generation, *address);
                cx.out.push(Action::Probe { entry: cx.id, generation, address });
                (Some(cx.now + timeout), true)
            }
            Some((Check::Exec(_), _, errand)) => {
                cx.wishes.push(Wish::Run(errand, None));
                (None, false)
            }
            None => (None, false),
        };
        let vigil = self.vigil();
        (vigil.check_at, vigil.is_asked) = (answer_by, is_asked);
        self.dirty = true;
    }

    /// A deadline is reached while its main process runs.
    pub(super) fn look_after(&mut self, cx: &mut Context<'_>) {
        if let State::Running { ready_by: Some(by) } = self.state
            && by <= cx.now
        {
            return self.be_late(cx);
        }
        let Some(vigil) = &mut self.vigil else { return };
        if vigil.well_by.is_some_and(|by| by <= cx.now) {
            vigil.well_by = self.spec.program.watchdog.filter(|_| self.postponed).map(|span| cx.now + span);
            return self.be_unwell(Failing::Watchdog, cx);
        }
        if vigil.check_at.is_some_and(|at| at <= cx.now) {
            if vigil.is_asked {
                self.answered(Some(false), cx);
            } else {
                self.ask(cx);
            }
        }
    }

    /// It was not ready in time.
    fn be_late(&mut self, cx: &mut Context<'_>) {
        if self.postponed {
            // It is to leave anyway, and those that follow it first. Should it stay after all, it has its time again.
            let timeout = self.spec.policy.care().start_timeout;
            return self.enter(State::Running { ready_by: timeout.map(|timeout| cx.now + timeout) }, cx);
        }
        cx.out.push(Action::Notice(Notice::Failed { entry: cx.id, failing: Failing::NotReady }));
        if self.spec.policy.care().failover == Failover::LogOnly {
            self.enter(State::Running { ready_by: None }, cx);
            return self.fail(Some(Failing::NotReady), cx);
        }
        self.stop(Some(Failing::NotReady), cx);
    }

    /// An answer to a connection; one that comes too late was counted as a bad one.
    pub(super) fn probed(&mut self, accepted: bool, cx: &mut Context<'_>) {
        if self.vigil.as_ref().is_some_and(|vigil| vigil.is_asked) {
            self.answered(Some(accepted), cx);
        }
    }

    /// An answer, good or bad, or none because it could not even be asked.
    pub(super) fn answered(&mut self, answer: Option<bool>, cx: &mut Context<'_>) {
        let is_up = self.is_up();
        self.dirty = true;
        let Some((_, _, errand)) = self.question() else { return };
        let vigil = self.vigil();
        vigil.is_asked = false;
        match (is_up, answer) {
            (false, Some(true)) => return self.become_ready(cx),
            (false, Some(false) | None) => {
                let pause = READY_AGAIN.saturating_mul(1 << vigil.misses.min(10)).min(READY_AGAIN_MAX);
                vigil.misses = vigil.misses.saturating_add(1);
                vigil.check_at = Some(cx.now + pause);
                return;
            }
            (true, Some(true)) => {
                vigil.misses = 0;
                if std::mem::take(&mut vigil.is_unwell) {
                    cx.out.push(Action::Notice(Notice::Recovered { entry: cx.id }));
                }
            }
            (true, Some(false)) => vigil.misses = vigil.misses.saturating_add(1),
            (true, None) => {}
        }
        let misses = vigil.misses;
        let Some(health) = &self.spec.policy.care().health else { return };
        let (interval, threshold) = (health.interval, health.threshold);
        self.vigil().check_at = Some(cx.now + interval);
        if answer == Some(false) {
            cx.out.push(Action::Notice(Notice::Missed { entry: cx.id, errand, misses, threshold }));
            if misses >= threshold {
                self.be_unwell(Failing::Unhealthy, cx);
            }
        }
    }

    fn be_unwell(&mut self, failing: Failing, cx: &mut Context<'_>) {
        if self.postponed {
            // It is to leave anyway, and those that follow it first.
            return;
        }
        if self.spec.policy.care().failover != Failover::LogOnly {
            cx.out.push(Action::Notice(Notice::Failed { entry: cx.id, failing }));
            return self.stop(Some(failing), cx);
        }
        if !std::mem::replace(&mut self.vigil().is_unwell, true) {
            cx.out.push(Action::Notice(Notice::Failed { entry: cx.id, failing }));
            self.fail(Some(failing), cx);
        }
        self.dirty = true;
    }

    /// It says something although the keeper has not said yet that it is there.
    pub(super) fn hear_early(&mut self, said: &Said, cx: &Context<'_>) {
        let _nothing_is_due_yet = cx;
        match said {
            Said::Ready => self.vigil().is_early = true,
            Said::MainPid(pid) => self.vigil().following = Some(*pid),
            Said::Status(text) => self.vigil().text = Some(text.clone()),
            Said::Reloading | Said::Stopping | Said::Well | Said::Unwell | Said::Extend(_) => return,
        }
        self.dirty = true;
    }

    pub(super) fn hear(&mut self, said: Said, cx: &mut Context<'_>) {
        match said {
            Said::Ready => self.hear_ready(cx),
            Said::Reloading => {
                self.vigil().is_reloading = true;
                self.dirty = true;
            }
            Said::Stopping => {
                if let Some(vigil) = &mut self.vigil {
                    (vigil.check_at, vigil.well_by) = (None, None);
                    self.dirty = true;
                }
            }
            Said::Well => {
                // Not worth a record: a new engine gives it the whole span.
                if let Some(span) = self.spec.program.watchdog.filter(|_| self.is_up()) {
                    self.vigil().well_by = Some(cx.now + span);
                }
                self.recover(cx);
            }
            Said::Unwell => {
                if self.spec.program.watchdog.is_some() {
                    self.be_unwell(Failing::Watchdog, cx);
                }
            }
            Said::MainPid(pid) => {
                if self.pid != Some(pid) {
                    self.vigil().following = Some(pid);
                    self.dirty = true;
                    self.repeat_follow(cx);
                }
            }
            Said::Extend(span) => {
                if let State::Running { ready_by: Some(by) } = self.state {
                    self.enter(State::Running { ready_by: Some(by.max(cx.now + span)) }, cx);
                }
            }
            Said::Status(text) => {
                self.dirty |= self.says() != Some(&*text);
                self.vigil().text = Some(text);
            }
        }
    }

    fn hear_ready(&mut self, cx: &mut Context<'_>) {
        let speaks = matches!(self.spec.program.readiness, Readiness::Fd(_) | Readiness::Notify);
        if speaks && !self.is_up() {
            return self.become_ready(cx);
        }
        if let Some(vigil) = self.vigil.as_mut().filter(|vigil| vigil.is_reloading) {
            vigil.is_reloading = false;
            self.dirty = true;
            cx.out.push(Action::Notice(Notice::Reloaded { entry: cx.id }));
            self.tidy();
        }
    }

    /// Of its own accord it says that it is well, where only that was missing.
    fn recover(&mut self, cx: &mut Context<'_>) {
        let has_no_check = self.spec.policy.care().health.is_none();
        if let Some(vigil) = self.vigil.as_mut().filter(|vigil| vigil.is_unwell && has_no_check) {
            vigil.is_unwell = false;
            self.dirty = true;
            cx.out.push(Action::Notice(Notice::Recovered { entry: cx.id }));
        }
    }

    pub(super) fn hear_while_stopping(&mut self, said: &Said, cx: &Context<'_>) {
        if let (Said::Extend(span), State::Stopping { kill_at: Some(at), lives, signalled }) =
            (said, self.state)
        {
            let kill_at = Some(at.max(cx.now + *span));
            self.enter(State::Stopping { kill_at, lives, signalled }, cx);
        }
    }

    pub(super) fn reload(&mut self, cx: &mut Context<'_>) {
        match &self.spec.policy.care().reload {
            Some(Reload::Command(_)) if self.errand(Errand::Reload).is_none() => {
                cx.wishes.push(Wish::Run(Errand::Reload, None));
            }
            Some(Reload::Signal(signal)) => {
                let (generation, signal) = (self.generation, *signal);
                cx.out.push(Action::Signal { entry: cx.id, generation, signal });
            }
            Some(Reload::Command(_)) | None => {}
        }
    }

    /// The command that makes it read its configuration has ended.
    pub(super) fn reloaded(&mut self, exit: Option<Exit>, cx: &mut Context<'_>) {
        cx.out.push(Action::Notice(Notice::ErrandEnded { entry: cx.id, errand: Errand::Reload, exit }));
    }

    /// The keeper says which is its main process.
    pub(super) fn note_main(&mut self, pid: u32, cx: &mut Context<'_>) {
        let _nothing_follows = cx;
        self.pid = Some(pid);
        self.dirty = true;
        if let Some(vigil) = self.vigil.as_mut().filter(|vigil| vigil.following == Some(pid)) {
            (vigil.following, vigil.stashed) = (None, None);
            self.tidy();
        }
    }

    /// Has the keeper take another process for the main one, as an entry said and nobody has answered.
    pub(super) fn repeat_follow(&self, cx: &mut Context<'_>) {
        if let Some(pid) = self.vigil.as_ref().and_then(|vigil| vigil.following) {
            cx.out.push(Action::Follow { entry: cx.id, generation: self.generation, pid });
        }
    }

    /// Its main process has ended, but it named another one before: whether it is let go on is the keeper's to say.
    pub(super) fn keep_for_the_next_main(&mut self, exit: Exit) -> bool {
        let Some(vigil) = self.vigil.as_mut().filter(|vigil| vigil.following.is_some()) else { return false };
        vigil.stashed = Some(exit);
        self.dirty = true;
        true
    }

    /// The process that it named is none of its own.
    pub(super) fn not_followed(&mut self, cx: &mut Context<'_>) {
        let Some(vigil) = &mut self.vigil else { return };
        vigil.following = None;
        self.dirty = true;
        if let Some(exit) = vigil.stashed.take() {
            self.end(exit, true, cx);
        }
    }

    /// Nothing of it is left: the process that it named has ended, too.
    pub(super) fn emptied_unfollowed(&mut self, cx: &mut Context<'_>) {
        let stashed = self.vigil.as_mut().and_then(|vigil| {
            vigil.following = None;
            vigil.stashed.take()
        });
        if let Some(exit) = stashed {
            self.end(exit, false, cx);
        }
    }
}

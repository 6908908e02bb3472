//! What a process says of its entry (sd_notify(3)), and when.

use std::collections::VecDeque;
use std::time::Duration;

use clinit_engine::care::Readiness;
use clinit_engine::event::Said;
use clinit_engine::spec::Program;
use clinit_engine::time::Instant;

use crate::rng::Rng;

/// A plan of what is said.
#[derive(Debug, Default)]
pub(crate) struct Speech {
    /// In order of time.
    words: VecDeque<(Instant, Said)>,
    /// The next word that it is well, how often it says so, and how many more times.
    well: Option<(Instant, Duration, u32)>,
}

impl Speech {
    pub(crate) fn say(&mut self, at: Instant, said: Said) {
        let place = self.words.iter().position(|(other, _)| *other > at).unwrap_or(self.words.len());
        self.words.insert(place, (at, said));
    }

    /// When something is said next.
    pub(crate) fn next(&self) -> Option<Instant> {
        let well = self.well.map(|(at, ..)| at);
        self.words.front().map(|&(at, _)| at).into_iter().chain(well).min()
    }

    /// Takes what is said by now, one thing at a time.
    pub(crate) fn speak(&mut self, now: Instant) -> Option<Said> {
        if self.words.front().is_some_and(|&(at, _)| at <= now) {
            return self.words.pop_front().map(|(_, said)| said);
        }
        let (at, every, left) = self.well.filter(|&(at, ..)| at <= now)?;
        self.well = left.checked_sub(1).map(|left| (at + every, every, left));
        Some(Said::Well)
    }

    /// What its program is to say, or ought to.
    pub(crate) fn speak_of(&mut self, rng: &mut Rng, program: &Program, now: Instant) {
        match program.readiness {
            Readiness::Started | Readiness::Check(_) => {}
            Readiness::Fd(_) => self.become_ready(rng, now),
            Readiness::Notify => {
                self.become_ready(rng, now);
                self.chat(rng, now);
            }
        }
        if let Some(span) = program.watchdog {
            let left = if rng.chance(70) { u32::MAX } else { u32::try_from(rng.below(8)).unwrap_or(0) };
            self.well = Some((now + span / 2, span / 2, left));
            if rng.chance(6) {
                self.say(now + rng.millis(0, 9_000), Said::Unwell);
            }
        }
    }

    fn become_ready(&mut self, rng: &mut Rng, now: Instant) {
        match rng.below(10) {
            0 | 1 => self.say(now, Said::Ready),
            2 => {}
            3 => {
                self.say(now + rng.millis(0, 900), Said::Extend(rng.millis(1, 9_000)));
                self.say(now + rng.millis(900, 9_000), Said::Ready);
            }
            _ => self.say(now + rng.millis(1, 2_000), Said::Ready),
        }
    }

    fn chat(&mut self, rng: &mut Rng, now: Instant) {
        if rng.chance(20) {
            self.say(now + rng.millis(0, 3_000), Said::Status("at work".into()));
        }
        if rng.chance(15) {
            let at = now + rng.millis(0, 9_000);
            self.say(at, Said::Reloading);
            self.say(at + rng.millis(0, 900), Said::Ready);
        }
        if rng.chance(8) {
            self.say(now + rng.millis(0, 9_000), Said::Stopping);
        }
        if rng.chance(8) {
            self.say(now + rng.millis(0, 20_000), Said::Extend(rng.millis(1, 9_000)));
        }
    }
}

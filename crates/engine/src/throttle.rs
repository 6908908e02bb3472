//! The throttle of `respawn`: after so many starts within an interval, a pause.

use serde::{Deserialize, Serialize};

use crate::spec::ThrottlePolicy;
use crate::time::Instant;

/// The starts that still count, oldest first. Bounded by [`ThrottlePolicy::starts`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Throttle {
    /// There are one or two of nearly every entry: what matters is how little they take.
    starts: Box<[Instant]>,
}

impl Throttle {
    /// Notes a start.
    pub(crate) fn started(&mut self, policy: ThrottlePolicy, now: Instant) {
        let starts = self.starts.iter().copied().chain([now]);
        let excess = (self.starts.len() + 1).saturating_sub(policy.starts.into());
        self.starts = starts.skip(excess).collect();
    }

    /// The last start came to nothing and does not count.
    pub(crate) fn failed(&mut self) {
        let others = self.starts.len().saturating_sub(1);
        self.starts = self.starts.iter().copied().take(others).collect();
    }

    /// Whether another start at `now` is one too many.
    pub(crate) fn is_full(&self, policy: ThrottlePolicy, now: Instant) -> bool {
        // Counted from the back: a policy that changed may have left more starts than it allows.
        let others = usize::from(policy.starts).checked_sub(1);
        let oldest = others.and_then(|others| self.starts.iter().rev().nth(others));
        oldest.is_some_and(|oldest| now.since(*oldest) < policy.interval)
    }

    /// When another start, which at `now` is one too many, may be tried, counting from anew.
    pub(crate) fn pause(&mut self, policy: ThrottlePolicy, now: Instant) -> Option<Instant> {
        if !self.is_full(policy, now) {
            return None;
        }
        self.forget();
        Some(now + policy.pause)
    }

    /// Whether no start counts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Forgets all starts.
    pub(crate) fn forget(&mut self) {
        self.starts = Box::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: f64) -> Instant {
        Instant::default() + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn five_starts_within_ten_seconds_pause_for_sixty() {
        let (policy, mut throttle) = (ThrottlePolicy::default(), Throttle::default());
        for n in 0..5u32 {
            assert_eq!(throttle.pause(policy, at(f64::from(n))), None, "start {n}");
            throttle.started(policy, at(f64::from(n)));
        }
        assert_eq!(throttle.pause(policy, at(5.0)), Some(at(65.0)));
        assert_eq!(throttle.pause(policy, at(65.0)), None, "counts from anew after the pause");
    }

    #[test]
    fn slow_restarts_never_pause() {
        let (policy, mut throttle) = (ThrottlePolicy::default(), Throttle::default());
        for n in 0..100u32 {
            assert_eq!(throttle.pause(policy, at(f64::from(n) * 2.5)), None, "start {n}");
            throttle.started(policy, at(f64::from(n) * 2.5));
        }
    }

    #[test]
    fn a_start_that_came_to_nothing_does_not_count() {
        let (policy, mut throttle) = (ThrottlePolicy::default(), Throttle::default());
        for _ in 0..20 {
            throttle.started(policy, at(0.0));
            throttle.failed();
        }
        assert_eq!(throttle.pause(policy, at(0.0)), None);
    }

    #[test]
    fn a_stricter_policy_counts_the_starts_that_were() {
        let mut throttle = Throttle::default();
        for n in 0..5u32 {
            throttle.started(ThrottlePolicy::default(), at(f64::from(n) * 2.0));
        }
        let strict =
            ThrottlePolicy { starts: 2, interval: Duration::from_secs(3), ..ThrottlePolicy::default() };
        assert_eq!(throttle.pause(strict, at(8.5)), Some(at(68.5)));
    }

    #[test]
    fn zero_starts_switch_it_off() {
        let policy = ThrottlePolicy { starts: 0, ..ThrottlePolicy::default() };
        let mut throttle = Throttle::default();
        for _ in 0..100 {
            throttle.started(policy, at(0.0));
            assert_eq!(throttle.pause(policy, at(0.0)), None);
        }
    }
}

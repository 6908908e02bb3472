//! The throttle of `respawn`: after so many starts within an interval, a pause.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::spec::ThrottlePolicy;
use crate::time::Instant;

/// The starts that still count, oldest first. Bounded by [`ThrottlePolicy::starts`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Throttle {
    starts: VecDeque<Instant>,
}

impl Throttle {
    /// Notes a start.
    pub(crate) fn started(&mut self, policy: ThrottlePolicy, now: Instant) {
        self.starts.push_back(now);
        while self.starts.len() > usize::from(policy.starts) {
            self.starts.pop_front();
        }
    }

    /// Whether another start at `now` is one too many; if so, when it may be tried, counting from anew.
    pub(crate) fn pause(&mut self, policy: ThrottlePolicy, now: Instant) -> Option<Instant> {
        let full = policy.starts > 0 && self.starts.len() >= usize::from(policy.starts);
        let oldest = self.starts.front()?;
        if !full || now.since(*oldest) >= policy.interval {
            return None;
        }
        self.forget();
        Some(now + policy.pause)
    }

    /// Forgets all starts.
    pub(crate) fn forget(&mut self) {
        self.starts = VecDeque::new();
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
    fn zero_starts_switch_it_off() {
        let policy = ThrottlePolicy { starts: 0, ..ThrottlePolicy::default() };
        let mut throttle = Throttle::default();
        for _ in 0..100 {
            throttle.started(policy, at(0.0));
            assert_eq!(throttle.pause(policy, at(0.0)), None);
        }
    }
}

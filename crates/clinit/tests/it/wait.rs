//! Waiting for what is going to happen.

use std::time::{Duration, Instant};

/// Long enough for anything that is going to happen, on the busiest machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(45);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until there is something, and returns it.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let by = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < by, "waited in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || is_so().then_some(()));
}

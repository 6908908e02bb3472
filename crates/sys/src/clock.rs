//! The clock that counts from boot, through suspend (clock_gettime(2), `CLOCK_BOOTTIME`).

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since boot.
#[must_use]
pub fn boottime_nanos() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

//! Clocks: the one that counts from boot, through suspend (clock_gettime(2), `CLOCK_BOOTTIME`), and that of the
//! place where the machine is (localtime_r(3)).

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since boot.
#[must_use]
pub fn boottime_nanos() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// How many seconds local time was ahead of UTC at a moment, in seconds since 1970.
#[must_use]
#[expect(clippy::useless_conversion, reason = "other machines have shorter times and longs")]
pub fn local_offset_seconds(at: i64) -> i64 {
    let at: libc::time_t = at.try_into().unwrap_or(0);
    // SAFETY: tm is plain data, for which all zero is a value.
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both are ours, and outlive the call.
    if unsafe { libc::localtime_r(&raw const at, &raw mut tm) }.is_null() {
        return 0;
    }
    tm.tm_gmtoff.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_is_within_a_day_of_utc() {
        for at in [0, 1_078_012_799, 1_780_000_000, -1, i64::MAX] {
            assert!(local_offset_seconds(at).abs() < 24 * 3600, "{at}");
        }
    }
}

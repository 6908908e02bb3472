//! Values of properties as text: pure functions from a text to a value, if it is one.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

/// Longest time that a property may name: a hundred years. Longer ones are `infinity` where that is allowed.
const DURATION_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Most digits behind the point of a time: nanoseconds.
const FRACTION_DIGITS_MAX: usize = 9;

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// The real-time signals as the C libraries number them for programs; those below are their own (signal(7)).
const RTMIN: u8 = 34;

/// The last signal.
const SIGNAL_MAX: u8 = 64;

/// Names of signals without SIG (signal(7)).
pub(super) const SIGNALS: [(&str, Signal); 34] = [
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("ILL", Signal::ILL),
    ("TRAP", Signal::TRAP),
    ("ABRT", Signal::ABORT),
    ("IOT", Signal::ABORT),
    ("BUS", Signal::BUS),
    ("FPE", Signal::FPE),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("SEGV", Signal::SEGV),
    ("USR2", Signal::USR2),
    ("PIPE", Signal::PIPE),
    ("ALRM", Signal::ALARM),
    ("TERM", Signal::TERM),
    ("STKFLT", Signal::STKFLT),
    ("CHLD", Signal::CHILD),
    ("CLD", Signal::CHILD),
    ("CONT", Signal::CONT),
    ("STOP", Signal::STOP),
    ("TSTP", Signal::TSTP),
    ("TTIN", Signal::TTIN),
    ("TTOU", Signal::TTOU),
    ("URG", Signal::URG),
    ("XCPU", Signal::XCPU),
    ("XFSZ", Signal::XFSZ),
    ("VTALRM", Signal::VTALARM),
    ("PROF", Signal::PROF),
    ("WINCH", Signal::WINCH),
    ("IO", Signal::IO),
    ("POLL", Signal::IO),
    ("PWR", Signal::POWER),
    ("SYS", Signal::SYS),
];

/// A path: any text but none.
pub(super) fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| text.into())
}

/// Permission bits: one to four octal digits, at most 0777.
pub(super) fn permissions(text: &str) -> Option<u32> {
    let bits = (is_digits(text) && text.len() <= 4).then(|| u32::from_str_radix(text, 8).ok())??;
    (bits <= 0o777).then_some(bits)
}

/// A signal: a name with or without SIG in any case, `RTMIN+N`, or a number.
pub(super) fn signal(text: &str) -> Option<u8> {
    if is_digits(text) {
        return text.parse().ok().filter(|number| (1..=SIGNAL_MAX).contains(number));
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if let Some(above) = name.strip_prefix("RTMIN") {
        let above = if above.is_empty() { 0 } else { number(above.strip_prefix('+')?, SIGNAL_MAX - RTMIN)? };
        return Some(RTMIN + above);
    }
    let (_, signal) = SIGNALS.iter().find(|(other, _)| *other == name)?;
    u8::try_from(signal.as_raw()).ok()
}

/// A time, or `infinity` for none.
#[expect(clippy::option_option, reason = "the outer one is no value, the inner one no end")]
pub(super) fn timeout(text: &str) -> Option<Option<Duration>> {
    if text == "infinity" { Some(None) } else { duration(text).map(Some) }
}

/// A time: a decimal number with a unit, or without one of seconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let unit = match unit {
        "ms" => SECOND / 1000,
        "" | "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > FRACTION_DIGITS_MAX {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let scale = fraction.bytes().fold(1, |scale: u128, _| scale * 10);
    let part = fraction.parse::<u128>().ok()? * u128::from(unit) / scale;
    let duration = Duration::from_nanos(whole.checked_add(u64::try_from(part).ok()?)?);
    (duration <= DURATION_MAX).then_some(duration)
}

/// A whole number from 0 to `max`.
pub(super) fn number(text: &str, max: u8) -> Option<u8> {
    is_digits(text).then(|| text.parse().ok().filter(|&number| number <= max))?
}

/// The parsers of the standard library would take a sign as well.
pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_or_are_seconds() {
        for (text, millis) in [
            ("20", 20_000),
            ("1.5", 1500),
            ("500ms", 500),
            ("10s", 10_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0.25h", 900_000),
            ("0", 0),
            ("007", 7000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(duration("0.000000001"), Some(Duration::from_nanos(1)));
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "s",
            ".5",
            "5.",
            "1.2.3",
            "-1",
            "+1",
            " 1",
            "1 s",
            "1S",
            "1d",
            "1e3",
            "1.0000000001",
            "۳",
            "1h2",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_bounded() {
        assert_eq!(duration("876000h"), Some(DURATION_MAX));
        for text in ["876001h", "18446744073709551615", "18446744073709551616h", "99999999999999999999999"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_timeout_may_be_without_end() {
        assert_eq!(timeout("infinity"), Some(None));
        assert_eq!(timeout("1"), Some(Some(Duration::from_secs(1))));
        assert_eq!(timeout("never"), None);
        assert_eq!(duration("infinity"), None);
    }

    #[test]
    fn signals_have_names_in_any_case_and_numbers() {
        for (text, number) in
            [("TERM", 15), ("SIGTERM", 15), ("sigHup", 1), ("kill", 9), ("15", 15), ("64", 64)]
        {
            assert_eq!(signal(text), Some(number), "{text}");
        }
        for (text, number) in [("RTMIN", 34), ("SIGRTMIN+3", 37), ("rtmin+30", 64)] {
            assert_eq!(signal(text), Some(number), "{text}");
        }
        for text in ["", "0", "65", "256", "-1", "SIG", "SIGSIGTERM", "TERM ", "RTMIN+31", "RTMIN3", "RTMIN+"]
        {
            assert_eq!(signal(text), None, "{text}");
        }
    }

    #[test]
    fn permissions_are_octal() {
        assert_eq!(permissions("0600"), Some(0o600));
        assert_eq!(permissions("777"), Some(0o777));
        for text in ["", "8", "1777", "00600", "0o600", "+60", "rw"] {
            assert_eq!(permissions(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_have_a_bound() {
        assert_eq!(number("100", 100), Some(100));
        for text in ["101", "256", "-1", "+1", "1.0", ""] {
            assert_eq!(number(text, 100), None, "{text}");
        }
    }
}

//! Values about what a process is started in, as text: pure functions from a text to a value, if it is one.

use clinit_engine::surroundings::{EnvironmentFile, Limit};

use super::value::is_digits;

/// No path is longer, with the NUL behind it (limits.h).
const PATH_BYTES_MAX: usize = 4096;

/// Longest name of a user or Unix group.
const NAME_BYTES_MAX: usize = 256;

/// What clinit itself tells its services begins so.
const OWN_VARIABLES: &str = "CLINIT_";

/// The most of a processor's time that may be asked for, in hundredths: of a thousand processors.
const PERCENT_MAX: u32 = 100_000;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Pieces.
    Count,
    /// Bytes, which may be many.
    Bytes,
}

/// A user or Unix group: a name, or a number that the kernel takes for one (2^32-1 means "none" to it).
pub(super) fn account(text: &str) -> Option<Box<str>> {
    let is_name = !text.contains(|c: char| c.is_whitespace() || c.is_control() || ":,/".contains(c));
    let is_number = is_digits(text);
    let is_id = || text.parse().is_ok_and(|number: u32| number < u32::MAX);
    let is_right = !text.is_empty() && text.len() <= NAME_BYTES_MAX && is_name && (!is_number || is_id());
    is_right.then(|| text.into())
}

/// An absolute path.
pub(super) fn absolute_path(text: &str) -> Option<Box<str>> {
    (text.starts_with('/') && text.len() < PATH_BYTES_MAX).then(|| text.into())
}

/// `PATH`, or `-PATH` of a file that may be missing.
pub(super) fn environment_file(text: &str) -> Option<EnvironmentFile> {
    let path = text.strip_prefix('-');
    let is_optional = path.is_some();
    absolute_path(path.unwrap_or(text)).map(|path| EnvironmentFile { path, is_optional })
}

/// `NAME=VALUE`, or `-NAME` to take the variable away.
pub(super) fn variable(text: &str) -> Option<(Box<str>, Option<Box<str>>)> {
    let (name, value) = match text.strip_prefix('-') {
        Some(name) => (name, None),
        None => text.split_once('=').map(|(name, value)| (name, Some(value)))?,
    };
    let is_right = crate::environment::is_name(name) && !name.starts_with(OWN_VARIABLES);
    is_right.then(|| (name.into(), value.map(Into::into)))
}

/// A limit: `N` for both, or `SOFT:HARD`; each a number or `infinity`.
pub(super) fn limit(text: &str, unit: Unit) -> Option<Limit> {
    let one = |text: &str| match (text, unit) {
        ("infinity", _) => Some(Limit::INFINITY),
        (_, Unit::Count) => count(text),
        (_, Unit::Bytes) => bytes(text),
    };
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let limit = Limit { soft: one(soft)?, hard: one(hard)? };
    (limit.soft <= limit.hard).then_some(limit)
}

/// A whole number; the last one is `infinity` to the kernel.
pub(super) fn count(text: &str) -> Option<u64> {
    is_digits(text).then(|| text.parse().ok().filter(|&number| number != Limit::INFINITY))?
}

/// A number of bytes, with K, M, G or T for powers of 1024.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match text[number.len()..].to_ascii_uppercase().as_str() {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return None,
    };
    count(number)?.checked_mul(factor).filter(|&bytes| bytes != Limit::INFINITY)
}

/// Bytes of memory, at least one, or `max` for no bound.
#[expect(clippy::option_option, reason = "the outer one is no value, the inner one no bound")]
pub(super) fn memory(text: &str) -> Option<Option<u64>> {
    if text == "max" { Some(None) } else { bytes(text).filter(|&bytes| bytes > 0).map(Some) }
}

/// Hundredths of one processor's time, or `max` for no bound.
#[expect(clippy::option_option, reason = "the outer one is no value, the inner one no bound")]
pub(super) fn percent(text: &str) -> Option<Option<u32>> {
    if text == "max" {
        return Some(None);
    }
    let number = text.strip_suffix('%').filter(|number| is_digits(number))?;
    number.parse().ok().filter(|percent| (1..=PERCENT_MAX).contains(percent)).map(Some)
}

/// A number of processes, at least one, or `max` for no bound.
#[expect(clippy::option_option, reason = "the outer one is no value, the inner one no bound")]
pub(super) fn processes(text: &str) -> Option<Option<u32>> {
    if text == "max" {
        return Some(None);
    }
    is_digits(text).then(|| text.parse().ok().filter(|&number| number > 0))?.map(Some)
}

/// A whole number within bounds.
pub(super) fn integer(text: &str, min: i16, max: i16) -> Option<i16> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    is_digits(digits).then(|| text.parse().ok().filter(|number| (min..=max).contains(number)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit_of(soft: u64, hard: u64) -> Option<Limit> {
        Some(Limit { soft, hard })
    }

    #[test]
    fn accounts_are_names_or_numbers() {
        for text in ["www-data", "0", "65534", "4294967294", "_x", "9lives", "j.doe@example.org", "a$"] {
            assert_eq!(account(text).as_deref(), Some(text));
        }
        for text in ["", " ", "a b", "a:b", "a,b", "a/b", "4294967295", "99999999999", "x\u{a0}y"] {
            assert_eq!(account(text), None, "{text}");
        }
    }

    #[test]
    fn variables_have_a_name_and_perhaps_an_empty_value() {
        let is = |text, name: &str, value: Option<&str>| {
            assert_eq!(variable(text), Some((name.into(), value.map(Into::into))), "{text}");
        };
        is("A=1", "A", Some("1"));
        is("A=", "A", Some(""));
        is("A= b=c:d # e", "A", Some(" b=c:d # e"));
        is("_a.b-c=x", "_a.b-c", Some("x"));
        is("-A", "A", None);
        for text in ["", "A", "=x", "1A=x", "-", "-A=x", "A B=x", "CLINIT_TAG=x", "-CLINIT_TAG", "--A"] {
            assert_eq!(variable(text), None, "{text}");
        }
    }

    #[test]
    fn paths_are_absolute() {
        assert_eq!(absolute_path("/srv/a b").as_deref(), Some("/srv/a b"));
        for text in ["", "srv", "./srv", "~/srv", &format!("/{}", "x".repeat(PATH_BYTES_MAX))] {
            assert_eq!(absolute_path(text), None, "{text}");
        }
        let file = |path: &str, is_optional| Some(EnvironmentFile { path: path.into(), is_optional });
        assert_eq!(environment_file("/etc/x"), file("/etc/x", false));
        assert_eq!(environment_file("-/etc/x"), file("/etc/x", true));
        assert_eq!(environment_file("--/etc/x"), None);
    }

    #[test]
    fn limits_are_one_number_or_two() {
        assert_eq!(limit("1024", Unit::Count), limit_of(1024, 1024));
        assert_eq!(limit("10:20", Unit::Count), limit_of(10, 20));
        assert_eq!(limit("infinity", Unit::Count), limit_of(u64::MAX, u64::MAX));
        assert_eq!(limit("10:infinity", Unit::Count), limit_of(10, u64::MAX));
        assert_eq!(limit("4K:1M", Unit::Bytes), limit_of(4096, 1 << 20));
        assert_eq!(limit("2g", Unit::Bytes), limit_of(2 << 30, 2 << 30));
        for text in
            ["", ":", "1:", ":1", "2:1", "infinity:1", "-1", "1:2:3", "1K", "max", "18446744073709551615"]
        {
            assert_eq!(limit(text, Unit::Count), None, "{text}");
        }
        for text in ["K", "1KB", "1 K", "1.5G", "16777216T", "1k2"] {
            assert_eq!(limit(text, Unit::Bytes), None, "{text}");
        }
    }

    #[test]
    fn what_a_cgroup_may_use_is_more_than_nothing() {
        assert_eq!(memory("512M"), Some(Some(512 << 20)));
        assert_eq!(percent("150%"), Some(Some(150)));
        assert_eq!(processes("64"), Some(Some(64)));
        assert_eq!((memory("max"), percent("max"), processes("max")), (Some(None), Some(None), Some(None)));
        for text in ["", "0", "-1", "infinity", "0%", "%", "1.5%", "100001%", "99999999999"] {
            assert_eq!((percent(text), processes(text)), (None, None), "{text}");
        }
        assert_eq!(memory("0"), None);
        assert_eq!(percent("150"), None);
    }

    #[test]
    fn integers_have_bounds_and_may_be_negative() {
        assert_eq!(integer("-20", -20, 19), Some(-20));
        assert_eq!(integer("19", -20, 19), Some(19));
        for text in ["", "-", "--1", "+1", "20", "-21", "1.0", " 1", "99999"] {
            assert_eq!(integer(text, -20, 19), None, "{text}");
        }
    }
}

//! The time before each line: TAI64N, as multilog has it, and ISO 8601.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::feed::StampKind;

/// The second 1970-01-01T00:00:00 in TAI64, as daemontools counts: ten seconds behind, and no leap seconds.
const TAI64_EPOCH: u64 = (1 << 62) + 10;

/// `@` and the digits of a TAI64N label.
pub const TAI64N_BYTES: usize = 25;

/// Since 1970, now.
#[must_use]
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What stands before a line that came at this time, with the blank behind it; nothing for no stamp.
pub(crate) fn before_line(kind: StampKind, at: Duration) -> String {
    match kind {
        StampKind::Tai64n => format!("{} ", tai64n(at)),
        StampKind::Iso => format!("{}Z ", date_and_time(at, 6)),
        StampKind::None => String::new(),
    }
}

/// `@400000003f12...`: seconds and nanoseconds as hexadecimal digits.
#[must_use]
pub fn tai64n(at: Duration) -> String {
    format!("@{:016x}{:08x}", TAI64_EPOCH + at.as_secs(), at.subsec_nanos())
}

/// `2003-07-14T09:26:53.589Z`.
pub(crate) fn for_log_file() -> String {
    format!("{}Z", date_and_time(now(), 3))
}

/// `2003-07-14T09:26:53.589123`, with so many digits behind the point.
///
/// Days to dates by the Gregorian calendar's cycle of 400 years, counted from a first of March.
#[must_use]
pub fn date_and_time(since_epoch: Duration, digits: u32) -> String {
    let (year, month, day) = date(since_epoch.as_secs() / 86_400);
    let seconds = since_epoch.as_secs() % 86_400;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = since_epoch.subsec_nanos() / 10_u32.pow(9_u32.saturating_sub(digits));
    let width = digits as usize;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:0width$}")
}

/// Year, month and day of a day since 1970.
pub(crate) fn date(day: u64) -> (u64, u64, u64) {
    let days = day + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let day = day - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + cycle * 400 + u64::from(month <= 2), month, day)
}

/// Days since 1970 of a date; `None` before that, or where there is no such day.
fn day_of(year: u64, month: u64, day: u64) -> Option<u64> {
    let (shifted_year, shifted) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * shifted_year + shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = (days + (153 * shifted + 2) / 5 + day).checked_sub(1 + 719_468)?;
    (date(days) == (year, month, day)).then_some(days)
}

/// The time that a text says in ISO 8601: `2003-07-14T09:26:53.589Z`, with a blank for the T, without the
/// fraction, the seconds or the time; with an offset from UTC instead of the Z. Without either it is the local
/// time of the place, which is ahead of UTC by what `offset` tells for a moment.
#[must_use]
pub fn parse_iso(text: &str, offset: impl Fn(i64) -> i64) -> Option<Duration> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, time),
        None => (text, "00:00"),
    };
    let number = |text: &str, digits: usize| -> Option<u64> {
        let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok())?
    };
    let mut parts = date.split('-');
    let (year, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) {
        return None;
    }
    let (time, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = time.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |text| number(text, 2))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 || fraction.len() > 9 {
        return None;
    }
    let nanos = u32::try_from(number(fraction, fraction.len())?).ok()?;
    let nanos = nanos * 10_u32.pow(9 - u32::try_from(fraction.len()).ok()?);
    let seconds = day_of(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second;
    let seconds = i64::try_from(seconds).ok()?;
    let ahead = match zone {
        "Z" => 0,
        "" => offset(seconds - offset(seconds)),
        zone => {
            let (sign, zone) = zone.split_at(1);
            let (hours, minutes) = zone.split_once(':').unwrap_or_else(|| zone.split_at(zone.len().min(2)));
            let ahead =
                number(hours, 2)? * 3600 + if minutes.is_empty() { 0 } else { number(minutes, 2)? * 60 };
            let ahead = i64::try_from(ahead).ok()?;
            if sign == "-" { -ahead } else { ahead }
        }
    };
    u64::try_from(seconds - ahead).ok().map(|seconds| Duration::new(seconds, nanos))
}

/// The time that a label says: `@` and 24 hexadecimal digits in lower case.
#[must_use]
pub fn parse_tai64n(label: &[u8]) -> Option<Duration> {
    let digits = label.strip_prefix(b"@").filter(|digits| digits.len() == TAI64N_BYTES - 1)?;
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let text = std::str::from_utf8(digits).ok().filter(|text| text.as_bytes().iter().all(is_digit))?;
    let seconds = u64::from_str_radix(&text[..16], 16).ok()?.checked_sub(TAI64_EPOCH)?;
    let nanos = u32::from_str_radix(&text[16..], 16).ok().filter(|&nanos| nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos))
}

/// The time that stands before a line, and the rest of it; `None` if none does.
#[must_use]
pub fn split(line: &[u8]) -> Option<(Duration, &[u8])> {
    if let Some((label, rest)) = line.split_at_checked(TAI64N_BYTES)
        && let Some(at) = parse_tai64n(label)
    {
        return Some((at, rest.strip_prefix(b" ").unwrap_or(rest)));
    }
    let end = line.iter().take(40).position(|&byte| byte == b' ').unwrap_or(line.len().min(40));
    let (word, rest) = line.split_at(end);
    let word = std::str::from_utf8(word).ok().filter(|word| word.ends_with('Z') && word.contains('T'))?;
    let at = parse_iso(word, |_| 0)?;
    Some((at, rest.strip_prefix(b" ").unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAP: Duration = Duration::new(951_782_400, 1_000_000);

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds| date_and_time(Duration::from_secs(seconds), 3);
        assert_eq!(at(0), "1970-01-01T00:00:00.000");
        assert_eq!(date_and_time(LEAP, 6), "2000-02-29T00:00:00.001000");
        assert_eq!(at(1_078_012_799), "2004-02-28T23:59:59.000");
        assert_eq!(at(4_107_542_399), "2100-02-28T23:59:59.000");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.000");
    }

    #[test]
    fn every_day_comes_back_as_it_went() {
        for day in 0..150_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(day_of(year, month, of_month), Some(day));
        }
        assert_eq!(day_of(2023, 2, 29), None);
        assert_eq!(day_of(1969, 12, 31), None);
    }

    #[test]
    fn labels_are_those_of_daemontools() {
        // The example of tai64nlocal's manual page.
        let at = parse_tai64n(b"@4000000037c219bf2ef02e94").unwrap();
        assert_eq!(date_and_time(at, 9), "1999-08-24T04:04:05.787492500");
        assert_eq!(tai64n(at), "@4000000037c219bf2ef02e94");
        for no in [&b"4000000037c219bf2ef02e94"[..], b"@4000000037C219BF2EF02E94", b"@4000000037c219bf", b"@"]
        {
            assert_eq!(parse_tai64n(no), None);
        }
    }

    #[test]
    fn what_is_written_before_a_line_is_found_again() {
        for kind in [StampKind::Tai64n, StampKind::Iso] {
            let line = format!("{}some text\n", before_line(kind, LEAP));
            assert_eq!(split(line.as_bytes()), Some((LEAP, &b"some text\n"[..])));
        }
        for plain in ["", "some text", "@home", "2000-02-30T00:00:00Z x", "T Z"] {
            assert_eq!(split(plain.as_bytes()), None, "{plain}");
        }
    }

    #[test]
    fn times_are_read_with_and_without_their_parts() {
        let summer = |_| 7200;
        for (text, seconds) in [
            ("2000-02-29", 951_782_400 - 7200),
            ("2000-02-29T00:00", 951_782_400 - 7200),
            ("2000-02-29 00:00:01", 951_782_401 - 7200),
            ("2000-02-29T00:00:01Z", 951_782_401),
            ("2000-02-29T02:00:01+02:00", 951_782_401),
            ("2000-02-28T23:00:01-0100", 951_782_401),
        ] {
            assert_eq!(parse_iso(text, summer), Some(Duration::from_secs(seconds)), "{text}");
        }
        let fraction = parse_iso("2000-02-29T00:00:00.001Z", summer);
        assert_eq!(fraction, Some(LEAP));
        for text in
            ["", "10m", "2000", "2000-13-01", "2000-02-29T", "2000-02-29T25:00", "2000-02-29T00:00:00.Z"]
        {
            assert_eq!(parse_iso(text, summer), None, "{text}");
        }
    }
}

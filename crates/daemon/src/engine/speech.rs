//! What a datagram of an entry says, in the words of sd_notify(3).

use std::time::Duration;

use clinit_engine::event::Said;

/// The longest datagram that is read, as with others who speak this protocol; a longer one says nothing.
pub(crate) const SPEECH_BYTES_MAX: usize = 4096;

/// How much of a status is kept.
const STATUS_CHARS_MAX: usize = 200;

/// The longest time that an entry may ask for at once.
const EXTEND_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What it says, each thing once: of two of a kind the last one holds. The main process comes first, so that
/// what else is said is said of it. Words that are not known say nothing.
pub(crate) fn understand(text: &[u8]) -> Vec<Said> {
    let mut all: Vec<Said> = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        let mut parts = line.splitn(2, |&byte| byte == b'=');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
        let Some(said) = understand_one(name, value) else { continue };
        all.retain(|other| std::mem::discriminant(other) != std::mem::discriminant(&said));
        all.push(said);
    }
    all.sort_by_key(|said| !matches!(said, Said::MainPid(_)));
    all
}

fn understand_one(name: &[u8], value: &[u8]) -> Option<Said> {
    let number = || std::str::from_utf8(value).ok()?.parse::<u64>().ok();
    Some(match (name, value) {
        (b"READY", b"1") => Said::Ready,
        (b"RELOADING", b"1") => Said::Reloading,
        (b"STOPPING", b"1") => Said::Stopping,
        (b"WATCHDOG", b"1") => Said::Well,
        (b"WATCHDOG", b"trigger") => Said::Unwell,
        (b"STATUS", text) => Said::Status(status(text)),
        (b"MAINPID", _) => Said::MainPid(u32::try_from(number()?).ok().filter(|&pid| pid > 1)?),
        (b"EXTEND_TIMEOUT_USEC", _) => Said::Extend(Duration::from_micros(number()?).min(EXTEND_MAX)),
        _ => return None,
    })
}

/// A text that can be printed anywhere.
fn status(text: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(text);
    let plain = |char: char| if char.is_control() { '\u{fffd}' } else { char };
    text.trim().chars().take(STATUS_CHARS_MAX).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_understood() {
        let text = b"READY=1\nSTATUS= all \x1b[1mwell \nMAINPID=42\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=1500\n\
            STOPPING=1\nRELOADING=1\nWATCHDOG=trigger\n";
        let expected = [
            Said::MainPid(42),
            Said::Ready,
            Said::Status("all \u{fffd}[1mwell".into()),
            Said::Well,
            Said::Extend(Duration::from_micros(1500)),
            Said::Stopping,
            Said::Reloading,
            Said::Unwell,
        ];
        assert_eq!(understand(text), expected);
    }

    #[test]
    fn what_makes_no_sense_says_nothing() {
        for text in [
            "",
            "\n\n",
            "READY",
            "READY=",
            "READY=0",
            "READY=11",
            "ready=1",
            " READY=1",
            "=1",
            "MAINPID=1",
            "MAINPID=-5",
            "MAINPID=99999999999",
            "MAINPID=x",
            "EXTEND_TIMEOUT_USEC=",
            "WATCHDOG=2",
            "FDSTORE=1",
            "BARRIER=1",
            "ERRNO=2",
            "X_MINE=1",
        ] {
            assert_eq!(understand(text.as_bytes()), [], "{text:?}");
        }
        assert_eq!(understand(b"\xff=\xff\nREADY=1\0"), []);
    }

    #[test]
    fn what_is_said_is_bounded() {
        let status = |text: &str| match &understand(format!("STATUS={text}").as_bytes())[..] {
            [Said::Status(text)] => text.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(status(&"\u{e4}".repeat(2000)), "\u{e4}".repeat(STATUS_CHARS_MAX));
        assert_eq!(status(""), "");
        let most = u64::MAX;
        assert_eq!(understand(format!("EXTEND_TIMEOUT_USEC={most}").as_bytes()), [Said::Extend(EXTEND_MAX)]);
        assert_eq!(understand(&b"READY=1\n".repeat(500)), [Said::Ready]);
        assert_eq!(understand(b"MAINPID=5\nMAINPID=6"), [Said::MainPid(6)]);
    }
}

//! Values about the care for an entry, as text: pure functions from a text to a value, if it is one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clinit_engine::care::{Check, Failover, ListenAddress, Readiness};
use clinit_engine::event::Exit;
use clinit_engine::name::Tag;
use clinit_engine::spec::Command;

use crate::command;
use crate::property::value::{self, is_digits};

/// What stands for "not at all".
pub(super) const NONE: &str = "none";

/// The descriptors at which an entry may say that it is ready: none of the standard ones, and none beyond the
/// soft limit of open files that processes usually have.
const READY_FD: std::ops::RangeInclusive<u16> = 3..=1023;

/// Longest path of a socket: `sun_path` is that long without the NUL at its end (unix(7)).
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Shortest time after which something is done again, so that nothing spins, or in which something can be done
/// at all.
const PERIOD_MIN: Duration = Duration::from_millis(10);

/// The words of `failover_mode`.
pub(super) const FAILOVERS: [(&str, Failover); 3] =
    [("none", Failover::None), ("soft", Failover::Soft), ("log_only", Failover::LogOnly)];

/// Words of `failover_mode` in Sun Cluster that say what other nodes have to do.
pub(super) const FAILOVERS_OF_CLUSTERS: [&str; 2] = ["hard", "restart_only"];

/// How an entry says that it is ready.
pub(super) fn readiness(text: &str) -> Option<Readiness> {
    match text {
        NONE => Some(Readiness::Started),
        "notify" => Some(Readiness::Notify),
        _ => match text.strip_prefix("fd:") {
            Some(fd) => {
                is_digits(fd).then(|| fd.parse().ok().filter(|fd| READY_FD.contains(fd)))?.map(Readiness::Fd)
            }
            None => check(text).map(Readiness::Check),
        },
    }
}

/// `exec:CMD`, or `tcp:PORT` and `tcp:ADDRESS:PORT`, where a port alone is one of this machine's.
pub(super) fn check(text: &str) -> Option<Check> {
    match text.split_once(':')? {
        ("exec", text) => some_command(text).map(Check::Exec),
        ("tcp", text) => socket_address(text, Ipv4Addr::LOCALHOST.into()).map(Check::Tcp),
        _ => None,
    }
}

/// `tcp:PORT` and `tcp:ADDRESS:PORT`, or `unix:PATH`. A port alone is at every address of both families, as with
/// systemd's `ListenStream=PORT`.
pub(super) fn listen(text: &str) -> Option<ListenAddress> {
    match text.split_once(':')? {
        ("tcp", text) => socket_address(text, Ipv6Addr::UNSPECIFIED.into()).map(ListenAddress::Tcp),
        ("unix", path) => {
            let is_right =
                path.starts_with('/') && !path.ends_with('/') && path.len() <= SOCKET_PATH_BYTES_MAX;
            is_right.then(|| ListenAddress::Unix(path.into()))
        }
        _ => None,
    }
}

/// `PORT` of `host`, or `ADDRESS:PORT`: an address of IPv4, or one of IPv6 in brackets. Names are not looked up.
fn socket_address(text: &str, host: IpAddr) -> Option<SocketAddr> {
    let address =
        if is_digits(text) { SocketAddr::new(host, text.parse().ok()?) } else { text.parse().ok()? };
    (address.port() != 0).then_some(address)
}

/// A command, or `none`.
#[expect(clippy::option_option, reason = "the outer one is no value, the inner one no command")]
pub(super) fn command(text: &str) -> Option<Option<Command>> {
    if text == NONE { Some(None) } else { some_command(text).map(Some) }
}

fn some_command(text: &str) -> Option<Command> {
    (!command::is_empty(text)).then(|| command::lower(text))
}

/// A time that is long enough.
pub(super) fn period(text: &str) -> Option<Duration> {
    value::duration(text).filter(|&time| time >= PERIOD_MIN)
}

/// Such a time, or the word that stands for none.
#[expect(clippy::option_option, reason = "the outer one is no value, the inner one no time")]
pub(super) fn period_or(word: &str, text: &str) -> Option<Option<Duration>> {
    if text == word { Some(None) } else { period(text).map(Some) }
}

/// A number from 1 to `max`.
pub(super) fn count(text: &str, max: u8) -> Option<u8> {
    value::number(text, max).filter(|&number| number > 0)
}

/// A number from 0 to `max`, or `infinity`.
#[expect(clippy::option_option, reason = "the outer one is no value, the inner one no limit")]
pub(super) fn count_or_infinity(text: &str, max: u8) -> Option<Option<u8>> {
    if text == "infinity" { Some(None) } else { value::number(text, max).map(Some) }
}

/// A signal, or `none`.
#[expect(clippy::option_option, reason = "the outer one is no value, the inner one no signal")]
pub(super) fn signal(text: &str) -> Option<Option<u8>> {
    if text == NONE { Some(None) } else { value::signal(text).map(Some) }
}

/// What follows too many restarts.
pub(super) fn failover(text: &str) -> Option<Failover> {
    FAILOVERS.iter().find(|(word, _)| *word == text).map(|&(_, failover)| failover)
}

/// Numbers of exit codes and names of signals; status 0 needs no mention.
pub(super) fn exits(text: &str) -> Option<Vec<Exit>> {
    words(text).next()?;
    words(text).try_fold(Vec::new(), |mut exits, word| {
        let exit =
            if is_digits(word) { Exit::Code(word.parse().ok()?) } else { Exit::Signal(value::signal(word)?) };
        if !exit.is_success() && !exits.contains(&exit) {
            exits.push(exit);
        }
        Some(exits)
    })
}

/// Tags, at least one.
pub(super) fn tags(text: &str) -> Option<Vec<Tag>> {
    words(text).next()?;
    words(text).map(|word| Tag::new(word).ok()).collect()
}

/// What stands between blanks and commas.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', ',']).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn direct(words: &[&str]) -> Command {
        Command::Direct(words.iter().map(|&word| word.into()).collect())
    }

    #[test]
    fn readiness_is_said_at_a_descriptor_by_a_message_or_when_asked() {
        for (text, expected) in [
            ("none", Readiness::Started),
            ("notify", Readiness::Notify),
            ("fd:3", Readiness::Fd(3)),
            ("fd:1023", Readiness::Fd(1023)),
            ("tcp:80", Readiness::Check(Check::Tcp(tcp("127.0.0.1:80")))),
            ("exec:curl localhost", Readiness::Check(Check::Exec(direct(&["curl", "localhost"])))),
        ] {
            assert_eq!(readiness(text), Some(expected), "{text}");
        }
        for text in ["", "fd", "fd:", "fd:2", "fd:1024", "fd:+3", "fd:99999", "Notify", "unix:/x", "yes"] {
            assert_eq!(readiness(text), None, "{text}");
        }
    }

    #[test]
    fn a_check_is_a_command_or_a_connection() {
        for (text, expected) in [
            ("exec: test -e /x", Check::Exec(direct(&["test", "-e", "/x"]))),
            ("exec:a:b", Check::Exec(direct(&["a:b"]))),
            ("exec:a | b", Check::Exec(Command::Shell("a | b".into()))),
            ("exec:none", Check::Exec(direct(&["none"]))),
            ("tcp:65535", Check::Tcp(tcp("127.0.0.1:65535"))),
            ("tcp:10.0.0.1:80", Check::Tcp(tcp("10.0.0.1:80"))),
            ("tcp:[::1]:80", Check::Tcp(tcp("[::1]:80"))),
        ] {
            assert_eq!(check(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "exec",
            "exec:",
            "exec: \t",
            "tcp",
            "tcp:",
            "tcp:0",
            "tcp:65536",
            "tcp:-1",
            "tcp:::1:80",
            "tcp:1.2.3:80",
            "tcp:localhost:80",
            "tcp:1.2.3.4",
            "tcp:1.2.3.4:0",
            "tcp: 80",
            "none",
            "udp:53",
        ] {
            assert_eq!(check(text), None, "{text}");
        }
    }

    #[test]
    fn sockets_listen_at_every_address_at_one_or_at_a_path() {
        assert_eq!(listen("tcp:80"), Some(ListenAddress::Tcp(tcp("[::]:80"))));
        assert_eq!(listen("tcp:0.0.0.0:80"), Some(ListenAddress::Tcp(tcp("0.0.0.0:80"))));
        assert_eq!(listen("tcp:[fe80::1]:80"), Some(ListenAddress::Tcp(tcp("[fe80::1]:80"))));
        let longest = format!("/{}", "x".repeat(SOCKET_PATH_BYTES_MAX - 1));
        for path in ["/run/a b:c", longest.as_str()] {
            assert_eq!(listen(&format!("unix:{path}")), Some(ListenAddress::Unix(path.into())));
        }
        let too_long = format!("unix:{longest}x");
        for text in ["", "80", "tcp:0", "unix:", "unix:run/x", "unix:/", "unix:/run/", "unix:@x", &too_long] {
            assert_eq!(listen(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_done_again_is_not_done_at_once() {
        assert_eq!(period("10ms"), Some(PERIOD_MIN));
        assert_eq!(period_or("none", "none"), Some(None));
        assert_eq!(period_or("infinity", "1"), Some(Some(Duration::from_secs(1))));
        for text in ["", "0", "9ms", "0.009999999", "infinity", "none"] {
            assert_eq!((period(text), period_or("no", text)), (None, None), "{text}");
        }
    }

    #[test]
    fn commands_and_signals_may_be_taken_away() {
        assert_eq!(command("none"), Some(None));
        assert_eq!(command("./none"), Some(Some(direct(&["./none"]))));
        assert_eq!(command(" "), None);
        assert_eq!(signal("none"), Some(None));
        assert_eq!(signal("hup"), Some(Some(1)));
        assert_eq!(signal("0"), None);
    }

    #[test]
    fn counts_have_bounds() {
        assert_eq!((count("1", 100), count("100", 100)), (Some(1), Some(100)));
        for text in ["", "0", "101", "-1", "infinity"] {
            assert_eq!(count(text, 100), None, "{text}");
        }
        assert_eq!(count_or_infinity("0", 100), Some(Some(0)));
        assert_eq!(count_or_infinity("infinity", 100), Some(None));
        for text in ["", "101", "-1", "none"] {
            assert_eq!(count_or_infinity(text, 100), None, "{text}");
        }
    }

    #[test]
    fn exits_are_codes_by_number_and_signals_by_name() {
        let expected = vec![Exit::Code(3), Exit::Signal(15), Exit::Code(255)];
        for text in ["0 3 TERM 255", "3,SIGTERM,, 255 3\t0", " 3 term 255 "] {
            assert_eq!(exits(text), Some(expected.clone()), "{text}");
        }
        assert_eq!(exits("0"), Some(Vec::new()));
        for text in ["", " ", ",", "256", "-1", "TERMS", "0;1", "0 256"] {
            assert_eq!(exits(text), None, "{text}");
        }
    }

    #[test]
    fn tags_are_listed_with_blanks_or_commas() {
        let tag = |text| Tag::new(text).unwrap();
        for text in ["a b", "a,b", " a ,\tb,"] {
            assert_eq!(tags(text), Some(vec![tag("a"), tag("b")]), "{text}");
        }
        for text in ["", " ,", "a/b", "a -b", "a:b"] {
            assert_eq!(tags(text), None, "{text}");
        }
    }

    #[test]
    fn words_of_failover_are_those_of_sun_cluster() {
        assert_eq!(failover("log_only"), Some(Failover::LogOnly));
        for text in FAILOVERS_OF_CLUSTERS.iter().chain(&["", "NONE", "log-only"]) {
            assert_eq!(failover(text), None, "{text}");
        }
    }
}

//! Random care, sockets and links, and their lines.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clinit_engine::care::{
    Care, Check, Delay, Failover, Health, Links, Listen, ListenAddress, NOTHING, Readiness, Reload, Restart,
    Retry,
};
use clinit_engine::event::Exit;
use clinit_engine::spec::{Command, EntrySpec};
use proptest::collection::btree_set;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::{any_command, any_duration, seconds, text_of};

/// Some signals, each by number and in one of its spellings.
const SIGNALS: [(u8, &str); 4] = [(15, "TERM"), (1, "SIGHUP"), (10, "usr1"), (37, "RTMIN+3")];

/// The first descriptor of sockets that an entry is given.
const LISTEN_FIRST: u16 = 3;

fn any_period() -> impl Strategy<Value = Duration> {
    any_duration().prop_map(|time| time + Duration::from_millis(10))
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    (any::<std::net::IpAddr>(), 1..=u16::MAX).prop_map(|(host, port)| SocketAddr::new(host, port))
}

fn any_check() -> impl Strategy<Value = Check> {
    prop_oneof![any_command().prop_map(Check::Exec), any_address().prop_map(Check::Tcp)]
}

/// Sockets, with readiness at a descriptor that none of them has, and a watchdog.
pub(super) fn any_sockets() -> impl Strategy<Value = (Box<[Listen]>, Readiness, Option<Duration>)> {
    let address = prop_oneof![
        any_address().prop_map(ListenAddress::Tcp),
        "/[a-z /:]{0,90}[a-z]".prop_map(|path| ListenAddress::Unix(path.into())),
    ];
    let sockets = (btree_set(address, 0..4), 0..=0o777_u16).prop_map(|(addresses, bits)| {
        let listen = addresses.into_iter().map(|address| {
            let mode = if matches!(address, ListenAddress::Unix(_)) { bits } else { 0 };
            Listen { address, mode }
        });
        listen.collect::<Box<[Listen]>>()
    });
    let readiness = prop_oneof![
        Just(Readiness::Started),
        Just(Readiness::Notify),
        (0..1000_u16).prop_map(Readiness::Fd),
        any_check().prop_map(Readiness::Check),
    ];
    (sockets, readiness, of(any_period())).prop_map(|(listen, readiness, watchdog)| {
        let first = LISTEN_FIRST + u16::try_from(listen.len()).unwrap();
        let readiness = if let Readiness::Fd(fd) = readiness { Readiness::Fd(first + fd) } else { readiness };
        (listen, readiness, watchdog)
    })
}

pub(super) fn any_care() -> impl Strategy<Value = Care> {
    let health = (any_check(), any_period(), any_period(), 1..=100_u32);
    let health = health.prop_map(|(check, interval, timeout, threshold)| Health {
        check,
        interval,
        timeout,
        threshold,
    });
    let restart = select(vec![Restart::Always, Restart::OnFailure, Restart::Never]);
    let delay = (any_duration(), any_duration()).prop_map(|(first, most)| Delay { first, most });
    let retry = (0..=100_u8, any_period()).prop_map(|(count, interval)| Retry { count, interval });
    let failover = select(vec![Failover::None, Failover::Soft, Failover::LogOnly]);
    let codes = btree_set(1..=255_u8, 0..3);
    let signals = btree_set(select(SIGNALS.map(|(number, _)| number).to_vec()), 0..3);
    let success = (codes, signals).prop_map(|(codes, signals)| {
        codes.into_iter().map(Exit::Code).chain(signals.into_iter().map(Exit::Signal)).collect()
    });
    let reload = prop_oneof![any_command().prop_map(Reload::Command), (1..=64_u8).prop_map(Reload::Signal),];
    let again = (restart, delay, of(retry), failover, success);
    let commands = (of(any_command()), of(reload), any_period(), of(any_command()));
    (of(any_period()), of(health), again, commands).prop_map(|(start_timeout, health, again, commands)| {
        let (restart, delay, retry, failover, success) = again;
        let (stop_command, reload, reload_timeout, on_failure) = commands;
        Care {
            start_timeout,
            health,
            restart,
            delay,
            retry,
            failover,
            success,
            stop_command,
            reload,
            reload_timeout,
            on_failure,
        }
    })
}

/// Links entries to some of those before them, or to some of those behind.
pub(super) fn link(entries: &mut [EntrySpec], seed: u64) {
    let tags: Vec<_> = entries.iter().map(|entry| entry.tag.clone()).collect();
    for (place, entry) in entries.iter_mut().enumerate() {
        let others = if seed & 1 == 0 { &tags[..place] } else { &tags[place + 1..] };
        let pick = |shift: usize| {
            let is_picked = |&(index, _): &(usize, _)| seed >> (shift + 3 * place + index) & 1 == 1;
            others.iter().enumerate().filter(is_picked).map(|(_, tag)| tag.clone()).collect()
        };
        let links = Links { after: pick(1), requires: pick(17) };
        entry.links = (links != Links::default()).then(|| Arc::new(links));
    }
}

/// As property lines; some values in more than one spelling.
pub(super) fn lines_of(entry: &EntrySpec) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
    let readiness = match &entry.program.readiness {
        Readiness::Started => "none".to_owned(),
        Readiness::Fd(fd) => format!("fd:{fd}"),
        Readiness::Notify => "notify".to_owned(),
        Readiness::Check(check) => check_text(check),
    };
    line("readiness", readiness);
    line("watchdog", entry.program.watchdog.map_or_else(none, seconds));
    for Listen { address, mode } in &entry.program.listen {
        match address {
            ListenAddress::Tcp(address) => line("listen", format!("tcp:{address}")),
            ListenAddress::Unix(path) => {
                line("listen", format!("unix:{path}"));
                line("listen_mode", format!("{mode:o}"));
            }
        }
    }
    if let Some(links) = &entry.links {
        links.after.iter().for_each(|tag| line("after", tag.to_string()));
        let requires: Vec<_> = links.requires.iter().map(ToString::to_string).collect();
        if !requires.is_empty() {
            line("requires", requires.join(", "));
        }
    }
    lines.extend(lines_of_care(entry.policy.care.as_deref().unwrap_or(&NOTHING)));
    lines
}

fn lines_of_care(care: &Care) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
    let infinity = || "infinity".to_owned();
    line("start_timeout", care.start_timeout.map_or_else(infinity, seconds));
    line("health_check", care.health.as_ref().map_or_else(none, |health| check_text(&health.check)));
    if let Some(Health { interval, timeout, threshold, .. }) = care.health {
        line("health_interval", seconds(interval));
        line("health_timeout", seconds(timeout));
        line("health_threshold", threshold.to_string());
    }
    let restart = match care.restart {
        Restart::Always => "always",
        Restart::OnFailure => "on-failure",
        Restart::Never => "never",
    };
    line("restart", restart.to_owned());
    line("restart_delay", seconds(care.delay.first));
    line("restart_delay_max", seconds(care.delay.most));
    line("retry_count", care.retry.map_or_else(infinity, |retry| retry.count.to_string()));
    if let Some(retry) = care.retry {
        line("retry_interval", seconds(retry.interval));
    }
    let failover = match care.failover {
        Failover::None => "none",
        Failover::Soft => "soft",
        Failover::LogOnly => "log_only",
    };
    line("failover_mode", failover.to_owned());
    let exits: Vec<_> = care.success.iter().map(exit_text).collect();
    line("success_exit_status", format!("0 {}", exits.join(" ")));
    let command = |command: Option<&Command>| command.map_or_else(none, text_of);
    line("stop_command", command(care.stop_command.as_ref()));
    line("on_failure", command(care.on_failure.as_ref()));
    match &care.reload {
        None => line("reload_command", none()),
        Some(Reload::Command(command)) => line("reload_command", text_of(command)),
        Some(Reload::Signal(signal)) => line("reload_signal", signal.to_string()),
    }
    line("reload_timeout", seconds(care.reload_timeout));
    lines
}

fn none() -> String {
    "none".to_owned()
}

fn check_text(check: &Check) -> String {
    match check {
        Check::Exec(command) => format!("exec:{}", text_of(command)),
        Check::Tcp(address) => format!("tcp:{address}"),
    }
}

fn exit_text(exit: &Exit) -> String {
    match exit {
        Exit::Code(code) => code.to_string(),
        Exit::Signal(number) => {
            let (_, name) = SIGNALS.iter().find(|(other, _)| other == number).unwrap();
            (*name).to_owned()
        }
        Exit::NotExecuted(_) | Exit::Unknown => unreachable!("no table says so"),
    }
}

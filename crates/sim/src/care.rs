//! What a table says of entries beyond their commands: drawn at random.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clinit_engine::care::{Care, Check, Delay, Failover, Health, Links, Readiness, Reload, Restart, Retry};
use clinit_engine::event::Exit;
use clinit_engine::name::Tag;
use clinit_engine::spec::{Command, Table};

use crate::process::Nature;
use crate::rng::Rng;

const SIGHUP: u8 = 1;

fn address() -> SocketAddr {
    ([127, 0, 0, 1], 80).into()
}

/// A command that runs for an entry.
fn command(rng: &mut Rng, what: &str) -> Command {
    let nature = rng.weigh(&Nature::ALL).unwrap_or(Nature::Steady);
    let nature = if rng.chance(40) { Nature::Steady } else { nature };
    Command::Direct([nature.as_str().into(), what.into()].into())
}

fn check(rng: &mut Rng, what: &str) -> Check {
    if rng.chance(50) { Check::Tcp(address()) } else { Check::Exec(command(rng, what)) }
}

/// How an entry says that it is ready.
pub(crate) fn readiness(rng: &mut Rng) -> Readiness {
    match rng.below(8) {
        0 | 1 => Readiness::Notify,
        2 => Readiness::Fd(3),
        3 | 4 => Readiness::Check(check(rng, "ready")),
        _ => Readiness::Started,
    }
}

/// How often it has to say that it is well.
pub(crate) fn watchdog(rng: &mut Rng) -> Option<Duration> {
    rng.chance(15).then(|| Duration::from_secs(if rng.chance(50) { 4 } else { 20 }))
}

/// What is done for an entry; each a little seldom, so that the others are seen alone, too.
pub(crate) fn care(rng: &mut Rng) -> Arc<Care> {
    let seconds = Duration::from_secs;
    let start_timeout = rng.weigh(&[(50, Some(5)), (25, Some(1)), (15, Some(60)), (10, None)]).flatten();
    let health = rng.chance(40).then(|| Health {
        check: check(rng, "health"),
        interval: seconds(if rng.chance(50) { 2 } else { 10 }),
        timeout: seconds(if rng.chance(50) { 1 } else { 5 }),
        threshold: if rng.chance(50) { 1 } else { 3 },
    });
    let restarts = [(70, Restart::Always), (20, Restart::OnFailure), (10, Restart::Never)];
    let failovers = [(50, Failover::None), (30, Failover::Soft), (20, Failover::LogOnly)];
    let retry = rng.weigh(&[(50, None), (20, Some((1, 30))), (20, Some((3, 60))), (10, Some((0, 9)))]);
    let delay = rng.weigh(&[(70, (0, 0)), (15, (1, 8)), (15, (3, 0))]).unwrap_or((0, 0));
    Arc::new(Care {
        start_timeout: start_timeout.map(seconds),
        health,
        restart: rng.weigh(&restarts).unwrap_or_default(),
        delay: Delay { first: seconds(delay.0), most: seconds(delay.1) },
        retry: retry.flatten().map(|(count, interval)| Retry { count, interval: seconds(interval) }),
        failover: rng.weigh(&failovers).unwrap_or_default(),
        success: if rng.chance(20) { vec![Exit::Code(1)] } else { Vec::new() },
        stop_command: rng.chance(35).then(|| command(rng, "stop")),
        reload: match rng.below(3) {
            0 => Some(Reload::Command(command(rng, "reload"))),
            1 => Some(Reload::Signal(SIGHUP)),
            _ => None,
        },
        reload_timeout: seconds(6),
        on_failure: rng.chance(30).then(|| command(rng, "failure")),
    })
}

/// Whom the entry `tag` follows, of those that may be in its group. Only such whose name stands before its own,
/// so that nobody ever follows himself.
pub(crate) fn links(rng: &mut Rng, tag: &Tag, tags: &[Tag]) -> Option<Arc<Links>> {
    let before: Vec<&Tag> = tags.iter().filter(|other| *other < tag).collect();
    let (mut after, mut requires) = (Vec::new(), Vec::new());
    for _ in 0..=rng.below(3) {
        if let Some(&other) = rng.pick(&before) {
            if rng.chance(60) { requires.push(other.clone()) } else { after.push(other.clone()) }
        }
    }
    after.retain(|tag| !requires.contains(tag));
    for tags in [&mut after, &mut requires] {
        tags.sort_unstable();
        tags.dedup();
    }
    let is_empty = after.is_empty() && requires.is_empty();
    (!is_empty).then(|| Arc::new(Links { after: after.into(), requires: requires.into() }))
}

/// A table whose entries follow somebody of another group, or nobody, would be refused.
pub(crate) fn prune_links(table: &mut Table) {
    for group in &mut table.groups {
        let tags: Vec<Tag> = group.entries.iter().map(|entry| entry.tag.clone()).collect();
        for entry in &mut group.entries {
            let Some(links) = &entry.links else { continue };
            let known = |list: &[Tag]| list.iter().filter(|tag| tags.contains(tag)).cloned().collect();
            let links = Links { after: known(&links.after), requires: known(&links.requires) };
            entry.links = (links != Links::default()).then(|| Arc::new(links));
        }
    }
}

//! Drives the paths that are walked for every start, exit, tell and status: `cargo xtask callgrind` counts
//! their instructions. Prints how often each was walked.
//!
//! Each path is a function that does nothing else and is never inlined, so that its name stands in what
//! callgrind counts.

#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use clinit_daemon::counting::{Orders, status_reply};
use clinit_engine::event::{Action, EntryId, Event, Exit, Generation};
use clinit_engine::name::{GroupName, Level};
use clinit_engine::record::Record;
use clinit_engine::{Instant, Node};
use clinit_keeper::protocol::{Ending, Order, REPORT_BYTES, Report};
use clinit_table::{ParseOptions, Parsed, Source};

const GROUPS: u32 = 10;
const ENTRIES_PER_GROUP: u32 = 100;
const ENTRIES: u32 = GROUPS * ENTRIES_PER_GROUP;

/// How often every entry exits and is started again.
const ROUNDS: u32 = 10;

/// A life that is to start.
type Life = (EntryId, Generation);

/// The paths. Those that would read alike name themselves: the compiler makes one function of two that are.
mod walk {
    use super::*;

    #[inline(never)]
    pub(crate) fn parse(source: &[Source]) -> Parsed {
        clinit_table::parse(black_box(source), ParseOptions::default())
    }

    #[inline(never)]
    pub(crate) fn accept(node: &mut Node, now: Instant, event: Event, out: &mut Vec<Action>) {
        node.step(now, black_box(event), out);
    }

    #[inline(never)]
    pub(crate) fn spawn(node: &mut Node, now: Instant, events: Vec<Event>, out: &mut Vec<Action>) {
        black_box("spawn");
        events.into_iter().for_each(|event| node.step(now, event, out));
    }

    #[inline(never)]
    pub(crate) fn exit(node: &mut Node, now: Instant, events: Vec<Event>, out: &mut Vec<Action>) {
        black_box("exit");
        events.into_iter().for_each(|event| node.step(now, event, out));
    }

    #[inline(never)]
    pub(crate) fn tell(node: &mut Node, now: Instant, events: Vec<Event>, out: &mut Vec<Action>) {
        black_box("tell");
        events.into_iter().for_each(|event| node.step(now, event, out));
    }

    /// What a turn of the loop appends to the journal.
    #[inline(never)]
    pub(crate) fn remember(node: &mut Node, records: &mut Vec<Record>) -> usize {
        node.take_records(records);
        serde_json::to_string(records).map_or(0, |text| text.len())
    }

    #[inline(never)]
    pub(crate) fn order(orders: &Orders, node: &Node, lives: &[Life]) -> Vec<Vec<u8>> {
        lives.iter().filter_map(|&(id, generation)| orders.spawn(node, id, generation)).collect()
    }

    /// The keeper's side of an order, without the system calls.
    #[inline(never)]
    pub(crate) fn keeper_order(packets: &[Vec<u8>]) -> usize {
        packets.iter().filter(|packet| Order::decode(black_box(packet)).is_some()).count()
    }

    #[inline(never)]
    pub(crate) fn report(lives: &[Life]) -> usize {
        let packets = lives.iter().map(|&(id, generation)| {
            let ending = Ending::Code(0);
            Report::Exited { slot: id.0, generation: generation.0, ending, leftovers: false }.encode()
        });
        packets.filter(|packet: &[u8; REPORT_BYTES]| Report::decode(black_box(packet)).is_some()).count()
    }

    #[inline(never)]
    pub(crate) fn status(node: &Node, now: Instant) -> usize {
        status_reply(black_box(node), now).map_or(0, |text| text.len())
    }
}

/// A table without a throttle, since everything ends often.
fn table() -> String {
    let mut text = ":::throttle_starts:0\n".to_owned();
    for group in 0..GROUPS {
        let _infallible = writeln!(text, "g{group}:::initdefault:run");
        for entry in 0..ENTRIES_PER_GROUP {
            let _infallible =
                writeln!(text, "g{group}:e{group}x{entry}:run,:respawn:/usr/bin/service --number {entry}");
        }
    }
    text
}

/// The lives that `actions` begin.
fn lives(actions: &mut Vec<Action>) -> Vec<Life> {
    let begun = |action| {
        if let Action::Spawn { entry, generation, .. } = action { Some((entry, generation)) } else { None }
    };
    actions.drain(..).filter_map(begun).collect()
}

fn spawned(lives: &[Life]) -> Vec<Event> {
    let event = |&(entry, generation): &Life| Event::Spawned { entry, generation, pid: 1000 + entry.0 };
    lives.iter().map(event).collect()
}

fn exited(lives: &[Life]) -> Vec<Event> {
    let event = |&(entry, generation): &Life| Event::Exited {
        entry,
        generation,
        exit: Exit::Code(0),
        leftovers: false,
    };
    lives.iter().map(event).collect()
}

fn told(level: &str) -> Vec<Event> {
    let level = Level::new(level).ok();
    let group = |number: u32| GroupName::new(&format!("g{number}")).ok();
    let told = |number| Some(Event::Told { group: group(number)?, level: level.clone()? });
    (0..GROUPS).filter_map(told).collect()
}

fn main() -> io::Result<()> {
    let mut now = Instant::from_nanos(1_000_000_000);
    let (mut node, mut out, mut records) = (Node::new(), Vec::new(), Vec::new());
    let orders = Orders::new(Path::new("/run/clinit/init.s"));
    let source = [Source { name: "cltab".to_owned(), text: table().into_bytes() }];

    let parsed = walk::parse(&source);
    walk::accept(&mut node, now, Event::TableAccepted(parsed.table), &mut out);
    let mut living = lives(&mut out);
    let (mut remembered, mut ordered, mut decoded, mut reported) = (0, 0, 0, 0);
    for _ in 0..ROUNDS {
        let packets = walk::order(&orders, &node, &living);
        ordered += packets.len();
        decoded += walk::keeper_order(&packets);
        walk::spawn(&mut node, now, spawned(&living), &mut out);
        now = now + Duration::from_secs(1);
        reported += walk::report(&living);
        walk::exit(&mut node, now, exited(&living), &mut out);
        let size = walk::remember(&mut node, &mut records);
        remembered += usize::from(size > 0) * records.len();
        records.clear();
        living = lives(&mut out);
    }
    walk::spawn(&mut node, now, spawned(&living), &mut out);
    out.clear();
    let replied = walk::status(&node, now);
    walk::tell(&mut node, now, told("halt"), &mut out);
    let stopped = out.iter().filter(|action| matches!(action, Action::Stop { .. })).count();

    let all = usize::try_from(ENTRIES * ROUNDS).unwrap_or(0);
    let is_whole = [ordered, decoded, reported].iter().all(|&count| count == all);
    if !is_whole || living.len() * 10 != all || stopped * 10 != all || replied == 0 || remembered == 0 {
        return Err(io::Error::other("a path was left: what is counted would mean nothing"));
    }
    let mut stdout = io::stdout();
    for (path, times) in [
        ("parse", ENTRIES as usize),
        ("accept", ENTRIES as usize),
        ("order", ordered),
        ("keeper_order", decoded),
        ("spawn", all + living.len()),
        ("report", reported),
        ("exit", all),
        ("remember", remembered),
        ("status", ENTRIES as usize),
        ("tell", stopped),
    ] {
        writeln!(stdout, "{path} {times}")?;
    }
    Ok(())
}

//! Ten thousand entries in one group: nothing may take a time that grows with the square of them.

#![expect(clippy::disallowed_types, reason = "the test looks at the real clock, the engine does not")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use clinit_engine::Event;
use clinit_engine::entry::State;
use clinit_engine::event::{Action, EntryId, Exit};

use crate::stage::{Stage, group, level, table};

const ENTRIES: u32 = 10_000;

/// Generous to a slow machine without optimisation; the square of the entries takes minutes.
const LIMIT: Duration = Duration::from_secs(2);

/// A node with its actions, without the checks of a stage, which look at everything after each event.
struct Crowd {
    node: clinit_engine::Node,
    out: Vec<Action>,
}

impl Crowd {
    fn new(text: &str) -> Self {
        let mut crowd = Self { node: clinit_engine::Node::new(), out: Vec::new() };
        crowd.happens(Event::TableAccepted(table(text)));
        crowd
    }

    fn happens(&mut self, event: Event) {
        self.node.step(clinit_engine::Instant::from_nanos(0), event, &mut self.out);
        self.node.take_records(&mut Vec::new());
    }

    fn tell(&mut self, to: &str) {
        self.happens(Event::Told { group: group("g"), level: level(to) });
    }

    /// Does what it ordered, until it orders nothing more; how much that was.
    fn play(&mut self) -> usize {
        let mut played = 0;
        while !self.out.is_empty() {
            for action in std::mem::take(&mut self.out) {
                played += 1;
                match action {
                    Action::Spawn { entry: EntryId(id), generation, .. } => {
                        self.happens(Event::Spawned { entry: EntryId(id), generation, pid: id + 1 });
                    }
                    Action::Stop { entry, generation, .. } => {
                        self.happens(Event::Exited {
                            entry,
                            generation,
                            exit: Exit::Code(0),
                            leftovers: false,
                        });
                    }
                    Action::Kill { .. } | Action::Signal { .. } | Action::Release { .. } => {}
                    Action::Notice(_) | Action::Leave => {}
                    Action::Probe { .. } | Action::Follow { .. } => {}
                }
            }
        }
        played
    }
}

fn crowd_table(mode: &str) -> String {
    let mut text = String::new();
    for n in 0..ENTRIES {
        writeln!(text, "g:t{n}:1:{mode}:command {n}").unwrap();
    }
    text
}

fn timed(what: &str, act: impl FnOnce()) {
    let begin = Instant::now();
    act();
    let took = begin.elapsed();
    assert!(took < LIMIT, "{what} took {took:?}");
}

#[test]
fn ten_thousand_entries_start_change_and_stop_in_linear_time() {
    let text = crowd_table("respawn");
    let changed = text.replace("command 5000", "another");
    let mut crowd = Crowd::new(&text);
    let (same, changed) = (table(&text), table(&changed));
    timed("starting", || {
        crowd.tell("1");
        assert!(crowd.play() >= ENTRIES as usize);
    });
    timed("reading the same table", || crowd.happens(Event::TableAccepted(same)));
    timed("changing one entry", || {
        crowd.happens(Event::TableAccepted(changed));
        crowd.play();
    });
    timed("restoring", || {
        let records = crowd.node.all_records();
        let now = clinit_engine::Instant::from_nanos(0);
        let mut other = clinit_engine::Node::restore(table(&text), records, now);
        other.step(now, Event::InventoryTaken, &mut Vec::new());
    });
    timed("stopping", || {
        crowd.tell("2");
        assert!(crowd.play() >= 2 * ENTRIES as usize);
    });
    timed("starting and shutting down", || {
        crowd.tell("1");
        crowd.play();
        crowd.happens(Event::ShutdownRequested);
        crowd.play();
    });
    assert_eq!(crowd.node.entries().filter(|(_, entry)| entry.is_alive()).count(), 0);
    timed("dropping the group", || {
        let mut crowd = Crowd::new(&text);
        crowd.tell("1");
        crowd.play();
        crowd.happens(Event::TableAccepted(table("")));
        crowd.play();
        assert_eq!(crowd.node.entries().count(), 0);
    });
}

#[test]
fn ten_thousand_entries_that_wait_for_each_other_take_linear_time() {
    let mut crowd = Crowd::new(&crowd_table("wait"));
    timed("starting one by one", || {
        crowd.tell("1");
        for id in (0..ENTRIES).map(EntryId) {
            let generation = crowd.node.entry(id).unwrap().generation();
            crowd.happens(Event::Exited { entry: id, generation, exit: Exit::Code(0), leftovers: false });
        }
    });
    assert_eq!(crowd.node.groups().next().unwrap().phase().as_str(), "DONE");
}

#[test]
fn a_thousand_groups_do_not_slow_each_other_down() {
    let mut text = String::new();
    for n in 0..1_000 {
        writeln!(text, "g{n}::initdefault:1\ng{n}:t{n}:1:respawn:x").unwrap();
    }
    timed("starting", || {
        let mut stage = Stage::new(&text);
        stage.reread(&text);
        assert_eq!(stage.did().matches("spawn").count(), 1_000);
    });
}

/// As long as the table takes them: so many rounds, or so many calls within each other, end no more.
#[test]
fn a_chain_of_a_hundred_thousand_that_is_written_backwards_starts_and_stops() {
    let mut text = String::new();
    for n in (0..100_000).rev() {
        writeln!(text, "g:t{n}:1:once:command").unwrap();
        if n > 0 {
            writeln!(text, "g:t{n}::after:t{}", n - 1).unwrap();
        }
    }
    let mut crowd = Crowd::new(&text);
    let last = EntryId(0);
    crowd.tell("1");
    crowd.play();
    let spawned = crowd.node.entry(last).unwrap().generation();
    assert_eq!(spawned.0, 100_000, "the first line comes last");
    for id in (1..100_000).map(EntryId) {
        let generation = crowd.node.entry(id).unwrap().generation();
        crowd.happens(Event::Exited { entry: id, generation, exit: Exit::Code(0), leftovers: false });
    }
    crowd.out.clear();
    // All others leave when the last one has.
    crowd.tell("2");
    assert_eq!(crowd.out.iter().filter(|action| matches!(action, Action::Stop { .. })).count(), 1);
    crowd.play();
    assert!(crowd.node.entries().all(|(_, entry)| entry.state() == State::Down));
}

//! Loggers that die: after each step that one makes another goes on, and no byte is missing or comes twice.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use clinit_keeper::fifo;
use rustix::event::epoll;
use rustix::fs::OFlags;

use crate::carrier::Carrier;
use crate::feed::{FileSink, Sink, StampKind};
use crate::stamp::split;
use crate::testing::{Scratch, outlives, set_room, written};

/// Two entries, whose FIFOs are held as by keeper and entries.
struct World {
    scratch: Scratch,
    fifos: [File; 2],
    stamp: StampKind,
    hold_ms: Option<u64>,
}

/// What happens, in its order.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// An entry prints.
    Print(u32, &'static [u8]),
    /// The logger reads.
    Carry(u32),
    /// The disk has so much room from now on.
    Room(Option<usize>),
    /// The logger tries again.
    Retry,
}

impl World {
    fn new(stamp: StampKind, hold_ms: Option<u64>) -> Self {
        let scratch = Scratch::new();
        std::fs::create_dir(scratch.path("out")).unwrap();
        let fifos = [0, 1].map(|slot| File::from(fifo::open(scratch.fd(), slot, OFlags::empty()).unwrap()));
        Self { scratch, fifos, stamp, hold_ms }
    }

    fn folder(&self, slot: u32) -> PathBuf {
        self.scratch.path(&format!("logs/web/{slot}"))
    }

    fn carrier(&self) -> Carrier {
        let state = self.scratch.fd().try_clone_to_owned().unwrap();
        let mut carrier = Carrier::begin(state, epoll::create(epoll::CreateFlags::CLOEXEC).unwrap()).unwrap();
        for slot in [0, 1] {
            let sink = FileSink {
                base: self.scratch.path("logs").into_os_string().into_encoded_bytes(),
                name: format!("web/{slot}").into_bytes(),
                size: 4096,
                count: 100,
                stamp: self.stamp,
                hold_ms: self.hold_ms,
            };
            carrier.follow(slot, format!("web/{slot}").into_bytes(), Sink::File(sink));
        }
        carrier
    }

    /// Lets loggers carry all, the first of which dies at the steps of these numbers, each counted from the birth.
    /// True when all of them had come further.
    fn live(&self, acts: &[Act], deaths: &[u32]) -> bool {
        let mut next = 0;
        let mut has_outlived = true;
        let mut go_on = |carrier: &mut Carrier| {
            while let Some(act) = acts.get(next) {
                // Done once, whoever dies of it.
                next += 1;
                match *act {
                    Act::Print(slot, text) => (&self.fifos[slot as usize]).write_all(text).unwrap(),
                    Act::Carry(slot) => drop(carrier.carry(slot)),
                    Act::Room(room) => set_room(room),
                    Act::Retry => carrier.retry(true),
                }
            }
        };
        for &steps in deaths {
            has_outlived &= outlives(steps, || go_on(&mut self.carrier()));
        }
        set_room(None);
        let mut last = self.carrier();
        go_on(&mut last);
        last.retry(true);
        for slot in [0, 1] {
            last.unfollow(slot);
        }
        assert!(!last.notes.iter().any(|note| note.contains("lost")), "{:?}", last.notes);
        has_outlived
    }

    /// What was written for an entry, without stamps.
    fn text(&self, slot: u32) -> Vec<u8> {
        let bytes = written(&self.folder(slot));
        let lines = bytes.split_inclusive(|&byte| byte == b'\n');
        let without = |line| match self.stamp {
            StampKind::None => line,
            StampKind::Tai64n | StampKind::Iso => split(line).expect("each line has a stamp").1,
        };
        lines.flat_map(|line| without(line).to_vec()).collect()
    }
}

/// Everything that an entry prints.
fn printed(acts: &[Act], slot: u32) -> Vec<u8> {
    let texts = acts.iter().filter_map(|act| match act {
        Act::Print(of, text) if *of == slot => Some(*text),
        Act::Print(..) | Act::Carry(_) | Act::Room(_) | Act::Retry => None,
    });
    texts.collect::<Vec<_>>().concat()
}

fn complete(text: Vec<u8>) -> Vec<u8> {
    let end: &[u8] = if text.last().is_some_and(|&byte| byte != b'\n') { b"\n" } else { b"" };
    [text, end.to_vec()].concat()
}

/// Dies at every step of one life, and at some of the second.
#[track_caller]
fn survives(acts: &[Act], stamp: StampKind) {
    let mut steps = 0;
    loop {
        let mut second = steps % 7;
        let mut is_last = false;
        loop {
            let world = World::new(stamp, None);
            let has_outlived = world.live(acts, &[steps, second]);
            for slot in [0, 1] {
                let (found, expected) = (world.text(slot), complete(printed(acts, slot)));
                let as_text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                assert!(
                    found == expected,
                    "slot {slot}, deaths at {steps} and {second}:\n{}\ninstead of\n{}",
                    as_text(&found),
                    as_text(&expected)
                );
            }
            if has_outlived {
                is_last = true;
            }
            second += 7;
            if second > 60 || is_last {
                break;
            }
        }
        steps += 1;
        if is_last || steps > 200 {
            assert!(steps > 20, "there are steps to die at");
            return;
        }
    }
}

const LONG: &[u8] = &{
    let mut text = [b'x'; 5000];
    text[4999] = b'\n';
    text
};

const PLAIN: &[Act] = &[
    Act::Print(0, b"one\ntwo\n"),
    Act::Carry(0),
    Act::Print(1, b"other\n"),
    Act::Print(0, b"thr"),
    Act::Carry(0),
    Act::Print(0, b"ee\nfour\n"),
    Act::Carry(1),
    Act::Carry(0),
    Act::Print(0, b"five\nno end"),
    Act::Print(1, b"the same\n"),
    Act::Carry(1),
    Act::Print(1, b"the same\n"),
    Act::Carry(1),
    Act::Print(1, b"the same\n"),
    Act::Carry(0),
];

const ROTATED: &[Act] = &[
    Act::Print(0, b"one\n"),
    Act::Print(0, LONG),
    Act::Carry(0),
    Act::Print(0, b"two\n"),
    Act::Carry(0),
    Act::Print(0, LONG),
    Act::Print(0, b"three\n"),
    Act::Carry(0),
];

const FULL: &[Act] = &[
    Act::Print(0, b"one\ntwo\n"),
    Act::Carry(0),
    Act::Room(Some(40)),
    Act::Print(0, b"three\nfour\nfive\n"),
    Act::Carry(0),
    Act::Print(0, b"six\n"),
    Act::Print(1, b"other\n"),
    Act::Carry(0),
    Act::Carry(1),
    Act::Retry,
    Act::Room(Some(10)),
    Act::Retry,
    Act::Carry(0),
    Act::Room(None),
    Act::Retry,
    Act::Carry(0),
    Act::Carry(1),
    Act::Print(0, b"seven\n"),
    Act::Carry(0),
];

#[test]
fn no_death_costs_or_doubles_a_line() {
    survives(PLAIN, StampKind::Tai64n);
    survives(PLAIN, StampKind::None);
}

#[test]
fn no_death_at_the_end_of_a_file_costs_or_doubles_a_line() {
    survives(ROTATED, StampKind::Tai64n);
}

#[test]
fn no_death_while_the_disk_is_full_costs_or_doubles_a_line() {
    survives(FULL, StampKind::Iso);
}

#[test]
fn what_waits_too_long_is_dropped_and_counted() {
    let world = World::new(StampKind::None, Some(0));
    let mut carrier = world.carrier();
    let print = |text: &str| (&world.fifos[0]).write_all(text.as_bytes()).unwrap();
    print("one\n");
    carrier.carry(0);
    set_room(Some(2));
    print("two\nthree, half of");
    carrier.carry(0);
    carrier.retry(true);
    print("it\nfour\nfi");
    assert!(carrier.carry(0), "it is read, and dropped");
    print("ve");
    assert!(carrier.carry(0));
    // Another logger drops on.
    drop(carrier);
    let mut carrier = world.carrier();
    carrier.retry(true);
    assert!(carrier.slots[&0].trouble.is_some());
    set_room(None);
    carrier.retry(true);
    assert!(carrier.slots[&0].trouble.is_none());
    print(", the rest of it\nsix\n");
    carrier.carry(0);
    carrier.unfollow(0);
    let text = String::from_utf8(world.text(0)).unwrap();
    let line = "clinit: 3 lines (12 bytes) were dropped here: ";
    let (before, after) = text.split_once(line).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(before, "one\ntwo\nthree, half of\n");
    assert!(after.ends_with("No space left on device (os error 28)\nsix\n"), "{after}");
}

#[test]
fn what_does_not_wait_for_one_disk_goes_on() {
    let world = World::new(StampKind::None, None);
    let mut carrier = world.carrier();
    set_room(Some(0));
    (&world.fifos[0]).write_all(b"one\n").unwrap();
    carrier.carry(0);
    set_room(None);
    (&world.fifos[1]).write_all(b"two\n").unwrap();
    assert!(carrier.carry(1));
    assert!(!carrier.carry(0), "it is not read: who writes waits");
    assert_eq!((world.text(0), world.text(1)), (Vec::new(), b"two\n".to_vec()));
}

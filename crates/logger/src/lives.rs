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
    /// The first one's entry is gone, and the second one's has its name, and so its folder.
    is_shared: bool,
}

/// What happens, in its order.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// An entry prints.
    Print(u64, &'static [u8]),
    /// The logger reads.
    Carry(u64),
    /// The disk has so much room from now on.
    Room(Option<usize>),
    /// The logger tries again.
    Retry,
}

impl World {
    fn new(stamp: StampKind, hold_ms: Option<u64>) -> Self {
        let scratch = Scratch::new();
        std::fs::create_dir(scratch.path("out")).unwrap();
        let fifos =
            [0, 1].map(|stream| File::from(fifo::open(scratch.fd(), stream, OFlags::empty()).unwrap()));
        Self { scratch, fifos, stamp, hold_ms, is_shared: false }
    }

    fn folder(&self, stream: u64) -> PathBuf {
        self.scratch.path(&format!("logs/web/{}", self.name(stream)))
    }

    fn name(&self, stream: u64) -> u64 {
        if self.is_shared { 1 } else { stream }
    }

    fn carrier(&self) -> Carrier {
        let state = self.scratch.fd().try_clone_to_owned().unwrap();
        let mut carrier = Carrier::begin(state, epoll::create(epoll::CreateFlags::CLOEXEC).unwrap()).unwrap();
        for stream in [0, 1] {
            let sink = FileSink {
                base: self.scratch.path("logs").into_os_string().into_encoded_bytes(),
                name: format!("web/{}", self.name(stream)).into_bytes(),
                size: 4096,
                count: 100,
                stamp: self.stamp,
                hold_ms: self.hold_ms,
            };
            carrier.follow(stream, format!("web/{stream}").into_bytes(), Sink::File(sink));
            if self.is_shared && stream == 0 {
                carrier.end(stream);
            }
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
                    Act::Print(stream, text) => {
                        (&self.fifos[usize::try_from(stream).unwrap()]).write_all(text).unwrap();
                    }
                    Act::Carry(stream) => drop(carrier.carry(stream)),
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
        // One may wait for the other.
        last.retry(true);
        last.retry(true);
        for stream in [0, 1] {
            last.close(stream);
        }
        assert!(!last.notes.iter().any(|note| note.contains("lost")), "{:?}", last.notes);
        has_outlived
    }

    /// What was written of a stream, without stamps. Where two share a folder, each line begins with its number.
    fn text(&self, stream: u64) -> Vec<u8> {
        let bytes = written(&self.folder(stream));
        let lines = bytes.split_inclusive(|&byte| byte == b'\n');
        let without = |line| match self.stamp {
            StampKind::None => line,
            StampKind::Tai64n | StampKind::Iso => split(line).expect("each line has a stamp").1,
        };
        let is_its = |line: &&[u8]| !self.is_shared || line.starts_with(stream.to_string().as_bytes());
        lines.map(without).filter(is_its).flatten().copied().collect()
    }
}

/// Everything that an entry prints.
fn printed(acts: &[Act], stream: u64) -> Vec<u8> {
    let texts = acts.iter().filter_map(|act| match act {
        Act::Print(of, text) if *of == stream => Some(*text),
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
    survives_in(|| World::new(stamp, None), acts);
}

#[track_caller]
fn survives_in(world: impl Fn() -> World, acts: &[Act]) {
    let mut steps = 0;
    loop {
        let mut second = steps % 7;
        let mut is_last = false;
        loop {
            let world = world();
            let has_outlived = world.live(acts, &[steps, second]);
            for stream in [0, 1] {
                let (found, expected) = (world.text(stream), complete(printed(acts, stream)));
                let as_text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                assert!(
                    found == expected,
                    "stream {stream}, deaths at {steps} and {second}:\n{}\ninstead of\n{}",
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

const SHARED: &[Act] = &[
    Act::Print(0, b"0 one\n"),
    Act::Carry(0),
    Act::Print(1, b"1 one\n"),
    Act::Carry(1),
    Act::Room(Some(8)),
    Act::Print(0, b"0 two\n0 three\n"),
    Act::Carry(0),
    Act::Print(1, b"1 two\n"),
    Act::Room(None),
    Act::Carry(1),
    Act::Room(Some(20)),
    Act::Retry,
    Act::Carry(1),
    Act::Print(1, b"1 three\n"),
    Act::Room(Some(3)),
    Act::Carry(1),
    Act::Print(0, b"0 four\n"),
    Act::Carry(0),
    Act::Room(None),
    Act::Retry,
    Act::Carry(0),
    Act::Carry(1),
];

#[test]
fn no_death_costs_or_doubles_a_line_of_two_streams_that_go_into_one_folder() {
    for stamp in [StampKind::Iso, StampKind::None] {
        survives_in(|| World { is_shared: true, ..World::new(stamp, None) }, SHARED);
    }
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
    assert!(carrier.streams[&0].trouble.is_some());
    set_room(None);
    carrier.retry(true);
    assert!(carrier.streams[&0].trouble.is_none());
    print(", the rest of it\nsix\n");
    carrier.carry(0);
    carrier.close(0);
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

//! Loggers that are killed, hundreds of times, at whatever moment it happens to be.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clinit_keeper::fifo;
use rustix::event::epoll;
use rustix::fs::OFlags;

use crate::carrier::{Carrier, FIFO};
use crate::feed::{FileSink, Sink, StampKind};
use crate::stamp::split;
use crate::testing::{Scratch, written};

/// Names the folder to the process that is killed.
const FOLDER_VARIABLE: &str = "CLINIT_LOGGER_KILLS";

const STREAMS: u64 = 3;

/// How often one is killed.
const KILLS: u32 = 300;

fn carrier(folder: &Path) -> (Carrier, OwnedFd) {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let state = File::open(folder).unwrap().into();
    let mut carrier = Carrier::begin(state, epoll.try_clone().unwrap()).unwrap();
    for stream in 0..STREAMS {
        let sink = FileSink {
            base: folder.join("logs").into_os_string().into_encoded_bytes(),
            name: format!("web/{stream}").into_bytes(),
            size: 100_000,
            count: 1000,
            stamp: StampKind::Tai64n,
            hold_ms: None,
        };
        carrier.follow(stream, format!("web/{stream}").into_bytes(), Sink::File(sink));
    }
    (carrier, epoll)
}

/// Not a test by itself: the process that is killed.
#[test]
fn one_that_carries_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from) else { return };
    let (mut carrier, epoll) = carrier(&folder);
    let mut events = Vec::with_capacity(16);
    loop {
        carrier.retry(false);
        events.clear();
        if epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None).is_ok() {
            for event in &events {
                carrier.carry(event.data.u64() & !FIFO);
            }
        }
    }
}

fn start(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kills::one_that_carries_until_it_is_killed"]).env(FOLDER_VARIABLE, folder);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A line of a writer. Many are short; some are longer than what is read at once.
fn line(writer: u32, number: u32) -> Vec<u8> {
    let filler = match number % 1000 {
        7 => 70_000,
        of_some => of_some % 97,
    };
    format!("writer {writer} line {number} {}\n", "x".repeat(filler as usize)).into_bytes()
}

/// Prints lines until it is told to end, some at once and some in two halves. How many.
fn write(mut fifo: &File, writer: u32, is_over: &AtomicBool) -> u32 {
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        let line = line(writer, number);
        let (one, other) = line.split_at(if number % 3 == 0 { line.len() / 2 } else { line.len() });
        fifo.write_all(one).unwrap();
        fifo.write_all(other).unwrap();
        number += 1;
        if number % 16 == 0 {
            std::thread::sleep(Duration::from_micros(300));
        }
    }
    number
}

#[test]
fn hundreds_of_kills_cost_and_double_no_line() {
    let scratch = Scratch::new();
    let folder = scratch.path("");
    std::fs::create_dir(scratch.path("out")).unwrap();
    let fifos: Vec<File> = (0..STREAMS)
        .map(|stream| fifo::open(scratch.fd(), stream, OFlags::empty()).unwrap().into())
        .collect();
    let (is_over, mut moments) = (AtomicBool::new(false), 1u64);
    let numbers: Vec<u32> = std::thread::scope(|scope| {
        let is_over = &is_over;
        let writers = (0..).zip(&fifos);
        let writers: Vec<_> =
            writers.map(|(writer, fifo)| scope.spawn(move || write(fifo, writer, is_over))).collect();
        for _ in 0..KILLS {
            let mut logger = start(&folder);
            moments = moments.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_micros((moments >> 33) % 20_000));
            logger.kill().unwrap();
            logger.wait().unwrap();
        }
        // One that lives lets the writers come to their end.
        is_over.store(true, Ordering::Relaxed);
        let mut logger = start(&folder);
        let numbers = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        logger.kill().unwrap();
        logger.wait().unwrap();
        numbers
    });
    let (mut last, _epoll) = carrier(&folder);
    last.retry(true);
    (0..STREAMS).for_each(|stream| last.close(stream));
    for (writer, expected) in (0..).zip(numbers) {
        let bytes = written(&scratch.path("logs/web").join(writer.to_string()));
        let mut number = 0;
        for found in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = split(found).map_or(found, |(_, text)| text);
            let as_text = || String::from_utf8_lossy(&found[..found.len().min(200)]).into_owned();
            assert!(text == line(writer, number), "line {number} of writer {writer} is {}", as_text());
            number += 1;
        }
        assert_eq!(number, expected, "writer {writer}");
        assert!(number > KILLS, "there was something to lose");
    }
}

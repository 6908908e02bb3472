//! Two hundred services, half of which log numbered lines, and what each of them must have lived through.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Deref;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::place::{Place, number};
use crate::process::{group, send};
use crate::wait::{DEADLINE, eventually};

/// Notes its life, prints numbered lines, and when it is told to end, how many they were.
const LOUD: &str = "#!/bin/sh\n\
    exec 2>/dev/null\n\
    i=0\n\
    trap 'trap \"\" TERM; echo \"$$ end $i\"; exit' TERM\n\
    echo $$ >> lives/$CLINIT_TAG\n\
    while :; do\n\
    for n in 1 2 3 4 5 6 7 8; do echo \"$$ $((i+=1))\"; done\n\
    sleep 0.7\n\
    done\n";

/// Notes its life.
const QUIET: &str = "#!/bin/sh\necho $$ >> lives/$CLINIT_TAG\nexec sleep 100000\n";

/// How many entries take turns in being changed by rereads.
const READ: usize = 10;

/// What the table says after so many changes, each of which is one entry's.
fn table(changes: usize) -> String {
    let mut text =
        ":::throttle_starts:0\n:::stop_timeout:60\n:::log_size:16K\n:::log_count:10000\n".to_owned();
    for (group, levels, kind, letter, count) in [
        ("stay", "1,", "loud", "a", 70),
        ("stay", "1,", "quiet", "b", 70),
        ("move", "1,", "loud", "c", 10),
        ("move", "2,", "loud", "d", 10),
        ("move", "1,2", "quiet", "e", 10),
        ("read", "1,", "quiet", "f", READ),
        ("hand", "1,", "loud", "g", 10),
        ("hand", "1,", "quiet", "h", 10),
    ] {
        for index in 0..count {
            let changed = if group == "read" { (changes + READ - 1 - index) / READ } else { 0 };
            text += &format!("{group}:{letter}{index}:{levels}:respawn:exec ./{kind} {changed}\n");
            if kind == "quiet" {
                text += &format!("{group}:{letter}{index}::output:null\n");
            }
        }
    }
    text
}

/// What must be so of one service.
#[derive(Debug, Default, Clone)]
struct Expected {
    /// How often it was started.
    lives: usize,
    runs: bool,
    /// Its process, once that is known.
    pid: Option<u32>,
}

/// A place with a daemon in the background and all these services.
#[derive(Debug)]
pub(crate) struct Crowd {
    place: Place,
    expected: BTreeMap<String, Expected>,
    /// Processes that were killed, and could not say how many lines they had printed.
    killed: BTreeSet<u32>,
    changes: usize,
}

impl Deref for Crowd {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Crowd {
    /// All that have level 1 run.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let place = Place::new(&table(0));
        fs::create_dir(place.path("lives")).unwrap();
        place.write_script("loud", LOUD);
        place.write_script("quiet", QUIET);
        place.clinit("daemon").done();
        for group in ["stay", "move", "read", "hand"] {
            place.settle(group, "1", "DONE");
        }
        let mut crowd = Self { place, expected: BTreeMap::new(), killed: BTreeSet::new(), changes: 0 };
        crowd.begun("abcefgh");
        crowd.expected.extend(tags('d', 10).map(|tag| (tag, Expected::default())));
        assert_eq!(crowd.expected.len(), 200);
        crowd.verify("at first");
        crowd
    }

    /// The services whose tags begin with these letters have been started once more.
    pub(crate) fn begun(&mut self, letters: &str) {
        for letter in letters.chars() {
            for tag in tags(letter, if "ab".contains(letter) { 70 } else { 10 }) {
                self.begun_one(tag);
            }
        }
    }

    fn begun_one(&mut self, tag: String) {
        let expected = self.expected.entry(tag).or_default();
        *expected = Expected { lives: expected.lives + 1, runs: true, pid: None };
    }

    /// The services whose tags begin with these letters have been stopped.
    pub(crate) fn stopped(&mut self, letters: &str) {
        for (tag, expected) in &mut self.expected {
            if tag.starts_with(|letter| letters.contains(letter)) {
                (expected.runs, expected.pid) = (false, None);
            }
        }
    }

    /// Changes the command of one entry in the table.
    pub(crate) fn change(&mut self) {
        self.begun_one(format!("f{}", self.changes % READ));
        self.changes += 1;
        self.place.write_table(&table(self.changes));
    }

    /// Kills the process of the running service that is so many places on.
    pub(crate) fn kill_one(&mut self, place: usize) {
        let running = self.expected.iter().filter_map(|(tag, expected)| Some((tag.clone(), expected.pid?)));
        let running: Vec<(String, u32)> = running.collect();
        let (tag, pid) = running[place % running.len()].clone();
        send(pid, Signal::KILL);
        self.killed.insert(pid);
        self.begun_one(tag);
    }

    /// How many run whose processes are known.
    pub(crate) fn running(&self) -> usize {
        self.expected.values().filter(|expected| expected.pid.is_some()).count()
    }

    /// Waits until everything is as it must be: who was not told otherwise has its process, none runs twice,
    /// nobody who ended is missing, clinit has one process of each kind and answers.
    #[track_caller]
    pub(crate) fn verify(&mut self, context: &str) {
        let by = Instant::now() + DEADLINE.saturating_sub(Duration::from_secs(5));
        let mut faults = Vec::new();
        eventually(context, || {
            faults = self.faults();
            faults.is_empty() || Instant::now() > by
        });
        assert!(faults.is_empty(), "{context}: {} faults: {faults:#?}", faults.len());
        for (tag, expected) in &mut self.expected {
            expected.pid = expected.runs.then(|| last_life(&self.place, tag)).flatten();
        }
    }

    /// What is not as it must be.
    fn faults(&self) -> Vec<String> {
        let said = self.clinit("status --json");
        if said.code != Some(0) {
            return vec![format!("no answer: {said:?}")];
        }
        let status: Value = serde_json::from_str(&said.out).unwrap();
        let groups = status["groups"].as_array().unwrap().iter();
        let entries: BTreeMap<&str, &Value> = groups
            .flat_map(|group| group["entries"].as_array().unwrap())
            .map(|entry| (entry["tag"].as_str().unwrap(), entry))
            .collect();
        let mut faults: Vec<String> = Vec::new();
        let mut pids = Vec::new();
        for (tag, expected) in &self.expected {
            let entry = entries[tag.as_str()];
            let pid = (entry["state"] == "running").then(|| number(&entry["pid"]));
            pids.extend(pid);
            let lives = self.lines(&format!("lives/{tag}")).len();
            let is_it = expected.pid.is_none_or(|known| pid == Some(known));
            let is_last = pid.is_none_or(|pid| last_life(self, tag) == Some(pid));
            if lives != expected.lives || pid.is_some() != expected.runs || !is_it || !is_last {
                faults.push(format!("{tag}: {expected:?}, but {lives} lives, and {entry}"));
            }
        }
        let mut mains = self.services();
        mains.retain(|&pid| group(pid) == pid);
        mains.sort_unstable();
        pids.sort_unstable();
        if mains != pids {
            faults.push(format!("processes are {mains:?}, not {pids:?}"));
        }
        let roles = ["keeper", "engine", "logger"].map(|role| self.all_of_role(role).len());
        if roles != [1, 1, 1] {
            faults.push(format!("keepers, engines, loggers: {roles:?}"));
        }
        faults
    }

    /// Ends it all; no line is missing, and none is there twice. Returns how many they were.
    #[track_caller]
    pub(crate) fn end(&self, context: &str) -> usize {
        self.clinit("shutdown").done();
        eventually("the end of the logger, too", || self.processes().is_empty());
        let loud = self.expected.keys().filter(|tag| tag.starts_with(|letter| "acdg".contains(letter)));
        loud.map(|tag| self.check_lines(tag, context)).sum()
    }

    #[track_caller]
    fn check_lines(&self, tag: &str, context: &str) -> usize {
        let group = match tag.as_bytes() {
            [b'a', ..] => "stay",
            [b'g', ..] => "hand",
            _ => "move",
        };
        let mut lines = self.kept(&format!("{group}/{tag}")).lines().into_iter().peekable();
        let mut count = 0;
        for life in self.lines(&format!("lives/{tag}")) {
            let mut last = 0;
            while lines.next_if_eq(&format!("{life} {}", last + 1)).is_some() {
                last += 1;
            }
            let has_end = lines.next_if_eq(&format!("{life} end {last}")).is_some();
            let was_killed = self.killed.contains(&life.parse().unwrap());
            assert!(
                has_end || was_killed,
                "{context}: {tag}: {life} {last} is followed by {:?}",
                lines.peek()
            );
            count += last;
        }
        assert_eq!(lines.next(), None, "{context}: {tag}: nobody is left who can have said that");
        count
    }
}

fn tags(letter: char, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |index| format!("{letter}{index}"))
}

/// The process that a service noted last.
fn last_life(place: &Place, tag: &str) -> Option<u32> {
    place.lines(&format!("lives/{tag}")).last()?.parse().ok()
}

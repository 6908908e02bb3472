//! Any process of clinit, and any two of them, are killed or stopped in the middle of anything, and two hundred
//! services do not notice; when all three are killed, the next start goes on.
//!
//! `CLINIT_KILLS=200 CLINIT_KILL_SEED=7 cargo test -p clinit --test it unkillable -- --nocapture` does more of
//! it, without a bound of time.

use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::command::finish;
use crate::crowd::Crowd;
use crate::kills::Dice;
use crate::process::{kill, send};
use crate::wait::eventually;

/// How many faults there are in one run, unless `CLINIT_KILLS` says so.
const KILLS: usize = 25;

/// No further fault after this, where `CLINIT_KILLS` does not want them all.
const TIME: Duration = Duration::from_secs(40);

/// How many services a storm kills.
const STORM: usize = 20;

/// Who is killed; one that is alone is, in other rounds, stopped for a while.
const WHO: [&[&str]; 7] = [
    &["keeper"],
    &["engine"],
    &["logger"],
    &["keeper", "engine"],
    &["keeper", "logger"],
    &["engine", "logger"],
    &["keeper", "engine", "logger"],
];

/// What goes on meanwhile.
const WORK: [&str; 5] = ["nothing", "a level change", "a reread", "a stop or start", "a storm of restarts"];

/// The daemon, and what was told to it.
struct Round<'a> {
    crowd: &'a mut Crowd,
    dice: &'a mut Dice,
    /// The level of the group `move`.
    second: &'a mut bool,
    /// Whether the group `hand` is stopped.
    stopped: &'a mut bool,
    context: String,
}

impl Round<'_> {
    /// Begins to work, and says with which words.
    fn begin(&mut self, work: usize) -> Option<(Child, &'static str)> {
        let words = match work {
            1 => {
                *self.second = !*self.second;
                if *self.second { "tell move 2 --wait" } else { "tell move 1 --wait" }
            }
            2 => {
                self.crowd.change();
                ""
            }
            3 => {
                *self.stopped = !*self.stopped;
                if *self.stopped { "stop hand" } else { "start hand" }
            }
            _ => {
                (0..work / 4 * STORM / 2).for_each(|_| self.kill_a_service());
                return None;
            }
        };
        Some((self.crowd.begin(words), words))
    }

    fn kill_a_service(&mut self) {
        let place = self.dice.roll(self.crowd.running() as u64);
        self.crowd.kill_one(usize::try_from(place).unwrap());
    }

    fn pause(&mut self, micros: u64) {
        std::thread::sleep(Duration::from_micros(self.dice.roll(micros)));
    }

    fn kill(&mut self, roles: &[&str]) {
        let pids: Vec<u32> = roles.iter().map(|role| self.crowd.role_pid(role)).collect();
        if roles.len() < 3 && self.dice.roll(2) == 0 {
            for &pid in &pids {
                send(pid, Signal::KILL);
                self.pause(3000);
            }
            return;
        }
        kill(&pids);
    }

    fn stop_for_a_while(&mut self, role: &str) {
        let pid = self.crowd.role_pid(role);
        send(pid, Signal::STOP);
        self.pause(300_000);
        send(pid, Signal::CONT);
    }

    /// Waits until the work is done. Where nobody heard of it or lived to say so, it is told again.
    fn accomplish(&mut self, told: Option<(Child, &str)>) {
        let Some((child, words)) = told else { return };
        let said = finish(child);
        if said.code != Some(0) {
            assert_eq!(said.code, Some(3), "{}: {said:?}", self.context);
            eventually(&format!("{}: that {words:?} is heard", self.context), || {
                self.crowd.clinit(words).code == Some(0)
            });
        }
        match words {
            "tell move 2 --wait" => {
                self.crowd.stopped("c");
                self.crowd.begun("d");
            }
            "tell move 1 --wait" => {
                self.crowd.stopped("d");
                self.crowd.begun("c");
            }
            "stop hand" => self.crowd.stopped("gh"),
            "start hand" => self.crowd.begun("gh"),
            _ => {}
        }
    }

    fn run(&mut self, who: &[&str], work: usize, stop: bool) {
        let told = self.begin(work);
        self.pause(100_000);
        if stop {
            self.stop_for_a_while(who[0]);
        } else {
            self.kill(who);
        }
        if work == 4 {
            (0..STORM / 2).for_each(|_| self.kill_a_service());
        }
        if !stop && who.len() == 3 {
            self.pause(200_000);
            self.crowd.clinit("daemon").done();
        }
        self.accomplish(told);
        self.crowd.verify(&self.context);
    }
}

/// A number from the environment.
fn variable(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn services_outlive_whoever_of_clinit_is_killed_or_stopped() {
    let seed = variable("CLINIT_KILL_SEED").unwrap_or(1);
    let wanted = variable("CLINIT_KILLS");
    let mut dice = Dice(seed as u64);
    let mut crowd = Crowd::start();
    let (mut second, mut stopped) = (false, false);
    let begun = Instant::now();
    let mut rounds = 0;
    for number in 0..wanted.unwrap_or(KILLS) {
        if wanted.is_none() && begun.elapsed() > TIME {
            break;
        }
        // Everybody has a turn in ten rounds, with other work each time.
        let stop = number % 10 >= WHO.len();
        let who = WHO[number % 10 % WHO.len()];
        let work = usize::try_from(dice.roll(WORK.len() as u64)).unwrap();
        let what = if stop { "stopped" } else { "killed" };
        let context = format!("seed {seed}, round {number}: {what} {who:?} during {}", WORK[work]);
        let (crowd, dice, second, stopped) = (&mut crowd, &mut dice, &mut second, &mut stopped);
        Round { crowd, dice, second, stopped, context }.run(who, work, stop);
        rounds += 1;
    }
    let lines = crowd.end(&format!("seed {seed}"));
    assert!(lines > 1000, "{lines} lines");
    eprintln!("seed {seed}: {rounds} rounds in {:?}, {lines} lines", begun.elapsed());
}

//! The engine is killed at random moments while levels are told: every transition completes, and nothing is
//! restarted that should not be.

use std::time::Duration;

use rustix::process::Signal;

use crate::command::finish;
use crate::daemon::Daemon;
use crate::process::{group, is_alive, send};
use crate::wait::eventually;

/// What is in both levels writes a line for each of its lives; what is in one, for each of its starts.
const TABLE: &str = "web:both:1,2:respawn:echo $$ >> both; exec sleep 1000\n\
                     web:first:1,:respawn:exec sleep 1000\n\
                     web:count1:1,:wait:echo x >> count1\n\
                     web:second:2,:respawn:trap 'exit' TERM; while :; do sleep 0.01; done\n\
                     web:count2:2,:wait:sleep 0.05; echo x >> count2\n\
                     mail:other:1,:respawn:echo $$ >> other; exec sleep 1000\n";

/// Kills the engine so often in one run; three runs at different seeds are thirty kills.
const KILLS: usize = 10;

/// A multiplicative generator: the moments differ, and are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `bound`.
    pub(crate) fn roll(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn kill_at_random_moments(seed: u64) {
    let daemon = Daemon::start(TABLE);
    daemon.settle("mail", "1", "DONE");
    daemon.settle("web", "1", "DONE");
    let (both, other, keeper) = (daemon.pid("both"), daemon.pid("other"), daemon.role_pid("keeper"));
    let mut dice = Dice(seed);
    let mut rounds = [1, 0];
    for kill in 0..KILLS {
        let level = if kill % 2 == 0 { "2" } else { "1" };
        let engine = daemon.role_pid("engine");
        let teller = daemon.begin(&format!("tell web {level}"));
        std::thread::sleep(Duration::from_micros(dice.roll(60_000)));
        send(engine, Signal::KILL);
        let said = finish(teller);
        if said.code != Some(0) {
            // It was not heard, or nobody lived to say that it was: telling it again does no harm.
            assert_eq!(said.code, Some(3), "seed {seed}, kill {kill}: {said:?}");
            daemon.wait_answer();
            eventually("that it is told", || daemon.clinit(&format!("tell web {level}")).code == Some(0));
        }
        daemon.wait_answer();
        daemon.wait_group("web", level, "DONE");
        rounds[usize::from(level == "2")] += 1;

        let context = format!("seed {seed}, kill {kill}");
        assert_eq!((daemon.pid("both"), daemon.pid("other")), (both, other), "{context}");
        assert_eq!(daemon.role_pid("keeper"), keeper, "{context}");
        let tag = if level == "1" { "first" } else { "second" };
        let mut expected = [both, other, daemon.pid(tag)];
        expected.sort_unstable();
        // The shell of `second` has children of a moment, in its own process group.
        let mut mains = daemon.services();
        mains.retain(|&pid| group(pid) == pid);
        mains.sort_unstable();
        assert_eq!(mains, expected, "{context}");
        let counts = [daemon.lines("count1").len(), daemon.lines("count2").len()];
        assert_eq!(counts, rounds, "{context}: every level's entries ran once");
    }
    assert_eq!((daemon.lines("both").len(), daemon.lines("other").len()), (1, 1));
    assert!(is_alive(both));
}

#[test]
fn ten_kills_of_the_engine_with_seed_1() {
    kill_at_random_moments(1);
}

#[test]
fn ten_kills_of_the_engine_with_seed_2() {
    kill_at_random_moments(2);
}

#[test]
fn ten_kills_of_the_engine_with_seed_3() {
    kill_at_random_moments(3);
}

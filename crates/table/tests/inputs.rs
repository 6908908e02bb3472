//! Any input at all: a corpus, mutations of it, and noise, under the checks that fuzzers run.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::panic;
use std::path::Path;

use clinit_table::fuzzing;

/// Mutated inputs a run.
const MUTATIONS: u64 = 3000;

/// Random inputs a run.
const NOISES: u64 = 1000;

/// Largest input made here, in bytes.
const INPUT_BYTES_MAX: usize = 4096;

/// Pieces that the grammar gives a meaning, for noise that gets past the first column.
const PIECES: [&str; 56] = [
    ":",
    ":",
    ":",
    ":",
    ":::",
    "::",
    "\n",
    "\n",
    "\r\n",
    ",",
    "#",
    " ",
    "\t",
    "\0",
    "\u{1e}",
    "\u{feff}",
    "\u{202e}",
    "語",
    "g",
    "h",
    "a",
    "b",
    "1",
    "2",
    "start",
    "override",
    "service",
    "wait",
    "once",
    "respawn",
    "off",
    "test",
    "socket",
    "initstat",
    "socket_mode",
    "initdefault",
    "stop_signal",
    "stop_timeout",
    "kill_mode",
    "cgroup",
    "no",
    "0600",
    "TERM",
    "/bin/true $x",
    "::after:",
    "::requires:",
    "readiness",
    "fd:3",
    "exec:x",
    "listen",
    "tcp:[::1]:80",
    "reload_command",
    "reload_signal",
    "health_check",
    "failover_mode",
    "infinity",
];

/// A random number generator that is good enough to make tables (Marsaglia's xorshift64).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // The generator has one bad state, zero, and neighbouring seeds begin alike.
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.below(1);
        random
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Runs the checks and names the input that fails them.
fn check(name: &str, data: &[u8]) {
    let passes = panic::catch_unwind(|| fuzzing::table(data)).is_ok();
    assert!(passes, "{name} fails: {}", data.escape_ascii());
}

/// The corpus, and the tables of the golden cases.
fn corpus() -> Vec<Vec<u8>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = |folder: &str| fs::read_dir(tests.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let cases = files("cases").filter(|path| path.is_dir()).map(|case| case.join("table.cltab"));
    files("corpus").chain(cases).map(|path| fs::read(path).unwrap()).collect()
}

fn mutate(data: &mut Vec<u8>, random: &mut Random) {
    data.truncate(INPUT_BYTES_MAX);
    for _ in 0..=random.below(8) {
        let at = random.below(data.len() + 1);
        let end = at + random.below((data.len() - at).min(16) + 1);
        let with = match random.below(5) {
            0 => Vec::new(),
            1 => data[at..end].repeat(2),
            2 => vec![u8::try_from(random.below(256)).unwrap()],
            3 => {
                let from = random.below(data.len() + 1);
                data[from..(from + 32).min(data.len())].to_vec()
            }
            _ => random.pick(&PIECES).as_bytes().to_vec(),
        };
        data.splice(at..end, with);
    }
}

#[test]
fn the_corpus_passes() {
    for data in corpus() {
        check("an input of the corpus", &data);
    }
}

#[test]
fn mutations_of_the_corpus_pass() {
    let corpus = corpus();
    for seed in 0..MUTATIONS {
        let mut random = Random::new(seed);
        let mut data = random.pick(&corpus).clone();
        mutate(&mut data, &mut random);
        check(&format!("mutation {seed}"), &data);
    }
}

#[test]
fn noise_passes() {
    for seed in 0..NOISES {
        let mut random = Random::new(seed);
        let count = random.below(400);
        let data: Vec<u8> = (0..count).flat_map(|_| random.pick(&PIECES).bytes()).collect();
        check(&format!("noise {seed}"), &data);
        let data: Vec<u8> = (0..count).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
        check(&format!("binary noise {seed}"), &data);
    }
}

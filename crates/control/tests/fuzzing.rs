//! The fuzzer's target, driven without a fuzzer: the corpus, changed copies of it, and noise.
//!
//! A failure names its seed; `CLINIT_SEED=N` runs that one alone.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::path::Path;

use clinit_control::fuzzing::messages;

const ROUNDS: u64 = 3000;

/// The SplitMix64 generator: any seed is a good one.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    // One message a line, so that people can read them.
    files.iter().map(|file| std::fs::read(file).unwrap()).map(|text| nul_for_newline(&text)).collect()
}

fn nul_for_newline(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if *byte == b'\n' { 0 } else { *byte }).collect()
}

fn mutate(data: &mut Vec<u8>, random: &mut Random) {
    const JSON: &[u8] = b"{}[]\",:\\nulltrue-1e9 \0\xff";
    let at = random.below(data.len() + 1);
    match random.below(5) {
        0 => data.insert(at, JSON[random.below(JSON.len())]),
        1 => data.insert(at, random.byte()),
        2 => drop(data.drain(at..at + random.below(data.len() - at + 1).min(8))),
        3 => data.truncate(at),
        _ => data.extend_from_within(at..),
    }
}

fn input(seed: u64, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut random = Random(seed);
    if random.below(8) == 0 {
        return (0..random.below(300)).map(|_| random.byte() % 128).collect();
    }
    let mut data = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        mutate(&mut data, &mut random);
    }
    data
}

#[test]
fn the_corpus_keeps_all_promises() {
    let corpus = corpus();
    assert!(corpus.len() >= 4, "the corpus is missing");
    corpus.iter().for_each(|data| messages(data));
}

#[test]
fn changed_inputs_and_noise_keep_all_promises() {
    let corpus = corpus();
    let chosen = std::env::var("CLINIT_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let seeds = chosen.map_or(0..ROUNDS, |seed| seed..seed + 1);
    for seed in seeds {
        let data = input(seed, &corpus);
        let run = std::panic::catch_unwind(|| messages(&data));
        assert!(run.is_ok(), "seed {seed} breaks a promise with {:?}", String::from_utf8_lossy(&data));
    }
}

//! The source of all chance: the same seed gives the same run, on every machine.

use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let number = self.next() % u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(number).unwrap_or(0)
    }

    /// Whether something happens that happens so many times in a hundred.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.next() % 100 < u64::from(percent)
    }

    /// One of several; `None` of nothing.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// One of several, the first as often as its weight says, and so on; `None` when nothing has weight.
    pub(crate) fn weigh<T: Copy>(&mut self, from: &[(u32, T)]) -> Option<T> {
        let sum = from.iter().map(|&(weight, _)| u64::from(weight)).sum::<u64>();
        let mut left = self.next() % sum.max(1);
        for &(weight, item) in from {
            match left.checked_sub(u64::from(weight)) {
                Some(rest) => left = rest,
                None => return Some(item),
            }
        }
        None
    }

    /// The number of a process that is none of the machine's.
    pub(crate) fn stranger(&mut self) -> u32 {
        u32::MAX - u32::try_from(self.below(9)).unwrap_or(0)
    }

    /// A span between two numbers of milliseconds.
    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        let room = usize::try_from(most.saturating_sub(least)).unwrap_or(0);
        Duration::from_millis(least + u64::try_from(self.below(room + 1)).unwrap_or(0))
    }
}

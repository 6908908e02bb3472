//! Did you mean: the nearest of the words that were allowed.

/// Longest word, in characters, for which a neighbour is looked for.
const WORD_CHARS_MAX: usize = 32;

/// Most candidates that are compared, so that a fault in a huge table stays cheap.
const CANDIDATES_MAX: usize = 1024;

/// The candidate nearest to `word`, if it is so near that it may be meant; of equals the first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(WORD_CHARS_MAX + 1).collect();
    if word.is_empty() || word.len() > WORD_CHARS_MAX {
        return None;
    }
    // One slip, or a third of a long word: `of` is near `off`, but `on` is near nothing.
    let limit = (word.len() / 3).max(1);
    let near = candidates.into_iter().take(CANDIDATES_MAX).filter_map(|candidate| {
        let length = candidate.chars().count();
        // Too long or too short is too far, and a distance is dear.
        let distance = (length.abs_diff(word.len()) <= limit).then(|| distance(&word, candidate))?;
        (distance <= limit && distance < length).then_some((distance, candidate))
    });
    near.min_by_key(|&(distance, _)| distance).map(|(_, candidate)| candidate)
}

/// How many characters must be inserted, deleted, replaced or swapped with their neighbour to get from one
/// word to the other, whatever their case (the optimal string alignment distance).
fn distance(left: &[char], right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let same = |a: char, b: char| a.eq_ignore_ascii_case(&b);
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, &a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &b) in right.iter().enumerate() {
            let replaced = last[j] + usize::from(!same(a, b));
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && same(a, right[j - 1]) && same(left[i - 1], b) {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(left: &str, right: &str) -> usize {
        distance(&left.chars().collect::<Vec<_>>(), right)
    }

    #[test]
    fn the_distance_counts_single_slips() {
        assert_eq!(d("respawn", "respawn"), 0);
        assert_eq!(d("respwan", "respawn"), 1);
        assert_eq!(d("repawn", "respawn"), 1);
        assert_eq!(d("RESPAWNS", "respawn"), 1);
        assert_eq!(d("", "off"), 3);
        assert_eq!(d("kitten", "sitting"), 3);
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        let modes = ["wait", "once", "respawn", "off", "test"];
        assert_eq!(nearest("respwan", modes), Some("respawn"));
        assert_eq!(nearest("Wait", modes), Some("wait"));
        assert_eq!(nearest("of", modes), Some("off"));
        assert_eq!(nearest("sysinit", modes), None);
        assert_eq!(nearest("nope", modes), None);
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest("", modes), None);
        assert_eq!(nearest(&"x".repeat(5000), modes), None);
    }
}

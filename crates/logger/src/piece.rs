//! From what was printed to what is written: cut into lines, stamped, and measured against the file's size.
//!
//! Pure, and the same for the same arguments: after a crash a piece is made again and compared with what the file
//! has of it already.

/// The most bytes that are written at once.
pub(crate) const PIECE_BYTES_MAX: usize = 64 * 1024;

/// A file with no more room than this takes no further line: few lines are longer, so that few are cut in two by
/// the end of a file. multilog does the same.
const NEARLY_FULL_BYTES: u64 = 2000;

/// Where in which file a piece begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    /// How many bytes the file has.
    pub(crate) size: u64,
    /// How many it may have.
    pub(crate) max: u64,
    /// Whether its last line has no end yet.
    pub(crate) is_mid: bool,
}

/// What became of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// So many of its bytes are in the piece.
    pub(crate) taken: usize,
    /// The next byte belongs into another file.
    pub(crate) is_full: bool,
}

/// Appends a piece of `source` to `out`, which is empty: as much as fits.
pub(crate) fn cut(source: &[u8], spot: Spot, stamp: &[u8], out: &mut Vec<u8>) -> Cut {
    let (mut taken, mut is_mid) = (0, spot.is_mid);
    let size = |out: &[u8]| spot.size + out.len() as u64;
    while taken < source.len() && out.len() + stamp.len() < PIECE_BYTES_MAX {
        let rest = &source[taken..];
        let line = newline(rest).map_or(rest.len(), |at| at + 1);
        if !is_mid {
            let at = size(out);
            let is_nearly_full = at + NEARLY_FULL_BYTES >= spot.max;
            if at > 0 && (is_nearly_full || at + (stamp.len() + line) as u64 > spot.max) {
                return Cut { taken, is_full: true };
            }
            out.extend(stamp);
        }
        let room = usize::try_from(spot.max.saturating_sub(size(out))).unwrap_or(usize::MAX);
        if room == 0 {
            return Cut { taken, is_full: true };
        }
        let some = line.min(room).min(PIECE_BYTES_MAX - out.len());
        out.extend(&rest[..some]);
        taken += some;
        is_mid = rest[some - 1] != b'\n';
    }
    Cut { taken, is_full: false }
}

/// The place of the first line end. Eight bytes at a time: this is most of what a busy logger does.
pub(crate) fn newline(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const ENDS: u64 = u64::from_ne_bytes([b'\n'; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        // A byte that is zero borrows from its highest bit.
        let zero_where_end = u64::from_le_bytes(*word) ^ ENDS;
        let found = zero_where_end.wrapping_sub(ONES) & !zero_where_end & HIGHS;
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let begin = bytes.len() - rest.len();
    rest.iter().position(|&byte| byte == b'\n').map(|at| begin + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &[u8] = b"@stamp ";

    /// All pieces of a text, file by file.
    fn files(source: &[u8], max: u64) -> Vec<Vec<u8>> {
        let (mut files, mut taken) = (vec![Vec::new()], 0);
        while taken < source.len() {
            let file = files.last().unwrap();
            let is_mid = taken > 0 && source[taken - 1] != b'\n';
            let spot = Spot { size: file.len() as u64, max, is_mid };
            let mut out = Vec::new();
            let cut = cut(&source[taken..], spot, STAMP, &mut out);
            assert!(cut.taken > 0 || cut.is_full, "it goes on");
            assert!(out.len() <= PIECE_BYTES_MAX);
            files.last_mut().unwrap().extend(out);
            taken += cut.taken;
            if cut.is_full {
                files.push(Vec::new());
            }
        }
        files
    }

    #[test]
    fn each_line_has_a_stamp() {
        assert_eq!(files(b"one\n\ntwo", 4096), [b"@stamp one\n@stamp \n@stamp two".to_vec()]);
    }

    #[test]
    fn files_break_at_line_ends_and_are_no_longer_than_they_may_be() {
        let line = [&[b'x'; 300][..], b"\n"].concat();
        let text = line.repeat(100);
        let files = files(&text, 4096);
        assert!(files.len() > 10);
        for file in &files {
            assert!(file.ends_with(b"\n") && file.starts_with(STAMP) && file.len() <= 4096);
        }
        let whole = [STAMP, &line].concat().repeat(100);
        assert_eq!(files.concat(), whole);
    }

    #[test]
    fn a_line_longer_than_a_file_goes_on_in_the_next() {
        let text = [&b"short\n"[..], &[b'x'; 10_000], b"\nlast\n"].concat();
        let files = files(&text, 4096);
        assert_eq!(files[0], b"@stamp short\n");
        assert_eq!((files[1].len(), files[2].len()), (4096, 4096));
        assert!(!files[2].starts_with(STAMP), "a line has one stamp");
        let expected = [b"@stamp short\n@stamp ", &[b'x'; 10_000][..], b"\n@stamp last\n"].concat();
        assert_eq!(files.concat(), expected);
    }

    #[test]
    fn pieces_of_every_size_say_the_same() {
        let text: Vec<u8> =
            (0..30_000u32).flat_map(|n| vec![b'a'; (n % 37) as usize].into_iter().chain([b'\n'])).collect();
        let whole: Vec<u8> =
            text.split_inclusive(|&byte| byte == b'\n').flat_map(|line| [STAMP, line].concat()).collect();
        assert!(files(&text, 1 << 30).concat() == whole);
        assert!(files(&text, 5000).concat() == whole);
    }

    #[test]
    fn line_ends_are_found_wherever_they_are() {
        for length in 0..40 {
            let mut bytes = vec![0x0b; length];
            assert_eq!(newline(&bytes), None);
            for at in (0..length).rev() {
                bytes[at] = b'\n';
                assert_eq!(newline(&bytes), Some(at));
            }
        }
        assert_eq!(newline(b"\x8a\x09\x0b\xff\x00\x8a\n"), Some(6));
    }
}

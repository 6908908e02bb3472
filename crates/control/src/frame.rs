//! Where one message ends and the next begins: a NUL byte.
//!
//! JSON text holds no NUL byte, so the bytes of a stream are cut at NULs without a look at the JSON.

use serde::Serialize;
use thiserror::Error;

/// Longest call that the daemon takes, in bytes without the NUL.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;

/// Longest reply that a client takes, in bytes without the NUL: the status of some 100,000 entries.
pub const REPLY_BYTES_MAX: usize = 64 << 20;

/// Most that a decoder keeps allocated while it holds nothing.
const IDLE_CAPACITY: usize = 64 << 10;

/// A message is longer than its bound. The stream is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a message is longer than {bytes_max} bytes")]
pub struct TooLong {
    /// The bound.
    pub bytes_max: usize,
}

/// Cuts a stream into messages.
///
/// Push what was read, then pop until there is no message left, and only then read again: so it holds at
/// most one unfinished message within the bound and one read. Bytes pushed late cost nothing twice: each
/// is looked at once.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where in `buffer` the next message starts.
    start: usize,
    /// Up to where in `buffer` no NUL follows `start`.
    scanned: usize,
    bytes_max: usize,
}

impl Decoder {
    /// A decoder that takes messages up to `bytes_max` bytes without the NUL.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, scanned: 0, bytes_max }
    }

    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message without its NUL, or `None` until more bytes came.
    ///
    /// # Errors
    /// [`TooLong`], from then on always: what follows in the stream cannot be trusted to be a beginning.
    pub fn pop(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
        let end = unseen.iter().position(|byte| *byte == 0).map(|at| self.scanned + at);
        self.scanned = end.unwrap_or(self.buffer.len());
        if self.scanned - self.start > self.bytes_max {
            return Err(TooLong { bytes_max: self.bytes_max });
        }
        let Some(end) = end else {
            self.compact();
            return Ok(None);
        };
        let message = self.buffer[self.start..end].to_vec();
        self.start = end + 1;
        self.scanned = self.start;
        Ok(Some(message))
    }

    /// How many bytes were pushed and not popped. Not 0 at the stream's end: it ended within a message.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Drops what was popped.
    ///
    /// Only called when no whole message is left. What is moved then arrived with the last push, if any
    /// message was popped since, and is not moved again before the next one is: never quadratic.
    fn compact(&mut self) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > IDLE_CAPACITY {
            self.buffer = Vec::new();
        }
    }
}

/// Appends `message` and its NUL to `out`.
///
/// # Errors
/// `message` has no form in JSON (a map with keys that are no strings, say). `out` is as before then.
pub fn encode(message: &impl Serialize, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let before = out.len();
    if let Err(error) = serde_json::to_writer(&mut *out, message) {
        out.truncate(before);
        return Err(error);
    }
    out.push(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn drain(decoder: &mut Decoder) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| decoder.pop().unwrap()).collect()
    }

    #[test]
    fn messages_come_out_whole_however_the_bytes_came_in() {
        let stream = b"one\0\0three\0rest";
        for size in 1..=stream.len() {
            let mut decoder = Decoder::new(5);
            let mut messages = Vec::new();
            for piece in stream.chunks(size) {
                decoder.push(piece);
                messages.extend(drain(&mut decoder));
            }
            assert_eq!(messages, [b"one".to_vec(), b"".to_vec(), b"three".to_vec()], "pieces of {size}");
            assert_eq!(decoder.pending(), 4);
        }
    }

    #[test]
    fn a_message_at_the_bound_is_taken_and_one_byte_more_is_refused_for_good() {
        let mut decoder = Decoder::new(4);
        decoder.push(b"four\0");
        assert_eq!(drain(&mut decoder), [b"four"]);

        for too_long in [&b"fives"[..], b"fives\0", b"fives\0ok\0"] {
            let mut decoder = Decoder::new(4);
            decoder.push(b"ok\0");
            decoder.push(too_long);
            assert_eq!(decoder.pop(), Ok(Some(b"ok".to_vec())));
            assert_eq!(decoder.pop(), Err(TooLong { bytes_max: 4 }));
            decoder.push(b"\0ok\0");
            assert_eq!(decoder.pop(), Err(TooLong { bytes_max: 4 }));
        }
    }

    #[test]
    fn a_large_message_that_arrives_byte_by_byte_is_scanned_once() {
        // Quadratic work would be 5 * 10^11 steps: this test would not end.
        let mut decoder = Decoder::new(REQUEST_BYTES_MAX);
        for _ in 0..REQUEST_BYTES_MAX {
            decoder.push(b"x");
            assert_eq!(decoder.pop(), Ok(None));
        }
        decoder.push(b"\0");
        assert_eq!(decoder.pop().unwrap().unwrap().len(), REQUEST_BYTES_MAX);
    }

    #[test]
    fn a_large_message_leaves_no_large_buffer_behind() {
        let mut decoder = Decoder::new(REQUEST_BYTES_MAX);
        decoder.push(&vec![b'x'; REQUEST_BYTES_MAX]);
        decoder.push(b"\0");
        assert_eq!(drain(&mut decoder).len(), 1);
        assert!(decoder.buffer.capacity() <= IDLE_CAPACITY);
    }

    #[test]
    fn what_cannot_be_encoded_leaves_no_trace() {
        let mut out = b"before\0".to_vec();
        assert!(encode(&BTreeMap::from([((), 1)]), &mut out).is_err());
        assert_eq!(out, b"before\0");
        encode(&true, &mut out).unwrap();
        assert_eq!(out, b"before\0true\0");
    }
}

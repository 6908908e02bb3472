//! What a fuzzer calls: any bytes as a client's or the daemon's stream, with the promises checked.

use crate::frame::{self, Decoder, TooLong};
use crate::interface::{CallError, Request};
use crate::message::{Call, Reply};

/// The bound that the streams are decoded with, small enough for inputs to reach it.
const BYTES_MAX: usize = 2048;

/// Reads `data` as a stream of messages.
///
/// # Panics
/// A promise is broken: the messages depend on how the bytes came in, the decoder holds more than it may,
/// or what was understood reads differently when it is written and read again.
pub fn messages(data: &[u8]) {
    let (whole, end) = decode(data, |_| data.len());
    let mut state = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3) // FNV-1a: the pieces follow from the input.
    });
    let pieces = |left: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1 + usize::from(state.to_be_bytes()[0]) % left.clamp(1, 64)
    };
    assert_eq!(decode(data, pieces), (whole.clone(), end), "the pieces change the messages");
    assert_eq!(decode(data, |_| 1), (whole.clone(), end), "single bytes change the messages");
    for message in whole {
        request(&message);
        if let Ok(reply) = Reply::decode(&message)
            && let Some(error) = reply.error
        {
            let _known = CallError::from_reply(&error, reply.parameters);
        }
    }
}

/// Pushes `data` in pieces as long as `piece` says of what is left, and pops all messages after each.
fn decode(data: &[u8], mut piece: impl FnMut(usize) -> usize) -> (Vec<Vec<u8>>, Option<TooLong>) {
    let mut decoder = Decoder::new(BYTES_MAX);
    let mut messages = Vec::new();
    let mut left = data;
    while !left.is_empty() {
        let (now, later) = left.split_at(piece(left.len()).clamp(1, left.len()));
        left = later;
        decoder.push(now);
        loop {
            match decoder.pop() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(decoder.pending() <= BYTES_MAX, "the decoder holds {} bytes", decoder.pending());
    }
    (messages, None)
}

/// Reads one message as a call. Whatever comes of it must survive being written and read.
fn request(message: &[u8]) {
    let Ok(call) = Call::decode(message) else { return };
    let mut written = Vec::new();
    match Request::parse(&call) {
        Ok(request) => {
            let wrote = frame::encode(&Call::new(request.method(), &request), &mut written);
            assert!(wrote.is_ok() && written.pop() == Some(0) && !written.contains(&0));
            let again = Call::decode(&written).ok().map(|call| Request::parse(&call));
            assert_eq!(again, Some(Ok(request)));
        }
        Err(error) => {
            let wrote = frame::encode(&error, &mut written);
            assert!(wrote.is_ok() && written.pop() == Some(0) && !written.contains(&0));
            let reply = Reply::decode(&written).ok();
            let again =
                reply.and_then(|reply| CallError::from_reply(reply.error.as_deref()?, reply.parameters));
            assert_eq!(again, Some(error));
        }
    }
}

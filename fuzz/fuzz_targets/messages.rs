//! Any bytes as what comes through the local socket.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| clinit_control::fuzzing::messages(data));

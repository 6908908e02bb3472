//! Any bytes as a table.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| clinit_table::fuzzing::table(data));

//! The rules of the house that a compiler does not know. Each failure says what to do.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod dependencies;
mod licences;
mod proofs;
mod sources;

use std::path::{Path, PathBuf};

/// The top of the workspace.
fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Fails with all of `faults` at once.
fn none_of(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

//! The logger: carries the lines that entries print, and those of the engine.
//!
//! ```text
//!   entries ── FIFOs ──────> logger ── "web/httpd | ..." ──> standard output
//!   engine ── notes (pipe) ──> │ ────────────────────────> standard error, or the daemon's log file
//!          ── Feed ───────────>┘   whom to follow, and how to call them
//! ```
//!
//! It may block on a slow terminal or disk, so that nobody else has to. FIFOs are opened for reading and
//! writing, here as in keeper and entries: while the logger is dead, entries go on printing into the
//! FIFO's buffer, and the next logger finds what they printed.
//!
//! Not here: what an entry is, and whether it runs.

#![forbid(unsafe_code)]

pub mod feed;
mod follow;
mod run;
mod stamp;

pub use run::{LoggerError, run};

/// The name under which a process shows that it is the logger.
pub const ROLE: &str = "logger";

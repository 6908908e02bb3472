//! The logger: carries the lines that entries print, and those of the engine.
//!
//! ```text
//!   entries ── FIFOs ──────> logger ──> files: DIR/GROUP/TAG/current, ...
//!                              │    ──> standard output: "web/httpd | ..."
//!                              │    ──> the system's log
//!   engine ── notes (pipe) ──> │ ─────> standard error, or the daemon's log file
//!         <── Feed, Word ─────>┘   whom to follow, and where to; what cannot be written
//! ```
//!
//! It may block on a slow terminal or disk, so that nobody else has to. FIFOs are opened for reading and
//! writing, here as in entries, and held by keeper and engine: while the logger is dead, entries go on printing into
//! the FIFO's buffer, and the next logger finds what they printed. What it had read and not written it finds, too
//! (`place`).
//!
//! | file | room for |
//! |---|---|
//! | `feed` | the messages between engine and logger |
//! | `run` | the loop |
//! | `carrier`, `carry`, `trouble` | streams, and what becomes of their lines |
//! | `place`, `held`, `sinks` | what outlives the logger |
//! | `piece` | from bytes to stamped lines, measured by the size of a file |
//! | `folder`, `sync` | the files of an entry, as multilog has them |
//! | `lines` | terminal and system's log |
//! | `stamp` | times as text, and back |
//!
//! Not here: what an entry is, and whether it runs; reading what was written.

#![forbid(unsafe_code)]

pub mod feed;
pub mod stamp;

mod carrier;
mod carry;
mod folder;
mod held;
#[cfg(test)]
mod kills;
mod lines;
#[cfg(test)]
mod lives;
mod piece;
mod place;
mod run;
mod sinks;
mod step;
mod sync;
#[cfg(test)]
mod testing;
mod trouble;

pub use folder::folder_name;
pub use run::{LoggerError, run};
pub use sinks::keep_for_good;

/// The name under which a process shows that it is the logger.
pub const ROLE: &str = "logger";

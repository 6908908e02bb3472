//! The descriptors that the three processes are started with, by number.
//!
//! Keeper, engine and logger all hold the first three, so that any of them can bring the others back.

use std::os::fd::RawFd;

/// The socket on which the daemon answers.
pub const LISTEN: RawFd = 3;
/// The locked file that says that a daemon holds the socket.
pub const LOCK: RawFd = 4;
/// The folder of the daemon's state.
pub const STATE: RawFd = 5;
/// Engine: the keeper's orders and reports.
pub const KEEPER: RawFd = 6;
/// Engine and logger: what the engine tells the logger.
pub const FEED: RawFd = 7;
/// Logger: what the engine writes to its standard error.
pub const NOTES: RawFd = 8;
/// Engine and logger: reads as ended when the keeper is gone.
pub const LIFE: RawFd = 9;
/// Engine and logger: the standard output that the daemon was started with.
pub const STDOUT: RawFd = 10;
/// Engine and logger: the standard error that the daemon was started with.
pub const STDERR: RawFd = 11;

/// A keeper is started with those below this.
pub const KEEP_KEEPER: u32 = 6;
/// Engine and logger with those below this.
pub const KEEP_COMPANION: u32 = 12;
/// An entry with those below this: the standard three.
pub const KEEP_ENTRY: u32 = 3;

/// Above all fixed numbers: where a process puts descriptors of its own that it hands on.
pub const FREE: RawFd = 16;

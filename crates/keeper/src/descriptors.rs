//! The descriptors that the three processes are started with, by number.
//!
//! Keeper, engine and logger all hold the first six, so that any of them can bring the others back, and that
//! what waits in their queues outlives any two of them.

use std::os::fd::RawFd;

/// The socket on which the daemon answers.
pub const LISTEN: RawFd = 3;
/// The locked file that says that a daemon holds the socket.
pub const LOCK: RawFd = 4;
/// The folder of the daemon's state.
pub const STATE: RawFd = 5;
/// The socket to which entries send what they have to say (sd_notify(3)).
pub const NOTIFY: RawFd = 6;
/// The socket that hears what entries write to their descriptors for readiness.
pub const READY: RawFd = 7;
/// The socket in whose queue the sockets of entries are kept.
pub const STORE: RawFd = 8;
/// Engine: the keeper's orders and reports.
pub const KEEPER: RawFd = 9;
/// Engine and logger: what the engine tells the logger.
pub const FEED: RawFd = 10;
/// Logger: what the engine writes to its standard error.
pub const NOTES: RawFd = 11;
/// Engine and logger: reads as ended when the keeper is gone.
pub const LIFE: RawFd = 12;
/// Engine and logger: the standard output that the daemon was started with.
pub const STDOUT: RawFd = 13;
/// Engine and logger: the standard error that the daemon was started with.
pub const STDERR: RawFd = 14;

/// A keeper is started with those below this.
pub const KEEP_KEEPER: u32 = 9;
/// Engine and logger with those below this.
pub const KEEP_COMPANION: u32 = 15;
/// An entry with those below this: the standard three, and its sockets behind them.
pub const KEEP_ENTRY: u32 = 3;

/// What all three hold.
pub const SHARED: [RawFd; 6] = [LISTEN, LOCK, STATE, NOTIFY, READY, STORE];

/// Above all fixed numbers: where a process puts descriptors of its own that it hands on.
pub const FREE: RawFd = 16;

//! The program as its users see it: commands, files, processes, and what becomes of them.
//!
//! | file | room for |
//! |---|---|
//! | `place`, `daemon`, `command`, `process`, `script`, `wait`, `wire`, `cgroup2`, `user` | tools |
//! | `levels`, `modes`, `throttle`, `newest`, `stopping`, `leftovers` | what a table means |
//! | `rereading`, `refusing`, `drop_in` | tables that change |
//! | `child`, `cgroups`, `exec`, `surroundings`, `identity` | what a service is started with |
//! | `original`, `isinit`, `autostart`, `verbs`, `status`, `tell`, `check`, `tables` | commands |
//! | `sockets`, `status_file`, `varlink`, `rude`, `strangers`, `python` | the daemon's files, its socket |
//! | `up`, `examples` | tables in the foreground |
//! | `deaths`, `kills`, `idle` | what the daemon outlives, and that it rests |
//!
//! Every test has a folder of its own with a table, a socket and a status file in it. All that was started
//! there is found by the socket's path, and ends with the test.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod cgroup2;
mod command;
mod daemon;
mod place;
mod process;
mod script;
mod user;
mod wait;
mod wire;

mod autostart;
mod cgroups;
mod check;
mod child;
mod deaths;
mod drop_in;
mod examples;
mod exec;
mod hand;
mod identity;
mod idle;
mod isinit;
mod kills;
mod leftovers;
mod levels;
mod modes;
mod newest;
mod original;
mod python;
mod refusing;
mod rereading;
mod rude;
mod sockets;
mod status;
mod status_file;
mod stopping;
mod strangers;
mod surroundings;
mod tables;
mod tell;
mod throttle;
mod up;
mod varlink;
mod verbs;

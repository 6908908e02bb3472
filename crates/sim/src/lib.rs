//! A simulation of clinit: the real engine on a virtual clock, among processes that misbehave.
//!
//! ```text
//!   Operator ── tell, reread, shutdown ──┐
//!                                        v
//!                                      Engine ──── orders ────> Keeper ── processes
//!                                        ^                        │
//!                      dies, is restored │<────── events ─────────┘
//!                                        v
//!                                     records
//! ```
//!
//! A seed decides everything: what the table says, what the operator does, how processes behave, in which
//! order messages arrive, when time passes, and at which point of a step the engine's process dies. After
//! every step the promises in `promises` are checked against what really runs; from time to time
//! the operator rests, and everything has to become what it was asked for. The same seed gives the same
//! run.
//!
//! A machine is one node. Several of them on one clock, with planners among them, are to come.
//!
//! Not here: the kernel, files, sockets. That they are what the fake keeper takes them for is tested where
//! they are used.

#![forbid(unsafe_code)]

mod care;
mod keeper;
mod machine;
mod model;
mod moment;
mod operator;
mod process;
mod promises;
mod renewal;
mod rest;
mod restart;
mod rng;
mod run;
mod sights;
mod slot;
mod speech;
mod trace;
mod turns;
mod watch;

pub use run::{Failure, Scenario, run};
pub use sights::Sights;

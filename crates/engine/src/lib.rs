//! The pure state machines of clinit: what happened goes in, what is to be done comes out.
//!
//! ```text
//!   Event ──> Node::step(now, event, out) ──> Action ...
//!               │
//!               ├─ Group    which level, which entries are wanted, in which order they start
//!               └─ Entry    one life after the other: start, run, stop, throttle
//! ```
//!
//! A [`Node`] holds what one machine runs. It is driven by one function, which is total: every event is
//! answered in every state. Time is an argument ([`time::Instant`]); deadlines stand in a table that
//! [`Node::next_deadline`] reads. Every life of an entry has its own [`event::Generation`], and events of
//! an older one are dropped.
//!
//! What must survive the process that runs the engine is handed out as [`record`]s, before the actions of
//! the same step are done; [`Node::restore`] takes them back.
//!
//! Not here: files, sockets, processes, clocks, threads, randomness, logging. The crate's `clippy.toml`
//! keeps them out.

#![forbid(unsafe_code)]
// The machines are total: a catch-all arm would hide the state that is added next year.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod care;
pub mod entry;
pub mod event;
pub mod group;
pub mod logging;
pub mod name;
pub mod node;
pub mod record;
pub mod spec;
pub mod surroundings;
pub mod task;
pub mod throttle;
pub mod time;
mod timers;

pub use event::{Action, Event, Exit, Generation, Notice};
pub use name::{EntryKey, GroupName, Level, Tag};
pub use node::Node;
pub use time::Instant;

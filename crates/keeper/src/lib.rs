//! The keeper: parent of every service, and subreaper of all that they leave behind.
//!
//! ```text
//!   engine ── Order ──> keeper ── clone3 ──> services
//!          <── Report ──   │ └── clone3 ──> engine, logger (brought back when they die)
//!                          └── slots: shared memory that outlives it
//! ```
//!
//! It starts, signals and reaps, and notes in the slots what became of every child *before* it tells the
//! engine, which may be dead just then. It knows generations and process groups; it knows no entries, no
//! groups, no levels and no table. It parses no text and decides nothing: what cannot wait for the engine
//! (killing the rest when a main process ends) comes with the order that starts it.
//!
//! When the keeper itself dies, services live on. The engine, or else the logger, starts another one over
//! the same state, and that one adopts what the slots name.

#![forbid(unsafe_code)]

pub mod descriptors;
pub mod fifo;
pub mod handover;
pub mod kin;
pub mod protocol;
pub mod ready;
pub mod steps;

mod adopt;
mod children;
mod companion;
mod controllers;
mod follow;
mod orders;
mod passing;
mod reaping;
mod reexec;
mod reports;
mod revive;
mod run;
mod scope;

pub use adopt::living;
pub use companion::Companion;
pub use controllers::cgroup_parent;
pub use revive::{Reviver, start};
pub use run::{GONE, KeeperError, run};

/// The name under which a process shows that it is the keeper.
pub const ROLE: &str = "keeper";

//! The daemon: the engine's machines run over keeper, logger, socket and files.
//!
//! ```text
//!   start ──exec──> keeper ──> engine, logger
//! ```
//!
//! [`start`] prepares everything that can fail in front of the person who starts it (paths, lock, socket,
//! table) and becomes the keeper. [`main_of_role`] is what each of the three processes runs.
//!
//! Not here: the commands that people type, and how their answers look.

#![forbid(unsafe_code)]

mod accounts;
mod engine;
pub mod logs;
pub mod machine;
pub mod paths;
mod remembered;
mod roles;
mod sockets;
pub mod start;
mod taking;

pub use clinit_sys::signals::number as signal_number;
pub use engine::{EngineError, counting};
pub use roles::{Manner, Role, Setup, main_of_role};

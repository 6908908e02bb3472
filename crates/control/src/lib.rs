//! The local socket of clinit: its messages, and a client for them.
//!
//! ```text
//!   bytes ──> frame::Decoder ──> message::Call ──> interface::Request      (the daemon's side)
//!   bytes <── frame::encode  <── message::Reply <── a method's reply, or interface::CallError
//!
//!   client::Client: the same from the other end, where every wait has a deadline
//! ```
//!
//! The protocol is [varlink](https://varlink.org): JSON objects, each followed by a NUL byte, over a
//! stream socket. A call names a method and is answered by one reply, or with `more` by several; replies
//! come in the order of the calls. The interfaces are text files beside the code,
//! `org.clinit.Init.varlink` and `org.varlink.service.varlink`. A client can ask the daemon for them, so
//! any varlink client can speak to it.
//!
//! Not here: listening, accepting and answering, which are the daemon's; who may do what, which is the
//! daemon's too; an async runtime. What arrives is never trusted: messages are bounded, and a wrong one is
//! an error value.

#![forbid(unsafe_code)]

pub mod client;
pub mod frame;
#[doc(hidden)]
pub mod fuzzing;
pub mod interface;
pub mod message;

pub use client::{Client, ClientError};
pub use interface::{CallError, Request};

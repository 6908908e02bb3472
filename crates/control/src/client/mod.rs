//! A blocking client of the socket. Every wait has a deadline: it answers or fails, and never hangs.
//!
//! ```no_run
//! use clinit_control::client::{Client, TIMEOUT};
//! use clinit_control::interface::{Status, Tell};
//!
//! let mut client = Client::connect("/run/clinit/init.s".as_ref(), TIMEOUT)?;
//! let told = client.tell(&Tell { group: "web".into(), level: "run".into(), strict: true })?;
//! assert_eq!(told.reply, "level transition started");
//! for group in client.status(&Status::default())?.groups {
//!     assert!(group.entries.len() < 1000, "group {} is {}", group.name, group.state);
//! }
//! # Ok::<(), clinit_control::ClientError>(())
//! ```

mod calls;
mod error;
mod replies;
mod wire;

pub use calls::{Client, TIMEOUT};
pub use error::{ClientError, ProtocolError};
pub use replies::Replies;
pub use wire::SOCKET_PATH_BYTES_MAX;

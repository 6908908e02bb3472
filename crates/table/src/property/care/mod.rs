//! The properties about what is done for an entry beyond starting and stopping it: readiness, health, restarts,
//! reloads, sockets, and what it follows.
//!
//! ```text
//!   rows    the part of the registry
//!   kind    the types of their values        value   a text as a value, if it is one
//!   draft   what they say at one scope       modes   where they say nothing
//! ```

mod draft;
mod kind;
mod modes;
mod rows;
mod value;

pub(super) use draft::{CareDraft, LISTEN_MAX, LISTEN_MODE, LinksDraft, SharedCare, first_free_descriptor};
pub(super) use kind::CareKind;
pub(super) use modes::is_service;
pub(crate) use modes::modes_of;
pub(super) use rows::ROWS;

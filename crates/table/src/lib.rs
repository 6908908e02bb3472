//! The table of clinit: text in, a model with diagnostics out.
//!
//! ```text
//!   load        files       -> sources          the only I/O of this crate
//!   source      bytes       -> lines            UTF-8, bounds, comments
//!   record      line        -> five columns     `group:tag:levels:mode:command`
//!   statement   columns     -> statement        an entry, or a property with its scope
//!   assembly    statements  -> engine's Table   wider scopes are defaults for narrower ones
//! ```
//!
//! [`parse()`] runs all but the first. It never fails and never panics: what is wrong becomes a [`Diagnostic`]
//! with a place and a hint, the line that it is about is left out, and the rest is kept. Whether a table with
//! faults is used is the caller's decision.
//!
//! Each property is one row of [`property::REGISTRY`]; its parser, its scopes and its documentation are made
//! from that row.
//!
//! What this crate does not do: it looks at no clock, starts nothing, resolves no relative path, and does not
//! know what was given on the command line ([`settings::resolve`] is for those who do).

#![forbid(unsafe_code)]

mod assembly;
mod columns;
mod command;
pub mod diagnostic;
pub mod environment;
#[doc(hidden)]
pub mod fuzzing;
mod glyph;
mod hollow;
mod links;
pub mod lint;
pub mod load;
mod parse;
pub mod places;
pub mod property;
mod record;
pub mod reference;
pub mod render;
mod report;
mod scope;
pub mod settings;
pub mod source;
mod statement;
mod suggest;
mod transient;

pub use assembly::{ENTRIES_MAX, PROPERTIES_MAX};
pub use columns::{RESERVED_GROUPS, TRANSIENT_GROUP};
pub use diagnostic::{Diagnostic, Severity, Span};
pub use lint::{Given, given, lint};
pub use load::{LoadError, load};
pub use parse::{Dialect, ParseOptions, Parsed, parse};
pub use places::Places;
pub use render::{render, render_one_line};
pub use report::{FAULTS_MAX, WARNINGS_MAX};
pub use settings::{Setting, Settings};
pub use source::{LINE_BYTES_MAX, Source};
pub use suggest::nearest;
pub use transient::{Wanted, transient_entry};

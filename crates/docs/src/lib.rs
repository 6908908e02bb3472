//! What people read and what shells complete, made from the registries: properties, modes and codes of
//! diagnostics (`clinit-table`), verbs, forms, files and exit codes (`clinit`).
//!
//! ```text
//!   pages/*.txt --read--> blocks --+
//!                                  +--> roff      man/*
//!   registries ---------> blocks --+
//!   registries ---------> reference ----> docs/properties.md
//!   shells/* with words of the registry of verbs --> completions/*
//! ```
//!
//! `cargo xtask docs` writes [`files`] to their places; a test compares them. What this crate does not do: it
//! decides nothing and is linked into nothing that runs on a machine.

#![forbid(unsafe_code)]

mod block;
mod completion;
mod manual;
mod reference;
mod roff;
mod usage;

/// How all of it is made anew.
pub const COMMAND: &str = "cargo xtask docs";

/// All files, by their paths from the top of the workspace.
#[must_use]
pub fn files() -> Vec<(&'static str, String)> {
    vec![
        ("docs/properties.md", reference::properties()),
        ("man/cltab.5", manual::cltab()),
        ("man/clinit.8", manual::clinit()),
        ("man/isinit.8", manual::isinit()),
        ("completions/clinit.bash", completion::bash()),
        ("completions/_clinit", completion::zsh()),
        ("completions/clinit.fish", completion::fish()),
    ]
}

//! What programs and people rely on, as scenes on a [`stage::Stage`].

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may panic like tests")]

mod care;
mod halt;
mod hand;
mod levels;
mod modes;
mod order;
mod renewing;
mod reread;
mod restore;
mod scale;
mod stage;
mod transient;

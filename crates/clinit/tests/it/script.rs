//! Commands of entries that tests need again and again. Each makes the file `ready` when it listens.

/// Runs until it is asked to stop, then does this, and ends.
pub(crate) fn at_term(commands: &str) -> String {
    format!("trap '{commands}; exit' TERM; {RUN}")
}

/// Runs until it is asked to stop, makes the file `asked`, and ends when there is a file `go`.
pub(crate) fn slow() -> String {
    at_term("touch asked; until test -e go; do sleep 0.02; done")
}

/// Hears no TERM.
pub(crate) fn deaf() -> String {
    format!("trap '' TERM; {RUN}")
}

const RUN: &str = "touch ready; while :; do sleep 0.02; done";

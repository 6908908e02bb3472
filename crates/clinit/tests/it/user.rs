//! Who runs the tests, and who else could.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::command::program;
use crate::daemon::Place;

/// A user who is nobody in particular.
pub(crate) const STRANGER: u32 = 65_534;

/// Says that a test did nothing, and why. Cargo shows it with `--nocapture`.
#[expect(clippy::print_stderr, reason = "a test that did nothing must not look like one that passed")]
pub(crate) fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

/// Whether root runs the tests.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether a test can be another user; says so if it cannot.
pub(crate) fn can_be_stranger() -> bool {
    if !is_root() {
        skip("only root can become another user");
    }
    is_root()
}

/// `clinit WORDS` in a place, as a user who is not root.
pub(crate) fn as_ordinary_user(place: &Place, words: &str) -> Command {
    if is_root() {
        return as_stranger(place, words);
    }
    let mut command = place.command();
    command.args(words.split_whitespace());
    command
}

/// `clinit WORDS` in a place, as another user: a copy of the program, as the built one may be in a folder
/// that is closed to others.
pub(crate) fn as_stranger(place: &Place, words: &str) -> Command {
    let copy = place.path("clinit");
    if !place.has("clinit") {
        std::fs::copy(crate::command::CLINIT, &copy).unwrap();
    }
    let mut command = program(copy.to_str().unwrap());
    command.uid(STRANGER).gid(STRANGER).current_dir(place.path("")).args(words.split_whitespace());
    command
}

//! Who runs the tests, and who else could.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::command::{CLINIT, program};
use crate::place::Place;

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
pub(crate) fn unprivileged(place: &Place, words: &str) -> Command {
    unprivileged_as(place, "clinit", words)
}

/// The program called by this name, as a user who is not root. It is a copy: the one that was built may be
/// in a folder that is closed to others.
pub(crate) fn unprivileged_as(place: &Place, name: &str, words: &str) -> Command {
    let copy = place.path(name);
    if !place.has(name) {
        std::fs::copy(CLINIT, &copy).unwrap();
    }
    let mut command = program(copy.to_str().unwrap());
    if is_root() {
        command.uid(STRANGER).gid(STRANGER);
    }
    command.current_dir(place.path("")).args(words.split_whitespace());
    command
}

/// Makes a folder that is the unprivileged user's alone.
pub(crate) fn make_folder_for_unprivileged(place: &Place, name: &str) {
    std::fs::create_dir(place.path(name)).unwrap();
    give_to_unprivileged(place, name);
    place.chmod(name, 0o700);
}

/// Makes the unprivileged user the owner of a file or folder.
pub(crate) fn give_to_unprivileged(place: &Place, name: &str) {
    if is_root() {
        chown(place.path(name), Some(STRANGER), Some(STRANGER)).unwrap();
    }
}

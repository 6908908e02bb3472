//! Running commands, in the open: each is shown before it runs and named when it fails.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{Command, Stdio};

/// The cargo that runs this program, else the one in PATH.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs `command` to its end, with nothing to read.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let line = line(command);
    say(&format!("+ {line}"));
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{line}: {status}")),
        Err(error) => Err(format!("failed to run {line}: {error}")),
    }
}

/// Whether `command` can be run and succeeds. What it prints is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// A line for the person who watches.
pub(crate) fn say(line: &str) {
    // There is nobody to tell that nobody reads.
    drop(writeln!(io::stderr(), "{line}"));
}

/// The command as it would be typed, its program by its last name.
fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let words = std::iter::once(program.file_name().unwrap_or_default()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

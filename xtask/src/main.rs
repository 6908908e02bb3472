//! The project's own chores: `cargo xtask` lists them.

#![forbid(unsafe_code)]

mod chores;
mod command;
mod packages;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// A chore that the command line can name.
struct Task {
    name: &'static str,
    summary: &'static str,
    run: fn() -> Result<(), String>,
}

const TASKS: [Task; 2] = [
    Task {
        name: "check",
        summary: "format, lints and docs, where every warning is an error",
        run: chores::check,
    },
    Task {
        name: "test",
        summary: "all tests; as root on Debian it first installs what they need",
        run: chores::test,
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let task = match words.as_slice() {
        [] => return menu(io::stdout(), ExitCode::SUCCESS),
        [name] => TASKS.iter().find(|task| task.name == name),
        _ => None,
    };
    let Some(task) = task else { return menu(io::stderr(), ExitCode::from(2)) };
    let outcome = enter_workspace().and_then(|()| (task.run)());
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    command::say(&format!("xtask {}: {failure}", task.name));
    ExitCode::FAILURE
}

/// All tasks, a line each. A reader that hangs up is no failure.
fn menu(mut out: impl Write, code: ExitCode) -> ExitCode {
    let lines: String =
        TASKS.iter().map(|task| format!("cargo xtask {:<6} {}\n", task.name, task.summary)).collect();
    drop(out.write_all(lines.as_bytes()));
    code
}

/// Chores run at the top of the workspace, wherever they are called.
fn enter_workspace() -> Result<(), String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::set_current_dir(&top).map_err(|error| format!("failed to enter {}: {error}", top.display()))
}

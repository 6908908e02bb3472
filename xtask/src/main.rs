//! The project's own chores: `cargo xtask` lists them.

#![forbid(unsafe_code)]

mod callgrind;
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
    run: fn(&[String]) -> Result<(), String>,
}

const TASKS: [Task; 4] = [
    Task {
        name: "check",
        summary: "format, lints and docs, where every warning is an error",
        run: |options| none(options).and_then(|()| chores::check()),
    },
    Task {
        name: "docs",
        summary: "makes manual pages, docs/properties.md and completions anew from the registries",
        run: |options| none(options).and_then(|()| chores::docs()),
    },
    Task {
        name: "test",
        summary: "all tests; as root on Debian it first installs what they need",
        run: |options| none(options).and_then(|()| chores::test()),
    },
    Task {
        name: "callgrind",
        summary: "instructions of hot paths beside those accepted; a rise fails with --strict, is taken with --accept",
        run: callgrind::callgrind,
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let task = match words.as_slice() {
        [] => return menu(io::stdout(), ExitCode::SUCCESS),
        [name, ..] => TASKS.iter().find(|task| task.name == name),
    };
    let Some(task) = task else { return menu(io::stderr(), ExitCode::from(2)) };
    let outcome = enter_workspace().and_then(|()| (task.run)(&words[1..]));
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    command::say(&format!("xtask {}: {failure}", task.name));
    ExitCode::FAILURE
}

/// All tasks, a line each. A reader that hangs up is no failure.
fn menu(mut out: impl Write, code: ExitCode) -> ExitCode {
    let lines: String =
        TASKS.iter().map(|task| format!("cargo xtask {:<9} {}\n", task.name, task.summary)).collect();
    drop(out.write_all(lines.as_bytes()));
    code
}

/// For tasks that take no options.
fn none(options: &[String]) -> Result<(), String> {
    options.first().map_or(Ok(()), |option| Err(format!("no option {option}: there are none")))
}

/// Chores run at the top of the workspace, wherever they are called.
fn enter_workspace() -> Result<(), String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::set_current_dir(&top).map_err(|error| format!("failed to enter {}: {error}", top.display()))
}

//! The program `clinit`, also called `isinit`.
//!
//! By the name it is called by it is one of the three processes of a daemon, or the command that people
//! type. The commands are in the library's `cli`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clinit::cli;
use clinit_daemon::{Role, main_of_role};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    match Role::of(&name) {
        Some(role) => ExitCode::from(main_of_role(role, arguments.collect())),
        None => cli::main(&name, arguments.collect()).into(),
    }
}

//! An ordinary varlink client: the one from PyPI.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::command::{finish_within, program, run};
use crate::daemon::Daemon;
use crate::user::skip;

/// Says that there is no network; otherwise a test that cannot install what it needs has failed.
const OFFLINE: &str = "CLINIT_TEST_OFFLINE";

/// Whether a command that works on the network succeeds.
fn slowly(command: &mut Command) -> bool {
    let Ok(child) = command.stdout(Stdio::piped()).spawn() else { return false };
    finish_within(child, Duration::from_secs(100)).code == Some(0)
}

/// A Python that has the client, made once in the target folder.
fn python() -> Option<PathBuf> {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("varlink-venv");
    let python = venv.join("bin/python");
    let is_ready = || run(program(python.to_str().unwrap()).args(["-c", "import varlink"])).code == Some(0);
    if python.exists() && is_ready() {
        return Some(python);
    }
    let made = slowly(program("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    let install = ["-m", "pip", "install", "--quiet", "varlink"];
    if made && slowly(program(python.to_str().unwrap()).args(install)) && is_ready() {
        return Some(python);
    }
    assert!(
        std::env::var_os(OFFLINE).is_some_and(|value| value == "1"),
        "python3 with venv and pip could not install varlink; without a network set {OFFLINE}=1"
    );
    skip("varlink's Python client could not be installed");
    None
}

#[test]
fn the_client_from_pypi_understands_the_daemon() {
    let Some(python) = python() else { return };
    let daemon = Daemon::start("web:httpd:start,:respawn:sleep 1000\nweb:check:test,:test:true\n");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/python.py");
    let said = run(program(python.to_str().unwrap()).arg(script).arg(daemon.socket()));
    said.is(0, "all is well\n", "");
    assert_eq!(daemon.wait_end(), Some(0));
}

//! What the tests need of the machine.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::command::{run, say};

/// Debian packages that tests use. A test whose tool is missing says so itself.
const DEBIAN_PACKAGES: [&str; 11] = [
    "curl",
    "daemontools",
    "fish",
    "groff-base",
    "man-db",
    "nginx",
    "python3-venv",
    "redis-server",
    "redis-tools",
    "valgrind",
    "zsh",
];

/// Installs what is missing, as root on Debian; elsewhere says what is missing and leaves it at that.
pub(crate) fn provide() -> Result<(), String> {
    if !Path::new("/etc/debian_version").exists() {
        say(&format!("not Debian: tests use what is there called {}", DEBIAN_PACKAGES.join(", ")));
        return Ok(());
    }
    let missing: Vec<&str> = DEBIAN_PACKAGES.into_iter().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() {
        say(&format!("not root: going on without the packages {}", missing.join(", ")));
        return Ok(());
    }
    run(&mut apt_get(&["update", "--quiet"]))?;
    run(apt_get(&["install", "--quiet", "--yes", "--no-install-recommends"]).args(missing))
}

fn apt_get(words: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
    // Installed is enough: no server is started (invoke-rc.d(8)).
    command.env("RUNLEVEL", "1");
    command
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    let answer = query.args(["--show", "--showformat=${db:Status-Status}", package]).output();
    answer.is_ok_and(|answer| answer.stdout == b"installed")
}

/// The owner of a process's folder in /proc is its effective user (proc(5)).
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|folder| folder.uid() == 0)
}

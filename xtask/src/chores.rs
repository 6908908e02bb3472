//! What each task does.

use crate::command::{cargo, run, succeeds};
use crate::packages;

/// Format, lints and docs.
pub(crate) fn check() -> Result<(), String> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    run(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// What people read and what shells complete, from the registries.
pub(crate) fn docs() -> Result<(), String> {
    run(cargo().args(["run", "--quiet", "--package", "clinit-docs"]))
}

/// All tests. Nextest runs each in a process of its own and ends those that hang; docs are beyond it.
pub(crate) fn test() -> Result<(), String> {
    packages::provide()?;
    if succeeds(cargo().args(["nextest", "--version"])) {
        // Where nobody can look again, a test that fails is tried again, and named as flaky.
        let profile = if std::env::var_os("CI").is_some() { "ci" } else { "default" };
        run(cargo().args(["nextest", "run", "--workspace", "--profile", profile]))?;
    } else {
        run(cargo().args(["test", "--workspace", "--all-targets"]))?;
    }
    run(cargo().args(["test", "--workspace", "--doc"]))
}

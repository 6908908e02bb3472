//! Settings: what the table says about the daemon itself.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clinit_engine::name::Tag;

/// The settings of a table, each where it is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Path of the local socket.
    pub socket: Option<Setting<PathBuf>>,
    /// Permission bits of the local socket.
    pub socket_mode: Option<Setting<u32>>,
    /// Path of the status file.
    pub clstat: Option<Setting<PathBuf>>,
    /// Path of the daemon's own log file.
    pub log: Option<Setting<PathBuf>>,
    /// Whether levels told and stops by hand outlive the machine's going down.
    pub remember: Option<bool>,
    /// The entry with whose end the daemon ends.
    pub exit_with: Option<Tag>,
    /// How long a shutdown may take before what is left is killed; `None` is as long as each entry may.
    pub shutdown_timeout: Option<Duration>,
    /// Path of the file that remembers them.
    pub remember_file: Option<Setting<PathBuf>>,
    /// The folder in which what entries print is kept.
    pub log_folder: Option<Setting<PathBuf>>,
}

/// One setting as the table gives it. Paths are as they were written, perhaps relative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// Its value.
    pub value: T,
    /// Whether it beats the value given on the command line or to the constructor (`::override:NAME:VALUE`).
    pub overrides: bool,
    /// Where it stands.
    pub place: Place,
}

/// A line of a source; displayed as `path:LINE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name of the source.
    pub source: Arc<str>,
    /// Number of the line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.line)
    }
}

/// The value in effect: an overriding setting, else what was `given` on the command line or to the
/// constructor, else the setting, else the default.
pub fn resolve<T>(given: Option<T>, setting: Option<Setting<T>>, default: impl FnOnce() -> T) -> T {
    match (given, setting) {
        (Some(given), None | Some(Setting { overrides: false, .. })) => given,
        (_, Some(setting)) => setting.value,
        (None, None) => default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overriding_setting_beats_what_is_given_which_beats_a_plain_one_which_beats_the_default() {
        let table = |overrides| {
            Some(Setting { value: "table", overrides, place: Place { source: "t".into(), line: 1 } })
        };
        assert_eq!(resolve(Some("given"), table(true), || "default"), "table");
        assert_eq!(resolve(Some("given"), table(false), || "default"), "given");
        assert_eq!(resolve(None, table(false), || "default"), "table");
        assert_eq!(resolve(Some("given"), None, || "default"), "given");
        assert_eq!(resolve(None, None, || "default"), "default");
    }
}

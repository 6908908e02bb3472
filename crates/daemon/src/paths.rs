//! Where things are when nobody says.

use std::path::{Path, PathBuf};

use clinit_table::Dialect;
use rustix::process::geteuid;

/// The environment variable that names the socket; entries get it.
pub const SOCKET_VARIABLE: &str = "CLINIT_SOCKET";

/// Default paths for the current user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The table.
    pub table: PathBuf,
    /// The folder of socket and status file. Made when missing, with mode 0755 for root, else 0700.
    pub run: PathBuf,
    /// The socket.
    pub socket: PathBuf,
    /// The status file; `isinit` writes none unless the table names it.
    pub clstat: Option<PathBuf>,
}

impl Paths {
    /// The defaults: of root, or of an ordinary user.
    #[must_use]
    pub fn of_user(dialect: Dialect) -> Self {
        let uid = geteuid();
        let variable =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        if uid.is_root() {
            return Self::over(dialect, Path::new("/etc"), Path::new("/var/run"));
        }
        let home = variable("HOME").unwrap_or_else(|| PathBuf::from("/"));
        let config = variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        match variable("XDG_RUNTIME_DIR") {
            Some(run) => Self::over(dialect, &config, &run),
            None => {
                let mut paths = Self::over(dialect, &config, Path::new("/tmp"));
                paths.run = PathBuf::from(format!("/tmp/clinit-{}", uid.as_raw()));
                paths.socket = paths.run.join("init.s");
                paths.clstat = paths.clstat.map(|_| paths.run.join("clstat"));
                paths
            }
        }
    }

    fn over(dialect: Dialect, config: &Path, run: &Path) -> Self {
        let (table, folder) = match dialect {
            Dialect::Clinit => ("cltab", "clinit"),
            Dialect::IsInit => ("isinittab", "is"),
        };
        let run = run.join(folder);
        Self {
            table: config.join(table),
            socket: run.join("init.s"),
            clstat: (dialect == Dialect::Clinit).then(|| run.join("clstat")),
            run,
        }
    }
}

/// The folder in which a daemon keeps its state: beside its socket, so that whoever finds the one finds
/// the other.
#[must_use]
pub fn state_folder(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(".state");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_paths_are_the_originals() {
        let paths = Paths::over(Dialect::Clinit, Path::new("/etc"), Path::new("/var/run"));
        assert_eq!(paths.table, Path::new("/etc/cltab"));
        assert_eq!(paths.socket, Path::new("/var/run/clinit/init.s"));
        assert_eq!(paths.clstat.as_deref(), Some(Path::new("/var/run/clinit/clstat")));
        let paths = Paths::over(Dialect::IsInit, Path::new("/etc"), Path::new("/var/run"));
        assert_eq!(paths.table, Path::new("/etc/isinittab"));
        assert_eq!(paths.socket, Path::new("/var/run/is/init.s"));
        assert_eq!(paths.clstat, None);
    }
}

//! Where things are when nobody says.

use std::path::{Path, PathBuf};

use clinit_table::Dialect;
use rustix::fs::{Access, access};
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
    /// The folder in which what entries print is kept; without a home there is none.
    pub logs: Option<PathBuf>,
}

impl Paths {
    /// The defaults: of root, or of an ordinary user.
    #[must_use]
    pub fn of_user(dialect: Dialect) -> Self {
        let uid = geteuid();
        let variable =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        if uid.is_root() {
            return Self::over(
                dialect,
                Path::new("/etc"),
                Path::new("/var/run"),
                Some(Path::new("/var/log")),
            );
        }
        let home = variable("HOME");
        let state = home.as_ref().map(|home| home.join(".local/state"));
        let state = variable("XDG_STATE_HOME").or(state);
        let home = home.unwrap_or_else(|| PathBuf::from("/"));
        let config = variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        match variable("XDG_RUNTIME_DIR") {
            Some(run) => Self::over(dialect, &config, &run, state.as_deref()),
            None => {
                let mut paths = Self::over(dialect, &config, Path::new("/tmp"), state.as_deref());
                paths.run = PathBuf::from(format!("/tmp/clinit-{}", uid.as_raw()));
                paths.socket = paths.run.join("init.s");
                paths.clstat = paths.clstat.map(|_| paths.run.join("clstat"));
                paths
            }
        }
    }

    /// Where else a socket of this user's own may be.
    pub(crate) fn other_run_folders() -> Vec<PathBuf> {
        let name = format!("clinit-{}", geteuid().as_raw());
        ["/run", "/tmp", "/dev/shm"].iter().map(|folder| Path::new(folder).join(&name)).collect()
    }

    fn over(dialect: Dialect, config: &Path, run: &Path, logs: Option<&Path>) -> Self {
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
            logs: logs.map(|logs| logs.join(folder)),
        }
    }
}

/// The file that remembers what a daemon was told, of the default socket; other sockets add a number. None where
/// this user has no place for it.
#[must_use]
pub(crate) fn remembered_file() -> Option<PathBuf> {
    if geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/clinit/remembered"));
    }
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let own = |path: &PathBuf| access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    let state = || variable("HOME").filter(own).map(|home| home.join(".local/state"));
    Some(variable("XDG_STATE_HOME").or_else(state)?.join("clinit/remembered"))
}

/// The folder in which a daemon keeps its state: beside its socket, so that whoever finds the one finds
/// the other.
#[must_use]
pub fn state_folder(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(".state");
    name.into()
}

/// What stands behind the name of the daemon's socket in that of the one to which entries send.
pub(crate) const NOTIFY_SUFFIX: &str = ".notify";

/// The socket to which entries send what they have to say (sd_notify(3)).
#[must_use]
pub fn notify_socket(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(NOTIFY_SUFFIX);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_paths_are_the_originals() {
        let (etc, run, log) = (Path::new("/etc"), Path::new("/var/run"), Some(Path::new("/var/log")));
        let paths = Paths::over(Dialect::Clinit, etc, run, log);
        assert_eq!(paths.table, Path::new("/etc/cltab"));
        assert_eq!(paths.socket, Path::new("/var/run/clinit/init.s"));
        assert_eq!(paths.clstat.as_deref(), Some(Path::new("/var/run/clinit/clstat")));
        assert_eq!(paths.logs.as_deref(), Some(Path::new("/var/log/clinit")));
        let paths = Paths::over(Dialect::IsInit, etc, run, None);
        assert_eq!(paths.table, Path::new("/etc/isinittab"));
        assert_eq!(paths.socket, Path::new("/var/run/is/init.s"));
        assert_eq!((paths.clstat, paths.logs), (None, None));
    }
}

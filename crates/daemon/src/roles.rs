//! What the three processes are started with, and the one that tries a new program.
//!
//! Keeper, engine and logger are the same program under different names, and have the same arguments, so
//! that each can start the others. The arguments show in `ps`.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use clinit_keeper::Companion;
use clinit_keeper::handover::Handover;
use clinit_table::Dialect;

/// How the daemon was started, as seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As a daemon: entries inherit its output, and HUP rereads the table.
    Daemon,
    /// `clinit up`: each line of output is labelled, each change of state said; HUP means that the terminal
    /// is gone, and ends it.
    Up,
}

/// Everything that was settled when the daemon was started. It holds until its end: a setting that
/// vanishes from the table stays as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The table. Absolute, as all paths here.
    pub table: PathBuf,
    /// Whose table it is.
    pub dialect: Dialect,
    /// The socket.
    pub socket: PathBuf,
    /// The status file; without one none is written.
    pub clstat: Option<PathBuf>,
    /// The daemon's own log file; without one it logs to standard error.
    pub log: Option<PathBuf>,
    /// The file that remembers what was told; without one nothing is remembered.
    pub remember: Option<PathBuf>,
    /// The folder in which output is kept that the table says nothing of; without one it is inherited.
    pub logs: Option<PathBuf>,
    /// As a daemon, or with `up`.
    pub manner: Manner,
    /// Whether labels are coloured.
    pub color: bool,
    /// The name of the cgroup below which the entries' cgroups are made.
    pub cgroup: String,
    /// The limit of open files that the daemon was started with, soft and hard: entries get it. The
    /// daemon raises its own.
    pub open_files: (u64, u64),
    /// The path at which the program is looked for when it is to be replaced.
    pub program: PathBuf,
}

/// The prefix of the names under which the processes run.
const NAME: &str = "clinit: ";

/// The role that a program was started in, by the name it was called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Parent of every service.
    Keeper,
    /// The policy.
    Engine,
    /// Carrier of lines.
    Logger,
    /// None of the three: a program that is tried before it takes their place.
    Trial,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Keeper, Self::Engine, Self::Logger, Self::Trial];

    /// The word in the process's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keeper => clinit_keeper::ROLE,
            Self::Engine => "engine",
            Self::Logger => clinit_logger::ROLE,
            Self::Trial => "trial",
        }
    }

    /// The role that this name stands for; none for the names that people type.
    #[must_use]
    pub fn of(name: &OsStr) -> Option<Self> {
        let word = name.as_bytes().strip_prefix(NAME.as_bytes())?;
        Self::ALL.into_iter().find(|role| role.as_str().as_bytes() == word)
    }

    /// The name to start a process under.
    #[must_use]
    pub fn name(self) -> String {
        format!("{NAME}{}", self.as_str())
    }
}

impl Setup {
    /// As arguments.
    #[must_use]
    pub fn to_arguments(&self) -> Vec<OsString> {
        let option = |name: &str, value: &OsStr| {
            let mut text = OsString::from(format!("--{name}="));
            text.push(value);
            text
        };
        let mut arguments = vec![
            option("table", self.table.as_os_str()),
            option("socket", self.socket.as_os_str()),
            option("cgroup", self.cgroup.as_ref()),
            option("manner", manner_word(self.manner).as_ref()),
            option("dialect", dialect_word(self.dialect).as_ref()),
            option("open-files", format!("{},{}", self.open_files.0, self.open_files.1).as_ref()),
            option("program", self.program.as_os_str()),
        ];
        arguments.extend(self.clstat.as_ref().map(|path| option("clstat", path.as_os_str())));
        arguments.extend(self.log.as_ref().map(|path| option("log", path.as_os_str())));
        arguments.extend(self.remember.as_ref().map(|path| option("remember", path.as_os_str())));
        arguments.extend(self.logs.as_ref().map(|path| option("logs", path.as_os_str())));
        arguments.extend(self.color.then(|| OsString::from("--color")));
        arguments
    }

    /// From arguments; `None` when they were not made by [`Setup::to_arguments`].
    #[must_use]
    pub fn from_arguments(arguments: &[OsString]) -> Option<Self> {
        let value = |name: &str| {
            let prefix = format!("--{name}=");
            let found = arguments.iter().find_map(|text| text.as_bytes().strip_prefix(prefix.as_bytes()));
            found.map(|value| OsString::from_vec(value.to_vec()))
        };
        let word = |name: &str| value(name).and_then(|value| value.into_string().ok());
        Some(Self {
            table: value("table")?.into(),
            dialect: [Dialect::Clinit, Dialect::IsInit]
                .into_iter()
                .find(|&dialect| word("dialect").as_deref() == Some(dialect_word(dialect)))?,
            socket: value("socket")?.into(),
            clstat: value("clstat").map(PathBuf::from),
            log: value("log").map(PathBuf::from),
            remember: value("remember").map(PathBuf::from),
            logs: value("logs").map(PathBuf::from),
            manner: [Manner::Daemon, Manner::Up]
                .into_iter()
                .find(|&manner| word("manner").as_deref() == Some(manner_word(manner)))?,
            color: arguments.iter().any(|text| text == "--color"),
            cgroup: word("cgroup")?,
            open_files: {
                let text = word("open-files")?;
                let (soft, hard) = text.split_once(',')?;
                (soft.parse().ok()?, hard.parse().ok()?)
            },
            program: value("program")?.into(),
        })
    }
}

fn manner_word(manner: Manner) -> &'static str {
    match manner {
        Manner::Daemon => "daemon",
        Manner::Up => "up",
    }
}

fn dialect_word(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Clinit => "clinit",
        Dialect::IsInit => "isinit",
    }
}

/// Runs a role to its end and returns the exit status. `arguments` are those behind the name.
#[must_use]
pub fn main_of_role(role: Role, arguments: Vec<OsString>) -> u8 {
    let mut handover = None;
    if role == Role::Keeper {
        match Handover::take() {
            Ok(None) => {
                // What the daemon was started with and never asked for is not to reach any service.
                clinit_sys::inherit::close_from(clinit_keeper::descriptors::KEEP_KEEPER);
            }
            Ok(handed) => handover = handed,
            Err(error) => {
                complain(&format!("failed to take over what the program before left: {error}"));
                return EXIT_FAILURE;
            }
        }
    }
    // Started through /proc/self/exe the process would be called "exe".
    let name = match role {
        Role::Keeper => "clinit",
        Role::Engine => "clinit-engine",
        Role::Logger => "clinit-logger",
        Role::Trial => "clinit-trial",
    };
    let _only_for_people = std::fs::write("/proc/self/comm", name);
    let bytes = || arguments.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    let environment = || {
        let variables = std::env::vars_os();
        variables.map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()).collect()
    };
    let setup = Setup::from_arguments(&arguments);
    if role == Role::Trial {
        return match crate::engine::trial::run(setup, &arguments) {
            Ok(text) if writeln!(std::io::stdout(), "{text}").is_ok() => 0,
            Ok(_) => EXIT_FAILURE,
            Err(reason) => {
                complain(&reason);
                EXIT_FAILURE
            }
        };
    }
    let Some(setup) = setup else {
        complain("this name is for clinit itself: run it as clinit");
        return EXIT_FAILURE;
    };
    let result: Result<u8, Box<dyn std::error::Error>> = match role {
        Role::Keeper => {
            let companion = |role: Role| Companion::new(role.as_str(), bytes());
            clinit_keeper::run(
                Some(&setup.cgroup),
                setup.open_files,
                handover,
                companion(Role::Engine),
                companion(Role::Logger),
            )
            .map_err(Into::into)
        }
        Role::Engine => crate::engine::run(setup, arguments).map(|()| 0).map_err(Into::into),
        Role::Logger => clinit_logger::run(bytes(), environment()).map(|()| 0).map_err(Into::into),
        Role::Trial => Ok(EXIT_FAILURE),
    };
    result.unwrap_or_else(|error| {
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        complain(&format!("{}: {error}{source}", role.as_str()));
        EXIT_FAILURE
    })
}

/// The status of a process that could not begin.
const EXIT_FAILURE: u8 = 111;

fn complain(text: &str) {
    let _nobody_reads = writeln!(std::io::stderr(), "clinit: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setup_survives_being_arguments() {
        let setup = Setup {
            table: "/etc/a table".into(),
            dialect: Dialect::IsInit,
            socket: OsString::from_vec(b"/run/\xff".to_vec()).into(),
            clstat: None,
            log: Some("/var/log/c".into()),
            remember: Some("/var/lib/r".into()),
            logs: Some("/var/log/d".into()),
            manner: Manner::Up,
            color: true,
            cgroup: "clinit-1".to_owned(),
            open_files: (1024, u64::MAX),
            program: "/usr/sbin/clinit".into(),
        };
        assert_eq!(Setup::from_arguments(&setup.to_arguments()), Some(setup));
        assert_eq!(Setup::from_arguments(&[]), None);
    }

    #[test]
    fn roles_are_known_by_their_names_alone() {
        for role in Role::ALL {
            assert_eq!(Role::of(role.name().as_ref()), Some(role));
        }
        assert_eq!(Role::of("clinit".as_ref()), None);
        assert_eq!(Role::of("keeper".as_ref()), None);
    }
}

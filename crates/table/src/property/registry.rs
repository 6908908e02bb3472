//! The rows of the registry.

use clinit_engine::spec::{KillScope, Output};
use clinit_engine::surroundings::Resource;

use super::kind::{Kind, Word};
use super::surroundings::Unit::{self, Bytes, Count};
use super::{Property, Scope};

/// Set for the table, for a group, or for an entry.
const ANYWHERE: &[Scope] = &[Scope::Table, Scope::Group, Scope::Entry];

/// Every property, in the order in which help and documentation list them.
pub static REGISTRY: &[Property] = &[
    Property {
        name: "socket",
        aliases: &[],
        kind: Kind::Path(|draft| &mut draft.settings.socket),
        default: Some("/var/run/clinit/init.s"),
        scopes: &[Scope::Table],
        restart: false,
        doc: "the local socket, over which every command speaks to the daemon",
    },
    Property {
        name: "socket_mode",
        aliases: &[],
        kind: Kind::Permissions(|draft| &mut draft.settings.socket_mode),
        default: Some("0600"),
        scopes: &[Scope::Table],
        restart: false,
        doc: "the permission bits of the local socket",
    },
    Property {
        name: "clstat",
        aliases: &["initstat"],
        kind: Kind::Path(|draft| &mut draft.settings.clstat),
        default: Some("/var/run/clinit/clstat"),
        scopes: &[Scope::Table],
        restart: false,
        doc: "the status file, which tells the level and the state of every group",
    },
    Property {
        name: "log",
        aliases: &[],
        kind: Kind::Path(|draft| &mut draft.settings.log),
        default: None,
        scopes: &[Scope::Table],
        restart: false,
        doc: "the daemon's own log file; without one it writes to standard error",
    },
    Property {
        name: "initdefault",
        aliases: &[],
        kind: Kind::Level(|draft| &mut draft.initdefault),
        default: None,
        scopes: &[Scope::Table, Scope::Group],
        restart: false,
        doc: "the level that a group takes at start; without one it waits to be told",
    },
    Property {
        name: "stop_signal",
        aliases: &[],
        kind: Kind::Signal(|draft| &mut draft.policy.stop.signal),
        default: Some("TERM"),
        scopes: ANYWHERE,
        restart: false,
        doc: "the signal that asks a process to stop",
    },
    Property {
        name: "stop_timeout",
        aliases: &[],
        kind: Kind::Timeout(|draft| &mut draft.policy.stop.timeout),
        default: Some("10s"),
        scopes: ANYWHERE,
        restart: false,
        doc: "how long a process may take to stop before it is killed",
    },
    Property {
        name: "kill_mode",
        aliases: &[],
        kind: Kind::Word(&[
            Word { text: "group", put: |draft| draft.policy.stop.scope = KillScope::Group },
            Word { text: "main", put: |draft| draft.policy.stop.scope = KillScope::Main },
            Word { text: "cgroup", put: |draft| draft.policy.stop.scope = KillScope::Cgroup },
        ]),
        default: Some("group"),
        scopes: ANYWHERE,
        restart: false,
        doc: "whom a stop reaches: the process group, the main process alone, or the whole cgroup",
    },
    Property {
        name: "throttle_starts",
        aliases: &[],
        kind: Kind::Number(100, |draft| &mut draft.policy.throttle.starts),
        default: Some("5"),
        scopes: ANYWHERE,
        restart: false,
        doc: "how many starts within throttle_interval bring on a pause; 0 is no throttle",
    },
    Property {
        name: "throttle_interval",
        aliases: &[],
        kind: Kind::Duration(|draft| &mut draft.policy.throttle.interval),
        default: Some("10s"),
        scopes: ANYWHERE,
        restart: false,
        doc: "the time within which starts are counted",
    },
    Property {
        name: "throttle_pause",
        aliases: &[],
        kind: Kind::Duration(|draft| &mut draft.policy.throttle.pause),
        default: Some("60s"),
        scopes: ANYWHERE,
        restart: false,
        doc: "how long an entry that was started too often waits before the next start",
    },
    Property {
        name: "cgroup",
        aliases: &[],
        kind: Kind::Word(&[
            Word { text: "yes", put: |draft| draft.program.cgroup = true },
            Word { text: "no", put: |draft| draft.program.cgroup = false },
        ]),
        default: Some("yes"),
        scopes: ANYWHERE,
        restart: true,
        doc: "whether a process gets a cgroup of its own where one can be made",
    },
    Property {
        name: "output",
        aliases: &[],
        kind: Kind::Word(&[
            Word { text: "inherit", put: |draft| draft.program.output = Output::Inherit },
            Word { text: "null", put: |draft| draft.program.output = Output::Null },
        ]),
        default: Some("inherit"),
        scopes: ANYWHERE,
        restart: true,
        doc: "where standard output and error go: to the daemon's own, or nowhere",
    },
    around(
        "run_user",
        Kind::Account("user", |draft| &mut draft.surroundings().user),
        None,
        "the user that a process runs as, with the groups of that user",
    ),
    around(
        "run_group",
        Kind::Account("Unix group", |draft| &mut draft.surroundings().group),
        None,
        "the Unix group that a process runs as; without one that of run_user",
    ),
    around(
        "directory",
        Kind::AbsolutePath(|draft| &mut draft.surroundings().directory),
        None,
        "the folder that a process starts in; without one the daemon's",
    ),
    around(
        "umask",
        Kind::Umask(|draft| &mut draft.surroundings().umask),
        None,
        "the permission bits that new files do not get; without it the daemon's",
    ),
    around(
        "environment",
        Kind::Variable(|draft| &mut draft.surroundings().environment),
        None,
        "a variable; lines add up, and the last of a name wins; it beats environment_file and the daemon's",
    ),
    around(
        "environment_file",
        Kind::EnvironmentFile(|draft| &mut draft.surroundings().environment_file),
        None,
        "a file of NAME=VALUE lines, read at each start",
    ),
    limit("limit_nofile", Resource::Nofile, Count, "the limit of open files"),
    limit("limit_nproc", Resource::Nproc, Count, "the limit of processes of the same user"),
    limit("limit_core", Resource::Core, Bytes, "the limit of a core file"),
    limit("limit_as", Resource::As, Bytes, "the limit of address space"),
    limit("limit_data", Resource::Data, Bytes, "the limit of data"),
    limit("limit_stack", Resource::Stack, Bytes, "the limit of the stack"),
    limit("limit_cpu", Resource::Cpu, Count, "the limit of processor time in seconds"),
    limit("limit_fsize", Resource::Fsize, Bytes, "the limit of a file that is written"),
    limit("limit_memlock", Resource::Memlock, Bytes, "the limit of locked memory"),
    limit("limit_rss", Resource::Rss, Bytes, "the limit of resident memory; Linux does not enforce it"),
    limit("limit_sigpending", Resource::Sigpending, Count, "the limit of signals that wait"),
    limit("limit_msgqueue", Resource::Msgqueue, Bytes, "the limit of POSIX message queues"),
    limit("limit_nice", Resource::Nice, Count, "the limit of raised priority: 20 minus the lowest nice"),
    limit("limit_rtprio", Resource::Rtprio, Count, "the limit of real-time priority"),
    around(
        "nice",
        Kind::Integer(-20, 19, |draft| &mut draft.surroundings().nice),
        None,
        "how much a process leaves to others; without it the daemon's",
    ),
    around(
        "oom_score_adj",
        Kind::Integer(-1000, 1000, |draft| &mut draft.surroundings().oom_score_adj),
        None,
        "how likely a process is killed when memory runs out; without it the daemon's",
    ),
    around(
        "no_new_privs",
        Kind::Word(&[
            Word { text: "yes", put: |draft| draft.surroundings().no_new_privs = true },
            Word { text: "no", put: |draft| draft.surroundings().no_new_privs = false },
        ]),
        Some("no"),
        "whether no program that a process executes can give it new privileges",
    ),
    around(
        "capabilities",
        Kind::Capabilities(|draft| &mut draft.surroundings().capabilities),
        Some("all"),
        "the capabilities that a process and its descendants keep, whichever user they are",
    ),
    around(
        "memory_max",
        Kind::Memory(|draft| &mut draft.surroundings().maxima.memory_bytes),
        Some("max"),
        "the most memory that an entry may use, where its cgroup has that controller",
    ),
    around(
        "cpu_max",
        Kind::Percent(|draft| &mut draft.surroundings().maxima.cpu_percent),
        Some("max"),
        "the most processor time that an entry may use, where its cgroup has that controller",
    ),
    around(
        "pids_max",
        Kind::Processes(|draft| &mut draft.surroundings().maxima.pids),
        Some("max"),
        "the most processes that an entry may have, where its cgroup has that controller",
    ),
];

/// A row about what an entry is started in.
const fn around(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    doc: &'static str,
) -> Property {
    Property { name, aliases: &[], kind, default, scopes: ANYWHERE, restart: true, doc }
}

/// A row about a limit.
const fn limit(name: &'static str, resource: Resource, unit: Unit, doc: &'static str) -> Property {
    around(name, Kind::Limit(resource, unit), None, doc)
}

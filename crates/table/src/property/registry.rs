//! The rows of the registry.

use clinit_engine::spec::KillScope;
use clinit_engine::surroundings::Resource;

use super::care;
use super::kind::{Kind, Word};
use super::logs;
use super::surroundings::Unit::{self, Bytes, Count};
use super::{Property, Scope, Section};

/// Set for the table, for a group, or for an entry.
pub(super) const ANYWHERE: &[Scope] = &[Scope::Table, Scope::Group, Scope::Entry];

/// Every property, in the order in which help and documentation list them.
pub static REGISTRY: &[Property] = &joined::<{ BASIC.len() + OTHERS.len() }>(BASIC, OTHERS);

/// Those with files of their own.
const OTHERS: &[Property] = &joined::<{ care::ROWS.len() + logs::ROWS.len() }>(care::ROWS, logs::ROWS);

/// The properties of the daemon, of a stop, and of what an entry is started in.
const BASIC: &[Property] = &[
    Property {
        name: "socket",
        section: Section::Daemon,
        aliases: &[],
        kind: Kind::Path(|draft| &mut draft.settings.socket),
        default: Some("/var/run/clinit/init.s"),
        scopes: &[Scope::Table],
        restart: true,
        doc: "the local socket, over which every command speaks to the daemon",
        more: "A path is at most 107 bytes long. Beside it stands the folder of the daemon's state, \
               `SOCKET.state`. On the command line `-s` gives it.",
    },
    Property {
        name: "socket_mode",
        section: Section::Daemon,
        aliases: &[],
        kind: Kind::Permissions(|draft| &mut draft.settings.socket_mode),
        default: Some("0600"),
        scopes: &[Scope::Table],
        restart: true,
        doc: "the permission bits of the local socket",
        more: "Whoever may write to the socket may ask how things are; only root and the user who runs the \
               daemon may change them.",
    },
    Property {
        name: "clstat",
        section: Section::Daemon,
        aliases: &["initstat"],
        kind: Kind::Path(|draft| &mut draft.settings.clstat),
        default: Some("/var/run/clinit/clstat"),
        scopes: &[Scope::Table],
        restart: true,
        doc: "the status file, which tells the level and the state of every group",
        more: "A line for each group that was told a level: `Cluster::Init::Group NAME LEVEL STATE`. It is \
               replaced as a whole, goes when the daemon ends, and `clinit status --clstat FILE` reads it.",
    },
    Property {
        name: "log",
        section: Section::Daemon,
        aliases: &[],
        kind: Kind::Path(|draft| &mut draft.settings.log),
        default: None,
        scopes: &[Scope::Table],
        restart: true,
        doc: "the daemon's own log file; without one it writes to standard error",
        more: "",
    },
    Property {
        name: "remember",
        section: Section::Daemon,
        aliases: &[],
        kind: Kind::Word(&[
            Word { text: "yes", put: |draft| draft.settings.remember = Some(true) },
            Word { text: "no", put: |draft| draft.settings.remember = Some(false) },
        ]),
        default: None,
        scopes: &[Scope::Table],
        restart: false,
        doc: "whether levels that were told and entries that were stopped by hand come back when the machine does",
        more: "When a daemon is started anew, a level that a group was told beats its `initdefault`, and what was \
               stopped by hand stays down. The default is `yes` for the daemon of the default socket and where \
               `remember_file` is set, else `no`; `clinit up` never remembers.",
    },
    Property {
        name: "remember_file",
        section: Section::Daemon,
        aliases: &[],
        kind: Kind::Path(|draft| &mut draft.settings.remember_file),
        default: Some("/var/lib/clinit/remembered"),
        scopes: &[Scope::Table],
        restart: true,
        doc: "the file that remembers what was told",
        more: "It belongs on a disk. Of ordinary users it is `clinit/remembered` in `$XDG_STATE_HOME`, by default \
               `~/.local/state`; of a daemon on another socket the name has a number behind it. It is replaced as a \
               whole; one that cannot be read is kept aside as `FILE.unreadable`.",
    },
    Property {
        name: "exit_with",
        section: Section::Daemon,
        aliases: &[],
        kind: Kind::Tag(|draft| &mut draft.settings.exit_with),
        default: None,
        scopes: &[Scope::Table],
        restart: false,
        doc: "the entry with whose end the daemon shuts down, to exit with its status",
        more: "It has ended when it is not started again by itself: a `wait`, `once` or `test` that is done, or \
               whatever was given up. The status is 128 and the signal's number for one that a signal ended, 127 for \
               one that was not found, 126 for one that could not be executed. An entry that is stopped, by hand or by a level, has not ended.",
    },
    Property {
        name: "shutdown_timeout",
        section: Section::Daemon,
        aliases: &[],
        kind: Kind::Timeout(|draft| &mut draft.settings.shutdown_timeout),
        default: Some("infinity"),
        scopes: &[Scope::Table],
        restart: false,
        doc: "how long a shutdown may take before what is left is killed",
        more: "Beside the `stop_timeout` of each entry: what a container's runtime gives it as a whole, or less.",
    },
    Property {
        name: "log_folder",
        section: Section::Output,
        aliases: &[],
        kind: Kind::Path(|draft| &mut draft.settings.log_folder),
        default: Some("/var/log/clinit"),
        scopes: &[Scope::Table],
        restart: true,
        doc: "the folder in which a daemon in the background keeps what entries print",
        more: "It is made when missing. Of an ordinary user it is `clinit` in `$XDG_STATE_HOME` or \
               `~/.local/state`. Daemons whose tables have entries of the same names need folders of their own.",
    },
    Property {
        name: "initdefault",
        section: Section::Levels,
        aliases: &[],
        kind: Kind::Level(|draft| &mut draft.initdefault),
        default: None,
        scopes: &[Scope::Table, Scope::Group],
        restart: false,
        doc: "the level that a group takes at start; without one it waits to be told",
        more: "Given for the table, it is the level of every group that has none of its own.",
    },
    Property {
        name: "stop_signal",
        section: Section::Stopping,
        aliases: &[],
        kind: Kind::Signal(|draft| &mut draft.policy.stop.signal),
        default: Some("TERM"),
        scopes: ANYWHERE,
        restart: false,
        doc: "the signal that asks a process to stop",
        more: "It goes to whom `kill_mode` names, followed by CONT so that a stopped process hears it.",
    },
    Property {
        name: "stop_timeout",
        section: Section::Stopping,
        aliases: &[],
        kind: Kind::Timeout(|draft| &mut draft.policy.stop.timeout),
        default: Some("10s"),
        scopes: ANYWHERE,
        restart: false,
        doc: "how long a process may take to stop before it is killed",
        more: "With `infinity` it is never killed. When the time is over, KILL goes to all that `kill_mode` \
               names.",
    },
    Property {
        name: "kill_mode",
        section: Section::Stopping,
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
        more: "`group` is the process group of the main process, which a process leaves with setsid(2) or \
               setpgid(2). `cgroup` needs a cgroup: a process cannot leave that.",
    },
    Property {
        name: "throttle_starts",
        section: Section::Respawning,
        aliases: &[],
        kind: Kind::Number(100, |draft| &mut draft.policy.throttle.starts),
        default: Some("5"),
        scopes: ANYWHERE,
        restart: false,
        doc: "how many starts within throttle_interval bring on a pause; 0 is no throttle",
        more: "It is of mode `respawn` alone. `clinit reset` and `clinit start` end the pause.",
    },
    Property {
        name: "throttle_interval",
        section: Section::Respawning,
        aliases: &[],
        kind: Kind::Duration(|draft| &mut draft.policy.throttle.interval),
        default: Some("10s"),
        scopes: ANYWHERE,
        restart: false,
        doc: "the time within which starts are counted",
        more: "",
    },
    Property {
        name: "throttle_pause",
        section: Section::Respawning,
        aliases: &[],
        kind: Kind::Duration(|draft| &mut draft.policy.throttle.pause),
        default: Some("60s"),
        scopes: ANYWHERE,
        restart: false,
        doc: "how long an entry that was started too often waits before the next start",
        more: "",
    },
    Property {
        name: "cgroup",
        section: Section::Bounds,
        aliases: &[],
        kind: Kind::Word(&[
            Word { text: "yes", put: |draft| draft.program.cgroup = true },
            Word { text: "no", put: |draft| draft.program.cgroup = false },
        ]),
        default: Some("yes"),
        scopes: ANYWHERE,
        restart: true,
        doc: "whether a process gets a cgroup of its own where one can be made",
        more: "It is made below the daemon's own where cgroup2 is mounted and may be written. Without one \
               an entry runs all the same, and is found by its process group.",
    },
    around(
        "run_user",
        Section::Identity,
        Kind::Account("user", |draft| &mut draft.surroundings().user),
        None,
        "the user that a process runs as, with the groups of that user",
        "A name is looked up when the table is accepted and again at a start that lacks it; one that \
         nobody has is a warning at first, and then the reason why the entry is not executed. `HOME`, \
         `USER`, `LOGNAME` and `SHELL` are set.",
    ),
    around(
        "run_group",
        Section::Identity,
        Kind::Account("Unix group", |draft| &mut draft.surroundings().group),
        None,
        "the Unix group that a process runs as; without one that of run_user",
        "Given without `run_user`, the other groups of the process stay the daemon's.",
    ),
    around(
        "directory",
        Section::Surroundings,
        Kind::AbsolutePath(|draft| &mut draft.surroundings().directory),
        None,
        "the folder that a process starts in; without one the daemon's",
        "It is entered as the user that the process runs as.",
    ),
    around(
        "umask",
        Section::Surroundings,
        Kind::Umask(|draft| &mut draft.surroundings().umask),
        None,
        "the permission bits that new files do not get; without it the daemon's",
        "",
    ),
    around(
        "environment",
        Section::Surroundings,
        Kind::Variable(|draft| &mut draft.surroundings().environment),
        None,
        "a variable; lines add up, and the last of a name wins; it beats environment_file and the daemon's",
        "`-NAME` takes a variable away that a wider scope, the file or the daemon gives.",
    ),
    around(
        "environment_file",
        Section::Surroundings,
        Kind::EnvironmentFile(|draft| &mut draft.surroundings().environment_file),
        None,
        "a file of NAME=VALUE lines, read at each start",
        "Comments, `export` and quotes are taken as a shell would; nothing is expanded. A file that \
         is missing is the reason why the entry is not executed, unless a `-` stands before the path.",
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
        Section::Surroundings,
        Kind::Integer(-20, 19, |draft| &mut draft.surroundings().nice),
        None,
        "how much a process leaves to others; without it the daemon's",
        "Lower than the daemon's needs the privilege to.",
    ),
    around(
        "oom_score_adj",
        Section::Surroundings,
        Kind::Integer(-1000, 1000, |draft| &mut draft.surroundings().oom_score_adj),
        None,
        "how likely a process is killed when memory runs out; without it the daemon's",
        "Lower than the daemon's needs the privilege to.",
    ),
    around(
        "no_new_privs",
        Section::Identity,
        Kind::Word(&[
            Word { text: "yes", put: |draft| draft.surroundings().no_new_privs = true },
            Word { text: "no", put: |draft| draft.surroundings().no_new_privs = false },
        ]),
        Some("no"),
        "whether no program that a process executes can give it new privileges",
        "A set-user-ID program then runs as whoever calls it (`PR_SET_NO_NEW_PRIVS`, prctl(2)).",
    ),
    around(
        "capabilities",
        Section::Identity,
        Kind::Capabilities(|draft| &mut draft.surroundings().capabilities),
        Some("all"),
        "the capabilities that a process and its descendants keep, whichever user they are",
        "What is named is kept when the user is not root, too, and all else is given up for good: it \
         leaves the bounding set as well. `none` keeps nothing.",
    ),
    around(
        "memory_max",
        Section::Bounds,
        Kind::Memory(|draft| &mut draft.surroundings().maxima.memory_bytes),
        Some("max"),
        "the most memory that an entry may use, where its cgroup has that controller",
        "Beyond it processes of the entry are killed by the kernel. It counts the entry with all its \
         processes.",
    ),
    around(
        "cpu_max",
        Section::Bounds,
        Kind::Percent(|draft| &mut draft.surroundings().maxima.cpu_percent),
        Some("max"),
        "the most processor time that an entry may use, where its cgroup has that controller",
        "`100%` is one processor for all of the time.",
    ),
    around(
        "pids_max",
        Section::Bounds,
        Kind::Processes(|draft| &mut draft.surroundings().maxima.pids),
        Some("max"),
        "the most processes that an entry may have, where its cgroup has that controller",
        "Beyond it the entry cannot fork.",
    ),
];

/// A row about what an entry is started in.
const fn around(
    name: &'static str,
    section: Section,
    kind: Kind,
    default: Option<&'static str>,
    doc: &'static str,
    more: &'static str,
) -> Property {
    Property { name, section, aliases: &[], kind, default, scopes: ANYWHERE, restart: true, doc, more }
}

/// A row about a limit.
const fn limit(name: &'static str, resource: Resource, unit: Unit, doc: &'static str) -> Property {
    around(name, Section::Limits, Kind::Limit(resource, unit), None, doc, "")
}

/// Both together; `N` is how many they are.
const fn joined<const N: usize>(first: &[Property], second: &[Property]) -> [Property; N] {
    let mut rows = [first[0]; N];
    let mut index = 0;
    while index < N {
        rows[index] = if index < first.len() { first[index] } else { second[index - first.len()] };
        index += 1;
    }
    rows
}

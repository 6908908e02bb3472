//! The rows of the registry.

use clinit_engine::spec::{KillScope, Output};

use super::kind::{Kind, Word};
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
];

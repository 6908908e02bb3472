//! The rows of the registry about the care for an entry.

use clinit_engine::care::Restart;

use super::kind::CareKind;
use crate::property::kind::{Kind, Word};
use crate::property::registry::ANYWHERE;
use crate::property::{Property, Scope, Section};

/// Most restarts that can be counted.
const RESTARTS_MAX: u8 = 100;

/// Most bad answers in a row that can be asked for.
const THRESHOLD_MAX: u8 = 100;

/// These properties, in the order in which help and documentation list them.
pub(crate) const ROWS: &[Property] = &[
    program(
        "readiness",
        Section::Ready,
        CareKind::Readiness(|draft| &mut draft.program.readiness),
        Some("none"),
        "how an entry says that it is ready: a line at a descriptor, READY=1 to NOTIFY_SOCKET, or an answer",
        "`fd:N`: it writes a line to descriptor N. `notify`: it sends READY=1 as with sd_notify(3). \
         `tcp:` and `exec:`: it is asked until somebody accepts a connection, or until the command \
         exits with status 0; a port alone is one of 127.0.0.1. At a port of its `listen` the socket \
         answers before it does. What comes behind it in its group \
         starts when it is ready. For modes `respawn` and `once`.",
    ),
    policy(
        "start_timeout",
        Section::Ready,
        CareKind::Patience(|draft| &mut draft.care().start_timeout),
        Some("60s"),
        "how long an entry may take to be ready before it is stopped",
        "It counts from the start of the process, where there is a readiness.",
    ),
    program(
        "watchdog",
        Section::Health,
        CareKind::PeriodOrNone(|draft| &mut draft.program.watchdog),
        Some("none"),
        "how often an entry has to send WATCHDOG=1 to NOTIFY_SOCKET",
        "One that is late, or sends WATCHDOG=trigger, is taken for unhealthy at once. For modes \
         `respawn` and `once`.",
    ),
    Property {
        // Of one entry alone: no two processes can be at one address.
        scopes: &[Scope::Entry],
        ..program(
            "listen",
            Section::Ready,
            CareKind::Listen(|draft| &mut draft.program.listen),
            None,
            "a socket that an entry is given as with LISTEN_FDS; lines add up",
            "The sockets are at descriptors 3, 4 and so on in the order of the lines, and are open before \
             the entry starts. A port alone is at every address of both families.",
        )
    },
    program(
        "listen_mode",
        Section::Ready,
        CareKind::ListenMode(|draft| &mut draft.program.listen_mode),
        Some("0666"),
        "the permission bits of those sockets that have a path",
        "",
    ),
    policy(
        "health_check",
        Section::Health,
        CareKind::Check(|draft| &mut draft.care().health_check),
        Some("none"),
        "what is asked again and again to see whether an entry is well",
        "It begins when the entry is ready. `exec:` is well when the command exits with status 0, \
         `tcp:` when somebody accepts a connection; a port alone is one of 127.0.0.1. For modes \
         `respawn` and `once`.",
    ),
    policy(
        "health_interval",
        Section::Health,
        CareKind::Period(|draft| &mut draft.care().health_interval),
        Some("30s"),
        "how long after an answer health_check asks again",
        "",
    ),
    policy(
        "health_timeout",
        Section::Health,
        CareKind::Period(|draft| &mut draft.care().health_timeout),
        Some("5s"),
        "how long the answer to health_check may take",
        "A late answer is a bad one.",
    ),
    policy(
        "health_threshold",
        Section::Health,
        CareKind::Count(THRESHOLD_MAX, |draft| &mut draft.care().health_threshold),
        Some("3"),
        "how many bad answers in a row make an entry unhealthy, so that it is started again",
        "",
    ),
    row(
        "restart",
        Section::Respawning,
        Kind::Word(&[
            Word { text: "always", put: |draft| draft.care().restart = Restart::Always },
            Word { text: "on-failure", put: |draft| draft.care().restart = Restart::OnFailure },
            Word { text: "never", put: |draft| draft.care().restart = Restart::Never },
        ]),
        Some("always"),
        false,
        "when an entry of mode respawn that ended by itself is started again",
        "`on-failure`: when it ended neither with status 0 nor as success_exit_status says.",
    ),
    row(
        "restart_delay",
        Section::Respawning,
        Kind::Duration(|draft| &mut draft.care().delay.first),
        Some("0"),
        false,
        "how long an entry waits before it is started again; each time twice as long, up to \
         restart_delay_max",
        "It begins anew when the entry has run for as long as throttle_interval. For mode `respawn`.",
    ),
    row(
        "restart_delay_max",
        Section::Respawning,
        Kind::Duration(|draft| &mut draft.care().delay.most),
        Some("0"),
        false,
        "up to what time restart_delay grows; if that is longer, it does not grow",
        "",
    ),
    policy(
        "retry_count",
        Section::Respawning,
        CareKind::CountOrInfinity(RESTARTS_MAX, |draft| &mut draft.care().retry_count),
        Some("infinity"),
        "how many restarts an entry has within retry_interval; one more, and failover_mode says what follows",
        "For mode `respawn`.",
    ),
    policy(
        "retry_interval",
        Section::Respawning,
        CareKind::Period(|draft| &mut draft.care().retry_interval),
        Some("5m"),
        "the time within which restarts are counted",
        "",
    ),
    policy(
        "failover_mode",
        Section::Respawning,
        CareKind::Failover(|draft| &mut draft.care().failover),
        Some("none"),
        "after too many restarts: the entry is given up, its group with it, or only a word is said about it",
        "`none`: the entry is given up, and the others of its group go on. `soft`: its group is taken \
         down with it. `log_only`: it is restarted for ever, and never for its health. The words are \
         those of Sun Cluster, whose `hard` and `restart_only` come with the cluster.",
    ),
    policy(
        "success_exit_status",
        Section::Respawning,
        CareKind::Exits(|draft| &mut draft.care().success),
        Some("0"),
        "the exit codes and signals with which an entry ends when all is well; 0 always is one",
        "Numbers are exit codes, names are signals; blanks or commas stand between them.",
    ),
    policy(
        "stop_command",
        Section::Stopping,
        CareKind::Command(|draft| &mut draft.care().stop_command),
        Some("none"),
        "a command that stops an entry, or undoes what it did",
        "It runs in the place of stop_signal; of an entry that ran once and has ended, it undoes what \
         that did.",
    ),
    policy(
        "reload_command",
        Section::Reloading,
        CareKind::Command(|draft| &mut draft.care().reload_command),
        Some("none"),
        "a command that makes an entry read its configuration again",
        "Either this or reload_signal.",
    ),
    policy(
        "reload_signal",
        Section::Reloading,
        CareKind::Signal(|draft| &mut draft.care().reload_signal),
        Some("none"),
        "a signal that makes the main process of an entry read its configuration again",
        "Either this or reload_command.",
    ),
    policy(
        "reload_timeout",
        Section::Reloading,
        CareKind::Period(|draft| &mut draft.care().reload_timeout),
        Some("30s"),
        "how long a reload may take",
        "",
    ),
    policy(
        "on_failure",
        Section::Respawning,
        CareKind::Command(|draft| &mut draft.care().on_failure),
        Some("none"),
        "a command that is run when an entry fails, and told what failed",
        "",
    ),
    link(
        "after",
        Section::Order,
        CareKind::Tags(|draft| &mut draft.links.after),
        "entries of the same group before which an entry does not start, and which stop after it",
        "Tags stand with blanks or commas between them, and lines add up. One that does not run at \
         the level of the group is not waited for. As soon as one entry of a group follows another, \
         all others of the group start in parallel.",
    ),
    link(
        "requires",
        Section::Order,
        CareKind::Tags(|draft| &mut draft.links.requires),
        "the same, and without which it does not run",
        "It runs only while they do: it is stopped before one of them is, and not started where one has failed. \
         Where one is restarted by hand, or because the table changed it, it is restarted with it; where one ends by \
         itself and is started again, it runs on.",
    ),
];

/// A row about what a process is started with.
const fn program(
    name: &'static str,
    section: Section,
    kind: CareKind,
    default: Option<&'static str>,
    doc: &'static str,
    more: &'static str,
) -> Property {
    row(name, section, Kind::Care(kind), default, true, doc, more)
}

/// A row about how a process is treated.
const fn policy(
    name: &'static str,
    section: Section,
    kind: CareKind,
    default: Option<&'static str>,
    doc: &'static str,
    more: &'static str,
) -> Property {
    row(name, section, Kind::Care(kind), default, false, doc, more)
}

/// A row about what an entry follows.
const fn link(
    name: &'static str,
    section: Section,
    kind: CareKind,
    doc: &'static str,
    more: &'static str,
) -> Property {
    Property { scopes: &[Scope::Entry], ..policy(name, section, kind, None, doc, more) }
}

const fn row(
    name: &'static str,
    section: Section,
    kind: Kind,
    default: Option<&'static str>,
    restart: bool,
    doc: &'static str,
    more: &'static str,
) -> Property {
    Property { name, section, aliases: &[], kind, default, scopes: ANYWHERE, restart, doc, more }
}

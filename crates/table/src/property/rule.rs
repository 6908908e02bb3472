//! Rules between properties: values that are right each by itself, and wrong together.

use clinit_engine::care::Readiness;
use clinit_engine::spec::KillScope;

use super::care::{LISTEN_MAX, first_free_descriptor};
use super::draft::Draft;

/// A rule between properties.
pub(crate) struct Rule {
    /// The properties that it is about.
    pub(crate) between: &'static [&'static str],
    /// Whether the values in effect break it.
    pub(crate) is_broken: fn(&Draft) -> bool,
    /// What is wrong then.
    pub(crate) message: &'static str,
    /// How to put it right.
    pub(crate) hint: &'static str,
}

/// All rules. Each holds for the defaults, and to keep one never breaks another: of `cgroup`, the lines that
/// are removed say `no`; of `listen`, there are fewer then.
pub(crate) static RULES: &[Rule] = &[
    Rule {
        between: &["kill_mode", "cgroup"],
        is_broken: |draft| draft.policy.stop.scope == KillScope::Cgroup && !draft.program.cgroup,
        message: "kill_mode is `cgroup`, but cgroup is `no`",
        hint: "without a cgroup, kill_mode is `group` or `main`",
    },
    Rule {
        between: &["memory_max", "cpu_max", "pids_max", "cgroup"],
        is_broken: |draft| draft.program.surroundings.maxima.any() && !draft.program.cgroup,
        message: "memory_max, cpu_max and pids_max bound a cgroup, but cgroup is `no`",
        hint: "without a cgroup, bound single processes: limit_as, limit_cpu, limit_nproc",
    },
    Rule {
        between: &["reload_command", "reload_signal"],
        is_broken: |draft| draft.care.reload_command.is_some() && draft.care.reload_signal.is_some(),
        message: "reload_command and reload_signal are both given",
        hint: "a reload is one or the other: set the other to `none`, if a wider scope gives it",
    },
    Rule {
        between: &["listen"],
        is_broken: |draft| draft.program.listen.len() > LISTEN_MAX,
        message: "more than 64 sockets for one entry",
        hint: "have the program open its sockets itself",
    },
    Rule {
        between: &["readiness", "listen"],
        is_broken: |draft| {
            let is_taken = |fd: u16| usize::from(fd) < first_free_descriptor(&draft.program.listen);
            matches!(draft.program.readiness, Readiness::Fd(fd) if is_taken(fd))
        },
        message: "readiness is said at a descriptor at which there is a socket of `listen`",
        hint: "the sockets of `listen` are at descriptors 3, 4 and so on: take one behind them for readiness",
    },
];

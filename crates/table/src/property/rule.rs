//! Rules between properties: values that are right each by itself, and wrong together.

use clinit_engine::spec::KillScope;

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
/// are removed say `no`.
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
];

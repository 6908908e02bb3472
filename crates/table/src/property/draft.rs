//! What the properties in effect at one scope say: the part of the model that they set.

use std::sync::Arc;

use clinit_engine::name::Level;
use clinit_engine::spec::{Command, Output, Policy, Program, StopPolicy, ThrottlePolicy};
use clinit_engine::surroundings::Surroundings;

use crate::settings::Settings;

/// The values in effect at a scope. A narrower scope begins with a copy of the wider one's draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    /// The daemon's settings, at table scope.
    pub(crate) settings: Settings,
    /// The level that a group takes at start.
    pub(crate) initdefault: Option<Level>,
    /// What an entry is started with.
    pub(crate) program: ProgramDraft,
    /// How an entry is treated.
    pub(crate) policy: Policy,
}

/// A [`Program`] but for its command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProgramDraft {
    pub(crate) output: Output,
    pub(crate) cgroup: bool,
    /// Shared by all that say no more about it.
    pub(crate) surroundings: Arc<Surroundings>,
}

impl Draft {
    /// What an entry is started in, to be changed.
    pub(crate) fn surroundings(&mut self) -> &mut Surroundings {
        Arc::make_mut(&mut self.program.surroundings)
    }
}

impl ProgramDraft {
    /// The program that runs `command`.
    pub(crate) fn with(&self, command: Command) -> Arc<Program> {
        let Self { output, cgroup, ref surroundings } = *self;
        let surroundings = Some(surroundings).filter(|given| ***given != Surroundings::default()).cloned();
        Arc::new(Program { command, output, cgroup, surroundings })
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            initdefault: None,
            program: ProgramDraft { output: Output::Inherit, cgroup: true, surroundings: Arc::default() },
            policy: Policy { stop: StopPolicy::default(), throttle: ThrottlePolicy::default() },
        }
    }
}

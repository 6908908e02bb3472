//! What the properties in effect at one scope say: the part of the model that they set.

use std::sync::Arc;
use std::time::Duration;

use clinit_engine::care::{Listen, ListenAddress, Readiness};
use clinit_engine::logging::Logging;
use clinit_engine::name::Level;
use clinit_engine::spec::{Command, Mode, Output, Policy, Program};
use clinit_engine::surroundings::Surroundings;

use super::care::{CareDraft, LISTEN_MODE, LinksDraft, SharedCare, is_service};
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
    /// How an entry is treated, but for its care.
    pub(crate) policy: Policy,
    /// What is done for an entry; shared by all that say no more about it.
    pub(crate) care: Arc<CareDraft>,
    /// What that comes to, once the draft is finished.
    pub(crate) shared: SharedCare,
    /// What an entry follows.
    pub(crate) links: LinksDraft,
}

/// A [`Program`] but for its command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProgramDraft {
    pub(crate) output: Output,
    pub(crate) cgroup: bool,
    /// Shared by all that say no more about it.
    pub(crate) surroundings: Arc<Surroundings>,
    pub(crate) readiness: Readiness,
    pub(crate) listen: Vec<ListenAddress>,
    pub(crate) listen_mode: u16,
    pub(crate) watchdog: Option<Duration>,
}

impl Draft {
    /// What an entry is started in, to be changed.
    pub(crate) fn surroundings(&mut self) -> &mut Surroundings {
        Arc::make_mut(&mut self.program.surroundings)
    }

    /// What becomes of what an entry prints, to be changed.
    pub(crate) fn logging(&mut self) -> &mut Logging {
        Arc::make_mut(&mut self.policy.log)
    }

    /// What is done for an entry, to be changed.
    pub(crate) fn care(&mut self) -> &mut CareDraft {
        Arc::make_mut(&mut self.care)
    }

    /// Works out the care, when all lines of a scope that is narrower than `wider` took effect.
    pub(crate) fn finish(&mut self, wider: &Self) {
        if !Arc::ptr_eq(&self.care, &wider.care) {
            self.shared = self.care.share(&wider.shared);
        }
    }

    /// How an entry of `mode` is treated.
    pub(crate) fn policy(&self, mode: Mode) -> Policy {
        let SharedCare { of_services, of_others } = &self.shared;
        let care = if is_service(mode) { of_services } else { of_others };
        Policy { care: care.clone(), ..self.policy.clone() }
    }
}

impl ProgramDraft {
    /// The program that runs `command` in `mode`.
    pub(crate) fn with(&self, command: Command, mode: Mode) -> Arc<Program> {
        let Self { output, cgroup, listen_mode, .. } = *self;
        let is_given = |given: &&Arc<Surroundings>| ***given != Surroundings::default();
        let surroundings = Some(&self.surroundings).filter(is_given).cloned();
        // A wider scope may say so of entries that end, from which nobody waits for a word.
        let (readiness, watchdog) = if is_service(mode) {
            (self.readiness.clone(), self.watchdog)
        } else {
            (Readiness::Started, None)
        };
        let listen = self.listen.iter().map(|address| Listen {
            address: address.clone(),
            mode: match address {
                ListenAddress::Unix(_) => listen_mode,
                ListenAddress::Tcp(_) => 0,
            },
        });
        let listen = listen.collect();
        Arc::new(Program { command, output, cgroup, surroundings, readiness, listen, watchdog })
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            initdefault: None,
            program: ProgramDraft {
                output: Output::Usual,
                cgroup: true,
                surroundings: Arc::default(),
                readiness: Readiness::Started,
                listen: Vec::new(),
                listen_mode: LISTEN_MODE,
                watchdog: None,
            },
            policy: Policy::default(),
            care: Arc::default(),
            shared: SharedCare::default(),
            links: LinksDraft::default(),
        }
    }
}

//! The modes in which a property says something.

use clinit_engine::spec::Mode;

/// Modes of which the process is there for its service, and not for its end.
const SERVICES: &[Mode] = &[Mode::Respawn, Mode::Once];

/// The mode that starts again.
const RESPAWN: &[Mode] = &[Mode::Respawn];

/// What says something in these modes only.
const OF_SOME_MODES: [(&str, &[Mode]); 9] = [
    ("readiness", SERVICES),
    ("watchdog", SERVICES),
    ("health_check", SERVICES),
    ("failover_mode", SERVICES),
    ("restart", RESPAWN),
    ("restart_delay", RESPAWN),
    ("restart_delay_max", RESPAWN),
    ("retry_count", RESPAWN),
    ("retry_interval", RESPAWN),
];

/// The modes in which the property of this name says something, if not all of them.
pub(crate) fn modes_of(name: &str) -> Option<&'static [Mode]> {
    OF_SOME_MODES.iter().find(|(other, _)| *other == name).map(|&(_, modes)| modes)
}

/// Whether it becomes ready and has to stay well, so that it is asked for both; else it just ends.
pub(crate) fn is_service(mode: Mode) -> bool {
    SERVICES.contains(&mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_of_some_modes_exist() {
        for (name, _) in OF_SOME_MODES {
            assert!(crate::property::find(name).is_some(), "{name}");
        }
    }
}

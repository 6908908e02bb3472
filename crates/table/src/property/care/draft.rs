//! What the properties in effect at one scope say of an entry's care and links.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use clinit_engine::care::{
    Care, Check, Delay, Failover, Health, Links, ListenAddress, NOTHING, Reload, Restart, Retry,
};
use clinit_engine::event::Exit;
use clinit_engine::name::Tag;
use clinit_engine::spec::Command;

/// Most sockets that an entry is given.
pub(crate) const LISTEN_MAX: usize = 64;

/// The permission bits of a socket in the file system where the table says nothing.
pub(crate) const LISTEN_MODE: u16 = 0o666;

/// The descriptor at which an entry finds the first socket that it is given (sd_listen_fds(3)).
const LISTEN_FIRST: usize = 3;

/// The first descriptor behind those sockets.
pub(crate) fn first_free_descriptor(sockets: &[ListenAddress]) -> usize {
    LISTEN_FIRST + sockets.len()
}

/// A [`Care`] in which also stands what says nothing without another property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CareDraft {
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) health_check: Option<Check>,
    pub(crate) health_interval: Duration,
    pub(crate) health_timeout: Duration,
    pub(crate) health_threshold: u8,
    pub(crate) restart: Restart,
    pub(crate) delay: Delay,
    pub(crate) retry_count: Option<u8>,
    pub(crate) retry_interval: Duration,
    pub(crate) failover: Failover,
    pub(crate) success: Vec<Exit>,
    pub(crate) stop_command: Option<Command>,
    pub(crate) reload_command: Option<Command>,
    pub(crate) reload_signal: Option<u8>,
    pub(crate) reload_timeout: Duration,
    pub(crate) on_failure: Option<Command>,
}

impl CareDraft {
    /// What is done then.
    fn lower(&self) -> Care {
        let Self { health_interval: interval, health_timeout: timeout, .. } = *self;
        let threshold = u32::from(self.health_threshold);
        let health = self.health_check.clone().map(|check| Health { check, interval, timeout, threshold });
        let by_command = self.reload_command.clone().map(Reload::Command);
        Care {
            start_timeout: self.start_timeout,
            health,
            restart: self.restart,
            delay: self.delay,
            retry: self.retry_count.map(|count| Retry { count, interval: self.retry_interval }),
            failover: self.failover,
            success: self.success.clone(),
            stop_command: self.stop_command.clone(),
            reload: by_command.or(self.reload_signal.map(Reload::Signal)),
            reload_timeout: self.reload_timeout,
            on_failure: self.on_failure.clone(),
        }
    }

    /// What is done then, for entries that are services and for those that end; the same as at the `wider` scope
    /// where it is equal.
    pub(crate) fn share(&self, wider: &SharedCare) -> SharedCare {
        let share = |care: Care, wider: Option<&Arc<Care>>| {
            if care == NOTHING {
                return None;
            }
            let same = wider.filter(|wider| ***wider == care);
            Some(same.cloned().unwrap_or_else(|| Arc::new(care)))
        };
        let care = self.lower();
        let without_health = care.health.is_some().then(|| Care { health: None, ..care.clone() });
        let of_services = share(care, wider.of_services.as_ref());
        let of_others = match without_health {
            Some(care) => share(care, wider.of_others.as_ref()),
            None => of_services.clone(),
        };
        SharedCare { of_services, of_others }
    }
}

impl Default for CareDraft {
    fn default() -> Self {
        let Care { start_timeout, restart, delay, failover, reload_timeout, .. } = NOTHING;
        Self {
            start_timeout,
            health_check: None,
            health_interval: Duration::from_secs(30),
            health_timeout: Duration::from_secs(5),
            health_threshold: 3,
            restart,
            delay,
            retry_count: None,
            retry_interval: Duration::from_secs(300),
            failover,
            success: Vec::new(),
            stop_command: None,
            reload_command: None,
            reload_signal: None,
            reload_timeout,
            on_failure: None,
        }
    }
}

/// A [`Care`] as entries have it, `None` where nothing is done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SharedCare {
    /// The whole.
    pub(crate) of_services: Option<Arc<Care>>,
    /// Of those that end: nobody asks them how they are.
    pub(crate) of_others: Option<Arc<Care>>,
}

/// [`Links`] as they were written, some perhaps twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LinksDraft {
    pub(crate) after: Vec<Tag>,
    pub(crate) requires: Vec<Tag>,
}

impl LinksDraft {
    /// The links, if there are any.
    pub(crate) fn lower(&self) -> Option<Arc<Links>> {
        if self.after.is_empty() && self.requires.is_empty() {
            return None;
        }
        let once = |tags: &[Tag]| {
            let mut seen = HashSet::new();
            tags.iter().filter(|tag| seen.insert(*tag)).cloned().collect()
        };
        Some(Arc::new(Links { after: once(&self.after), requires: once(&self.requires) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_is_said_nothing_is_done() {
        assert_eq!(CareDraft::default().lower(), NOTHING);
        assert_eq!(CareDraft::default().share(&SharedCare::default()), SharedCare::default());
        assert_eq!(LinksDraft::default().lower(), None);
    }

    #[test]
    fn what_says_nothing_without_another_property_changes_nothing() {
        let hour = Duration::from_secs(3600);
        let draft = CareDraft { health_interval: hour, retry_interval: hour, ..CareDraft::default() };
        assert_eq!(draft.share(&SharedCare::default()), SharedCare::default());
    }

    #[test]
    fn the_same_care_as_at_the_wider_scope_is_shared() {
        let draft = CareDraft { restart: Restart::Never, ..CareDraft::default() };
        let wider = draft.share(&SharedCare::default());
        let health_interval = Duration::from_secs(1);
        let own = CareDraft { health_interval, ..draft }.share(&wider);
        assert!(Arc::ptr_eq(&own.of_services.unwrap(), &wider.of_services.unwrap()));
    }

    #[test]
    fn what_ends_is_not_asked_how_it_is() {
        let health_check = Some(Check::Exec(Command::Shell("x;".into())));
        let draft = CareDraft { health_check, ..CareDraft::default() };
        let SharedCare { of_services, of_others } = draft.share(&SharedCare::default());
        assert!(of_services.unwrap().health.is_some());
        assert_eq!(of_others, None);
    }

    #[test]
    fn a_link_that_is_given_twice_is_one() {
        let tag = |text| Tag::new(text).unwrap();
        let after = vec![tag("b"), tag("a"), tag("b")];
        let links = LinksDraft { after, requires: Vec::new() }.lower().unwrap();
        assert_eq!(*links.after, [tag("b"), tag("a")]);
    }
}

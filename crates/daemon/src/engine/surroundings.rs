//! From what the table says of an entry's surroundings to the steps and variables of its order.

use std::collections::BTreeMap;

use clinit_engine::surroundings::{Capabilities, Resource, Surroundings};
use clinit_keeper::steps::{Bound, Step};
use clinit_sys::steps::Resource as SysResource;

use crate::accounts::Identity;

/// What was found out before a start.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Prepared<'a> {
    /// Who it runs as.
    pub(crate) identity: Option<&'a Identity>,
    /// What its environment file says.
    pub(crate) variables: &'a [(Vec<u8>, Vec<u8>)],
    /// How many sockets go along.
    pub(crate) sockets: usize,
}

/// Who the daemon is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The word of the system for it.
pub(crate) fn resource(resource: Resource) -> SysResource {
    match resource {
        Resource::Nofile => SysResource::Nofile,
        Resource::Nproc => SysResource::Nproc,
        Resource::Core => SysResource::Core,
        Resource::As => SysResource::As,
        Resource::Data => SysResource::Data,
        Resource::Stack => SysResource::Stack,
        Resource::Cpu => SysResource::Cpu,
        Resource::Fsize => SysResource::Fsize,
        Resource::Memlock => SysResource::Memlock,
        Resource::Rss => SysResource::Rss,
        Resource::Sigpending => SysResource::Sigpending,
        Resource::Msgqueue => SysResource::Msgqueue,
        Resource::Nice => SysResource::Nice,
        Resource::Rtprio => SysResource::Rtprio,
    }
}

/// The steps of an order. Privileged ones come while the child has its privileges, its folder is entered by
/// the user that it became.
pub(crate) fn steps(around: &Surroundings, identity: Option<&Identity>, own: Own) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut add = |step: Step<'_>| step.encode(&mut bytes);
    let maxima = around.maxima;
    let bounds = [
        (Bound::Memory, maxima.memory_bytes),
        (Bound::Cpu, maxima.cpu_percent.map(Into::into)),
        (Bound::Pids, maxima.pids.map(Into::into)),
    ];
    for (bound, most) in bounds {
        if let Some(most) = most {
            add(Step::Bound(bound, most));
        }
    }
    if let Some(score) = around.oom_score_adj {
        add(Step::OomScoreAdj(score));
    }
    for (&of, limit) in &around.limits {
        add(Step::Limit { resource: resource(of), soft: limit.soft, hard: limit.hard });
    }
    if let Some(nice) = around.nice {
        add(Step::Nice(nice));
    }
    if let Some(bits) = around.umask {
        add(Step::Umask(bits));
    }
    let identity = identity.filter(|identity| !is_own(identity, own));
    if let Some(groups) = identity.and_then(|identity| identity.groups.clone()) {
        add(Step::Groups(groups));
    }
    if let Some(identity) = identity {
        add(Step::Group(identity.gid));
    }
    if let Some(Capabilities(set)) = around.capabilities {
        add(Step::Keep(set));
    }
    if let Some(uid) = identity.and_then(|identity| identity.uid) {
        add(Step::User(uid));
    }
    if let Some(Capabilities(set)) = around.capabilities {
        add(Step::Raise(set));
    }
    if around.no_new_privs {
        add(Step::NoNewPrivs);
    }
    if let Some(path) = &around.directory {
        add(Step::Directory(path.as_bytes()));
    }
    bytes
}

/// Whether an ordinary user's daemon is that already: it may not even become itself.
fn is_own(identity: &Identity, own: Own) -> bool {
    own.uid != 0 && identity.uid.is_none_or(|uid| uid == own.uid) && identity.gid == own.gid
}

/// The variables of an order, each once; one without a value is taken away.
///
/// What the table gives beats the environment file, that beats what a login would tell the user.
pub(crate) fn variables<'a>(
    around: Option<&'a Surroundings>,
    prepared: Prepared<'a>,
) -> BTreeMap<&'a [u8], Option<&'a [u8]>> {
    let of_login = prepared.identity.map_or(&[][..], |identity| identity.variables.as_slice());
    let given = |variables: &'a [(Vec<u8>, Vec<u8>)]| {
        variables.iter().map(|(name, value)| (name.as_slice(), Some(value.as_slice())))
    };
    let of_table = around.into_iter().flat_map(|around| &around.environment);
    let of_table =
        of_table.map(|(name, value)| (name.as_bytes(), value.as_ref().map(|value| value.as_bytes())));
    given(of_login).chain(given(prepared.variables)).chain(of_table).collect()
}

#[cfg(test)]
mod tests {
    use clinit_table::environment::Variables;

    use super::*;

    const ROOT: Own = Own { uid: 0, gid: 0 };

    fn identity(uid: Option<u32>) -> Identity {
        let variables = Variables::from([(b"HOME".to_vec(), b"/home/a".to_vec())]);
        Identity { uid, gid: 7, groups: uid.map(|_| vec![7, 8]), variables }
    }

    #[test]
    fn nothing_given_is_no_step() {
        assert!(steps(&Surroundings::default(), None, ROOT).is_empty());
    }

    #[test]
    fn privileges_go_between_what_needs_them_and_what_must_not_have_them() {
        let around = Surroundings {
            directory: Some("/".into()),
            nice: Some(-1),
            capabilities: Some(Capabilities(1)),
            no_new_privs: true,
            ..Surroundings::default()
        };
        let mut expected = Vec::new();
        for step in [
            Step::Nice(-1),
            Step::Groups(vec![7, 8]),
            Step::Group(7),
            Step::Keep(1),
            Step::User(5),
            Step::Raise(1),
            Step::NoNewPrivs,
            Step::Directory(b"/"),
        ] {
            step.encode(&mut expected);
        }
        assert_eq!(steps(&around, Some(&identity(Some(5))), ROOT), expected);
    }

    #[test]
    fn an_ordinary_user_need_not_become_itself() {
        let around = Surroundings::default();
        let own = Own { uid: 5, gid: 7 };
        assert!(steps(&around, Some(&identity(Some(5))), own).is_empty());
        assert!(steps(&around, Some(&identity(None)), own).is_empty());
        assert!(!steps(&around, Some(&identity(Some(6))), own).is_empty());
        assert!(!steps(&around, Some(&identity(Some(5))), Own { gid: 8, ..own }).is_empty());
    }

    #[test]
    fn the_table_beats_the_file_and_the_file_beats_the_login() {
        let environment = [("A", Some("table")), ("B", None)];
        let around = Surroundings {
            environment: environment.map(|(name, value)| (name.into(), value.map(Into::into))).into(),
            ..Surroundings::default()
        };
        let file = ["A", "B", "C", "HOME"].map(|name| (name.as_bytes().to_vec(), b"file".to_vec()));
        let identity = identity(Some(5));
        let prepared = Prepared { identity: Some(&identity), variables: &file, sockets: 0 };
        let found = variables(Some(&around), prepared);
        let value = |name: &str| found[name.as_bytes()].map(|value| std::str::from_utf8(value).unwrap());
        assert_eq!(["A", "B", "C", "HOME"].map(value), [Some("table"), None, Some("file"), Some("file")]);
        let prepared = Prepared { variables: &[], ..prepared };
        assert_eq!(variables(None, prepared)[&b"HOME"[..]], Some(&b"/home/a"[..]));
    }
}

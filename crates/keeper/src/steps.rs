//! What a spawn orders beside executing: bounds of the cgroup, and what the child does before exec.
//!
//! They stand in the order one behind the other, each with a kind (a byte), the length of what follows
//! (four bytes) and its values, little-endian. The engine puts them into the order in which they have to be
//! done; most entries have none.

use clinit_sys::steps::{Resource, Steps};

/// What a cgroup can be bounded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Bytes of memory.
    Memory,
    /// Hundredths of one processor's time.
    Cpu,
    /// Processes and threads.
    Pids,
}

impl Bound {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Cpu, Self::Pids];

    /// The bit that stands for it in [`Report::Spawned`](crate::protocol::Report::Spawned).
    #[must_use]
    pub fn bit(self) -> u8 {
        1 << self.index()
    }

    fn index(self) -> u8 {
        match self {
            Self::Memory => 0,
            Self::Cpu => 1,
            Self::Pids => 2,
        }
    }

    /// The controller that enforces it (cgroups(7)).
    #[must_use]
    pub fn controller(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
        }
    }
}

/// One step of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// Bounds its cgroup, before there is a process.
    Bound(Bound, u64),
    /// Sets how likely it is killed when memory runs out.
    OomScoreAdj(i16),
    /// Sets a limit.
    Limit {
        /// Of what.
        resource: Resource,
        /// What holds; `u64::MAX` is no limit.
        soft: u64,
        /// What it cannot exceed.
        hard: u64,
    },
    /// Sets its niceness.
    Nice(i16),
    /// Sets the permission bits that its files do not get.
    Umask(u16),
    /// Takes on these supplementary groups alone.
    Groups(Vec<u32>),
    /// Takes on this group.
    Group(u32),
    /// Gives up all other capabilities for ever.
    Keep(u64),
    /// Becomes this user.
    User(u32),
    /// Takes these capabilities along, whoever the user is.
    Raise(u64),
    /// Gives up new privileges.
    NoNewPrivs,
    /// Enters a folder.
    Directory(&'a [u8]),
}

const BOUND: u8 = 1;
const OOM_SCORE_ADJ: u8 = 2;
const LIMIT: u8 = 3;
const NICE: u8 = 4;
const UMASK: u8 = 5;
const GROUPS: u8 = 6;
const GROUP: u8 = 7;
const KEEP: u8 = 8;
const USER: u8 = 9;
const RAISE: u8 = 10;
const NO_NEW_PRIVS: u8 = 11;
const DIRECTORY: u8 = 12;

impl<'a> Step<'a> {
    /// Appends it to an order's steps.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let mut put = |kind: u8, parts: &[&[u8]]| {
            let length: usize = parts.iter().map(|part| part.len()).sum();
            into.push(kind);
            into.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
            parts.iter().for_each(|part| into.extend(*part));
        };
        match self {
            Self::Bound(bound, most) => put(BOUND, &[&[bound.index()], &most.to_le_bytes()]),
            Self::OomScoreAdj(score) => put(OOM_SCORE_ADJ, &[&score.to_le_bytes()]),
            Self::Limit { resource, soft, hard } => {
                put(LIMIT, &[&[resource.index()], &soft.to_le_bytes(), &hard.to_le_bytes()]);
            }
            Self::Nice(nice) => put(NICE, &[&nice.to_le_bytes()]),
            Self::Umask(bits) => put(UMASK, &[&bits.to_le_bytes()]),
            Self::Groups(groups) => {
                let bytes: Vec<u8> = groups.iter().flat_map(|group| group.to_le_bytes()).collect();
                put(GROUPS, &[&bytes]);
            }
            Self::Group(group) => put(GROUP, &[&group.to_le_bytes()]),
            Self::Keep(set) => put(KEEP, &[&set.to_le_bytes()]),
            Self::User(user) => put(USER, &[&user.to_le_bytes()]),
            Self::Raise(set) => put(RAISE, &[&set.to_le_bytes()]),
            Self::NoNewPrivs => put(NO_NEW_PRIVS, &[]),
            Self::Directory(path) => put(DIRECTORY, &[path]),
        }
    }

    fn decode(kind: u8, values: &'a [u8]) -> Option<Self> {
        let long = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
        let word = |bytes: &[u8]| bytes.try_into().ok().map(u32::from_le_bytes);
        let small = |bytes: &[u8]| bytes.try_into().ok().map(i16::from_le_bytes);
        Some(match kind {
            BOUND => {
                let (&index, most) = values.split_first()?;
                Self::Bound(Bound::ALL.into_iter().find(|bound| bound.index() == index)?, long(most)?)
            }
            OOM_SCORE_ADJ => Self::OomScoreAdj(small(values)?),
            LIMIT => {
                let (&index, limit) = values.split_first()?;
                let (soft, hard) = limit.split_at_checked(8)?;
                let resource = *Resource::ALL.get(usize::from(index))?;
                Self::Limit { resource, soft: long(soft)?, hard: long(hard)? }
            }
            NICE => Self::Nice(small(values)?),
            UMASK => Self::Umask(u16::from_le_bytes(values.try_into().ok()?)),
            GROUPS => Self::Groups(values.chunks(4).map(word).collect::<Option<_>>()?),
            GROUP => Self::Group(word(values)?),
            KEEP => Self::Keep(long(values)?),
            USER => Self::User(word(values)?),
            RAISE => Self::Raise(long(values)?),
            NO_NEW_PRIVS if values.is_empty() => Self::NoNewPrivs,
            DIRECTORY => Self::Directory(values),
            _ => return None,
        })
    }
}

/// Reads the steps of an order. `None` among them is what makes no sense; it is the last one.
pub(crate) fn decode(mut bytes: &[u8]) -> impl Iterator<Item = Option<Step<'_>>> {
    std::iter::from_fn(move || {
        let (&kind, rest) = bytes.split_first()?;
        let step = rest.split_first_chunk::<4>().and_then(|(length, rest)| {
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (values, rest) = rest.split_at_checked(length)?;
            bytes = rest;
            Step::decode(kind, values)
        });
        if step.is_none() {
            bytes = &[];
        }
        Some(step)
    })
}

/// Lays out what the child does; returns what bounds its cgroup.
pub(crate) fn lay_out(bytes: &[u8], steps: &mut Steps) -> Vec<(Bound, u64)> {
    let mut bounds = Vec::new();
    for step in decode(bytes).flatten() {
        match step {
            Step::Bound(bound, most) => bounds.push((bound, most)),
            Step::OomScoreAdj(score) => steps.oom_score_adj(score),
            Step::Limit { resource, soft, hard } => steps.limit(resource, soft, hard),
            Step::Nice(nice) => steps.nice(nice),
            Step::Umask(bits) => steps.umask(bits),
            Step::Groups(groups) => steps.groups(groups.into_iter()),
            Step::Group(group) => steps.group(group),
            Step::Keep(set) => steps.bound(set),
            Step::User(user) => steps.user(user),
            Step::Raise(set) => steps.raise(set),
            Step::NoNewPrivs => steps.no_new_privs(),
            Step::Directory(path) => steps.directory(path),
        }
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind.
    pub(crate) fn all() -> Vec<Step<'static>> {
        let mut steps: Vec<Step<'_>> = Bound::ALL.map(|bound| Step::Bound(bound, 1 << 40)).into();
        steps.extend([
            Step::OomScoreAdj(-1000),
            Step::Nice(-20),
            Step::Umask(0o777),
            Step::Groups(vec![0, 7, u32::MAX - 1]),
            Step::Groups(Vec::new()),
            Step::Group(33),
            Step::Keep(1 << 40),
            Step::User(65_534),
            Step::Raise(0),
            Step::NoNewPrivs,
            Step::Directory(b"/srv/a b"),
        ]);
        let limit = |resource| Step::Limit { resource, soft: 1, hard: u64::MAX };
        steps.extend(Resource::ALL.map(limit));
        steps
    }

    fn encoded() -> Vec<u8> {
        let mut bytes = Vec::new();
        all().iter().for_each(|step| step.encode(&mut bytes));
        bytes
    }

    #[test]
    fn steps_come_back_as_they_went() {
        let bytes = encoded();
        let back: Vec<_> = decode(&bytes).map(Option::unwrap).collect();
        assert_eq!(back, all());
        assert_eq!(decode(&[]).count(), 0);
    }

    #[test]
    fn cut_or_changed_steps_are_refused_or_harmless() {
        let bytes = encoded();
        for end in 0..bytes.len() {
            let steps: Vec<_> = decode(&bytes[..end]).collect();
            let whole = steps.iter().flatten().map(|step| {
                let mut bytes = Vec::new();
                step.encode(&mut bytes);
                bytes.len()
            });
            let whole: usize = whole.sum();
            assert!(steps.last().is_none_or(Option::is_some) == (whole == end), "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0xff;
            let wrong = decode(&changed).filter(Option::is_none).count();
            assert!(wrong <= 1, "nothing is read behind what makes no sense");
            lay_out(&changed, &mut Steps::default());
        }
    }
}

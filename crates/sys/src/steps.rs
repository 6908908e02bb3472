//! Steps of a child before exec: what it gives up, takes on and enters (credentials(7), capabilities(7),
//! setrlimit(2), setpriority(2), proc_pid_oom_score_adj(5)).
//!
//! They are laid out beforehand; the child only makes system calls, in order, and the first that fails ends
//! it. The calls are made directly: those of the C library would look for other threads, of which a child
//! has none, wait for locks that such a thread held, and leave an errno that may be its parent's.

#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
use libc::{SYS_setgroups, SYS_setresgid, SYS_setresuid};
// On these machines the plain calls take ids of 16 bits.
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
use libc::{
    SYS_setgroups32 as SYS_setgroups, SYS_setresgid32 as SYS_setresgid, SYS_setresuid32 as SYS_setresuid,
};

use crate::raw::call;
use crate::spawn::stage;

/// What a process has limits of. Its place in [`ALL`](Self::ALL) stands in a fault's stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// `RLIMIT_NOFILE`
    Nofile,
    /// `RLIMIT_NPROC`
    Nproc,
    /// `RLIMIT_CORE`
    Core,
    /// `RLIMIT_AS`
    As,
    /// `RLIMIT_DATA`
    Data,
    /// `RLIMIT_STACK`
    Stack,
    /// `RLIMIT_CPU`
    Cpu,
    /// `RLIMIT_FSIZE`
    Fsize,
    /// `RLIMIT_MEMLOCK`
    Memlock,
    /// `RLIMIT_RSS`
    Rss,
    /// `RLIMIT_SIGPENDING`
    Sigpending,
    /// `RLIMIT_MSGQUEUE`
    Msgqueue,
    /// `RLIMIT_NICE`
    Nice,
    /// `RLIMIT_RTPRIO`
    Rtprio,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Nofile,
        Self::Nproc,
        Self::Core,
        Self::As,
        Self::Data,
        Self::Stack,
        Self::Cpu,
        Self::Fsize,
        Self::Memlock,
        Self::Rss,
        Self::Sigpending,
        Self::Msgqueue,
        Self::Nice,
        Self::Rtprio,
    ];

    /// Its place in [`ALL`](Self::ALL).
    #[must_use]
    pub fn index(self) -> u8 {
        self as u8
    }

    fn number(self) -> u32 {
        let number = match self {
            Self::Nofile => libc::RLIMIT_NOFILE,
            Self::Nproc => libc::RLIMIT_NPROC,
            Self::Core => libc::RLIMIT_CORE,
            Self::As => libc::RLIMIT_AS,
            Self::Data => libc::RLIMIT_DATA,
            Self::Stack => libc::RLIMIT_STACK,
            Self::Cpu => libc::RLIMIT_CPU,
            Self::Fsize => libc::RLIMIT_FSIZE,
            Self::Memlock => libc::RLIMIT_MEMLOCK,
            Self::Rss => libc::RLIMIT_RSS,
            Self::Sigpending => libc::RLIMIT_SIGPENDING,
            Self::Msgqueue => libc::RLIMIT_MSGQUEUE,
            Self::Nice => libc::RLIMIT_NICE,
            Self::Rtprio => libc::RLIMIT_RTPRIO,
        };
        #[expect(clippy::useless_conversion, reason = "its type differs from one C library to the other")]
        u32::try_from(number).unwrap_or(u32::MAX)
    }
}

/// `struct rlimit64` of prlimit(2).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// Sets a limit of this process.
pub(crate) fn set_limit(resource: Resource, limit: Limit) -> Result<(), i32> {
    let (itself, nothing) = (0, std::ptr::null_mut::<Limit>());
    // SAFETY: the call reads a limit that is laid out as it says and outlives it.
    unsafe { call!(libc::SYS_prlimit64, itself, resource.number(), &raw const limit, nothing) }.map(drop)
}

/// One step. Places are into the texts or ids beside it.
#[derive(Debug, Clone, Copy)]
enum Step {
    OomScoreAdj {
        start: usize,
        length: usize,
    },
    Limit {
        resource: Resource,
        limit: Limit,
    },
    Nice(i32),
    Umask(libc::mode_t),
    Groups {
        start: usize,
        count: usize,
    },
    Group(libc::gid_t),
    Bound {
        keep: u64,
    },
    User(libc::uid_t),
    Raise {
        keep: u64,
    },
    NoNewPrivs,
    Directory {
        start: usize,
    },
    /// As a folder of a dead server does.
    #[cfg(test)]
    Hang,
}

/// Steps in the order in which they were added. Reused from one start to the next.
#[derive(Debug, Default)]
pub struct Steps {
    steps: Vec<Step>,
    texts: Vec<u8>,
    ids: Vec<libc::gid_t>,
}

impl Steps {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.steps.clear();
        self.texts.clear();
        self.ids.clear();
    }

    /// Sets how likely it is killed when memory runs out.
    pub fn oom_score_adj(&mut self, score: i16) {
        let text = score.to_string();
        self.steps.push(Step::OomScoreAdj { start: self.texts.len(), length: text.len() });
        self.texts.extend(text.bytes());
    }

    /// Sets a limit; `u64::MAX` is none.
    pub fn limit(&mut self, resource: Resource, soft: u64, hard: u64) {
        self.steps.push(Step::Limit { resource, limit: Limit { soft, hard } });
    }

    /// Sets its niceness.
    pub fn nice(&mut self, nice: i16) {
        self.steps.push(Step::Nice(nice.into()));
    }

    /// Sets the permission bits that its files do not get.
    pub fn umask(&mut self, bits: u16) {
        self.steps.push(Step::Umask(bits.into()));
    }

    /// Takes on these supplementary groups alone.
    pub fn groups(&mut self, groups: impl Iterator<Item = u32>) {
        let start = self.ids.len();
        self.ids.extend(groups);
        self.steps.push(Step::Groups { start, count: self.ids.len() - start });
    }

    /// Takes on this group.
    pub fn group(&mut self, group: u32) {
        self.steps.push(Step::Group(group));
    }

    /// Takes from it and its descendants for ever all capabilities but these, by their numbers' bits; those
    /// that it has itself it keeps over a change of user, until [`raise`](Self::raise).
    pub fn bound(&mut self, keep: u64) {
        self.steps.push(Step::Bound { keep });
    }

    /// Becomes this user.
    pub fn user(&mut self, user: u32) {
        self.steps.push(Step::User(user));
    }

    /// Has these capabilities and no others, so that they outlive exec whoever the user is.
    pub fn raise(&mut self, keep: u64) {
        self.steps.push(Step::Raise { keep });
    }

    /// Lets no program that it executes give it new privileges.
    pub fn no_new_privs(&mut self) {
        self.steps.push(Step::NoNewPrivs);
    }

    /// Enters a folder, named up to the first NUL.
    pub fn directory(&mut self, path: &[u8]) {
        self.steps.push(Step::Directory { start: self.texts.len() });
        self.texts.extend(path.iter().take_while(|&&byte| byte != 0));
        self.texts.push(0);
    }

    /// Hangs for ever.
    #[cfg(test)]
    pub(crate) fn hang(&mut self) {
        self.steps.push(Step::Hang);
    }

    /// Takes all steps. The fault is the stage of the one that failed, and the errno.
    ///
    /// # Safety
    /// To be called in a child of a clone only, before it executes.
    pub(crate) unsafe fn take(&self) -> Result<(), (u32, i32)> {
        for step in &self.steps {
            let (stage, result) = self.take_one(step);
            result.map_err(|errno| (stage, errno))?;
        }
        Ok(())
    }

    /// Makes system calls only: no allocation, no lock, no panic.
    fn take_one(&self, step: &Step) -> (u32, Result<(), i32>) {
        match *step {
            Step::OomScoreAdj { start, length } => {
                (stage::OOM_SCORE_ADJ, write_oom_score_adj(self.texts.get(start..start + length)))
            }
            Step::Limit { resource, limit } => {
                (stage::LIMIT + u32::from(resource.index()), set_limit(resource, limit))
            }
            Step::Nice(nice) => {
                // SAFETY: the call has no memory effects.
                let set = unsafe { call!(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, nice) };
                (stage::NICE, set.map(drop))
            }
            Step::Umask(bits) => {
                // SAFETY: the call has no memory effects, and never fails.
                let _cannot_fail = unsafe { call!(libc::SYS_umask, bits) };
                (0, Ok(()))
            }
            Step::Groups { start, count } => {
                let ids = self.ids.get(start..start + count).unwrap_or_default();
                // SAFETY: the call reads as many ids as there are.
                (stage::GROUPS, unsafe { call!(SYS_setgroups, ids.len(), ids.as_ptr()) }.map(drop))
            }
            Step::Group(group) => {
                // SAFETY: the call has no memory effects.
                (stage::GROUP, unsafe { call!(SYS_setresgid, group, group, group) }.map(drop))
            }
            Step::Bound { keep } => (stage::CAPABILITIES, bound(keep)),
            Step::User(user) => {
                // SAFETY: the call has no memory effects.
                (stage::USER, unsafe { call!(SYS_setresuid, user, user, user) }.map(drop))
            }
            Step::Raise { keep } => (stage::CAPABILITIES, raise(keep)),
            Step::NoNewPrivs => {
                (stage::NO_NEW_PRIVS, prctl(libc::PR_SET_NO_NEW_PRIVS, [1, 0, 0, 0]).map(drop))
            }
            #[cfg(test)]
            Step::Hang => {
                // SAFETY: waits for nothing, without end.
                let _woken = unsafe { call!(libc::SYS_ppoll, 0, 0, 0, 0, 0) };
                (0, Ok(()))
            }
            Step::Directory { start } => {
                let path = self.texts.get(start..).unwrap_or(b"\0");
                // SAFETY: a NUL ends every path among the texts.
                (stage::DIRECTORY, unsafe { call!(libc::SYS_chdir, path.as_ptr()) }.map(drop))
            }
        }
    }
}

fn prctl(option: i32, words: [usize; 4]) -> Result<usize, i32> {
    let [second, third, fourth, fifth] = words;
    // SAFETY: the options used here take numbers, no addresses.
    unsafe { call!(libc::SYS_prctl, option, second, third, fourth, fifth) }
}

fn write_oom_score_adj(text: Option<&[u8]>) -> Result<(), i32> {
    let text = text.unwrap_or_default();
    let (path, flags) = (c"/proc/self/oom_score_adj", libc::O_WRONLY | libc::O_CLOEXEC);
    // SAFETY: the path ends with NUL, and the text is as long as it says; the descriptor is ours.
    unsafe {
        let file = call!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0)?;
        let written = call!(libc::SYS_write, file, text.as_ptr(), text.len());
        let _written_by_then = call!(libc::SYS_close, file);
        written.map(drop)
    }
}

fn bits_of(set: u64) -> impl Iterator<Item = usize> {
    (0..64).filter(move |bit| set >> bit & 1 == 1)
}

/// Drops from the bounding set what is not to be kept, and keeps over a change of user what there is.
fn bound(keep: u64) -> Result<(), i32> {
    // Numbers that this kernel does not know are no capabilities to drop.
    for number in bits_of(!keep) {
        if prctl(libc::PR_CAPBSET_READ, [number, 0, 0, 0]) == Ok(1) {
            prctl(libc::PR_CAPBSET_DROP, [number, 0, 0, 0])?;
        }
    }
    prctl(libc::PR_SET_KEEPCAPS, [1, 0, 0, 0]).map(drop)
}

/// `_LINUX_CAPABILITY_VERSION_3`: two words for each set.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
struct CapabilityWords {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Makes these the effective, permitted, inheritable and ambient set.
fn raise(keep: u64) -> Result<(), i32> {
    let header = CapabilityHeader { version: CAPABILITY_VERSION, pid: 0 };
    let word = |word: u64| {
        let [a, b, c, d, ..] = word.to_le_bytes();
        let word = u32::from_le_bytes([a, b, c, d]);
        CapabilityWords { effective: word, permitted: word, inheritable: word }
    };
    let words = [word(keep), word(keep >> 32)];
    // SAFETY: header and words are laid out as this version of capset(2) reads them.
    unsafe { call!(libc::SYS_capset, &raw const header, words.as_ptr()) }?;
    let ambient = usize::try_from(libc::PR_CAP_AMBIENT_RAISE).unwrap_or(2);
    for number in bits_of(keep) {
        prctl(libc::PR_CAP_AMBIENT, [ambient, number, 0, 0])?;
    }
    Ok(())
}

//! Starting a process: clone3(2), and what the child does before execve(2).
//!
//! A child that shares its parent's memory until it executes ([`Berths`](crate::berths::Berths)) is made twice as fast as one that gets a
//! copy ([`spawn`]). Neither holds up its parent: one that is stopped or hangs before exec stops nobody. All that a
//! child needs stands in a `Plan` that nobody else changes; it makes system calls alone, without the C library,
//! whose errno would be its parent's, and allocates nothing.

use std::ffi::c_char;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use crate::image::{Image, write_pid};
use crate::raw::{self, call};
use crate::slots::Slot;
use crate::steps::{Limit, Resource, Steps, set_limit};

/// How a process is started.
#[derive(Debug)]
pub struct Start<'a, 'slot> {
    /// Where pid and fault are noted. In shared memory, or the fault is lost.
    pub slot: &'slot Slot,
    /// Descriptors to put into place: from, to. No `from` may be another pair's `to`.
    pub descriptors: &'a [(RawFd, RawFd)],
    /// The cgroup to start in.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// It gets no descriptor from this number on ...
    pub keep_below: u32,
    /// ... but this one.
    pub keep_too: Option<u32>,
    /// Whether it gets a session, and so a process group, of its own.
    pub session: bool,
    /// The limit of open files that it gets, if it is not to be this process's: soft and hard.
    pub open_files: Option<(u64, u64)>,
}

/// Steps of a child that can fail, as they stand in a slot.
pub mod stage {
    /// Putting its descriptors into place.
    pub const OUTPUT: u32 = 1;
    /// Executing.
    pub const EXEC: u32 = 2;
    /// Executing the interpreter that a script names.
    pub const INTERPRETER: u32 = 3;
    /// Setting how likely it is killed when memory runs out.
    pub const OOM_SCORE_ADJ: u32 = 4;
    /// Setting its niceness.
    pub const NICE: u32 = 5;
    /// Taking on supplementary groups.
    pub const GROUPS: u32 = 6;
    /// Taking on a group.
    pub const GROUP: u32 = 7;
    /// Giving up capabilities, or taking them along.
    pub const CAPABILITIES: u32 = 8;
    /// Becoming a user.
    pub const USER: u32 = 9;
    /// Giving up new privileges.
    pub const NO_NEW_PRIVS: u32 = 10;
    /// Entering a folder.
    pub const DIRECTORY: u32 = 11;
    /// Setting a limit; the place of its [`Resource`](crate::steps::Resource) is added.
    pub const LIMIT: u32 = 64;
}

/// The status of a child that could not exec, as shells have it.
pub const EXIT_NOT_EXECUTED: i32 = 127;

const SHELL: &std::ffi::CStr = c"/bin/sh";

/// What a child does, laid out: nothing of it changes until the child has executed or ended.
#[derive(Debug)]
pub(crate) struct Plan {
    slot: *const Slot,
    descriptors: Vec<(RawFd, RawFd)>,
    /// The cgroup that it enters by itself, if it does.
    pub(crate) enters: Option<RawFd>,
    keep_below: u32,
    keep_too: Option<u32>,
    session: bool,
    open_files: Option<(u64, u64)>,
    steps: *const Steps,
    /// Where its own pid belongs, among the bytes of the environment.
    environment_bytes: *mut u8,
    pids: *const [usize],
    candidates: *const *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    script: *mut *const c_char,
}

impl Plan {
    /// Points into `image` and to the slot.
    pub(crate) fn new(image: &mut Image, start: &Start<'_, '_>) -> Self {
        let candidates = image.candidates.point();
        let arguments = image.arguments.point();
        let environment = image.environment.point();
        image.script.clear();
        image.script.extend([SHELL.as_ptr(), std::ptr::null()]);
        // Behind the script's name its arguments; without a name there are none, and only the end is copied.
        image.script.extend(image.arguments.pointers.iter().skip(1.min(image.arguments.len())));
        Self {
            slot: std::ptr::from_ref(start.slot),
            descriptors: start.descriptors.to_vec(),
            enters: None,
            keep_below: start.keep_below,
            keep_too: start.keep_too,
            session: start.session,
            open_files: start.open_files,
            steps: std::ptr::from_ref(&image.steps),
            environment_bytes: image.environment.bytes.as_mut_ptr(),
            pids: std::ptr::from_ref(image.environment.pids.as_slice()),
            candidates,
            arguments,
            environment,
            script: image.script.as_mut_ptr(),
        }
    }
}

/// Starts a process, with a copy of this one's memory until it executes. Its pid stands in the slot before it runs.
///
/// # Errors
/// clone3(2) failed: no process, memory or cgroup to be had.
pub fn spawn(image: &mut Image, start: &Start<'_, '_>) -> io::Result<()> {
    let mut plan = Plan::new(image, start);
    by_any_call(|call| copy(call, start, &mut plan))
}

/// Two calls make a process; containers hide the newer one, for their filters cannot look into its arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call {
    Clone3,
    Clone,
}

pub(crate) fn by_any_call(mut make: impl FnMut(Call) -> isize) -> io::Result<()> {
    let mut given = raw::answer(make(Call::Clone3));
    if given == Err(libc::ENOSYS) {
        given = raw::answer(make(Call::Clone));
    }
    given.map(drop).map_err(io::Error::from_raw_os_error)
}

/// Makes a child with a copy of the memory.
fn copy(call: Call, start: &Start<'_, '_>, plan: &mut Plan) -> isize {
    // SAFETY: without CLONE_VM the child is a copy, as of fork(2), and goes on here, where it begins its plan, which
    // never returns. The addresses outlive the call.
    unsafe {
        let given = match call {
            Call::Clone3 => {
                let args = clone_args(start, 0);
                raw::enter(libc::SYS_clone3, &[(&raw const args).addr(), size_of::<libc::clone_args>()])
            }
            Call::Clone => {
                plan.enters = start.cgroup.map(|cgroup| cgroup.as_raw_fd());
                raw::enter(libc::SYS_clone, &clone_words(start, 0, 0, 0))
            }
        };
        if given == 0 {
            begin(plan);
        }
        given
    }
}

/// Becomes the first candidate, in this process: its signals stay blocked and pending as they are. Returns only
/// when that fails.
pub fn replace(image: &mut Image) -> io::Error {
    let candidates = image.candidates.point();
    let (arguments, environment) = (image.arguments.point(), image.environment.point());
    // SAFETY: the arrays are null-terminated, and made above; the first may hold nothing but its end, a null path,
    // which execve refuses.
    unsafe { libc::execve(*candidates, arguments, environment) };
    io::Error::last_os_error()
}

/// The child runs in its parent's memory, and says when it has left it.
pub(crate) const SHARED: u64 = libc::CLONE_VM as u64 | libc::CLONE_CHILD_CLEARTID as u64;

/// Not in libc for every target.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

pub(crate) fn clone_args(start: &Start<'_, '_>, more: u64) -> libc::clone_args {
    // SAFETY: clone_args is plain data for which zero means "none".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = libc::CLONE_PARENT_SETTID as u64 | more;
    args.parent_tid = start.slot.pid_address();
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = start.cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::try_from(cgroup.as_raw_fd()).unwrap_or(0);
    }
    args
}

/// The arguments of the older call, in the machine's order.
pub(crate) fn clone_words(start: &Start<'_, '_>, more: u64, stack: usize, child: usize) -> [usize; 5] {
    let flags = libc::CLONE_PARENT_SETTID.unsigned_abs() | libc::SIGCHLD.unsigned_abs();
    let flags = usize::try_from(u64::from(flags) | more).unwrap_or(0);
    let parent = usize::try_from(start.slot.pid_address()).unwrap_or(0);
    if cfg!(target_arch = "x86_64") {
        [flags, stack, parent, child, 0]
    } else {
        [flags, stack, parent, 0, child]
    }
}

/// # Safety
/// To be called in a child of a clone only, with a plan that holds until it has executed.
pub(crate) unsafe extern "C" fn begin(plan: *const Plan) -> ! {
    // SAFETY: all are system calls on memory that was prepared before the clone and is this child's alone.
    unsafe {
        let plan = &*plan;
        let slot = &*plan.slot;
        // Whoever looks at its pid later knows by this whether it is still it.
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let _cannot_fail = call!(libc::SYS_clock_gettime, libc::CLOCK_BOOTTIME, &raw mut time);
        slot.set_begun_nanos(time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs());
        write_pid(plan.environment_bytes, &*plan.pids);
        if plan.session {
            let _cannot_fail = call!(libc::SYS_setsid);
        }
        if let Some(cgroup) = plan.enters {
            let flags = libc::O_WRONLY | libc::O_CLOEXEC;
            if let Ok(file) = call!(libc::SYS_openat, cgroup, c"cgroup.procs".as_ptr(), flags, 0) {
                let _left_where_it_is = call!(libc::SYS_write, file, c"0".as_ptr(), 1usize);
            }
        }
        for &(from, to) in &plan.descriptors {
            let placed = if from == to {
                call!(libc::SYS_fcntl, to, libc::F_SETFD, 0)
            } else {
                call!(libc::SYS_dup3, from, to, 0)
            };
            if let Err(errno) = placed {
                fail(slot, stage::OUTPUT, errno);
            }
        }
        // Before exec, which closes them too, but may hang: nobody waits for an end of a pipe held here.
        let close = |from: u32, to: u32| {
            if from <= to {
                let _closed_by_exec = call!(libc::SYS_close_range, from, to, 0);
            }
        };
        match plan.keep_too {
            Some(too) if too >= plan.keep_below => {
                if too > plan.keep_below {
                    close(plan.keep_below, too - 1);
                }
                close(too.saturating_add(1), u32::MAX);
            }
            _ => close(plan.keep_below, u32::MAX),
        }
        if let Some((soft, hard)) = plan.open_files {
            let _as_it_is = set_limit(Resource::Nofile, Limit { soft, hard });
        }
        if let Err((stage, errno)) = (*plan.steps).take() {
            fail(slot, stage, errno);
        }
        let none = 0u64;
        let old = std::ptr::null_mut::<u64>();
        let _cannot_fail =
            call!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const none, old, size_of::<u64>());
        let (stage, errno) = execute(plan);
        fail(slot, stage, errno)
    }
}

/// Executes the first candidate that can be executed. Returns only when none can: the stage and the errno.
///
/// # Safety
/// As for [`begin`].
unsafe fn execute(plan: &Plan) -> (u32, i32) {
    let execve = |path: *const c_char, arguments: *const *const c_char| {
        // SAFETY: the arrays are null-terminated, and made of strings that end.
        match unsafe { call!(libc::SYS_execve, path, arguments, plan.environment) } {
            Ok(_) => 0,
            Err(errno) => errno,
        }
    };
    let mut errno = libc::ENOENT;
    let mut candidate = plan.candidates;
    // SAFETY: the array is null-terminated, and that of the script has a place for the path.
    unsafe {
        while !(*candidate).is_null() {
            let path = *candidate;
            match execve(path, plan.arguments) {
                libc::ENOEXEC => {
                    *plan.script.add(1) = path;
                    execve(SHELL.as_ptr(), plan.script);
                    return (stage::EXEC, libc::ENOEXEC);
                }
                // It is there, so what is missing is the interpreter it names.
                libc::ENOENT if call!(libc::SYS_faccessat, libc::AT_FDCWD, path, libc::F_OK).is_ok() => {
                    return (stage::INTERPRETER, libc::ENOENT);
                }
                // The path that was named, not one of many to try.
                libc::ENOTDIR if candidate == plan.candidates && (*candidate.add(1)).is_null() => {
                    errno = libc::ENOTDIR;
                }
                libc::ENOENT | libc::ENOTDIR => {}
                // As in execvp(3): a refusal is remembered and beats "not found".
                other @ (libc::EACCES | libc::EPERM | libc::EISDIR) => errno = other,
                other => return (stage::EXEC, other),
            }
            candidate = candidate.add(1);
        }
    }
    (stage::EXEC, errno)
}

/// # Safety
/// To be called in a child of a clone only.
unsafe fn fail(slot: &Slot, stage: u32, errno: i32) -> ! {
    slot.set_fault(stage << 24 | u32::try_from(errno).unwrap_or(0) & 0xff_ffff);
    loop {
        // SAFETY: ends the child without running the parent's exit handlers.
        let _does_not_return = unsafe { call!(libc::SYS_exit_group, EXIT_NOT_EXECUTED) };
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::slots::Slots;

    /// A slot in shared memory, as those of a keeper.
    pub(crate) fn slots() -> Slots {
        let path = std::env::temp_dir().join(format!("clinit-spawn-{}", std::process::id()));
        let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut slots = Slots::open(file).unwrap();
        slots.grow_to(0).unwrap();
        slots
    }

    pub(crate) fn start<'slot>(slot: &'slot Slot) -> Start<'static, 'slot> {
        Start {
            slot,
            descriptors: &[],
            cgroup: None,
            session: false,
            keep_below: 3,
            keep_too: None,
            open_files: None,
        }
    }

    pub(crate) fn lay_out(image: &mut Image, words: &[&str]) {
        image.candidates.clear();
        image.arguments.clear();
        image.environment.clear();
        image.candidates.push(&[b"/bin/sh"]);
        words.iter().for_each(|word| image.arguments.push(&[word.as_bytes()]));
        image.environment.push_with_pid(b"OWN=");
    }

    pub(crate) fn exit_code(slot: &Slot) -> i32 {
        let (mut status, pid) = (0, i32::try_from(slot.pid()).unwrap());
        // SAFETY: waits for our own child.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert!(libc::WIFEXITED(status));
        libc::WEXITSTATUS(status)
    }

    pub(crate) const WORDS: [&str; 3] = ["sh", "-c", "test $$ = $OWN && exit 7"];

    #[test]
    fn either_call_makes_a_copy() {
        let slots = slots();
        let slot = slots.get(0).unwrap();
        for call in [Call::Clone3, Call::Clone] {
            let mut image = Image::default();
            lay_out(&mut image, &WORDS);
            let start = start(slot);
            let mut plan = Plan::new(&mut image, &start);
            assert!(copy(call, &start, &mut plan) > 0);
            assert_eq!((exit_code(slot), slot.fault()), (7, 0));
        }
    }
}

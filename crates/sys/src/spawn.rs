//! Starting a process: clone3(2), and what the child does before execve(2).
//!
//! A child that shares its parent's memory until it executes ([`Berths`]) is made twice as fast as one that gets a
//! copy ([`spawn`]). Neither holds up its parent: one that is stopped or hangs before exec stops nobody. All that a
//! child needs stands in a `Plan` that nobody else changes; it makes system calls alone, without the C library,
//! whose errno would be its parent's, and allocates nothing.

use std::ffi::c_char;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::raw::{self, call};
use crate::slots::Slot;
use crate::steps::{Limit, Resource, Steps, set_limit};

/// An array of C strings, null-terminated, as execve(2) takes it.
#[derive(Debug, Default)]
pub struct Strings {
    bytes: Vec<u8>,
    starts: Vec<usize>,
    pointers: Vec<*const c_char>,
    /// Where the child writes its own pid.
    pids: Vec<usize>,
}

/// Room for a pid in digits, and the NUL behind it.
const PID_DIGITS: usize = 10;

impl Strings {
    /// Empties it.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.starts.clear();
        self.pids.clear();
    }

    /// Appends the joined parts as one string, up to the first NUL among them.
    pub fn push(&mut self, parts: &[&[u8]]) {
        self.starts.push(self.bytes.len());
        for part in parts {
            let end = part.iter().position(|&byte| byte == 0).unwrap_or(part.len());
            self.bytes.extend_from_slice(&part[..end]);
        }
        self.bytes.push(0);
    }

    /// Appends `text` with the pid of the child behind it, which the child itself puts there.
    pub fn push_with_pid(&mut self, text: &[u8]) {
        self.push(&[text, &[b'0'; PID_DIGITS]]);
        self.pids.push(self.bytes.len() - PID_DIGITS - 1);
    }

    /// How many strings it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The pointers, made anew: they hold until the next change.
    fn point(&mut self) -> *const *const c_char {
        self.pointers.clear();
        let base = self.bytes.as_ptr();
        self.pointers.extend(self.starts.iter().map(|&start| base.wrapping_add(start).cast::<c_char>()));
        self.pointers.push(std::ptr::null());
        self.pointers.as_ptr()
    }
}

/// What is executed. Reused from one start to the next, so that a start allocates nothing.
#[derive(Debug, Default)]
pub struct Image {
    /// Paths to try in order: one for a name with a slash, else one for each folder of PATH.
    pub candidates: Strings,
    /// The arguments, the program's name first.
    pub arguments: Strings,
    /// The environment, `NAME=value`.
    pub environment: Strings,
    /// What is done before; nothing for most.
    pub steps: Steps,
    /// `/bin/sh`, the path and the arguments, for a script without a first line that names an interpreter.
    script: Vec<*const c_char>,
}

/// How a process is started.
#[derive(Debug)]
pub struct Start<'a> {
    /// Where pid and fault are noted. In shared memory, or the fault is lost.
    pub slot: &'a Slot,
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
struct Plan {
    slot: *const Slot,
    descriptors: Vec<(RawFd, RawFd)>,
    /// The cgroup that it enters by itself, if it does.
    enters: Option<RawFd>,
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
    fn new(image: &mut Image, start: &Start<'_>) -> Self {
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
pub fn spawn(image: &mut Image, start: &Start<'_>) -> io::Result<()> {
    let mut plan = Plan::new(image, start);
    by_any_call(|call| copy(call, start, &mut plan))
}

/// Two calls make a process; containers hide the newer one, for their filters cannot look into its arguments.
#[derive(Debug, Clone, Copy)]
enum Call {
    Clone3,
    Clone,
}

fn by_any_call(mut make: impl FnMut(Call) -> isize) -> io::Result<()> {
    let mut given = raw::answer(make(Call::Clone3));
    if given == Err(libc::ENOSYS) {
        given = raw::answer(make(Call::Clone));
    }
    given.map(drop).map_err(io::Error::from_raw_os_error)
}

/// Makes a child with a copy of the memory.
fn copy(call: Call, start: &Start<'_>, plan: &mut Plan) -> isize {
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

/// How many children at a time share this process's memory; further ones get a copy.
const BERTHS_MAX: usize = 32;

/// How many berths are kept when nothing is started.
const BERTHS_KEPT: usize = 2;

/// The stack of a child, with a page below it that ends whoever runs over it.
const STACK_BYTES: usize = 32 << 10;
const GUARD_BYTES: usize = 4 << 10;

/// What one child has of its parent until it executes.
#[derive(Debug)]
struct Berth {
    image: Image,
    plan: Option<Plan>,
    stack: NonNull<u8>,
    /// Not 0 while the child is here: the kernel stores 0 when it has executed or ended (`CLONE_CHILD_CLEARTID`).
    taken: AtomicU32,
}

impl Berth {
    fn new() -> io::Result<Box<Self>> {
        let (bytes, flags) =
            (GUARD_BYTES + STACK_BYTES, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK);
        // SAFETY: a new mapping, of which the lowest page is made inaccessible.
        let stack = unsafe {
            let stack =
                libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
            if stack == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            libc::mprotect(stack, GUARD_BYTES, libc::PROT_NONE);
            stack
        };
        let stack = NonNull::new(stack.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Box::new(Self { image: Image::default(), plan: None, stack, taken: AtomicU32::new(0) }))
    }

    fn is_free(&self) -> bool {
        self.taken.load(Ordering::Acquire) == 0
    }

    /// Makes a child that shares the memory.
    fn share(&mut self, call: Call, start: &Start<'_>) -> isize {
        let Some(plan) = &mut self.plan else { return -1 };
        self.taken.store(1, Ordering::Release);
        let stack = self.stack.as_ptr().wrapping_add(GUARD_BYTES);
        // SAFETY: the stack is this child's alone, and so is the plan with all that it points to, until the kernel
        // stores 0 at `taken`; the slot is in a mapping, or outlives the child by the caller's promise.
        let given = unsafe {
            match call {
                Call::Clone3 => {
                    let mut args = clone_args(start, SHARED);
                    args.stack = stack.expose_provenance() as u64;
                    args.stack_size = STACK_BYTES as u64;
                    args.child_tid = self.taken.as_ptr().expose_provenance() as u64;
                    let words = [(&raw const args).addr(), size_of::<libc::clone_args>()];
                    raw::onto(libc::SYS_clone3, &words, begin, plan)
                }
                Call::Clone => {
                    plan.enters = start.cgroup.map(|cgroup| cgroup.as_raw_fd());
                    let top = stack.wrapping_add(STACK_BYTES).expose_provenance();
                    let taken = self.taken.as_ptr().expose_provenance();
                    raw::onto(libc::SYS_clone, &clone_words(start, SHARED, top, taken), begin, plan)
                }
            }
        };
        if given < 0 {
            self.taken.store(0, Ordering::Release);
        }
        given
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        // SAFETY: no child is on it: a berth that is taken is not dropped but forgotten.
        unsafe { libc::munmap(self.stack.as_ptr().cast(), GUARD_BYTES + STACK_BYTES) };
    }
}

/// Room for children that share this process's memory until they execute. Reused from one start to the next, so that
/// a start allocates nothing.
#[derive(Debug, Default)]
pub struct Berths {
    #[expect(clippy::vec_box, reason = "children point into them, and they are not to move")]
    berths: Vec<Box<Berth>>,
    /// The berth that is laid out; none for a child that gets a copy.
    current: Option<usize>,
    /// For a child that gets a copy.
    spare: Image,
}

impl Berths {
    /// What is executed next, to be laid out. It is as the last child in this place left it.
    pub fn image(&mut self) -> &mut Image {
        self.current = self.berths.iter().position(|berth| berth.is_free());
        if self.current.is_none()
            && raw::CAN_SHARE
            && self.berths.len() < BERTHS_MAX
            && let Ok(berth) = Berth::new()
        {
            self.current = Some(self.berths.len());
            self.berths.push(berth);
        }
        match self.current {
            Some(current) => &mut self.berths[current].image,
            None => &mut self.spare,
        }
    }

    /// Starts what was laid out. Its pid stands in the slot, which has to be in a mapping of [`Slots`], before it runs.
    ///
    /// [`Slots`]: crate::slots::Slots
    ///
    /// # Errors
    /// clone3(2) failed: no process, memory or cgroup to be had.
    pub fn spawn(&mut self, start: &Start<'_>) -> io::Result<()> {
        let Some(berth) = self.current.and_then(|current| self.berths.get_mut(current)) else {
            return spawn(&mut self.spare, start);
        };
        berth.plan = Some(Plan::new(&mut berth.image, start));
        by_any_call(|call| berth.share(call, start))
    }

    /// Whether there are more of them than are kept.
    #[must_use]
    pub fn are_many(&self) -> bool {
        self.berths.len() > BERTHS_KEPT
    }

    /// Gives up what many starts at a time needed.
    pub fn rest(&mut self) {
        let mut kept = 0;
        self.berths.retain(|berth| {
            let is_free = berth.is_free();
            kept += usize::from(is_free);
            !is_free || kept <= BERTHS_KEPT
        });
        self.current = None;
    }
}

impl Drop for Berths {
    fn drop(&mut self) {
        // A child that is still here goes on with what it has.
        self.berths.drain(..).filter(|berth| !berth.is_free()).for_each(std::mem::forget);
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
const SHARED: u64 = libc::CLONE_VM as u64 | libc::CLONE_CHILD_CLEARTID as u64;

/// Not in libc for every target.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

fn clone_args(start: &Start<'_>, more: u64) -> libc::clone_args {
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
fn clone_words(start: &Start<'_>, more: u64, stack: usize, child: usize) -> [usize; 5] {
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
unsafe extern "C" fn begin(plan: *const Plan) -> ! {
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

/// Writes the pid of this process in digits, with NUL behind, to each of the places.
///
/// # Safety
/// From each place on there have to be `PID_DIGITS` bytes and one more behind `bytes`.
unsafe fn write_pid(bytes: *mut u8, places: &[usize]) {
    if places.is_empty() {
        return;
    }
    // SAFETY: the call has no memory effects, and cannot fail.
    let mut rest = unsafe { call!(libc::SYS_getpid) }.unwrap_or(0);
    let mut digits = [0; PID_DIGITS + 1];
    let mut first = PID_DIGITS;
    while rest > 0 && first > 0 {
        first -= 1;
        digits[first] = b'0' + (rest % 10).to_le_bytes()[0];
        rest /= 10;
    }
    for &place in places {
        // SAFETY: as the caller promises; what is copied ends with the NUL behind the digits.
        unsafe { bytes.add(place).copy_from(digits.as_ptr().add(first), digits.len() - first) };
    }
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
mod tests {
    use super::*;
    use crate::slots::Slots;

    #[test]
    fn the_pid_is_written_where_it_belongs() {
        let mut strings = Strings::default();
        strings.push(&[b"A=1"]);
        strings.push_with_pid(b"LISTEN_PID=");
        strings.push(&[b"B=2"]);
        let expected = format!("LISTEN_PID={}", std::process::id());
        let bytes = strings.bytes.as_mut_ptr();
        // SAFETY: the places are those of this very text.
        unsafe { write_pid(bytes, &strings.pids) };
        let text = |start: usize| strings.bytes[start..].split(|&byte| byte == 0).next().unwrap().to_vec();
        let texts: Vec<_> = strings.starts.iter().map(|&start| text(start)).collect();
        assert_eq!(texts, [&b"A=1"[..], expected.as_bytes(), b"B=2"]);
    }

    /// A slot in shared memory, as those of a keeper.
    fn slots() -> Slots {
        let path = std::env::temp_dir().join(format!("clinit-spawn-{}", std::process::id()));
        let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut slots = Slots::open(file).unwrap();
        slots.grow_to(0).unwrap();
        slots
    }

    fn start(slot: &Slot) -> Start<'_> {
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

    fn lay_out(image: &mut Image, words: &[&str]) {
        image.candidates.clear();
        image.arguments.clear();
        image.environment.clear();
        image.candidates.push(&[b"/bin/sh"]);
        words.iter().for_each(|word| image.arguments.push(&[word.as_bytes()]));
        image.environment.push_with_pid(b"OWN=");
    }

    fn exit_code(slot: &Slot) -> i32 {
        let (mut status, pid) = (0, i32::try_from(slot.pid()).unwrap());
        // SAFETY: waits for our own child.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert!(libc::WIFEXITED(status));
        libc::WEXITSTATUS(status)
    }

    const WORDS: [&str; 3] = ["sh", "-c", "test $$ = $OWN && exit 7"];

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

    #[test]
    fn either_call_makes_a_child_that_shares_memory() {
        let slots = slots();
        let slot = slots.get(0).unwrap();
        for call in [Call::Clone3, Call::Clone] {
            let mut berth = Berth::new().unwrap();
            lay_out(&mut berth.image, &WORDS);
            let start = start(slot);
            berth.plan = Some(Plan::new(&mut berth.image, &start));
            assert!(!raw::CAN_SHARE || berth.share(call, &start) > 0);
            assert_eq!((exit_code(slot), slot.fault()), (7, 0));
            assert!(berth.is_free());
        }
    }

    #[test]
    fn who_cannot_execute_leaves_a_note_and_the_berth() {
        let slots = slots();
        let slot = slots.get(0).unwrap();
        let mut berths = Berths::default();
        let image = berths.image();
        lay_out(image, &["x"]);
        image.candidates.clear();
        image.candidates.push(&[b"/absent/x"]);
        berths.spawn(&start(slot)).unwrap();
        assert_eq!(exit_code(slot), EXIT_NOT_EXECUTED);
        assert_eq!(slot.fault(), stage::EXEC << 24 | libc::ENOENT.unsigned_abs());
        assert!(berths.berths.iter().all(|berth| berth.is_free()));
    }

    #[test]
    fn a_child_that_hangs_before_exec_holds_nobody_up() {
        let slots = slots();
        let slot = slots.get(0).unwrap();
        let mut berths = Berths::default();
        let mut hanging = Vec::new();
        for _ in 0..2 * BERTHS_MAX {
            let image = berths.image();
            lay_out(image, &["x"]);
            image.steps.clear();
            image.steps.hang();
            berths.spawn(&start(slot)).unwrap();
            hanging.push(i32::try_from(slot.pid()).unwrap());
        }
        berths.rest();
        assert_eq!(berths.berths.len(), if raw::CAN_SHARE { BERTHS_MAX } else { 0 });
        let image = berths.image();
        lay_out(image, &WORDS);
        image.steps.clear();
        berths.spawn(&start(slot)).unwrap();
        assert_eq!(exit_code(slot), 7);
        for pid in hanging {
            // SAFETY: they are our own children, and not waited for yet.
            unsafe {
                libc::kill(pid, libc::SIGKILL);
                libc::waitpid(pid, std::ptr::null_mut(), 0);
            }
        }
        berths.rest();
        assert!(berths.berths.len() <= BERTHS_KEPT);
    }
}

//! Starting a process: clone3(2) with a pidfd, and what the child does before execve(2).
//!
//! The child does not share memory with its parent (the slot aside): one that is stopped or hangs before
//! exec stops nobody. Between clone and exec it makes only async-signal-safe calls and allocates nothing:
//! all it needs was prepared by [`Image`].

use std::ffi::c_char;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::slots::Slot;
use crate::steps::Steps;

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
            self.bytes.extend(part.iter().take_while(|&&byte| byte != 0));
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

/// Starts a process. Its pid stands in the slot before it runs.
///
/// # Errors
/// clone3(2) failed: no process, memory, descriptor or cgroup to be had.
pub fn spawn(image: &mut Image, start: &Start<'_>) -> io::Result<OwnedFd> {
    let environment_bytes = image.environment.bytes.as_mut_ptr();
    let candidates = image.candidates.point();
    let arguments = image.arguments.point();
    let environment = image.environment.point();
    image.script.clear();
    image.script.extend([SHELL.as_ptr(), std::ptr::null()]);
    // Behind the script's name its arguments; without a name there are none, and only the end is copied.
    image.script.extend(image.arguments.pointers.iter().skip(1.min(image.arguments.len())));
    let script = image.script.as_mut_ptr();

    let pid_and_pidfd = match clone3(start) {
        // Containers hide it: their filters cannot look into its arguments.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => clone(start),
        result => result,
    };
    match pid_and_pidfd? {
        // The child notes when it began: whoever looks at its pid later knows by that whether it is still it.
        // SAFETY: this is the child; the arrays are null-terminated and were made above, and the places for the pid
        // are among the bytes of the environment, which nobody else has.
        Cloned::Child { enter } => unsafe {
            write_pid(environment_bytes, &image.environment.pids);
            child(start, enter, &image.steps, candidates, arguments, environment, script)
        },
        Cloned::Parent(pidfd) => Ok(pidfd),
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

/// Which of the two processes goes on here.
enum Cloned {
    Child {
        /// It has to enter its cgroup by itself.
        enter: bool,
    },
    Parent(OwnedFd),
}

fn clone3(start: &Start<'_>) -> io::Result<Cloned> {
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is plain data for which zero means "none".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = libc::CLONE_PIDFD as u64 | libc::CLONE_PARENT_SETTID as u64;
    args.pidfd = std::ptr::from_mut(&mut pidfd) as u64;
    args.parent_tid = start.slot.pid_address();
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = start.cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::try_from(cgroup.as_raw_fd()).unwrap_or(0);
    }
    // SAFETY: without CLONE_VM the child is a copy, as of fork(2); the caller lets it run `child` alone, which
    // makes only async-signal-safe calls and never returns. The addresses in `args` outlive the call.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Cloned::Child { enter: false }),
        // SAFETY: the kernel made this descriptor for us.
        _ => Ok(Cloned::Parent(unsafe { OwnedFd::from_raw_fd(pidfd) })),
    }
}

/// The older call: the same, but the child enters its cgroup by itself, and the pidfd is opened behind it.
fn clone(start: &Start<'_>) -> io::Result<Cloned> {
    let flags = (libc::CLONE_PARENT_SETTID | libc::SIGCHLD).unsigned_abs();
    let address = start.slot.pid_address();
    // SAFETY: as for clone3. A stack of 0 is the parent's own, copied.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone, libc::c_ulong::from(flags), 0usize, address, 0usize, 0usize)
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Cloned::Child { enter: true }),
        // SAFETY: it has no memory effects; the child cannot have been reaped by anybody else.
        pid => match unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } {
            -1 => Err(io::Error::last_os_error()),
            // SAFETY: the kernel made this descriptor for us.
            fd => Ok(Cloned::Parent(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd).unwrap_or(-1)) })),
        },
    }
}

/// Not in libc for every target.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// # Safety
/// To be called in a child of a clone only, with null-terminated arrays of C strings.
unsafe fn child(
    start: &Start<'_>,
    enter: bool,
    steps: &Steps,
    candidates: *const *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    script: *mut *const c_char,
) -> ! {
    // SAFETY: all calls are async-signal-safe system calls on memory that was prepared before the clone.
    unsafe {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time);
        start.slot.set_begun_nanos(time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs());
        if start.session {
            libc::setsid();
        }
        if let Some(cgroup) = start.cgroup.filter(|_| enter) {
            let processes =
                libc::openat(cgroup.as_raw_fd(), c"cgroup.procs".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            libc::write(processes, c"0".as_ptr().cast(), 1);
        }
        for &(from, to) in start.descriptors {
            let result = if from == to { libc::fcntl(to, libc::F_SETFD, 0) } else { libc::dup2(from, to) };
            if result < 0 {
                fail(start.slot, stage::OUTPUT, *libc::__errno_location());
            }
        }
        // Before exec, which closes them too, but may hang: nobody waits for an end of a pipe held here.
        match start.keep_too {
            Some(too) if too >= start.keep_below => {
                if too > start.keep_below {
                    libc::syscall(libc::SYS_close_range, start.keep_below, too - 1, 0);
                }
                libc::syscall(libc::SYS_close_range, too.saturating_add(1), u32::MAX, 0);
            }
            _ => drop(libc::syscall(libc::SYS_close_range, start.keep_below, u32::MAX, 0)),
        }
        if let Some((rlim_cur, rlim_max)) = start.open_files {
            libc::setrlimit(libc::RLIMIT_NOFILE, &libc::rlimit { rlim_cur, rlim_max });
        }
        if let Err((stage, errno)) = steps.take() {
            fail(start.slot, stage, errno);
        }
        let none = 0u64;
        let old = std::ptr::null_mut::<u64>();
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const none, old, 8usize);

        let (mut stage, mut errno) = (stage::EXEC, libc::ENOENT);
        let mut candidate = candidates;
        while !(*candidate).is_null() {
            let path = *candidate;
            libc::execve(path, arguments, environment);
            match *libc::__errno_location() {
                libc::ENOEXEC => {
                    *script.add(1) = path;
                    libc::execve(SHELL.as_ptr(), script, environment);
                    (stage, errno) = (stage::EXEC, libc::ENOEXEC);
                    break;
                }
                // It is there, so what is missing is the interpreter it names.
                libc::ENOENT if libc::access(path, libc::F_OK) == 0 => {
                    (stage, errno) = (stage::INTERPRETER, libc::ENOENT);
                    break;
                }
                // The path that was named, not one of many to try.
                libc::ENOTDIR if candidate == candidates && (*candidate.add(1)).is_null() => {
                    errno = libc::ENOTDIR;
                }
                libc::ENOENT | libc::ENOTDIR => {}
                // As in execvp(3): a refusal is remembered and beats "not found".
                other @ (libc::EACCES | libc::EPERM | libc::EISDIR) => errno = other,
                other => {
                    errno = other;
                    break;
                }
            }
            candidate = candidate.add(1);
        }
        fail(start.slot, stage, errno)
    }
}

/// Writes the pid of this process in digits, with NUL behind, to each of the places.
///
/// # Safety
/// From each place on there have to be `PID_DIGITS` bytes and one more behind `bytes`.
unsafe fn write_pid(bytes: *mut u8, places: &[usize]) {
    if places.is_empty() {
        return;
    }
    // SAFETY: the call has no memory effects.
    let mut rest = unsafe { libc::getpid() }.unsigned_abs();
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
    // SAFETY: ends the child without running the parent's exit handlers.
    unsafe { libc::_exit(EXIT_NOT_EXECUTED) }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_older_call_starts_a_process_too() {
        for call in [clone3, clone] {
            let slot = Slot::default();
            let start = Start {
                slot: &slot,
                descriptors: &[],
                cgroup: None,
                session: false,
                keep_below: 3,
                keep_too: None,
                open_files: None,
            };
            match call(&start).unwrap() {
                // SAFETY: ends the child at once.
                Cloned::Child { .. } => unsafe { libc::_exit(7) },
                Cloned::Parent(_pidfd) => {
                    let mut status = 0;
                    let pid = i32::try_from(slot.pid()).unwrap();
                    // SAFETY: waits for our own child.
                    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
                    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7);
                }
            }
        }
    }
}

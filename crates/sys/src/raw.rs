//! System calls without the C library: no errno, no lock (syscall(2)). A child that shares its parent's memory may
//! make no others, for errno would be its parent's.
//!
//! For machines that have no such call here the C library makes it, and children get a copy of the memory.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::arch::asm;

use libc::c_long;

/// Whether a child can share its parent's memory ([`onto`]).
pub(crate) const CAN_SHARE: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// An argument of a system call.
pub(crate) trait Word {
    /// As it stands in a register.
    fn word(self) -> usize;
}

impl Word for i32 {
    fn word(self) -> usize {
        // With its sign.
        isize::try_from(self).unwrap_or(-1).cast_unsigned()
    }
}

impl Word for u32 {
    fn word(self) -> usize {
        usize::try_from(self).unwrap_or(usize::MAX)
    }
}

impl Word for usize {
    fn word(self) -> usize {
        self
    }
}

impl<T> Word for *const T {
    fn word(self) -> usize {
        self.expose_provenance()
    }
}

impl<T> Word for *mut T {
    fn word(self) -> usize {
        self.expose_provenance()
    }
}

/// Makes a system call: its number, and up to six arguments. Gives its result or an errno.
macro_rules! call {
    ($number:expr $(, $argument:expr)* $(,)?) => {
        $crate::raw::answer($crate::raw::enter($number, &[$($crate::raw::Word::word($argument)),*]))
    };
}
pub(crate) use call;

/// What the kernel gave back: a result, or an errno.
pub(crate) fn answer(given: isize) -> Result<usize, i32> {
    match usize::try_from(given) {
        Ok(result) => Ok(result),
        Err(_) => Err(i32::try_from(given.unsigned_abs()).unwrap_or(libc::EINVAL)),
    }
}

/// Six registers' worth of arguments.
fn filled(arguments: &[usize]) -> [usize; 6] {
    let mut all = [0; 6];
    all.iter_mut().zip(arguments).for_each(|(place, argument)| *place = *argument);
    all
}

/// # Safety
/// That of the system call.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn enter(number: c_long, arguments: &[usize]) -> isize {
    let [a, b, c, d, e, f] = filled(arguments);
    let mut given = isize::try_from(number).unwrap_or(-1);
    // SAFETY: as the caller promises; the kernel changes no other registers.
    unsafe {
        asm!("syscall", inlateout("rax") given, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
            in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    given
}

/// # Safety
/// That of the system call.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn enter(number: c_long, arguments: &[usize]) -> isize {
    let [a, b, c, d, e, f] = filled(arguments);
    let given: isize;
    // SAFETY: as the caller promises; the kernel changes no other registers.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a => given, in("x1") b, in("x2") c, in("x3") d, in("x4") e,
            in("x5") f, options(nostack));
    }
    given
}

/// # Safety
/// That of the system call.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) unsafe fn enter(number: c_long, arguments: &[usize]) -> isize {
    let [a, b, c, d, e, f] = filled(arguments);
    // SAFETY: as the caller promises.
    match unsafe { libc::syscall(number, a, b, c, d, e, f) } {
        // SAFETY: the place of this thread's errno is always there.
        -1 => -(unsafe { *libc::__errno_location() } as isize),
        result => result as isize,
    }
}

/// Makes a child by clone(2) or clone3(2) that begins on the stack that the arguments name, and there calls `begin`
/// with `plan`. Gives what the kernel gave its parent.
///
/// # Safety
/// The arguments ask for a child with a stack of its own that is aligned to 16 bytes; what `plan` points to holds
/// as long as the child needs it.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn onto<T>(
    number: c_long,
    arguments: &[usize],
    begin: unsafe extern "C" fn(*const T) -> !,
    plan: *const T,
) -> isize {
    let [a, b, c, d, e, _] = filled(arguments);
    let mut given = isize::try_from(number).unwrap_or(-1);
    // SAFETY: as the caller promises. The child, to which alone the kernel gives 0, is on its own stack and does not
    // leave this block: `begin` does not return.
    unsafe {
        asm!("syscall", "test rax, rax", "jnz 2f", "xor ebp, ebp", "mov rdi, r12", "call r13", "ud2", "2:",
            inlateout("rax") given, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
            in("r12") plan, in("r13") begin, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    given
}

/// Makes a child by clone(2) or clone3(2) that begins on the stack that the arguments name, and there calls `begin`
/// with `plan`. Gives what the kernel gave its parent.
///
/// # Safety
/// The arguments ask for a child with a stack of its own that is aligned to 16 bytes; what `plan` points to holds
/// as long as the child needs it.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn onto<T>(
    number: c_long,
    arguments: &[usize],
    begin: unsafe extern "C" fn(*const T) -> !,
    plan: *const T,
) -> isize {
    let [a, b, c, d, e, _] = filled(arguments);
    let given: isize;
    // SAFETY: as the caller promises. The child, to which alone the kernel gives 0, is on its own stack and does not
    // leave this block: `begin` does not return.
    unsafe {
        asm!("svc 0", "cbnz x0, 2f", "mov x29, xzr", "mov x30, xzr", "mov x0, x20", "blr x21", "brk 1", "2:",
            in("x8") number, inlateout("x0") a => given, in("x1") b, in("x2") c, in("x3") d, in("x4") e,
            in("x20") plan, in("x21") begin, lateout("x30") _, options(nostack));
    }
    given
}

/// Never called: [`CAN_SHARE`] says that it cannot be.
///
/// # Safety
/// None is needed.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) unsafe fn onto<T>(
    _number: c_long,
    _arguments: &[usize],
    _begin: unsafe extern "C" fn(*const T) -> !,
    _plan: *const T,
) -> isize {
    -(libc::ENOSYS as isize)
}

#[cfg(test)]
mod tests {

    #[test]
    fn calls_give_a_result_or_an_errno() {
        // SAFETY: neither call touches memory of ours.
        unsafe {
            assert_eq!(call!(libc::SYS_getpid), Ok(std::process::id() as usize));
            assert_eq!(call!(libc::SYS_close, -1), Err(libc::EBADF));
        }
    }
}

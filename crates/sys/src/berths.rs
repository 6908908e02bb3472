//! Children that share their parent's memory until they execute: each has a berth of its own there, with a stack and
//! all that it needs.
//!
//! The kernel ties some things to memory that one would take for a process's own, and what such a child does to
//! itself it would do to its parent: its score for when memory runs out (proc_pid_oom_score_adj(5)), whether it may be
//! looked into after a change of user (prctl(2), `PR_SET_DUMPABLE`), and the end of all who have memory in common when
//! its cgroup has no more. So a child that takes any steps before it executes gets a copy.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::image::Image;
use crate::raw;
use crate::spawn::{Call, Plan, SHARED, Start, begin, by_any_call, clone_args, clone_words, spawn};

/// How many children at a time share this process's memory; further ones get a copy.
const BERTHS_MAX: usize = 32;

/// How many berths are kept when nothing is started.
const BERTHS_KEPT: usize = 2;

/// The stack of a child, with a page below it, of the largest size that there is, that ends whoever runs over it.
const STACK_BYTES: usize = 32 << 10;
const GUARD_BYTES: usize = 64 << 10;

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
    fn share(&mut self, call: Call, start: &Start<'_, 'static>) -> isize {
        let Some(plan) = &mut self.plan else { return -1 };
        self.taken.store(1, Ordering::Release);
        let stack = self.stack.as_ptr().wrapping_add(GUARD_BYTES);
        // SAFETY: the stack is this child's alone, and so is the plan with all that it points to, until the kernel
        // stores 0 at `taken`; the slot is there for ever.
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

/// Room for children that share this process's memory until they execute, reused from one start to the next.
#[derive(Debug)]
pub struct Berths {
    can_share: bool,
    #[expect(clippy::vec_box, reason = "children point into them, and they are not to move")]
    berths: Vec<Box<Berth>>,
    /// The berth that is laid out; none for a child that gets a copy.
    current: Option<usize>,
    /// For a child that gets a copy.
    spare: Image,
}

impl Default for Berths {
    fn default() -> Self {
        let can_share = raw::CAN_SHARE && is_at_least(SPARES_PARENTS);
        Self { can_share, berths: Vec::new(), current: None, spare: Image::default() }
    }
}

/// The first Linux on which a child that dumps core does not end all who share its memory.
const SPARES_PARENTS: (u32, u32) = (5, 16);

/// Whether this Linux is of that version or a newer one.
fn is_at_least(version: (u32, u32)) -> bool {
    let name = rustix::system::uname();
    let Ok(release) = name.release().to_str() else { return false };
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok());
    numbers.next().zip(numbers.next()).is_some_and(|running| running >= version)
}

impl Berths {
    /// What is executed next, to be laid out; of a child that takes no steps before, or of one that does. It is as the
    /// last child in this place left it.
    pub fn image(&mut self, takes_steps: bool) -> &mut Image {
        let may_share = self.can_share && !takes_steps;
        self.current = self.berths.iter().position(|berth| may_share && berth.is_free());
        if self.current.is_none()
            && may_share
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

    /// Starts what was laid out. Its pid stands in the slot before it runs.
    ///
    /// # Errors
    /// clone3(2) failed: no process, memory or cgroup to be had. It can be tried again.
    pub fn spawn(&mut self, start: &Start<'_, 'static>) -> io::Result<()> {
        let Some(berth) = self.current.and_then(|current| self.berths.get_mut(current)) else {
            return spawn(&mut self.spare, start);
        };
        berth.plan = Some(Plan::new(&mut berth.image, start));
        by_any_call(|call| berth.share(call, start))?;
        self.current = None;
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spawn::tests::{WORDS, exit_code, lay_out, slots, start};
    use crate::spawn::{EXIT_NOT_EXECUTED, stage};

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
    fn who_takes_steps_gets_a_copy_and_changes_nobody_else() {
        let slots = slots();
        let slot = slots.get(0).unwrap();
        let score = || std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
        let before = score();
        let mut berths = Berths::default();
        for takes_steps in [true, false] {
            let image = berths.image(takes_steps);
            lay_out(image, &["sh", "-c", "cat /proc/self/oom_score_adj | grep -qx 777 && exit 7; exit 8"]);
            image.steps.clear();
            if takes_steps {
                image.steps.oom_score_adj(777);
            }
            berths.spawn(&start(slot)).unwrap();
            assert_eq!((exit_code(slot), slot.fault()), (if takes_steps { 7 } else { 8 }, 0));
            assert_eq!(score(), before);
        }
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert!(is_at_least((5, 9)) && is_at_least((4, 100)) && !is_at_least((4000, 0)));
    }

    #[test]
    fn who_cannot_execute_leaves_a_note_and_the_berth() {
        let slots = slots();
        let slot = slots.get(0).unwrap();
        let mut berths = Berths::default();
        let image = berths.image(false);
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
            let image = berths.image(false);
            lay_out(image, &["x"]);
            image.steps.clear();
            image.steps.hang();
            berths.spawn(&start(slot)).unwrap();
            hanging.push(i32::try_from(slot.pid()).unwrap());
        }
        berths.rest();
        assert_eq!(berths.berths.len(), if raw::CAN_SHARE { BERTHS_MAX } else { 0 });
        let image = berths.image(false);
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

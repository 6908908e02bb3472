//! The slots: shared memory in which it stands what became of every child.
//!
//! A slot is one cache line of a file that is mapped shared, so what is written to it outlives the writer
//! (mmap(2), `MAP_SHARED`): the kernel itself notes a new child's pid there before the child runs its
//! first instruction (clone(2), `CLONE_PARENT_SETTID`), and a child that cannot exec notes why. Neither
//! needs a system call, a pipe or a moment in which a death of the keeper could lose a child.
//!
//! The file is one header of a slot's size and then the slots, in the machine's byte order: it never
//! leaves the machine, nor a boot.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, fallocate, fstat};

/// The most slots there can be.
pub const SLOTS_MAX: u32 = 1 << 17;

/// The file grows by this many slots.
const CHUNK: u32 = 1024;

const SLOT_BYTES: usize = 64;
/// "clinit" and the version of the layout.
const MAGIC: u64 = u64::from_le_bytes(*b"clinit\x00\x01");

/// What became of one child. All fields are single atomic words: whoever reads them after a crash of the
/// writer reads whole values, in the order in which the writer stored them.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Slot {
    generation: AtomicU64,
    spawned_nanos: AtomicU64,
    begun_nanos: AtomicU64,
    state: AtomicU32,
    pid: AtomicU32,
    ending: AtomicU32,
    fault: AtomicU32,
    flags: AtomicU32,
    ready: AtomicU32,
    main: AtomicU64,
    group: AtomicU32,
    unused: AtomicU32,
}

const _: () = assert!(size_of::<Slot>() == SLOT_BYTES);

/// No pid has more bits (`PID_MAX_LIMIT`).
const PID_BITS: u32 = 22;

const PID_MASK: u64 = (1 << PID_BITS) - 1;

/// A process that took the place of the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Successor {
    /// Its pid.
    pub pid: u32,
    /// When it started, in clock ticks since boot: nobody else with this pid can have started then.
    pub started_ticks: u64,
}

macro_rules! word {
    ($(#[$doc:meta])* $get:ident, $set:ident: $field:ident, $type:ty) => {
        $(#[$doc])*
        #[must_use]
        pub fn $get(&self) -> $type {
            self.$field.load(Ordering::Acquire)
        }

        /// Stores it.
        pub fn $set(&self, value: $type) {
            self.$field.store(value, Ordering::Release);
        }
    };
}

impl Slot {
    word!(/// The number of the life that the slot tells of.
        generation, set_generation: generation, u64);
    word!(/// When it was spawned, in nanoseconds since boot.
        spawned_nanos, set_spawned_nanos: spawned_nanos, u64);
    word!(/// When it had begun, in nanoseconds since boot, stored by the child itself; 0 before.
        begun_nanos, set_begun_nanos: begun_nanos, u64);
    word!(/// Its state, in the keeper's code.
        state, set_state: state, u32);
    word!(/// Its pid, stored by the kernel; 0 before.
        pid, set_pid: pid, u32);
    word!(/// How it ended, in the keeper's code.
        ending, set_ending: ending, u32);
    word!(/// What kept it from exec: `stage << 24 | errno`, stored by the child; 0 when nothing did.
        fault, set_fault: fault, u32);
    word!(/// How it is treated, in the keeper's code.
        flags, set_flags: flags, u32);

    word!(/// The number under which it has the descriptor for its readiness; 0 when it has none, or was heard.
        ready, set_ready: ready, u32);
    word!(/// A process group that belongs to it beside the one that it began with; 0 for none.
        group, set_group: group, u32);

    /// The process that took the place of the first one as the main process, if one did.
    #[must_use]
    pub fn successor(&self) -> Option<Successor> {
        let word = self.main.load(Ordering::Acquire);
        let pid = u32::try_from(word & PID_MASK).unwrap_or(0);
        (pid != 0).then_some(Successor { pid, started_ticks: word >> PID_BITS })
    }

    /// Stores it: number and start at one stroke, so that they fit each other whenever the writer dies.
    pub fn set_successor(&self, successor: Option<Successor>) {
        let word = successor
            .map_or(0, |Successor { pid, started_ticks }| started_ticks << PID_BITS | u64::from(pid));
        self.main.store(word, Ordering::Release);
    }

    /// The main process, which may be another than the one that was started.
    #[must_use]
    pub fn main(&self) -> u32 {
        self.successor().map_or(self.pid(), |successor| successor.pid)
    }

    /// Where the kernel stores the pid.
    pub(crate) fn pid_address(&self) -> u64 {
        self.pid.as_ptr() as u64
    }
}

/// The file of slots, mapped for as long as this process lives: children may write to it whatever becomes of this.
#[derive(Debug)]
pub struct Slots {
    file: File,
    memory: NonNull<Slot>,
    /// How many slots the file has room for.
    len: u32,
}

// SAFETY: the memory is reached through atomics only.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

const MAP_BYTES: usize = (SLOTS_MAX as usize + 1) * SLOT_BYTES;

impl Slots {
    /// Maps a file of slots; an empty file becomes one.
    ///
    /// # Errors
    /// The file is none of slots, or cannot be enlarged or mapped.
    pub fn open(file: File) -> io::Result<Self> {
        let size = usize::try_from(fstat(&file)?.st_size).unwrap_or(0);
        if size == 0 {
            fallocate(&file, FallocateFlags::empty(), 0, SLOT_BYTES as u64)?;
        } else if size % SLOT_BYTES != 0 || size > MAP_BYTES {
            return Err(io::Error::other("is not a file of slots: its size is wrong"));
        }
        // SAFETY: a new mapping of a file we hold open. Pages beyond the file's end are never touched:
        // `slot` checks against `len`, which only grows after fallocate has made room.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                MAP_BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        let memory = match NonNull::new(memory.cast::<Slot>()) {
            Some(memory) if memory.as_ptr().cast() != libc::MAP_FAILED => memory,
            _ => return Err(io::Error::last_os_error()),
        };
        let len = u32::try_from((size / SLOT_BYTES).saturating_sub(1)).unwrap_or(0);
        let slots = Self { file, memory, len };
        let header = slots.header();
        // A file that was cut off at its birth has a header without a mark.
        if size == 0 || (size == SLOT_BYTES && header.generation() == 0) {
            header.set_generation(MAGIC);
        } else if header.generation() != MAGIC {
            return Err(io::Error::other("is not a file of slots, or of another version"));
        }
        Ok(slots)
    }

    /// The first, which is of no child: what concerns the keeper as a whole is noted in its words.
    #[must_use]
    pub fn header(&self) -> &'static Slot {
        // SAFETY: the header is the first slot of the mapping, and the file has room for it.
        unsafe { self.memory.as_ref() }
    }

    /// How many slots there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A slot that there is.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&'static Slot> {
        // SAFETY: within the file's room, hence within the mapping; slots are only read and written as
        // atomics, which any bit pattern is valid for.
        (index < self.len).then(|| unsafe { self.memory.add(index as usize + 1).as_ref() })
    }

    /// Learns how far another mapping of the same file has made room.
    ///
    /// # Errors
    /// fstat(2) failed.
    pub fn catch_up(&mut self) -> io::Result<()> {
        let size = usize::try_from(fstat(&self.file)?.st_size).unwrap_or(0).min(MAP_BYTES);
        self.len = u32::try_from((size / SLOT_BYTES).saturating_sub(1)).unwrap_or(0);
        Ok(())
    }

    /// Makes room for the slot `index`.
    ///
    /// # Errors
    /// There is no room: in the file system, or below [`SLOTS_MAX`].
    pub fn grow_to(&mut self, index: u32) -> io::Result<()> {
        if index < self.len {
            return Ok(());
        }
        if index >= SLOTS_MAX {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let len = (index / CHUNK + 1) * CHUNK;
        let bytes = (u64::from(len) + 1) * SLOT_BYTES as u64;
        fallocate(&self.file, FallocateFlags::empty(), 0, bytes)?;
        self.len = len;
        Ok(())
    }
}

/// Reads a file of slots without changing it; the slots are copies.
///
/// # Errors
/// It cannot be read, or is none of this version's.
pub fn read(file: &mut impl io::Read) -> io::Result<Vec<Slot>> {
    let mut bytes = Vec::new();
    io::Read::take(file, MAP_BYTES as u64).read_to_end(&mut bytes)?;
    // SAFETY: the chunk has a slot's size; any bit pattern is valid for its atomics.
    let slot = |chunk: &[u8]| unsafe { std::ptr::read_unaligned(chunk.as_ptr().cast::<Slot>()) };
    let mut slots = bytes.chunks_exact(SLOT_BYTES).map(slot);
    match slots.next() {
        Some(header) if header.generation() != MAGIC => Err(io::Error::other("is of another version")),
        Some(_) | None => Ok(slots.collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_comes_back_as_it_was_stored() {
        let slot = Slot::default();
        slot.set_pid(5);
        assert_eq!((slot.successor(), slot.main()), (None, 5));
        let successor = Successor { pid: (1 << 22) - 1, started_ticks: 1 << 40 };
        slot.set_successor(Some(successor));
        assert_eq!((slot.successor(), slot.main()), (Some(successor), successor.pid));
        slot.set_successor(None);
        assert_eq!(slot.main(), 5);
    }

    #[test]
    fn what_one_mapping_stores_another_reads() {
        let path = std::env::temp_dir().join(format!("clinit-slots-{}", std::process::id()));
        let open =
            || File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        let mut slots = Slots::open(open()).unwrap();
        assert!(slots.get(0).is_none());
        slots.grow_to(3).unwrap();
        slots.get(3).unwrap().set_pid(77);
        let again = Slots::open(open()).unwrap();
        assert_eq!(again.len(), CHUNK);
        assert_eq!(again.get(3).unwrap().pid(), 77);
        slots.grow_to(CHUNK).unwrap();
        let mut again = again;
        assert!(again.get(CHUNK).is_none());
        again.catch_up().unwrap();
        assert_eq!(again.get(CHUNK).unwrap().pid(), 0);
        assert!(slots.grow_to(SLOTS_MAX).is_err());
        assert_eq!(read(&mut open()).unwrap()[3].pid(), 77);
        std::fs::write(&path, b"something else entirely").unwrap();
        assert!(Slots::open(open()).is_err());
        std::fs::write(&path, [b'x'; SLOT_BYTES]).unwrap();
        assert!(Slots::open(open()).is_err() && read(&mut open()).is_err());
        std::fs::remove_file(&path).unwrap();
    }
}

//! Tools of the tests: a folder of a test's own, and deaths at every step.

use std::cell::Cell;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that goes when the test ends.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    fd: File,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // In memory where there is such a folder: much is brought to disk here.
        let memory = PathBuf::from("/dev/shm");
        let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let path = parent.join(format!("clinit-logger-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let fd = File::open(&path).unwrap();
        Self { path, fd }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.path);
    }
}

/// The names in a folder, in order.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What was written into a log folder, oldest first.
pub(crate) fn written(folder: &Path) -> Vec<u8> {
    let files = names(folder).into_iter().filter(|name| name.starts_with('@') || name == "current");
    files.flat_map(|name| std::fs::read(folder.join(name)).unwrap()).collect()
}

thread_local! {
    /// How many steps this thread's logger has to live; none is for ever.
    static STEPS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

thread_local! {
    /// How many bytes this thread's disk takes; none is without end.
    static ROOM: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Gives this thread's disk so much room.
pub(crate) fn set_room(room: Option<usize>) {
    ROOM.with(|left| left.set(room));
}

/// What is written takes from it.
pub(crate) fn as_much_as_fits(bytes: &[u8]) -> std::io::Result<&[u8]> {
    ROOM.with(|left| match left.get() {
        None => Ok(bytes),
        Some(0) => Err(rustix::io::Errno::NOSPC.into()),
        Some(room) => {
            let some = &bytes[..bytes.len().min(room)];
            left.set(Some(room - some.len()));
            Ok(some)
        }
    })
}

/// What a panic at a step carries.
#[derive(Debug)]
pub(crate) struct Died;

/// Called at every step of a logger.
pub(crate) fn step() {
    STEPS_LEFT.with(|left| match left.get() {
        None => {}
        Some(0) => {
            left.set(None);
            std::panic::resume_unwind(Box::new(Died));
        }
        Some(steps) => left.set(Some(steps - 1)),
    });
}

/// Runs something that dies at its step of this number: with it end all memory and open files, as with a process.
/// True when it came to its end before.
pub(crate) fn outlives(steps: u32, life: impl FnOnce()) -> bool {
    STEPS_LEFT.with(|left| left.set(Some(steps)));
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(life));
    STEPS_LEFT.with(|left| left.set(None));
    match ended {
        Ok(()) => true,
        Err(panic) if panic.is::<Died>() => false,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

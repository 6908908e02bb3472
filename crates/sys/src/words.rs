//! A few words of shared memory that outlive their writer (mmap(2), `MAP_SHARED`): what a process has to know of
//! the one before it, however that one ended.
//!
//! Each word is stored whole, in the order of the program: what a reader finds after a crash of the writer is all
//! that was stored up to some moment, and nothing after it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, fallocate, fstat};

/// How many words there are: one page of the smallest size.
pub const WORDS: usize = 512;

const BYTES: usize = WORDS * size_of::<u64>();

/// A file of words, mapped. The file may be closed, and removed.
#[derive(Debug)]
pub struct Words {
    memory: NonNull<AtomicU64>,
}

// SAFETY: the memory is reached through atomics only.
unsafe impl Send for Words {}

impl Words {
    /// Maps a file of words; an empty file becomes one, all zero.
    ///
    /// # Errors
    /// The file is none of words, or cannot be enlarged or mapped.
    pub fn open(file: &File) -> io::Result<Self> {
        let size = usize::try_from(fstat(file)?.st_size).unwrap_or(0);
        if size == 0 {
            fallocate(file, FallocateFlags::empty(), 0, BYTES as u64)?;
        } else if size != BYTES {
            return Err(io::Error::other("is not a file of words: its size is wrong"));
        }
        let (protection, any) = (libc::PROT_READ | libc::PROT_WRITE, std::ptr::null_mut());
        // SAFETY: a new mapping of a file that has as many bytes.
        let memory = unsafe { libc::mmap(any, BYTES, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        match NonNull::new(memory.cast::<AtomicU64>()) {
            Some(words) if memory != libc::MAP_FAILED => Ok(Self { memory: words }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The word with this number; none is beyond [`WORDS`].
    #[must_use]
    pub fn get(&self, index: usize) -> u64 {
        self.word(index).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Stores a word.
    pub fn set(&self, index: usize, value: u64) {
        if let Some(word) = self.word(index) {
            word.store(value, Ordering::Release);
        }
    }

    fn word(&self, index: usize) -> Option<&AtomicU64> {
        // SAFETY: within the mapping, which lives as long as `self`; any bits are valid for an atomic word.
        (index < WORDS).then(|| unsafe { self.memory.add(index).as_ref() })
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no reference into it outlives `self`.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), BYTES) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_mapping_stores_the_next_one_finds() {
        let path = std::env::temp_dir().join(format!("clinit-words-{}", std::process::id()));
        let open =
            || File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        let words = Words::open(&open()).unwrap();
        assert_eq!(words.get(7), 0);
        words.set(7, u64::MAX);
        words.set(WORDS, 1);
        drop(words);
        let again = Words::open(&open()).unwrap();
        assert_eq!((again.get(7), again.get(WORDS)), (u64::MAX, 0));
        std::fs::write(&path, b"something else").unwrap();
        assert!(Words::open(&open()).is_err());
        std::fs::remove_file(&path).unwrap();
    }
}

//! Memory that a process has and does not need (malloc_trim(3)).

/// Gives what was freed back to the machine. The allocator keeps it otherwise, for the next great need.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: releases free memory only; nothing that is in use is touched.
    unsafe {
        libc::malloc_trim(0);
    }
}

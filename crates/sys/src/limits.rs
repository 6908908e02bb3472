//! The limit of open files (getrlimit(2)).

use std::io;

/// Raises the soft limit of open files to the hard one, for a process that holds descriptors for many others.
/// Returns what they were: soft and hard.
///
/// # Errors
/// The limit cannot be read.
pub fn raise_open_files() -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is written by the first call and read by the second.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return Err(io::Error::last_os_error());
        }
        let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
        libc::setrlimit(libc::RLIMIT_NOFILE, &raised);
    }
    Ok((limit.rlim_cur, limit.rlim_max))
}

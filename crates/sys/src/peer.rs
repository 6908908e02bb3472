//! Who is at the other end of a unix socket (unix(7), `SO_PEERCRED`).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The user id of the peer. (Its pid may be 0: that of a process in another pid namespace.)
///
/// # Errors
/// The descriptor is no connected unix socket.
pub fn user_id(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut size = libc::socklen_t::try_from(size_of::<libc::ucred>()).unwrap_or(0);
    // SAFETY: the kernel writes at most `size` bytes, which `credentials` has.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut size,
        )
    };
    if result == 0 { Ok(credentials.uid) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_pair_has_the_same_user_at_both_ends() {
        let (one, other) = UnixStream::pair().unwrap();
        assert_eq!(super::user_id(one.as_fd()).unwrap(), super::user_id(other.as_fd()).unwrap());
    }
}

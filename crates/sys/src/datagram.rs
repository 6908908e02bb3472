//! Datagrams, and who sent them (unix(7), `SO_PASSCRED`, `SCM_CREDENTIALS`).
//!
//! rustix takes the sender's pid for a number that is never 0, which that of a sender in another pid
//! namespace is.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Room for the credentials alone: descriptors that come along have none, and the kernel closes them as soon
/// as the datagram is taken.
const CONTROL_WORDS: usize = 8;

/// Who sent a datagram, as the kernel vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The process; 0 when it is in another pid namespace. (Root may name another process than itself.)
    pub pid: u32,
    /// Its user.
    pub uid: u32,
}

/// A datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// How many bytes of it were stored.
    pub size: usize,
    /// It had more.
    pub is_cut: bool,
    /// Who sent it, if the socket asks for that (`SO_PASSCRED`).
    pub sender: Option<Sender>,
    /// The address of the socket that it was sent from: a path, or nothing.
    pub from: Vec<u8>,
}

/// Looks at the datagram that comes next, and leaves it where it is.
///
/// # Errors
/// recvmsg(2) failed: with `EAGAIN`, because there is none.
pub fn peek(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Datagram> {
    receive(socket, buffer, libc::MSG_PEEK)
}

/// Takes the datagram that comes next. Descriptors that came along are closed.
///
/// # Errors
/// As for [`peek`].
pub fn take(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Datagram> {
    receive(socket, buffer, 0)
}

fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], flags: i32) -> io::Result<Datagram> {
    let mut control = [0u64; CONTROL_WORDS];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: zeroed, both are valid: no address, no message.
    let (mut address, mut message) = unsafe {
        (MaybeUninit::<libc::sockaddr_un>::zeroed().assume_init(), std::mem::zeroed::<libc::msghdr>())
    };
    message.msg_name = (&raw mut address).cast();
    message.msg_namelen = libc::socklen_t::try_from(size_of::<libc::sockaddr_un>()).unwrap_or(0);
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // As wide as the C library of the target has it: no `usize` with musl.
    message.msg_controllen = CREDENTIALS_BYTES as _;
    let flags = flags | libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: every pointer in `message` is to memory that outlives the call and is as long as it says.
    let size = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let size = usize::try_from(size).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel has filled in the header and the control messages that it counts.
    let sender = unsafe { sender(&message) };
    let path_bytes =
        usize::try_from(message.msg_namelen).unwrap_or(0).saturating_sub(size_of::<libc::sa_family_t>());
    let path = address.sun_path.iter().take(path_bytes).map(|&byte| byte.to_ne_bytes()[0]);
    let from = path.take_while(|&byte| byte != 0).collect();
    Ok(Datagram { size, is_cut: message.msg_flags & libc::MSG_TRUNC != 0, sender, from })
}

/// What credentials take in the control messages.
const CREDENTIALS_BYTES: usize = {
    let bytes = size_of::<libc::cmsghdr>().next_multiple_of(size_of::<usize>()) + size_of::<libc::ucred>();
    assert!(bytes <= CONTROL_WORDS * size_of::<u64>());
    bytes
};

/// # Safety
/// To be called with a header that recvmsg(2) has filled in.
unsafe fn sender(message: &libc::msghdr) -> Option<Sender> {
    // SAFETY: the macros walk the control messages within their bounds.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(message);
        while !control.is_null() {
            if (*control).cmsg_level == libc::SOL_SOCKET && (*control).cmsg_type == libc::SCM_CREDENTIALS {
                let credentials = libc::CMSG_DATA(control).cast::<libc::ucred>().read_unaligned();
                return Some(Sender {
                    pid: u32::try_from(credentials.pid).unwrap_or(0),
                    uid: credentials.uid,
                });
            }
            control = libc::CMSG_NXTHDR(message, control);
        }
    }
    None
}

/// Has the kernel tell with each datagram who sent it.
///
/// # Errors
/// setsockopt(2) failed.
pub fn ask_for_senders(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_passcred(socket, true)?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    #[test]
    fn a_datagram_is_looked_at_and_taken_with_its_sender() {
        let folder = std::env::temp_dir();
        let path = |name: &str| folder.join(format!("clinit-datagram-{}-{name}", std::process::id()));
        let (to, from) = (path("to"), path("from"));
        let socket = UnixDatagram::bind(&to).unwrap();
        ask_for_senders(socket.as_fd()).unwrap();
        let sending = UnixDatagram::bind(&from).unwrap();
        sending.send_to(b"hello", &to).unwrap();
        UnixDatagram::unbound().unwrap().send_to(b"", &to).unwrap();
        let mut buffer = [0; 4];
        let seen = peek(socket.as_fd(), &mut buffer).unwrap();
        assert_eq!((&buffer, seen.size, seen.is_cut), (b"hell", 4, true));
        let sender = seen.sender.unwrap();
        assert_eq!((sender.pid, sender.uid), (std::process::id(), rustix::process::geteuid().as_raw()));
        assert_eq!(seen.from, from.as_os_str().as_encoded_bytes());
        assert_eq!(take(socket.as_fd(), &mut buffer).unwrap(), seen);
        let empty = take(socket.as_fd(), &mut buffer).unwrap();
        assert_eq!((empty.size, empty.is_cut, empty.from.as_slice()), (0, false, &b""[..]));
        assert_eq!(empty.sender, Some(sender));
        let none = take(socket.as_fd(), &mut buffer).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::WouldBlock);
        [to, from].iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }

    #[test]
    fn descriptors_that_come_along_are_closed_when_it_is_taken() {
        use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
        let (one, other) = UnixDatagram::pair().unwrap();
        ask_for_senders(other.as_fd()).unwrap();
        let (held, mut watched) = UnixStream::pair().unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [held.as_fd()];
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
        let text = [io::IoSlice::new(b"BARRIER=1")];
        sendmsg(&one, &text, &mut control, SendFlags::empty()).unwrap();
        drop(held);
        let mut buffer = [0; 16];
        peek(other.as_fd(), &mut buffer).unwrap();
        watched.set_nonblocking(true).unwrap();
        assert_eq!(watched.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock, "it is still held");
        take(other.as_fd(), &mut buffer).unwrap();
        assert_eq!(watched.read(&mut [0]).unwrap(), 0);
    }
}

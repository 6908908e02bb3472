//! What an entry says through a descriptor that it is ready: a datagram socket, made for one life.
//!
//! It is bound to a name that says whose it is, and connected to the one socket at which the engine hears all
//! of them, which is in the state folder and so out of a stranger's reach. Nothing is looked up and nobody
//! can be taken for another; what was said waits in that socket's queue, whoever of the daemon dies. A
//! duplicate is held until the engine has heard what it waited for: then the writing end is shut, and an
//! entry that goes on writing finds a broken pipe, without the signal.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use clinit_sys::slots::Slot;
use rustix::fs::{AtFlags, unlinkat};
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{
    AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, bind, connect, getsockname, shutdown,
    socket_with,
};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};

/// The socket in the state folder at which the engine hears them.
pub const READY_SOCKET: &str = "ready";

/// The name of a life's socket: in the state folder, before its slot and generation.
const NAME: &str = "ready.";

/// An entry has no more than the kernel's least in the queue, some messages, so that it crowds nobody out.
const QUEUE_BYTES: usize = 1;

/// A file in the state folder by a path that is short enough, however long the folder's own is.
fn address(state: BorrowedFd<'_>, name: &str) -> rustix::io::Result<SocketAddrUnix> {
    SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", state.as_raw_fd()))
}

fn name(slot: u32, generation: u64) -> String {
    format!("{NAME}{slot}.{generation}")
}

/// Slot and generation of the life whose socket has this address.
#[must_use]
pub fn life_of(address: &[u8]) -> Option<(u32, u64)> {
    let name = address.rsplit(|&byte| byte == b'/').next()?;
    let (slot, generation) = std::str::from_utf8(name).ok()?.strip_prefix(NAME)?.split_once('.')?;
    Some((slot.parse().ok()?, generation.parse().ok()?))
}

/// Makes the socket of a life.
pub(crate) fn make(state: BorrowedFd<'_>, slot: u32, generation: u64) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    set_socket_send_buffer_size(&socket, QUEUE_BYTES)?;
    let name = name(slot, generation);
    let _of_a_keeper_that_died_here = unlinkat(state, &*name, AtFlags::empty());
    bind(&socket, &address(state, &name)?)?;
    // Its address says whose it is; nobody needs to find it.
    unlinkat(state, &*name, AtFlags::empty())?;
    connect(&socket, &address(state, READY_SOCKET)?)?;
    Ok(socket)
}

/// Takes a duplicate from a process that an earlier keeper started, and connects it to the socket at which we
/// hear: that one may be another since.
pub(crate) fn regain(state: BorrowedFd<'_>, slot: u32, of: &Slot, pidfd: BorrowedFd<'_>) -> Option<OwnedFd> {
    let number = i32::try_from(of.ready()).ok().filter(|&number| number != 0)?;
    let socket = pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty()).ok()?;
    let address_of = SocketAddrUnix::try_from(getsockname(&socket).ok()?).ok()?;
    let path = address_of.path_bytes()?;
    if life_of(path) != Some((slot, of.generation())) {
        return None;
    }
    connect(&socket, &address(state, READY_SOCKET).ok()?).ok()?;
    Some(socket)
}

/// Lets nobody write to it any more.
pub(crate) fn silence(socket: &OwnedFd) {
    let _said_all = shutdown(socket.as_fd(), Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_the_life() {
        assert_eq!(life_of(b"/proc/self/fd/5/ready.7.18446744073709551615"), Some((7, u64::MAX)));
        let others: [&[u8]; 6] = [b"", b"ready", b"ready.7", b"/ready.7.", b"/ready.-1.2", b"/x/ready.1.2/y"];
        for other in others {
            assert_eq!(life_of(other), None, "{other:?}");
        }
    }
}

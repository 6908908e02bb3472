//! The daemon's sockets. Each is made in the state folder, out of sight, and what others are to find is put
//! at its place when it is ready: whoever looks there finds the one of before or this one.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use clinit_keeper::ready::READY_SOCKET;
use clinit_sys::datagram::ask_for_senders;
use rustix::fs::{AtFlags, renameat, unlinkat};
use rustix::net::sockopt::{set_socket_send_buffer_size, set_socket_send_buffer_size_force};

use crate::paths::notify_socket;
use crate::start::{StartError, at};

/// Any user may send to it: entries run as any user. Who it was is looked at.
const NOTIFY_MODE: u32 = 0o666;

/// As much as the store may hold, if the daemon may ask for so much: the sockets of some thousand entries.
const STORE_BYTES: usize = 4 << 20;

/// A name in the state folder by which the kernel finds it, however long the folder's own is.
fn short(state: &OwnedFd, name: &str) -> PathBuf {
    let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", state.as_raw_fd()));
    let _of_an_earlier_try = fs::remove_file(&path);
    path
}

fn put(state: &OwnedFd, name: &str, mode: u32, place: &Path) -> Result<(), StartError> {
    let short = PathBuf::from(format!("/proc/self/fd/{}/{name}", state.as_raw_fd()));
    fs::set_permissions(short, fs::Permissions::from_mode(mode)).map_err(at("set the mode of", place))?;
    renameat(state, name, rustix::fs::CWD, place).map_err(at("put the socket at", place))
}

/// The socket on which the daemon answers.
pub(crate) fn listen(state: &OwnedFd, socket: &Path, mode: u32) -> Result<OwnedFd, StartError> {
    let listener = UnixListener::bind(short(state, "socket")).map_err(at("listen at", socket))?;
    listener.set_nonblocking(true).map_err(at("listen at", socket))?;
    put(state, "socket", mode, socket)?;
    Ok(listener.into())
}

/// The socket to which entries send what they have to say.
pub(crate) fn hear_notes(state: &OwnedFd, socket: &Path) -> Result<OwnedFd, StartError> {
    let place = notify_socket(socket);
    let made = UnixDatagram::bind(short(state, "notify")).map_err(at("listen at", &place))?;
    ask_for_senders(made.as_fd()).map_err(at("listen at", &place))?;
    put(state, "notify", NOTIFY_MODE, &place)?;
    Ok(made.into())
}

/// The socket at which what entries write to their descriptors for readiness is heard. Only the keeper connects
/// to it, on their behalf.
pub(crate) fn hear_readiness(state: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(UnixDatagram::bind(short(state, READY_SOCKET))?.into())
}

/// A socket that is connected to itself: descriptors that are sent to it stay in its queue until they are taken
/// out, whoever of its holders dies.
pub(crate) fn store(state: &OwnedFd) -> io::Result<OwnedFd> {
    let path = short(state, "store");
    let store = UnixDatagram::bind(&path)?;
    store.connect(&path)?;
    unlinkat(state, "store", AtFlags::empty())?;
    let _less_holds_less = set_socket_send_buffer_size_force(&store, STORE_BYTES)
        .or_else(|_| set_socket_send_buffer_size(&store, STORE_BYTES));
    Ok(store.into())
}

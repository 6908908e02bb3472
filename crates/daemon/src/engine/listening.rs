//! Opening the sockets on which entries listen (property `listen`): by the finder, which may wait for a file
//! system.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::sync::Arc;

use clinit_engine::care::{Listen, ListenAddress, Readiness};
use clinit_engine::event::{ExecFault, ExecStage};
use clinit_engine::spec::Program;
use clinit_keeper::protocol::SOCKETS_MAX;
use rustix::fs::{Mode, OFlags, fchmod, open};
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr, socket_acceptconn};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, getsockname, ipproto, listen,
    socket_with,
};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::exits::errno_text;
use super::lowering::Launched;

use crate::accounts::{Account, look_up};

/// How many connections may wait; the kernel takes `net.core.somaxconn` if that is less.
const BACKLOG: i32 = 4096;

/// The number of the first socket that an entry is given (sd_listen_fds(3)).
const FIRST_SOCKET: usize = 3;

/// The first port that any user may have.
const FIRST_FREE_PORT: u16 = 1024;

/// Sockets with what they were opened for.
pub(crate) type Opened = Vec<(Listen, Arc<OwnedFd>)>;

/// What is to be opened.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// All of them, in the order of the table.
    pub(crate) listen: Box<[Listen]>,
    /// Those that are open already.
    pub(crate) held: Opened,
    /// Whose sockets in the file system are.
    pub(crate) owner: Option<Account>,
}

/// Opens all that are not open yet.
pub(crate) fn open_all(wanted: Wanted) -> Result<Opened, ExecFault> {
    let Wanted { listen, held, owner } = wanted;
    let owner = match owner.filter(|_| listen.iter().any(is_in_file_system)) {
        Some(account) => look_up([account]).into_values().next().transpose()?,
        None => None,
    };
    let owner = owner.map(|identity| (identity.uid, identity.gid));
    let mut opened = Opened::with_capacity(listen.len());
    for (place, one) in (0..).zip(&listen) {
        let socket = match held.iter().find(|(other, _)| other == one) {
            Some((_, socket)) => Arc::clone(socket),
            None => {
                let socket = match &one.address {
                    ListenAddress::Tcp(address) => open_tcp(*address),
                    ListenAddress::Unix(path) => open_unix(Path::new(&**path), one.mode.into(), owner),
                };
                Arc::new(socket.map_err(|errno| ExecFault {
                    stage: ExecStage::Listen(place),
                    errno: errno.raw_os_error(),
                })?)
            }
        };
        opened.push((one.clone(), socket));
    }
    Ok(opened)
}

fn is_in_file_system(listen: &Listen) -> bool {
    matches!(listen.address, ListenAddress::Unix(_))
}

fn open_tcp(address: SocketAddr) -> Result<OwnedFd, Errno> {
    match open_tcp_at(address) {
        // Every address of both families, where there is one family only.
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
            if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) =>
        {
            open_tcp_at((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        result => result,
    }
}

fn open_tcp_at(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
    // A connection of before that is just being buried is in nobody's way.
    set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        set_ipv6_v6only(&socket, address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
    }
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A user, if another than the daemon's, and a Unix group.
type Owner = (Option<u32>, u32);

fn open_unix(path: &Path, mode: u32, owner: Option<Owner>) -> Result<OwnedFd, Errno> {
    remove_stale(path)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // The file gets the socket's own mode, and that is nobody's to use until it is put right.
    fchmod(&socket, Mode::empty())?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    let made = own(path, mode, owner).and_then(|()| listen(&socket, BACKLOG));
    if let Err(error) = made {
        let _as_it_was = fs::remove_file(path);
        return Err(error);
    }
    Ok(socket)
}

/// Gives the file its owner and mode: through a handle, since somebody who may write to its folder could have
/// put another file there.
fn own(path: &Path, mode: u32, owner: Option<Owner>) -> Result<(), Errno> {
    let file = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let handle = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    let metadata = fs::metadata(&handle).map_err(errno)?;
    if !metadata.file_type().is_socket() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(Errno::ACCESS);
    }
    if let Some((uid, gid)) = owner {
        chown(&handle, uid, Some(gid)).map_err(errno)?;
    }
    fs::set_permissions(&handle, fs::Permissions::from_mode(mode)).map_err(errno)
}

/// Removes a socket at which nobody answers; anything else that stands there stays.
fn remove_stale(path: &Path) -> Result<(), Errno> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(errno(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(Errno::EXIST);
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let probe = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&probe, &SocketAddrUnix::new(path)?) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path).map_err(errno),
        Err(Errno::NOENT) => Ok(()),
        // It answers, or has no room for one more, or is one of another type.
        Ok(()) | Err(_) => Err(Errno::ADDRINUSE),
    }
}

/// Whether an entry can be given all its sockets, and its descriptor for readiness beside them.
pub(crate) fn sockets_fit(what: &Launched<'_>) -> Result<(), ExecFault> {
    let count = what.listen().len();
    if count > SOCKETS_MAX {
        let stage = ExecStage::Listen(u32::try_from(SOCKETS_MAX).unwrap_or(0));
        return Err(ExecFault { stage, errno: Errno::TOOBIG.raw_os_error() });
    }
    let is_clash = (FIRST_SOCKET..FIRST_SOCKET + count).contains(&what.ready().into());
    let fault = ExecFault { stage: ExecStage::Readiness, errno: Errno::BUSY.raw_os_error() };
    if is_clash { Err(fault) } else { Ok(()) }
}

/// Takes duplicates of the sockets that a process was given, if it still has all of them where they were.
pub(crate) fn take_from(pid: u32, listen: &[Listen]) -> Option<Opened> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let one = |(number, one): (i32, &Listen)| {
        let socket = pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty()).ok()?;
        let is_it = socket_acceptconn(&socket) == Ok(true) && is_at(&socket, &one.address);
        is_it.then(|| (one.clone(), Arc::new(socket)))
    };
    (3..).zip(listen).map(one).collect()
}

fn is_at(socket: &OwnedFd, address: &ListenAddress) -> bool {
    let Ok(own) = getsockname(socket) else { return false };
    match address {
        ListenAddress::Tcp(address) => SocketAddr::try_from(own) == Ok(*address),
        ListenAddress::Unix(path) => {
            SocketAddrUnix::try_from(own).is_ok_and(|own| own.path_bytes() == Some(path.as_bytes()))
        }
    }
}

/// What is wrong with a socket, and the remedy.
pub(crate) fn fault_text(place: u32, errno: i32, listen: &[Listen]) -> String {
    let text = errno_text(errno);
    let one = usize::try_from(place).ok().and_then(|place| listen.get(place));
    let (name, is_path, port) = match one.map(|one| &one.address) {
        Some(ListenAddress::Tcp(address)) => (address.to_string(), false, address.port()),
        Some(ListenAddress::Unix(path)) => (path.to_string(), true, 0),
        None => (String::new(), false, 0),
    };
    let remedy = match Errno::from_raw_os_error(errno) {
        Errno::ADDRINUSE if is_path => "another program answers there: stop that, or choose another path",
        Errno::ADDRINUSE => "another program has it: stop that (ss -tlnp shows it), or choose another port",
        Errno::ACCESS | Errno::PERM if !is_path && port < FIRST_FREE_PORT => {
            "ports below 1024 take root or CAP_NET_BIND_SERVICE, which clinit lacks: choose a higher one"
        }
        Errno::ACCESS | Errno::PERM => "clinit may not make it there",
        Errno::ADDRNOTAVAIL => "this machine has no such address",
        Errno::AFNOSUPPORT => "this machine does not speak IPv6",
        Errno::EXIST => return format!("listen: {name}: what stands there is no socket: remove it"),
        Errno::NOENT | Errno::NOTDIR => "its folder is not there: make it",
        Errno::NAMETOOLONG => "a path of a socket has at most 107 bytes",
        Errno::TOOBIG => return format!("listen: {name}: more than {SOCKETS_MAX} sockets"),
        _ => return format!("listen: {name}: {text}"),
    };
    format!("listen: {name}: {text}: {remedy}")
}

/// That the number for readiness is one of a socket's.
pub(crate) fn clash_text(program: &Program) -> String {
    let number = if let Readiness::Fd(number) = program.readiness { number } else { 0 };
    let free = FIRST_SOCKET + program.listen.len();
    format!("readiness: fd:{number} is the number of one of its sockets (listen): take fd:{free}")
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    use std::path::PathBuf;

    use super::*;

    fn wanted(addresses: &[ListenAddress]) -> Wanted {
        let listen = addresses.iter().map(|address| Listen { address: address.clone(), mode: 0o640 });
        Wanted { listen: listen.collect(), held: Opened::new(), owner: None }
    }

    fn place(name: &str) -> (PathBuf, ListenAddress) {
        let path = std::env::temp_dir().join(format!("clinit-listen-{}-{name}", std::process::id()));
        let _of_an_earlier_run = fs::remove_file(&path);
        (path.clone(), ListenAddress::Unix(path.to_str().unwrap().into()))
    }

    fn fault(addresses: &[ListenAddress]) -> (ExecStage, Errno) {
        let ExecFault { stage, errno } = open_all(wanted(addresses)).unwrap_err();
        (stage, Errno::from_raw_os_error(errno))
    }

    #[test]
    fn what_is_opened_answers() {
        let (path, unix) = place("answers");
        let tcp = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
        let opened = open_all(wanted(&[tcp.clone(), unix.clone()])).unwrap();
        UnixStream::connect(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        let listener = TcpListener::from(opened[0].1.try_clone().unwrap());
        TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // What is held is not opened again; the order is the table's.
        let again = open_all(Wanted { held: opened.clone(), ..wanted(&[unix, tcp]) }).unwrap();
        assert!(Arc::ptr_eq(&again[0].1, &opened[1].1) && Arc::ptr_eq(&again[1].1, &opened[0].1));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_stale_socket_is_replaced_and_nothing_else_is() {
        let (path, unix) = place("stale");
        drop(UnixListener::bind(&path).unwrap());
        drop(open_all(wanted(std::slice::from_ref(&unix))).unwrap());
        fs::remove_file(&path).unwrap();
        let answering = UnixListener::bind(&path).unwrap();
        let tcp = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
        assert_eq!(fault(&[tcp, unix.clone()]), (ExecStage::Listen(1), Errno::ADDRINUSE));
        drop(answering);
        fs::remove_file(&path).unwrap();
        let _other_type = UnixDatagram::bind(&path).unwrap();
        assert_eq!(fault(std::slice::from_ref(&unix)), (ExecStage::Listen(0), Errno::ADDRINUSE));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "text").unwrap();
        assert_eq!(fault(&[unix]), (ExecStage::Listen(0), Errno::EXIST));
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn an_address_in_use_is_a_fault() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = ListenAddress::Tcp(listener.local_addr().unwrap());
        assert_eq!(fault(&[address]), (ExecStage::Listen(0), Errno::ADDRINUSE));
        let (path, _) = place("folder");
        let below = ListenAddress::Unix(path.join("socket").to_str().unwrap().into());
        assert_eq!(fault(&[below]), (ExecStage::Listen(0), Errno::NOENT));
        // Nobody has addresses of this net (RFC 5737).
        let (stage, errno) = fault(&[ListenAddress::Tcp("192.0.2.1:9".parse().unwrap())]);
        assert_eq!((stage, errno), (ExecStage::Listen(0), Errno::ADDRNOTAVAIL));
    }
}

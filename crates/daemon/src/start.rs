//! Starting a daemon: all that can fail is done in front of the person who starts it.
//!
//! [`prepare`] reads the table, settles the paths, takes the lock and listens; then the process becomes the
//! keeper ([`Prepared::become_keeper`]) or starts one in the background ([`Prepared::start_keeper`]).

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use clinit_control::client::SOCKET_PATH_BYTES_MAX;
use clinit_keeper::descriptors as fixed;
use clinit_sys::inherit::{duplicate_above, place};
use clinit_sys::limits::raise_open_files;
use clinit_sys::slots::Slot;
use clinit_sys::spawn::{Image, Start, spawn};
use clinit_table::settings::resolve;
use clinit_table::{Diagnostic, Dialect, LoadError, ParseOptions, Parsed, Source};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, open, openat, renameat, stat};
use rustix::process::geteuid;

use crate::engine::{REREAD, prepare_state};
use crate::paths::{Paths, state_folder};
use crate::roles::{Manner, Role, Setup};

/// What the person who starts it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The table, if not the default.
    pub table: Option<PathBuf>,
    /// The socket, if named.
    pub socket: Option<PathBuf>,
    /// Whose defaults and table.
    pub dialect: Dialect,
    /// As a daemon, or with `up`.
    pub manner: Manner,
    /// Whether labels are coloured.
    pub color: bool,
}

/// Why a daemon cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The table cannot be read.
    #[error(transparent)]
    Table(#[from] LoadError),
    /// A path that is no path of a socket.
    #[error(
        "socket path {} is longer than {SOCKET_PATH_BYTES_MAX} bytes, which is all that the kernel takes: \
         choose a shorter one with -s", path.display()
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
    },
    /// Another daemon has the socket.
    #[error("socket {} is held by {holder}: stop that first (clinit -s {} -k), or choose another with -s",
        path.display(), path.display())]
    Held {
        /// The socket.
        path: PathBuf,
        /// Who has it: its pid and how it was started.
        holder: String,
    },
    /// Something that is no socket is where the socket should be.
    #[error("{} exists and is not a socket: remove it, or choose another path with -s", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// A folder of clinit's belongs to somebody else.
    #[error("{} is not a folder of this user's alone: remove it, or choose another socket with -s",
        path.display())]
    Untrusted {
        /// The folder.
        path: PathBuf,
    },
    /// The system refused something.
    #[error("failed to {what} {}", path.display())]
    Io {
        /// What was done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A daemon that only has to be started.
#[derive(Debug)]
pub struct Prepared {
    /// What was settled.
    pub setup: Setup,
    /// What is wrong with the table: its faulty lines are left out.
    pub diagnostics: Vec<Diagnostic>,
    listener: OwnedFd,
    lock: OwnedFd,
    state: OwnedFd,
}

/// Gives an I/O error its place.
fn at<'a, E: Into<io::Error>>(what: &'static str, path: &'a Path) -> impl FnOnce(E) -> StartError + 'a {
    move |source| StartError::Io { what, path: path.to_owned(), source: source.into() }
}

/// Where the socket of a daemon is, for whoever wants to speak to it: as `named`, else as the table says,
/// else the default. A table that cannot be read says nothing.
#[must_use]
pub fn find_socket(named: Option<PathBuf>, table: Option<&Path>, dialect: Dialect) -> PathBuf {
    let paths = Paths::of_user(dialect);
    let sources = clinit_table::load(table.unwrap_or(&paths.table)).unwrap_or_default();
    let settings = clinit_table::parse(&sources, ParseOptions { dialect }).settings;
    absolute(resolve(named, settings.socket, || paths.socket))
}

/// Where the status file of a daemon is: as the table says, else the default.
#[must_use]
pub fn find_clstat(table: Option<&Path>, dialect: Dialect) -> Option<PathBuf> {
    let paths = Paths::of_user(dialect);
    let sources = clinit_table::load(table.unwrap_or(&paths.table)).unwrap_or_default();
    let settings = clinit_table::parse(&sources, ParseOptions { dialect }).settings;
    settings.clstat.map(|setting| absolute(setting.value)).or(paths.clstat)
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// Does all that can fail.
///
/// # Errors
/// The first thing that does; nothing has changed then.
pub fn prepare(launch: &Launch) -> Result<Prepared, StartError> {
    let paths = Paths::of_user(launch.dialect);
    let table = absolute(launch.table.clone().unwrap_or_else(|| paths.table.clone()));
    let sources = clinit_table::load(&table)?;
    let parsed = clinit_table::parse(&sources, ParseOptions { dialect: launch.dialect });
    let mode = parsed.settings.socket_mode.as_ref().map_or(0o600, |setting| setting.value);
    let open_files =
        raise_open_files().map_err(at("read the limit of open files of", Path::new("clinit")))?;
    let setup = settle(launch, &paths, table, &parsed, open_files);
    if setup.socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        return Err(StartError::PathTooLong { path: setup.socket });
    }
    if setup.socket.parent() == Some(&paths.run) {
        make_run_folder(&paths.run)?;
    }
    refuse_what_is_no_socket(&setup.socket)?;
    let (state, lock) = take_state(&setup.socket)?;
    refuse_foreign(&setup.socket)?;
    begin_state(&state, &setup, &sources)?;
    let listener = listen(&state, &setup.socket, mode)?;
    Ok(Prepared { setup, diagnostics: parsed.diagnostics, listener, lock, state })
}

fn settle(launch: &Launch, paths: &Paths, table: PathBuf, parsed: &Parsed, open_files: (u64, u64)) -> Setup {
    let settings = parsed.settings.clone();
    let (socket, clstat, log) = match launch.manner {
        Manner::Daemon => (
            resolve(launch.socket.clone(), settings.socket, || paths.socket.clone()),
            settings.clstat.map(|setting| setting.value).or_else(|| paths.clstat.clone()),
            settings.log.map(|setting| setting.value),
        ),
        // Beside whatever runs already: nothing of what the table says a daemon should use is touched.
        Manner::Up => {
            // In a container the same pid comes again: the name is of this start alone.
            let started = clinit_sys::clock::boottime_nanos() / 1_000_000;
            let own = || paths.run.join(format!("up-{}-{started}.s", std::process::id()));
            (launch.socket.clone().unwrap_or_else(own), None, None)
        }
    };
    let socket = absolute(socket);
    let cgroup = format!("clinit-{:016x}", fnv(socket.as_os_str().as_bytes()));
    Setup {
        table,
        dialect: launch.dialect,
        socket,
        clstat: clstat.map(absolute),
        log: log.map(absolute),
        manner: launch.manner,
        color: launch.color,
        cgroup,
        open_files,
    }
}

/// FNV-1a: a name for a path, the same for every daemon that comes after.
fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The folder of the default socket: made when missing; of an ordinary user, nobody else's.
fn make_run_folder(run: &Path) -> Result<(), StartError> {
    let is_root = geteuid().is_root();
    let made = fs::DirBuilder::new().recursive(is_root).mode(if is_root { 0o755 } else { 0o700 }).create(run);
    match made {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(at("make", run)(error)),
    }
    check_own_folder(run, if is_root { 0o022 } else { 0o077 })
}

/// Whether a folder, not a link to one, is this user's, without these permission bits.
fn check_own_folder(path: &Path, forbidden: u32) -> Result<(), StartError> {
    let metadata = fs::symlink_metadata(path).map_err(at("look at", path))?;
    let is_own = metadata.uid() == geteuid().as_raw() && metadata.mode() & forbidden == 0;
    if metadata.is_dir() && is_own { Ok(()) } else { Err(StartError::Untrusted { path: path.to_owned() }) }
}

/// Makes or takes the state folder and locks it.
fn take_state(socket: &Path) -> Result<(OwnedFd, OwnedFd), StartError> {
    let folder = state_folder(socket);
    // A daemon that is just ending removes the folder: then it is made again.
    for _ in 0..100 {
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at("make the state folder", &folder)(error)),
        }
        check_own_folder(&folder, 0o077)?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let state = open(&folder, flags, Mode::empty()).map_err(at("open the state folder", &folder))?;
        let path = folder.join("lock");
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let lock = match openat(&state, "lock", flags, Mode::from_raw_mode(0o600)) {
            Ok(lock) => lock,
            // The folder was removed meanwhile.
            Err(rustix::io::Errno::NOENT) => continue,
            Err(error) => return Err(at("open", &path)(error)),
        };
        if let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if error == rustix::io::Errno::AGAIN {
                return Err(StartError::Held { path: socket.to_owned(), holder: holder(lock) });
            }
            return Err(at("lock", &path)(error));
        }
        // The lock may be on a file that was removed between opening and locking it.
        let ours = fstat(&lock).map_err(at("look at", &path))?;
        if stat(&path).is_ok_and(|theirs| (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)) {
            return Ok((state, lock));
        }
    }
    Err(StartError::Held { path: socket.to_owned(), holder: "a daemon that is just ending".to_owned() })
}

/// Who has the lock, as far as it can be told.
fn holder(lock: OwnedFd) -> String {
    let mut text = String::new();
    let _unreadable = fs::File::from(lock).read_to_string(&mut text);
    let Ok(pid) = text.trim().parse::<u32>() else { return "another clinit".to_owned() };
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    match command.trim() {
        "" => format!("pid {pid}"),
        command => format!("pid {pid} ({command})"),
    }
}

fn refuse_what_is_no_socket(socket: &Path) -> Result<(), StartError> {
    match fs::symlink_metadata(socket) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err(StartError::NotASocket { path: socket.to_owned() })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Refuses a socket that somebody answers who does not hold our lock.
fn refuse_foreign(socket: &Path) -> Result<(), StartError> {
    if UnixStream::connect(socket).is_err() {
        return Ok(());
    }
    let holder = "a program that answers there and is not this user's clinit".to_owned();
    Err(StartError::Held { path: socket.to_owned(), holder })
}

/// Lays out a new state, or keeps what a daemon left that died with all its processes in this boot: the
/// next one goes on where it was, and then reads the table.
fn begin_state(state: &OwnedFd, setup: &Setup, sources: &[Source]) -> Result<(), StartError> {
    let folder = state_folder(&setup.socket);
    let boot = this_boot();
    let same_boot = fs::read(folder.join("boot")).is_ok_and(|of| of == boot);
    if same_boot && folder.join("journal").exists() && folder.join("slots").exists() {
        return fs::write(folder.join(REREAD), "").map_err(at("write to", &folder));
    }
    for name in fs::read_dir(&folder).map_err(at("read", &folder))?.flatten() {
        let path = name.path();
        let removed = match name.file_type() {
            _ if name.file_name() == "lock" => Ok(()),
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
            Ok(_) | Err(_) => fs::remove_file(&path),
        };
        removed.map_err(at("remove", &path))?;
    }
    let copy = state.try_clone().map_err(at("use the state folder", &folder))?;
    prepare_state(copy, sources).map_err(at("write to the state folder", &folder))?;
    fs::write(folder.join("boot"), boot).map_err(at("write to the state folder", &folder))
}

/// What tells this life of the machine, or of the container, from any other: numbers of processes mean something
/// in it alone.
fn this_boot() -> Vec<u8> {
    let mut boot = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::metadata("/proc/self/ns/pid").map_or(0, |metadata| metadata.ino());
    let first = clinit_sys::proc::stat(1).map_or(0, |stat| stat.started_nanos);
    boot.extend(format!("{namespace} {first}\n").into_bytes());
    boot
}

/// Listens under another name and renames: whoever connects finds the old socket or the new.
fn listen(state: &OwnedFd, socket: &Path, mode: u32) -> Result<OwnedFd, StartError> {
    // Through /proc the name is short, however long the folder's is.
    let short = PathBuf::from(format!("/proc/self/fd/{}/socket", state.as_raw_fd()));
    let _of_an_earlier_try = fs::remove_file(&short);
    let listener = UnixListener::bind(&short).map_err(at("listen at", socket))?;
    listener.set_nonblocking(true).map_err(at("listen at", socket))?;
    fs::set_permissions(&short, fs::Permissions::from_mode(mode)).map_err(at("set the mode of", socket))?;
    renameat(state, "socket", rustix::fs::CWD, socket).map_err(at("put the socket at", socket))?;
    Ok(listener.into())
}

impl Prepared {
    /// Becomes the keeper. Returns only when that fails.
    #[must_use]
    pub fn become_keeper(self) -> StartError {
        let program = Path::new("/proc/self/exe");
        let fixed = [(&self.listener, fixed::LISTEN), (&self.lock, fixed::LOCK), (&self.state, fixed::STATE)];
        let mut held = Vec::new();
        for (fd, number) in fixed {
            match duplicate_above(fd.as_fd(), fixed::FREE) {
                Ok(fd) => held.push((fd, number)),
                Err(error) => return at("start", program)(error),
            }
        }
        for (fd, number) in &held {
            if let Err(error) = place(fd.as_fd(), *number) {
                return at("start", program)(error);
            }
        }
        let arguments = self.setup.to_arguments();
        // What stood at those numbers is closed; the owners of it must not close them again.
        std::mem::forget(self);
        let error = std::process::Command::new(program).arg0(Role::Keeper.name()).args(arguments).exec();
        at("start", program)(error)
    }

    /// Starts a keeper in the background, with nothing of this process but its folder and environment.
    ///
    /// # Errors
    /// No process can be made.
    pub fn start_keeper(self) -> Result<(), StartError> {
        let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map_err(at("open", Path::new("/dev/null")))?;
        let mut held = Vec::new();
        for (fd, numbers) in [
            (&null, &[0, 1, 2][..]),
            (&self.listener, &[fixed::LISTEN]),
            (&self.lock, &[fixed::LOCK]),
            (&self.state, &[fixed::STATE]),
        ] {
            let fd =
                duplicate_above(fd.as_fd(), fixed::FREE).map_err(at("start", Path::new("/proc/self/exe")))?;
            held.push((fd, numbers));
        }
        let descriptors: Vec<_> = held
            .iter()
            .flat_map(|(fd, numbers)| numbers.iter().map(|&number| (fd.as_raw_fd(), number)))
            .collect();
        let mut image = Image::default();
        image.candidates.push(&[b"/proc/self/exe"]);
        image.arguments.push(&[Role::Keeper.name().as_bytes()]);
        self.setup.to_arguments().iter().for_each(|argument| image.arguments.push(&[argument.as_bytes()]));
        for (name, value) in std::env::vars_os() {
            image.environment.push(&[name.as_bytes(), b"=", value.as_bytes()]);
        }
        let slot = Slot::default();
        let start = Start {
            slot: &slot,
            descriptors: &descriptors,
            cgroup: None,
            keep_below: fixed::KEEP_KEEPER,
            session: true,
            open_files: None,
        };
        spawn(&mut image, &start).map(drop).map_err(at("start", Path::new("/proc/self/exe")))
    }
}

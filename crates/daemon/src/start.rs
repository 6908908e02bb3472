//! Starting a daemon: all that can fail is done in front of the person who starts it.
//!
//! [`prepare`] reads the table, settles the paths, takes the lock and listens; then the process becomes the
//! keeper ([`Prepared::become_keeper`]) or starts one in the background ([`Prepared::start_keeper`]).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use clinit_control::client::SOCKET_PATH_BYTES_MAX;
use clinit_keeper::descriptors as fixed;
use clinit_sys::inherit::{duplicate_above, place};
use clinit_sys::limits::raise_open_files;
use clinit_table::settings::resolve;
use clinit_table::{Diagnostic, Dialect, LoadError, ParseOptions, Parsed, Setting, Settings, Source};
use rustix::fs::{Access, Mode, OFlags, access, fchmod, open};
use rustix::process::geteuid;

use crate::engine::journal::{self, Found};
use crate::engine::{REREAD, prepare_state};
use crate::paths::{NOTIFY_SUFFIX, Paths, notify_socket, remembered_file, state_folder};
use crate::remembered;
use crate::roles::{Manner, Role, Setup};
use crate::sockets;
use crate::taking::take_state;

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
    /// Whether output that the table says nothing of is kept in files; else it is inherited.
    pub keeps_logs: bool,
}

/// The longest path of a daemon's socket: that of the socket beside it, to which entries send, is longer.
const DAEMON_SOCKET_BYTES_MAX: usize = SOCKET_PATH_BYTES_MAX - NOTIFY_SUFFIX.len();

/// How many files of a folder are looked at when it is cleaned.
const CLEANED_MAX: usize = 1000;

/// Why a daemon cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The table cannot be read.
    #[error(transparent)]
    Table(#[from] LoadError),
    /// A path that is no path of a socket.
    #[error(
        "socket path {} is longer than {DAEMON_SOCKET_BYTES_MAX} bytes: the kernel takes \
         {SOCKET_PATH_BYTES_MAX}, and {NOTIFY_SUFFIX} stands behind it where entries notify: choose a shorter \
         one with -s", path.display()
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
    /// Processes run that a clinit started whose state this one cannot read.
    #[error(
        "{} is the state of a clinit that is gone, and cannot be read: {why}; {}. Start the version that wrote it, \
         which adopts what it started; or stop that and remove {}", path.display(), living_text(living), path.display()
    )]
    OtherState {
        /// The state folder.
        path: PathBuf,
        /// What cannot be read.
        why: String,
        /// The main processes that live; `None` where that cannot be read either.
        living: Option<Vec<u32>>,
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
    /// What else is to be said, lines.
    pub remarks: Vec<String>,
    /// What keeper, engine and logger hold, with the numbers.
    shared: Vec<(OwnedFd, RawFd)>,
}

/// Gives an I/O error its place.
pub(crate) fn at<'a, E: Into<io::Error>>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(E) -> StartError + 'a {
    move |source| StartError::Io { what, path: path.to_owned(), source: source.into() }
}

/// Where the socket of a daemon is, for whoever wants to speak to it: as `named`, else as the table says,
/// else the default. A table that cannot be read says nothing.
#[must_use]
pub fn find_socket(named: Option<PathBuf>, table: Option<&Path>, dialect: Dialect) -> PathBuf {
    let (paths, settings) = settings_of(table, dialect);
    absolute(resolve(named, settings.socket, || paths.socket))
}

/// What the table says of the daemon itself, beside the defaults.
fn settings_of(table: Option<&Path>, dialect: Dialect) -> (Paths, Settings) {
    let paths = Paths::of_user(dialect);
    let sources = clinit_table::load(table.unwrap_or(&paths.table)).unwrap_or_default();
    let settings = clinit_table::parse(&sources, ParseOptions { dialect }).settings;
    (paths, settings)
}

/// Where the status file of a daemon is: as the table says, else the default.
#[must_use]
pub fn find_clstat(table: Option<&Path>, dialect: Dialect) -> Option<PathBuf> {
    let (paths, settings) = settings_of(table, dialect);
    settings.clstat.map(|setting| absolute(setting.value)).or(paths.clstat)
}

/// Where a daemon in the background keeps what entries print: as the table says, else the default.
#[must_use]
pub fn find_logs(socket: &Path, table: Option<&Path>, dialect: Dialect) -> PathBuf {
    let (paths, settings) = settings_of(table, dialect);
    log_folder(settings.log_folder, &paths, socket)
}

fn log_folder(setting: Option<Setting<PathBuf>>, paths: &Paths, socket: &Path) -> PathBuf {
    let beside = || {
        let mut name = socket.as_os_str().to_owned();
        name.push(".logs");
        name.into()
    };
    absolute(setting.map(|setting| setting.value).or_else(|| paths.logs.clone()).unwrap_or_else(beside))
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// Does all that can fail.
///
/// # Errors
/// The first thing that does; nothing has changed then.
pub fn prepare(launch: &Launch) -> Result<Prepared, StartError> {
    let mut paths = Paths::of_user(launch.dialect);
    if launch.manner == Manner::Up && launch.socket.is_none() {
        find_run_folder(&mut paths);
    }
    let table = absolute(launch.table.clone().unwrap_or_else(|| paths.table.clone()));
    let sources = clinit_table::load(&table)?;
    let parsed = clinit_table::parse(&sources, ParseOptions { dialect: launch.dialect });
    let mode = parsed.settings.socket_mode.as_ref().map_or(0o600, |setting| setting.value);
    let open_files =
        raise_open_files().map_err(at("read the limit of open files of", Path::new("clinit")))?;
    let setup = settle(launch, &paths, table, &parsed, open_files);
    if setup.socket.as_os_str().len() > DAEMON_SOCKET_BYTES_MAX {
        return Err(StartError::PathTooLong { path: setup.socket });
    }
    if setup.socket.parent() == Some(&paths.run) {
        make_run_folder(&paths.run)?;
        clean(&paths.run);
    }
    refuse_what_is_no_socket(&setup.socket)?;
    refuse_what_is_no_socket(&notify_socket(&setup.socket))?;
    let (state, lock) = take_state(&setup.socket)?;
    refuse_foreign(&setup.socket)?;
    let mut remarks = Vec::new();
    let is_wished = parsed.settings.remember == Some(true) && launch.manner == Manner::Daemon;
    if is_wished && setup.remember.is_none() {
        remarks.push("remember: this user has no folder for it: set remember_file".to_owned());
    }
    begin_state(&state, &setup, &sources, &mut remarks)?;
    let folder = state_folder(&setup.socket);
    let ready = sockets::hear_readiness(&state).map_err(at("make a socket in", &folder))?;
    let store = sockets::store(&state).map_err(at("make a socket in", &folder))?;
    let notify = sockets::hear_notes(&state, &setup.socket)?;
    let listener = match sockets::listen(&state, &setup.socket, mode) {
        Ok(listener) => listener,
        Err(error) => {
            let _as_it_was = fs::remove_file(notify_socket(&setup.socket));
            return Err(error);
        }
    };
    let shared = vec![
        (listener, fixed::LISTEN),
        (lock, fixed::LOCK),
        (state, fixed::STATE),
        (notify, fixed::NOTIFY),
        (ready, fixed::READY),
        (store, fixed::STORE),
    ];
    Ok(Prepared { setup, diagnostics: parsed.diagnostics, remarks, shared })
}

fn settle(launch: &Launch, paths: &Paths, table: PathBuf, parsed: &Parsed, open_files: (u64, u64)) -> Setup {
    let settings = parsed.settings.clone();
    let (wish, file) = (settings.remember, settings.remember_file);
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
    let logs = launch.keeps_logs.then(|| log_folder(settings.log_folder, paths, &socket));
    let number = format!("{:016x}", fnv(socket.as_os_str().as_bytes()));
    let is_default = socket == paths.socket && launch.dialect == Dialect::Clinit;
    let wanted = wish.unwrap_or(is_default || file.is_some()) && launch.manner == Manner::Daemon;
    let own = || {
        let mut path = remembered_file()?.into_os_string();
        if !is_default {
            path.push(format!("-{number}"));
        }
        Some(path.into())
    };
    let remember = if wanted { file.map(|setting| setting.value).or_else(own) } else { None };
    let cgroup = format!("clinit-{number}");
    Setup {
        table,
        dialect: launch.dialect,
        socket,
        clstat: clstat.map(absolute),
        log: log.map(absolute),
        remember: remember.map(absolute),
        logs,
        manner: launch.manner,
        color: launch.color,
        cgroup,
        open_files,
        program: own_program(),
    }
}

/// Where this program is found again: as it was called, if that leads to it; a link stays a link.
fn own_program() -> PathBuf {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    let own = identity(Path::new("/proc/self/exe"));
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let candidates: Vec<PathBuf> = if called.components().count() > 1 {
        vec![called]
    } else {
        std::env::split_paths(&folders).map(|folder| folder.join(&called)).collect()
    };
    let found = candidates.into_iter().find(|path| own.is_some() && identity(path) == own);
    absolute(found.or_else(|| std::env::current_exe().ok()).unwrap_or_default())
}

/// FNV-1a: a short name for something longer, the same for every daemon that comes after.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The folder of the default socket: made when missing; of an ordinary user, nobody else's.
fn make_run_folder(run: &Path) -> Result<(), StartError> {
    let is_root = geteuid().is_root();
    let is_new = fs::symlink_metadata(run).is_err();
    let made = fs::DirBuilder::new().recursive(is_root).mode(if is_root { 0o755 } else { 0o700 }).create(run);
    match made {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(at("make", run)(error)),
    }
    check_own_folder(run, if is_root { 0o022 } else { 0o077 })?;
    if is_root && is_new {
        // Users as whom entries run have to reach the socket to which these send, whatever root's umask is. By a
        // handle, after the look: where anybody may make folders, somebody could have put a link here meanwhile.
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let folder = open(run, flags, Mode::empty()).map_err(at("open", run))?;
        fchmod(&folder, Mode::from_raw_mode(0o755)).map_err(at("set the mode of", run))?;
    }
    Ok(())
}

/// In a container the usual folder may be on a file system that cannot be written: then another one is taken.
fn find_run_folder(paths: &mut Paths) {
    let is_usable =
        |run: &Path| make_run_folder(run).is_ok() && access(run, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    let others = Paths::other_run_folders();
    if let Some(run) = std::iter::once(paths.run.clone()).chain(others).find(|run| is_usable(run)) {
        paths.run = run;
    }
}

/// Removes what tables in the foreground left here when the machine went down: this folder may be on a disk.
fn clean(run: &Path) {
    let boot = this_boot();
    for entry in fs::read_dir(run).into_iter().flatten().flatten().take(CLEANED_MAX) {
        let name = entry.file_name().into_string().unwrap_or_default();
        let is_left = name.starts_with("up-") && name.contains(".s.state");
        let is_old = || fs::read(entry.path().join("boot")).is_ok_and(|of| of != boot);
        if is_left && is_old() && check_own_folder(&entry.path(), 0o077).is_ok() {
            let _nobodys = fs::remove_dir_all(entry.path());
            if let Some(socket) = name.strip_suffix(".state") {
                let socket = run.join(socket);
                let _gone_anyway = (fs::remove_file(notify_socket(&socket)), fs::remove_file(socket));
            }
        }
    }
}

/// Whether a folder, not a link to one, is this user's, without these permission bits.
pub(crate) fn check_own_folder(path: &Path, forbidden: u32) -> Result<(), StartError> {
    let metadata = fs::symlink_metadata(path).map_err(at("look at", path))?;
    let is_own = metadata.uid() == geteuid().as_raw() && metadata.mode() & forbidden == 0;
    if metadata.is_dir() && is_own { Ok(()) } else { Err(StartError::Untrusted { path: path.to_owned() }) }
}

/// The state folder by a name that leads to the one that was looked at, whatever stands at its path by now.
fn held(state: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", state.as_raw_fd()))
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
fn begin_state(
    state: &OwnedFd,
    setup: &Setup,
    sources: &[Source],
    remarks: &mut Vec<String>,
) -> Result<(), StartError> {
    let folder = state_folder(&setup.socket);
    let held = held(state);
    let boot = this_boot();
    let same_boot = fs::read(held.join("boot")).is_ok_and(|of| of == boot);
    let is_state = same_boot && held.join("journal").exists() && held.join("slots").exists();
    if is_state && can_go_on(state, &folder)? {
        return fs::write(held.join(REREAD), "").map_err(at("write to", &folder));
    }
    for name in fs::read_dir(&held).map_err(at("read", &folder))?.flatten() {
        let path = name.path();
        let removed = match name.file_type() {
            _ if name.file_name() == "lock" => Ok(()),
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
            Ok(_) | Err(_) => fs::remove_file(&path),
        };
        removed.map_err(at("remove", &path))?;
    }
    let copy = state.try_clone().map_err(at("use the state folder", &folder))?;
    let recall = setup.remember.as_deref().map(remembered::recall).transpose();
    let recall = recall.unwrap_or_else(|said| {
        remarks.push(said);
        None
    });
    prepare_state(copy, sources, recall.unwrap_or_default())
        .map_err(at("write to the state folder", &folder))?;
    fs::write(held.join("boot"), boot).map_err(at("write to the state folder", &folder))
}

/// Whether the state that a daemon of this boot left can be gone on with. If not, and of what it tells something
/// runs, nothing is begun: what runs would run twice.
fn can_go_on(state: &OwnedFd, folder: &Path) -> Result<bool, StartError> {
    let slots =
        fs::File::open(held(state).join("slots")).and_then(|mut slots| clinit_keeper::living(&mut slots));
    let why = match (journal::look(state), &slots) {
        (Ok(Found::Ours(_)), Ok(_)) => return Ok(true),
        (Ok(Found::OfVersion(version)), _) => {
            format!("its journal has version {version}, this one's is {}", journal::VERSION)
        }
        (Ok(Found::Unreadable), _) => "its journal is damaged".to_owned(),
        (Err(error), _) => format!("its journal: {error}"),
        (Ok(Found::Ours(_)), Err(error)) => format!("its file of slots: {error}"),
    };
    match slots.ok() {
        Some(living) if living.is_empty() => Ok(false),
        living => Err(StartError::OtherState { path: folder.to_owned(), why, living }),
    }
}

fn living_text(living: &Option<Vec<u32>>) -> String {
    match living {
        Some(pids) => {
            let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
            format!("of what it started these main processes or others of theirs live: {}", pids.join(" "))
        }
        None => "what it started may live".to_owned(),
    }
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

impl Prepared {
    /// Becomes the keeper. Returns only when that fails.
    #[must_use]
    pub fn become_keeper(self) -> StartError {
        let program = Path::new("/proc/self/exe");
        let mut held = Vec::new();
        for (fd, number) in &self.shared {
            match duplicate_above(fd.as_fd(), fixed::FREE) {
                Ok(fd) => held.push((fd, *number)),
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
        let shared = self.shared.iter().map(|(fd, number)| (fd, vec![*number]));
        for (fd, numbers) in std::iter::once((&null, vec![0, 1, 2])).chain(shared) {
            let fd =
                duplicate_above(fd.as_fd(), fixed::FREE).map_err(at("start", Path::new("/proc/self/exe")))?;
            held.push((fd, numbers));
        }
        let descriptors: Vec<_> = held
            .iter()
            .flat_map(|(fd, numbers)| numbers.iter().map(|&number| (fd.as_raw_fd(), number)))
            .collect();
        let arguments: Vec<_> = self.setup.to_arguments().into_iter().map(OsString::into_vec).collect();
        let variable =
            |(name, value): (OsString, OsString)| [name.as_bytes(), b"=", value.as_bytes()].concat();
        let environment: Vec<_> = std::env::vars_os().map(variable).collect();
        clinit_keeper::start(&arguments, &environment, &descriptors)
            .map_err(at("start", Path::new("/proc/self/exe")))
    }
}

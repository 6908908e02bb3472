//! Another program in the place of this one: tried first, then handed to the keeper.
//!
//! ```text
//!   Reexec ──> Trying ──ready──> Ready ──nothing waits──> Asked ──Replaced──> this engine leaves
//!                 └──────────────── refused ────────────────┴──> all goes on
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use clinit_control::CallError;
use clinit_control::interface::ReexecReply;
use clinit_control::message::Reply;
use clinit_engine::time::Instant;
use clinit_keeper::protocol::Order;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{MemfdFlags, OFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, kill_process_group, pidfd_open};

use super::begin::source;
use super::clients::ClientId;
use super::{Engine, now, trial};
use crate::roles::{Role, Setup};

/// How long a program may take to show that it can go on, unless the caller says otherwise.
const TRIAL_TIME: Duration = Duration::from_secs(10);

/// How long the keeper may take to become the other program.
const REPLACE_TIME: Duration = Duration::from_secs(10);

/// Why no program is tried, or taken, now.
const UNWRITTEN: &str = "the state cannot be written, so the next engine could not go on with it";

/// The most that a program that is tried may say.
const SAID_BYTES_MAX: usize = 4096;

/// A program that takes the place of this one, or not.
#[derive(Debug)]
pub(crate) struct Upgrade {
    client: ClientId,
    more: bool,
    oneway: bool,
    setup: Setup,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// A thread tries it; the descriptor becomes readable when it is done.
    Trying { done: Receiver<Result<Tried, String>>, ready: OwnedFd },
    /// It can go on.
    Ready(File),
    /// The keeper was asked to become it.
    Asked {
        /// Open until the keeper has opened it, too.
        _program: File,
        by: Instant,
    },
}

/// A program that can go on.
#[derive(Debug)]
struct Tried {
    program: File,
    version: String,
}

impl Engine {
    /// Begins to try a program.
    pub(crate) fn begin_upgrade(
        &mut self,
        (client, more, oneway): (ClientId, bool, bool),
        program: Option<PathBuf>,
        timeout: Option<Duration>,
        now: Instant,
    ) {
        let mut setup = self.setup.clone();
        setup.program = program.unwrap_or(setup.program);
        let began = match () {
            () if self.upgrade.is_some() => Err("another one is being tried".to_owned()),
            () if self.journal_failed => Err(UNWRITTEN.to_owned()),
            () => self.begin_trial(&setup, timeout.unwrap_or(TRIAL_TIME)).map_err(|error| error.to_string()),
        };
        match began {
            Ok(stage) => self.upgrade = Some(Upgrade { client, more, oneway, setup, stage }),
            Err(reason) => {
                let program = setup.program.to_string_lossy().into_owned();
                let error = CallError::ProgramRefused { program, reason };
                self.finish::<ReexecReply>(client, oneway, Err(error), now);
            }
        }
    }

    fn begin_trial(&self, setup: &Setup, time: Duration) -> io::Result<Stage> {
        let ready = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&self.epoll, &ready, EventData::new_u64(source::TRIAL), EventFlags::IN)?;
        let (signal, state) = (ready.try_clone()?, self.reviver.state().try_clone()?);
        let (results, done) = channel();
        let setup = setup.clone();
        // A file system may hang, and so may the program: a thread waits for both.
        std::thread::Builder::new().name("trial".to_owned()).stack_size(256 * 1024).spawn(move || {
            let result = attempt(&setup, state, time);
            // The engine may have gone meanwhile.
            let _heard =
                results.send(result).is_ok() && rustix::io::write(&signal, &1u64.to_ne_bytes()).is_ok();
        })?;
        Ok(Stage::Trying { done, ready })
    }

    /// The trial is over.
    pub(super) fn take_tried(&mut self, now: Instant) {
        let Some(Upgrade { stage: Stage::Trying { done, ready }, client, more, oneway, .. }) = &self.upgrade
        else {
            return;
        };
        let (client, more, oneway) = (*client, *more, *oneway);
        let Ok(result) = done.try_recv() else { return };
        let _watched_no_more = epoll::delete(&self.epoll, ready);
        match result {
            Ok(Tried { program, version }) => {
                let (keeper_pid, engine_pid) = (self.keeper_pid, std::process::id());
                let reply = ReexecReply { version, keeper_pid, engine_pid };
                if more && !oneway {
                    self.clients.reply(client, &Reply::continued(reply));
                } else {
                    self.finish(client, oneway, Ok(reply), now);
                }
                if let Some(upgrade) = &mut self.upgrade {
                    upgrade.stage = Stage::Ready(program);
                }
            }
            Err(reason) => self.refuse_upgrade(reason, now),
        }
    }

    /// Asks the keeper, when all that was ordered before is on its way.
    pub(super) fn go_on_with_upgrade(&mut self, now: Instant) {
        let Some(upgrade) = self.upgrade.take() else { return };
        self.upgrade = match upgrade.stage {
            Stage::Ready(program) if self.keeper.is_empty() && !self.journal_failed => {
                let arguments: Vec<Vec<u8>> =
                    upgrade.setup.to_arguments().into_iter().map(OsString::into_encoded_bytes).collect();
                let descriptor = u32::try_from(program.as_raw_fd()).unwrap_or(u32::MAX);
                self.notes.say(&format!("becoming {}", upgrade.setup.program.display()));
                self.keeper.send(Order::Reexec { descriptor, arguments: &arguments.join(&0) }.encode());
                Some(Upgrade { stage: Stage::Asked { _program: program, by: now + REPLACE_TIME }, ..upgrade })
            }
            stage => Some(Upgrade { stage, ..upgrade }),
        };
        let reason = match self.upgrade.as_ref().map(|upgrade| &upgrade.stage) {
            Some(Stage::Asked { by, .. }) if *by <= now => "the keeper did not become it in time",
            Some(Stage::Ready(_)) if self.journal_failed => UNWRITTEN,
            Some(Stage::Trying { .. } | Stage::Ready(_) | Stage::Asked { .. }) | None => return,
        };
        self.refuse_upgrade(reason.to_owned(), now);
    }

    /// When [`Self::go_on_with_upgrade`] has to be called although nothing happened.
    pub(super) fn upgrade_deadline(&self) -> Option<Instant> {
        match &self.upgrade.as_ref()?.stage {
            Stage::Asked { by, .. } => Some(*by),
            Stage::Trying { .. } | Stage::Ready(_) => None,
        }
    }

    /// The keeper could not become the program.
    pub(super) fn not_replaced(&mut self, errno: i32, now: Instant) {
        let reason = format!("the keeper cannot become it: {}", super::errno_text(errno));
        self.refuse_upgrade(reason, now);
    }

    fn refuse_upgrade(&mut self, reason: String, now: Instant) {
        let Some(Upgrade { client, more, oneway, setup, stage }) = self.upgrade.take() else { return };
        let program = setup.program.to_string_lossy().into_owned();
        self.notes.say(&format!("{program} is not taken: {reason}: all goes on as before"));
        // Who did not ask for more was answered before the keeper was asked.
        if more || matches!(stage, Stage::Trying { .. }) {
            let error = CallError::ProgramRefused { program, reason };
            self.finish::<ReexecReply>(client, oneway, Err(error), now);
        }
    }
}

/// Opens the program and tries it.
fn attempt(setup: &Setup, state: OwnedFd, time: Duration) -> Result<Tried, String> {
    let text = |error: io::Error| error.to_string();
    let program = open_program(&setup.program)?;
    let mut said = ear().map_err(|error| text(error.into()))?;
    let mut command = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()));
    command.arg0(Role::Trial.name()).args(setup.to_arguments()).arg(trial::versions()).process_group(0);
    let (out, err) = (said.try_clone().map_err(text)?, said.try_clone().map_err(text)?);
    command.stdin(Stdio::from(state)).stdout(Stdio::from(out)).stderr(Stdio::from(err));
    // The name holds in the child as long as the descriptor does: a script's interpreter opens it.
    let started =
        fcntl_setfd(&program, FdFlags::empty()).map_err(io::Error::from).and_then(|()| command.spawn());
    let _as_before = fcntl_setfd(&program, FdFlags::CLOEXEC);
    let status =
        wait(started.map_err(|error| format!("it cannot be executed: {error}"))?, time).map_err(text)?;
    let mut bytes = [0; SAID_BYTES_MAX];
    said.rewind().and_then(|()| said.read_exact(&mut bytes)).map_err(text)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.trim_end_matches('\0').lines().filter(|line| !line.trim().is_empty());
    let last = lines.next_back().unwrap_or_default();
    match (status, last.strip_prefix(trial::READY)) {
        (None, _) => Err(format!("it did not show within {time:?} that it can go on with the state")),
        (Some(status), Some(_)) if status.success() && is_script(&program) => {
            Err("it is a script: name the program that it executes".to_owned())
        }
        (Some(status), Some(version)) if status.success() => {
            Ok(Tried { program, version: version.to_owned() })
        }
        (Some(status), _) if last.is_empty() => Err(format!("it did not show that it can go on ({status})")),
        (Some(_), _) => Err(last.strip_prefix("clinit: ").unwrap_or(last).to_owned()),
    }
}

/// Whether its interpreter, not it, would be executed in the keeper's place.
fn is_script(program: &File) -> bool {
    let mut first = [0; 2];
    program.read_exact_at(&mut first, 0).is_ok() && first == *b"#!"
}

/// A file in memory for what a program says; it takes so much and no more.
fn ear() -> rustix::io::Result<File> {
    let file = memfd_create("clinit trial", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    ftruncate(&file, SAID_BYTES_MAX as u64)?;
    fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SHRINK)?;
    Ok(File::from(file))
}

/// Waits until a program has ended; after `time` it is killed, with all that it started.
fn wait(mut child: Child, time: Duration) -> io::Result<Option<ExitStatus>> {
    let by = now() + time;
    let pid = Pid::from_child(&child);
    let ended = pidfd_open(pid, PidfdFlags::empty()).and_then(|pidfd| {
        loop {
            let left = Timespec::try_from(by.since(now())).unwrap_or_default();
            match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&left)) {
                Err(Errno::INTR) => {}
                result => break result,
            }
        }
    });
    // It is not reaped yet: the group is its own.
    let _nobody_left = kill_process_group(pid, Signal::KILL);
    let status = child.wait()?;
    Ok((ended? > 0).then_some(status))
}

/// Opens what is to be executed; nothing waits for a FIFO there.
fn open_program(path: &Path) -> Result<File, String> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = file.map_err(|error| format!("it cannot be opened: {error}"))?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    match metadata.mode() {
        _ if !metadata.is_file() => Err("it is not a regular file".to_owned()),
        mode if mode & 0o111 == 0 => Err(format!("it cannot be executed: chmod +x {}", path.display())),
        mode if mode & 0o002 != 0 && geteuid().is_root() => {
            Err(format!("it may be written by every user: chmod o-w {}", path.display()))
        }
        _ => Ok(file),
    }
}

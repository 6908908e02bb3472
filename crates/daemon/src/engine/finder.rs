//! The engine's second helper thread: what has to be found out before some entries can start.
//!
//! It looks up whom they run as, reads their environment files and opens their sockets. A name service or file system that is
//! slow or hung delays the starts that need it, never the table, the status file or other entries. The
//! thread is there once something was asked; while nothing is, it sleeps.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::thread::Builder;

use clinit_engine::event::{EntryId, ExecFault, ExecStage, Generation};
use clinit_engine::surroundings::EnvironmentFile;
use clinit_keeper::protocol::ORDER_BYTES_MAX;
use clinit_table::environment::{self, Variables};
use clinit_table::{Diagnostic, ParseOptions, Source};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::listening::{Opened, Wanted, open_all};
use crate::accounts::{Account, Identities, look_up, warnings};

/// The largest environment file: what is longer has no room in an order.
const ENVIRONMENT_BYTES_MAX: u64 = ORDER_BYTES_MAX as u64;

/// The permission bit that lets any user write.
const WRITABLE_BY_OTHERS: u32 = 0o002;

/// Modules of name services want more than the other threads do.
const STACK_BYTES: usize = 1 << 20;

/// What is asked.
#[derive(Debug)]
enum Job {
    Accounts { accounts: Vec<Account>, about: Option<(Arc<Vec<Source>>, ParseOptions)> },
    Environment { entry: EntryId, generation: Generation, file: EnvironmentFile },
    Sockets { entry: EntryId, generation: Generation, wanted: Wanted },
}

/// What was found.
#[derive(Debug)]
pub(crate) enum Found {
    /// Who accounts are, and what is to be said of a table by that.
    Accounts(Identities, Vec<Diagnostic>),
    /// What the environment file says for a start.
    Environment(EntryId, Generation, Result<Variables, ExecFault>),
    /// The sockets for a start.
    Sockets(EntryId, Generation, Result<Opened, ExecFault>),
}

/// The thread, seen from the engine.
#[derive(Debug)]
pub(crate) struct Finder {
    /// To the thread, once there is one.
    jobs: Option<Sender<Job>>,
    results: Sender<Found>,
    found: Receiver<Found>,
    ready: Arc<OwnedFd>,
    /// How often accounts were asked for without an answer yet.
    lookups: usize,
}

impl Finder {
    pub(crate) fn new() -> io::Result<Self> {
        let ready = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (results, found) = channel();
        Ok(Self { jobs: None, results, found, ready, lookups: 0 })
    }

    /// Becomes readable when something was found.
    pub(crate) fn ready(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    /// What was found since it was last asked.
    pub(crate) fn found(&mut self) -> Vec<Found> {
        let _was_not_readable = rustix::io::read(&*self.ready, &mut [0u8; 8]);
        let found: Vec<Found> = self.found.try_iter().collect();
        self.lookups -= found.iter().filter(|found| matches!(found, Found::Accounts(..))).count();
        found
    }

    /// Looks up accounts that are known, unless it is at that: who asks often waits no longer for that.
    pub(crate) fn refresh(&mut self, accounts: Vec<Account>) {
        if self.lookups == 0 && !accounts.is_empty() {
            self.look_up(accounts, None);
        }
    }

    /// Looks up accounts, and finds out what is to be said of a table by that.
    pub(crate) fn look_up(
        &mut self,
        accounts: Vec<Account>,
        about: Option<(Arc<Vec<Source>>, ParseOptions)>,
    ) {
        self.lookups += 1;
        self.ask(Job::Accounts { accounts, about });
    }

    /// Reads the environment file of a start.
    pub(crate) fn read_environment(&mut self, entry: EntryId, generation: Generation, file: EnvironmentFile) {
        self.ask(Job::Environment { entry, generation, file });
    }

    /// Opens the sockets of a start.
    pub(crate) fn open_sockets(&mut self, entry: EntryId, generation: Generation, wanted: Wanted) {
        self.ask(Job::Sockets { entry, generation, wanted });
    }

    fn ask(&mut self, job: Job) {
        if self.jobs.is_none() {
            self.jobs = self.start().ok();
        }
        let sent = match &self.jobs {
            Some(jobs) => jobs.send(job),
            None => Err(SendError(job)),
        };
        if let Err(SendError(job)) = sent {
            // The machine has no thread to give; the next start asks again.
            self.jobs = None;
            answer(&self.results, &self.ready, refuse(job));
        }
    }

    fn start(&self) -> io::Result<Sender<Job>> {
        let (jobs, queue) = channel::<Job>();
        let (results, ready) = (self.results.clone(), Arc::clone(&self.ready));
        Builder::new().name("finder".to_owned()).stack_size(STACK_BYTES).spawn(move || {
            while let Ok(job) = queue.recv() {
                answer(&results, &ready, work(job));
            }
        })?;
        Ok(jobs)
    }
}

fn answer(results: &Sender<Found>, ready: &OwnedFd, found: Found) {
    if results.send(found).is_ok() {
        let _nobody_waits = rustix::io::write(ready, &1u64.to_ne_bytes());
    }
}

fn work(job: Job) -> Found {
    match job {
        Job::Accounts { accounts, about } => {
            let identities = look_up(accounts);
            let warnings = about.map(|(sources, options)| warnings(&sources, options, &identities));
            Found::Accounts(identities, warnings.unwrap_or_default())
        }
        Job::Environment { entry, generation, file } => {
            Found::Environment(entry, generation, read_environment(&file))
        }
        Job::Sockets { entry, generation, wanted } => Found::Sockets(entry, generation, open_all(wanted)),
    }
}

fn refuse(job: Job) -> Found {
    let fault = |stage| ExecFault { stage, errno: Errno::AGAIN.raw_os_error() };
    match job {
        Job::Accounts { accounts, .. } => {
            let one = |account| (account, Err(fault(ExecStage::UserLookup)));
            Found::Accounts(accounts.into_iter().map(one).collect(), Vec::new())
        }
        Job::Environment { entry, generation, .. } => {
            Found::Environment(entry, generation, Err(fault(ExecStage::EnvironmentFile)))
        }
        Job::Sockets { entry, generation, .. } => {
            Found::Sockets(entry, generation, Err(fault(ExecStage::Listen(0))))
        }
    }
}

fn read_environment(file: &EnvironmentFile) -> Result<Variables, ExecFault> {
    let fault = |errno: Errno| ExecFault { stage: ExecStage::EnvironmentFile, errno: errno.raw_os_error() };
    let text = match load(Path::new(&*file.path)) {
        Err(Errno::NOENT) if file.is_optional => return Ok(Variables::new()),
        result => result.map_err(fault)?,
    };
    environment::parse(&text).map_err(|line| {
        let stage = ExecStage::EnvironmentLine(line);
        ExecFault { stage, errno: Errno::INVAL.raw_os_error() }
    })
}

/// The content of a regular file: a FIFO in its place would never end.
fn load(path: &Path) -> Result<Vec<u8>, Errno> {
    let number = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty())?);
    let metadata = file.metadata().map_err(number)?;
    if metadata.is_dir() {
        return Err(Errno::ISDIR);
    }
    if !metadata.is_file() {
        return Err(Errno::INVAL);
    }
    // As for the table itself: any user could choose what root's programs load.
    if geteuid().is_root() && metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(Errno::PERM);
    }
    let mut text = Vec::new();
    let size = file.take(ENVIRONMENT_BYTES_MAX + 1).read_to_end(&mut text).map_err(number)?;
    if size as u64 > ENVIRONMENT_BYTES_MAX { Err(Errno::FBIG) } else { Ok(text) }
}

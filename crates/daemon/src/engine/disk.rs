//! The engine's first helper thread, which may wait for a slow or hung file system.
//!
//! It reads and parses the table, and writes the status file and what outlives the machine. What is asked of it waits in a queue; when
//! it has done something, a descriptor becomes readable. While nothing is asked, it sleeps.

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{Builder, JoinHandle};

use clinit_table::{LoadError, ParseOptions, Parsed, Source};
use rustix::event::{EventfdFlags, eventfd};

use super::clients::ClientId;
use crate::remembered;

/// What came of reading the table.
#[derive(Debug)]
pub(crate) enum TableRead {
    /// It is as it was when it was last read.
    Same,
    /// It is another.
    Other(Arc<Vec<Source>>, Box<Parsed>),
    /// It could not be read.
    Failed(LoadError),
}

/// Who wants to know what a table would change.
#[derive(Debug)]
pub(crate) struct Looker {
    pub(crate) client: ClientId,
    pub(crate) oneway: bool,
    /// The table's path, as it is shown.
    pub(crate) name: String,
}

/// What is asked.
enum Job {
    ReadTable { path: PathBuf, options: ParseOptions, known: Arc<Vec<Source>> },
    LookAtTable { path: PathBuf, options: ParseOptions, looker: Looker },
    WriteStatus { path: PathBuf, text: String },
    RemoveStatus { path: PathBuf },
    Remember { path: PathBuf, text: String },
}

/// What was done.
#[derive(Debug)]
pub(crate) enum Done {
    TableRead(TableRead),
    TableLookedAt(Looker, Result<Box<Parsed>, LoadError>),
    StatusWritten(io::Result<()>),
    StatusRemoved,
    Remembered(io::Result<()>),
}

/// The thread, seen from the engine.
#[derive(Debug)]
pub(crate) struct Disk {
    jobs: Sender<Job>,
    done: Receiver<Done>,
    ready: Arc<OwnedFd>,
    _thread: JoinHandle<()>,
}

impl Disk {
    pub(crate) fn new() -> io::Result<Self> {
        let ready = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (jobs, queue) = channel();
        let (results, done) = channel();
        let signal = Arc::clone(&ready);
        let thread = Builder::new()
            .name("disk".to_owned())
            .stack_size(512 * 1024)
            .spawn(move || work(&queue, &results, &signal))?;
        Ok(Self { jobs, done, ready, _thread: thread })
    }

    /// Becomes readable when something was done.
    pub(crate) fn ready(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    /// What was done since it was last asked.
    pub(crate) fn done(&self) -> Vec<Done> {
        let _was_not_readable = rustix::io::read(&*self.ready, &mut [0u8; 8]);
        self.done.try_iter().collect()
    }

    pub(crate) fn read_table(&self, path: &Path, options: ParseOptions, known: &Arc<Vec<Source>>) {
        self.ask(Job::ReadTable { path: path.to_owned(), options, known: Arc::clone(known) });
    }

    pub(crate) fn look_at_table(&self, path: &Path, options: ParseOptions, looker: Looker) {
        self.ask(Job::LookAtTable { path: path.to_owned(), options, looker });
    }

    pub(crate) fn write_status(&self, path: &Path, text: String) {
        self.ask(Job::WriteStatus { path: path.to_owned(), text });
    }

    pub(crate) fn remove_status(&self, path: &Path) {
        self.ask(Job::RemoveStatus { path: path.to_owned() });
    }

    pub(crate) fn remember(&self, path: &Path, text: String) {
        self.ask(Job::Remember { path: path.to_owned(), text });
    }

    fn ask(&self, job: Job) {
        // The thread ends only when this end is dropped.
        let _never_refused = self.jobs.send(job);
    }
}

fn work(queue: &Receiver<Job>, results: &Sender<Done>, ready: &OwnedFd) {
    let mut next = None;
    while let Some(job) = next.take().or_else(|| queue.recv().ok()) {
        let done = match job {
            Job::ReadTable { path, options, known } => Done::TableRead(read_table(&path, options, &known)),
            Job::LookAtTable { path, options, looker } => {
                let parsed = clinit_table::load(&path).map(|sources| clinit_table::parse(&sources, options));
                Done::TableLookedAt(looker, parsed.map(Box::new))
            }
            Job::WriteStatus { path, text } => {
                // A newer status makes this one needless.
                match queue.try_recv() {
                    Ok(newer @ (Job::WriteStatus { .. } | Job::RemoveStatus { .. })) => {
                        next = Some(newer);
                        continue;
                    }
                    Ok(other) => next = Some(other),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
                }
                Done::StatusWritten(write_status(&path, &text))
            }
            Job::RemoveStatus { path } => {
                let _gone_anyway = fs::remove_file(path);
                Done::StatusRemoved
            }
            Job::Remember { path, text } => Done::Remembered(remembered::write(&path, &text)),
        };
        if results.send(done).is_err() || rustix::io::write(ready, &1u64.to_ne_bytes()).is_err() {
            return;
        }
    }
}

fn read_table(path: &Path, options: ParseOptions, known: &[Source]) -> TableRead {
    match clinit_table::load(path) {
        Ok(sources) if sources == known => TableRead::Same,
        Ok(sources) => {
            let parsed = clinit_table::parse(&sources, options);
            TableRead::Other(Arc::new(sources), Box::new(parsed))
        }
        Err(error) => TableRead::Failed(error),
    }
}

/// Writes beside the status file and renames: a reader sees the old or the new, never half.
fn write_status(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(name);
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o644);
    let _of_an_older_engine = fs::remove_file(&beside);
    let written = options.open(&beside).and_then(|mut file| file.write_all(text.as_bytes()));
    let renamed = written.and_then(|()| fs::rename(&beside, path));
    if renamed.is_err() {
        let _nothing_there = fs::remove_file(&beside);
    }
    renamed
}

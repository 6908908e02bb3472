//! Bringing rotated files to disk, in a thread of its own: no line waits for that.
//!
//! A file that is there for good is marked by its owner's permission to execute it, as multilog does: whoever
//! finds one without the mark knows that a crash of the machine may have cost its end.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

use rustix::fs::{Mode, fchmod};

/// The permissions of a file that is being written, and of one that is complete and on disk.
pub(crate) const WRITTEN: u32 = 0o644;
pub(crate) const SAFE: u32 = 0o744;

/// So many files may wait; then whoever brings one more waits for it.
const QUEUE_MAX: usize = 64;

/// Enough for two system calls.
const STACK_BYTES: usize = 64 * 1024;

/// The thread, started when there is something for it to do.
#[derive(Debug, Default)]
pub(crate) struct Sync {
    thread: Option<(SyncSender<File>, JoinHandle<()>)>,
}

impl Sync {
    /// Has a file brought to disk and marked.
    pub(crate) fn add(&mut self, file: File) {
        let left = match self.queue() {
            Some(queue) => match queue.try_send(file) {
                Ok(()) => return,
                Err(TrySendError::Full(file) | TrySendError::Disconnected(file)) => file,
            },
            None => file,
        };
        make_safe(&left);
    }

    /// Waits until all that was added is on disk.
    pub(crate) fn wait(&mut self) {
        if let Some((sender, thread)) = self.thread.take() {
            drop(sender);
            let _never_panics = thread.join();
        }
    }

    fn queue(&mut self) -> Option<&SyncSender<File>> {
        if self.thread.is_none() {
            let (sender, receiver) = sync_channel(QUEUE_MAX);
            let builder = Builder::new().name("sync".to_owned()).stack_size(STACK_BYTES);
            self.thread = builder.spawn(move || work(&receiver)).ok().map(|thread| (sender, thread));
        }
        self.thread.as_ref().map(|(sender, _)| sender)
    }
}

impl Drop for Sync {
    fn drop(&mut self) {
        self.wait();
    }
}

fn work(files: &Receiver<File>) {
    while let Ok(file) = files.recv() {
        make_safe(&file);
    }
}

/// Brings a file to disk, and marks it if that succeeds: without the mark it is tried again when its folder is
/// opened next.
pub(crate) fn make_safe(file: &File) {
    if file.sync_all().is_ok() {
        let _unmarked = fchmod(file, Mode::from_raw_mode(SAFE));
    }
}

/// Whether a file has the mark.
pub(crate) fn is_safe(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o100 != 0)
}

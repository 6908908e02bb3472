//! Waiting for more lines.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use rustix::io::{Errno, read};

use super::reader::{Line, Reader};
use super::show::Show;

/// How often folders are looked at that cannot be watched: they are not there yet, or too many.
const PAUSE: Duration = Duration::from_secs(1);

/// Shows lines as they come, until the reader is gone.
pub(super) fn follow(readers: &mut [Reader], show: &Show) -> io::Result<()> {
    let watch = Watch::new()?;
    let mut is_watched = vec![false; readers.len()];
    loop {
        for (reader, is_watched) in readers.iter().zip(&mut is_watched) {
            *is_watched = *is_watched || watch.add(reader);
        }
        let mut lines: Vec<(usize, Line)> = Vec::new();
        for (index, reader) in readers.iter_mut().enumerate() {
            while let Some(line) = reader.next_line()? {
                lines.push((index, line));
            }
        }
        lines.sort_by_key(|(_, line)| line.order);
        let mut out = show.output();
        for (index, line) in &lines {
            show.line(&mut out, &readers[*index].chosen, line)?;
        }
        out.flush()?;
        drop(out);
        watch.wait(is_watched.iter().all(|&is_watched| is_watched))?;
    }
}

/// Tells of changes in folders (inotify(7)).
struct Watch(OwnedFd);

impl Watch {
    fn new() -> io::Result<Self> {
        Ok(Self(init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?))
    }

    fn add(&self, reader: &Reader) -> bool {
        let changes = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO;
        add_watch(&self.0, &reader.chosen.folder, changes).is_ok()
    }

    /// Waits for a change; where not every folder is watched, not for long.
    fn wait(&self, for_ever: bool) -> io::Result<()> {
        let pause = Timespec::try_from(PAUSE).ok().filter(|_| !for_ever);
        let stdout = io::stdout();
        // A reader that has gone is an error of the output, and none of the input.
        let mut fds = [
            PollFd::new(&self.0, PollFlags::IN),
            PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut fds, pause.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if fds[1].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut events = [0; 4096];
        while matches!(read(&self.0, &mut events[..]), Ok(1..)) {}
        Ok(())
    }
}

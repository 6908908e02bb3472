//! Where streams go, noted in the state folder: before the first line leaves a FIFO, and when its entry is gone.
//!
//! So lines find their way even if everybody who was told of it has died.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use crate::feed::{Feed, Sink};
use crate::step::step;

fn name(stream: u64) -> String {
    format!("sink.{stream}")
}

/// Opens the logger's folder in the daemon's state; made when missing.
pub(crate) fn open_folder(state: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    match mkdirat(state, "log", Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(openat(state, "log", flags, Mode::empty())?)
}

/// Notes it for the engine, unless the logger did: an entry is about to be forgotten, and some of its lines may be in
/// its FIFO. `follow` is a [`Feed::Follow`] as a packet.
///
/// # Errors
/// The state folder has no room for it.
pub fn keep_for_good(state: BorrowedFd<'_>, stream: u64, follow: &[u8]) -> io::Result<()> {
    let folder = open_folder(state)?;
    if statat(&folder, name(stream), AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Ok(());
    }
    write(folder.as_fd(), "sink.left", stream, follow)
}

/// Notes it for the next logger.
pub(crate) fn keep(folder: BorrowedFd<'_>, stream: u64, label: &[u8], sink: &Sink) -> io::Result<()> {
    let follow = Feed::Follow { stream, label: label.to_vec(), sink: sink.clone() };
    write(folder, "sink.new", stream, &follow.encode())
}

/// Made beside and renamed: there is always a whole one.
fn write(folder: BorrowedFd<'_>, beside: &str, stream: u64, follow: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat(folder, beside, flags, Mode::from_raw_mode(0o600))?;
    File::from(file).write_all(follow)?;
    step();
    renameat(folder, beside, folder, name(stream))?;
    step();
    Ok(())
}

/// All that is noted, in the order of the streams.
pub(crate) fn kept(folder: BorrowedFd<'_>) -> Vec<(u64, Vec<u8>, Sink)> {
    let names = Dir::read_from(folder).into_iter().flatten().flatten();
    let streams =
        names.filter_map(|name| name.file_name().to_str().ok()?.strip_prefix("sink.")?.parse().ok());
    let mut streams: Vec<u64> = streams.collect();
    streams.sort_unstable();
    let kept = |stream| read(folder, stream).map(|(label, sink)| (stream, label, sink));
    streams.into_iter().filter_map(kept).collect()
}

/// The label of a stream and where it goes, if that is noted.
pub(crate) fn read(folder: BorrowedFd<'_>, stream: u64) -> Option<(Vec<u8>, Sink)> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut packet = Vec::new();
    File::from(openat(folder, name(stream), flags, Mode::empty()).ok()?).read_to_end(&mut packet).ok()?;
    match Feed::decode(&packet)? {
        Feed::Follow { label, sink, .. } => Some((label, sink)),
        Feed::Reset | Feed::Ended { .. } | Feed::LogFile { .. } | Feed::Finish { .. } | Feed::Leave => None,
    }
}

/// The stream has ended.
pub(crate) fn remove(folder: BorrowedFd<'_>, stream: u64) {
    let _not_there = unlinkat(folder, name(stream), AtFlags::empty());
}

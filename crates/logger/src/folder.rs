//! The folder of one entry's lines, as multilog has it.
//!
//! | file | what |
//! |---|---|
//! | `lock` | locked by who writes here |
//! | `current` | being written; executable by its owner when its writer has ended well and it is on disk |
//! | `@STAMP.s` | rotated away at that time; executable by its owner when it is on disk |
//! | `@STAMP.u` | was `current` when its writer came to a bad end |
//!
//! Nobody else can lead the logger astray: the folders are opened one below the other without following links, and
//! they, as the files, must be its user's own.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, fchmod, flock, fstat, mkdirat, open, openat,
    renameat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::feed::FileSink;
use crate::stamp::{TAI64N_BYTES, now, parse_tai64n, tai64n};
use crate::step::{as_much_as_fits, step};
use crate::sync::{Sync, WRITTEN, is_safe, make_safe};

/// The permissions of folders that are made.
const FOLDER: u32 = 0o750;

/// The permissions of `base`, which is of no entry alone.
const BASE: u32 = 0o755;

const CURRENT: &str = "current";

/// The folder of an entry below the one of all entries. What names may hold and paths give a meaning is written
/// as `%` and two digits.
#[must_use]
pub fn folder_name(group: &str, tag: &str) -> String {
    let one = |name: &str| {
        let name = name.replace('%', "%25");
        name.strip_prefix('.').map(|rest| format!("%2E{rest}")).unwrap_or(name)
    };
    format!("{}/{}", one(group), one(tag))
}

/// Why lines cannot be written.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) error: io::Error,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.error)
    }
}

/// Gives an error its place.
fn at<E: Into<io::Error>>(name: &str) -> impl FnOnce(E) -> Fault {
    move |error| Fault { what: name.to_owned(), error: error.into() }
}

/// An open log folder.
#[derive(Debug)]
pub(crate) struct Folder {
    folder: OwnedFd,
    _lock: OwnedFd,
    current: File,
    pub(crate) inode: u64,
    /// The size of `current`.
    pub(crate) size: u64,
    /// Whether its last line has no end yet.
    pub(crate) is_mid: bool,
}

impl Folder {
    /// Opens it; what is missing is made. A `current` that is neither marked as complete nor `ours`, the logger's
    /// before this one, is put aside.
    pub(crate) fn open(sink: &FileSink, ours: bool, sync: &mut Sync) -> Result<Self, Fault> {
        let base = Path::new(OsStr::from_bytes(&sink.base));
        let path = base.join(OsStr::from_bytes(&sink.name)).display().to_string();
        let mut folder = open_base(base)?;
        for name in sink.name.split(|&byte| byte == b'/') {
            folder = open_below(folder.as_fd(), name).map_err(at(&path))?;
        }
        let lock = open_lock(folder.as_fd()).map_err(at(&format!("{path}/lock")))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| io::Error::other("another program writes its log here (property log_folder)"))
            .map_err(at(&path))?;
        let (current, size, is_mid) = Self::begin(folder.as_fd(), ours).map_err(at(&path))?;
        let inode = fstat(&current).map_err(at(&path))?.st_ino;
        let opened = Self { folder, _lock: lock, current, inode, size, is_mid };
        // What a crash kept from being brought to disk.
        for name in opened.names().unwrap_or_default().iter().filter(|name| name.ends_with(".s")) {
            let file = open_file(opened.folder.as_fd(), name.as_str(), OFlags::empty());
            file.into_iter().filter(|file| !is_safe(file)).for_each(|file| sync.add(file));
        }
        let _some_other_time = opened.prune(sink.count);
        Ok(opened)
    }

    /// Opens `current`, with its size and whether its last line has no end.
    fn begin(folder: BorrowedFd<'_>, ours: bool) -> io::Result<(File, u64, bool)> {
        // A multilog that was here before left these behind when it came to a bad end.
        for left in ["previous", "processed"] {
            if statat(folder, left, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                put_aside(folder, left, 'u')?;
            }
        }
        let current = match open_file(folder, CURRENT, OFlags::APPEND) {
            Ok(file) if ours || is_safe(&file) => {
                fchmod(&file, Mode::from_raw_mode(WRITTEN))?;
                file
            }
            Ok(_) => {
                put_aside(folder, CURRENT, 'u')?;
                create(folder)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(folder)?,
            Err(error) => return Err(error),
        };
        let size = current.metadata()?.len();
        // A line that is longer than a file began in the one before.
        let before = names(folder)?.pop().filter(|_| ours && size == 0);
        let before = before.and_then(|name| open_file(folder, &name, OFlags::empty()).ok());
        let is_mid = ends_mid(before.as_ref().unwrap_or(&current))?;
        Ok((current, size, is_mid))
    }

    /// Appends to `current`. On failure some of it may have been written: then `size` is less than the file's.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            step();
            let some = as_much_as_fits(&bytes[written..])?;
            match self.current.write(some) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(some) => written += some,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.size += bytes.len() as u64;
        self.is_mid = bytes.last().map_or(self.is_mid, |&byte| byte != b'\n');
        Ok(())
    }

    /// The size of `current` as the file has it.
    pub(crate) fn size_there(&self) -> u64 {
        self.current.metadata().map_or(self.size, |metadata| metadata.len())
    }

    /// Takes `current` as it is, whoever wrote to it.
    pub(crate) fn take_size(&mut self, size: u64, is_mid: bool) {
        (self.size, self.is_mid) = (size, is_mid);
    }

    /// Puts `current` aside and begins another, and removes the oldest so that there are `count` with it. When that
    /// fails the folder has to be opened anew.
    pub(crate) fn rotate(&mut self, count: u32, sync: &mut Sync) -> Result<(), Fault> {
        if self.size == 0 {
            return Ok(());
        }
        step();
        match put_aside(self.folder.as_fd(), CURRENT, 's') {
            Ok(()) => {}
            // Somebody removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at("failed to rename current")(error)),
        }
        step();
        // First: the disk may be full.
        self.prune(count).map_err(at("failed to remove the oldest file"))?;
        let next = create(self.folder.as_fd()).map_err(at("failed to make a file"))?;
        let inode = fstat(&next).map_err(at("failed to make a file"))?.st_ino;
        step();
        sync.add(std::mem::replace(&mut self.current, next));
        // A line that is longer than a file goes on in the next.
        (self.inode, self.size) = (inode, 0);
        Ok(())
    }

    /// Ends well: the last line has an end, and all is on disk.
    pub(crate) fn close(mut self) {
        if self.is_mid {
            let _without_end = self.write(b"\n");
        }
        make_safe(&self.current);
    }

    /// The names of files that were put aside, oldest first.
    fn names(&self) -> io::Result<Vec<String>> {
        names(self.folder.as_fd())
    }

    fn prune(&self, count: u32) -> io::Result<()> {
        let names = self.names()?;
        // `current` is one of them.
        let keep = (count as usize).saturating_sub(1);
        for name in names.iter().take(names.len().saturating_sub(keep)) {
            match unlinkat(&self.folder, name.as_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Opens the folder of all entries, which may be found through links; made when missing.
fn open_base(base: &Path) -> Result<OwnedFd, Fault> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let name = base.display().to_string();
    match open(base, flags, Mode::empty()) {
        Err(Errno::NOENT) => {
            let mut builder = std::fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), BASE);
            builder.create(base).map_err(at(&name))?;
            open(base, flags, Mode::empty()).map_err(at(&name))
        }
        opened => opened.map_err(at(&name)),
    }
}

fn open_below(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match mkdirat(folder, name, Mode::from_raw_mode(FOLDER)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let below = openat(folder, name, flags, Mode::empty())?;
    let stat = fstat(&below)?;
    let is_own = stat.st_uid == geteuid().as_raw() || stat.st_uid == 0;
    if !is_own || Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others than the daemon's user may write to the folder",
        ));
    }
    Ok(below)
}

fn open_lock(folder: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(openat(folder, "lock", flags, Mode::from_raw_mode(0o600))?)
}

/// Opens a file that is there, which must be a plain one with no other name.
fn open_file(folder: BorrowedFd<'_>, name: &str, flags: OFlags) -> io::Result<File> {
    // Somebody may have put a FIFO there, on which opening would wait.
    let flags = flags | OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat(folder, name, flags, Mode::empty())?;
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink != 1 {
        return Err(io::Error::other(format!("{name} is no plain file, or has other names")));
    }
    Ok(file.into())
}

fn create(folder: BorrowedFd<'_>) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL;
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(openat(folder, CURRENT, flags, Mode::from_raw_mode(WRITTEN))?.into())
}

/// Whether the last line of a file has no end.
fn ends_mid(file: &File) -> io::Result<bool> {
    let mut last = [b'\n'];
    if let Some(at) = file.metadata()?.len().checked_sub(1) {
        file.read_exact_at(&mut last, at)?;
    }
    Ok(last != [b'\n'])
}

/// The names of files that were put aside, oldest first.
fn names(folder: BorrowedFd<'_>) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().to_str()
            && name.get(..TAI64N_BYTES).is_some_and(|label| parse_tai64n(label.as_bytes()).is_some())
        {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Renames a file to one that is named by the time: later than all that were put aside before, whatever the clock
/// says.
fn put_aside(folder: BorrowedFd<'_>, name: &str, ending: char) -> io::Result<()> {
    let newest = names(folder)?.pop();
    let newest = newest.and_then(|name| parse_tai64n(name.get(..TAI64N_BYTES)?.as_bytes()));
    let time = newest.map_or(Duration::ZERO, |newest| newest + Duration::from_nanos(1)).max(now());
    Ok(renameat(folder, name, folder, format!("{}.{ending}", tai64n(time)))?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;
    use crate::feed::StampKind;
    use crate::testing::{Scratch, names, written};

    fn sink(scratch: &Scratch) -> FileSink {
        FileSink {
            base: scratch.path("logs").into_os_string().into_encoded_bytes(),
            name: b"web/httpd".to_vec(),
            size: 4096,
            count: 3,
            stamp: StampKind::None,
            hold_ms: None,
        }
    }

    fn folder(scratch: &Scratch) -> PathBuf {
        scratch.path("logs/web/httpd")
    }

    fn opened(scratch: &Scratch, ours: bool) -> Result<Folder, Fault> {
        Folder::open(&sink(scratch), ours, &mut Sync::default())
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn names_hold_no_meaning_but_their_own() {
        assert_eq!(folder_name("web", "httpd"), "web/httpd");
        assert_eq!(folder_name("..", "."), "%2E./%2E");
        assert_eq!(folder_name(".hidden", "a%2Eb.c"), "%2Ehidden/a%252Eb.c");
    }

    #[test]
    fn a_file_is_marked_when_it_is_complete_and_taken_up_again() {
        let scratch = Scratch::new();
        let mut log = opened(&scratch, false).unwrap();
        log.write(b"one\ntwo").unwrap();
        let current = folder(&scratch).join("current");
        assert_eq!(mode(&current), 0o644);
        log.close();
        assert_eq!(mode(&current), 0o744);
        let log = opened(&scratch, false).unwrap();
        assert_eq!((log.size, log.is_mid, mode(&current)), (8, false, 0o644));
        assert_eq!(written(&folder(&scratch)), b"one\ntwo\n");
    }

    #[test]
    fn one_without_mark_is_put_aside_unless_it_is_ours() {
        let scratch = Scratch::new();
        opened(&scratch, false).unwrap().write(b"one\ntwo").unwrap();
        let log = opened(&scratch, true).unwrap();
        assert_eq!((log.size, log.is_mid), (7, true));
        drop(log);
        let log = opened(&scratch, false).unwrap();
        assert_eq!((log.size, log.is_mid), (0, false));
        let names = names(&folder(&scratch));
        assert_eq!(names.len(), 3);
        assert!(names[0].starts_with("@40000000") && names[0].ends_with(".u"), "{names:?}");
        assert_eq!(mode(&folder(&scratch).join(&names[0])), 0o644);
    }

    #[test]
    fn rotated_files_are_marked_and_the_oldest_go() {
        let scratch = Scratch::new();
        let mut sync = Sync::default();
        let mut log = Folder::open(&sink(&scratch), false, &mut sync).unwrap();
        for number in 0..5 {
            log.write(format!("line {number}\n").as_bytes()).unwrap();
            log.rotate(3, &mut sync).unwrap();
        }
        drop((log, sync));
        let found = names(&folder(&scratch));
        assert_eq!(found.len(), 4, "lock, current and two more: {found:?}");
        for name in found.iter().filter(|name| name.starts_with('@')) {
            assert!(name.ends_with(".s"));
            assert_eq!(mode(&folder(&scratch).join(name)), 0o744);
        }
        assert_eq!(written(&folder(&scratch)), b"line 3\nline 4\n");
    }

    #[test]
    fn what_a_crash_kept_from_the_disk_is_marked_when_the_folder_is_opened() {
        let scratch = Scratch::new();
        drop(opened(&scratch, false).unwrap());
        let name = folder(&scratch).join(format!("{}.s", tai64n(now())));
        std::fs::write(&name, "x\n").unwrap();
        drop(opened(&scratch, true).unwrap());
        assert_eq!(mode(&name), 0o744);
    }

    #[test]
    fn a_clock_that_went_back_changes_no_order() {
        let scratch = Scratch::new();
        drop(opened(&scratch, false).unwrap());
        let future = format!("{}.s", tai64n(now() + Duration::from_secs(1_000_000)));
        std::fs::write(folder(&scratch).join(future), "old\n").unwrap();
        let mut sync = Sync::default();
        let mut log = Folder::open(&sink(&scratch), true, &mut sync).unwrap();
        log.write(b"new\n").unwrap();
        log.rotate(5, &mut sync).unwrap();
        log.write(b"newest\n").unwrap();
        assert_eq!(written(&folder(&scratch)), b"old\nnew\nnewest\n");
    }

    #[test]
    fn one_writes_to_a_folder_at_a_time() {
        let scratch = Scratch::new();
        let _first = opened(&scratch, false).unwrap();
        let fault = opened(&scratch, false).unwrap_err().to_string();
        assert!(fault.contains("another program"), "{fault}");
    }

    #[test]
    fn links_and_other_peoples_folders_are_refused() {
        let scratch = Scratch::new();
        std::fs::create_dir_all(scratch.path("logs")).unwrap();
        std::fs::create_dir_all(scratch.path("elsewhere/httpd")).unwrap();
        std::os::unix::fs::symlink(scratch.path("elsewhere"), scratch.path("logs/web")).unwrap();
        opened(&scratch, false).unwrap_err();
        std::fs::remove_file(scratch.path("logs/web")).unwrap();

        drop(opened(&scratch, false).unwrap());
        let current = folder(&scratch).join("current");
        let refuses = |what: &str| {
            let fault = opened(&scratch, true).expect_err(what);
            std::fs::remove_file(&current).unwrap();
            fault
        };
        std::fs::write(scratch.path("victim"), "as it was").unwrap();
        std::fs::remove_file(&current).unwrap();
        std::os::unix::fs::symlink(scratch.path("victim"), &current).unwrap();
        refuses("a link");
        std::fs::hard_link(scratch.path("victim"), &current).unwrap();
        refuses("another name");
        rustix::fs::mkfifoat(rustix::fs::CWD, &current, Mode::from_raw_mode(0o600)).unwrap();
        refuses("a FIFO");
        assert_eq!(std::fs::read(scratch.path("victim")).unwrap(), b"as it was");

        let open_to_all = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(scratch.path("logs/web"), open_to_all).unwrap();
        opened(&scratch, true).unwrap_err();
    }

    #[test]
    fn a_folder_of_multilogs_is_taken_over() {
        let scratch = Scratch::new();
        let path = folder(&scratch);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("previous"), "before\n").unwrap();
        std::fs::write(path.join("current"), "last\n").unwrap();
        let mut log = opened(&scratch, false).unwrap();
        log.write(b"new\n").unwrap();
        assert_eq!(written(&path), b"before\nlast\nnew\n");
    }
}

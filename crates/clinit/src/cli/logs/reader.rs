//! The lines of one entry's folder: of the files that were put aside, of `current`, and of files that come.
//!
//! A line may go on in the next file. `current` is opened before the folder is listed: what is renamed meanwhile is
//! read through it.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clinit_daemon::logs::stamp::{TAI64N_BYTES, parse_tai64n, split};

/// A longer line is given in pieces.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Whose lines these are, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) group: String,
    pub(crate) tag: String,
    pub(crate) folder: PathBuf,
}

/// A line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The time before it, if there is one.
    pub(crate) time: Option<Duration>,
    /// Where it belongs among others: never before the line that was printed before it.
    pub(crate) order: Duration,
    pub(crate) text: Vec<u8>,
}

/// Why a folder cannot be read.
#[derive(Debug)]
pub(crate) struct ReadError {
    folder: PathBuf,
    source: io::Error,
}

impl ReadError {
    /// Whether this user may not.
    pub(crate) fn is_refusal(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to read {}: {}", self.folder.display(), self.source)
    }
}

/// An open file of a folder.
#[derive(Debug)]
struct Open {
    reader: BufReader<File>,
    id: (u64, u64),
    /// It was put aside: it gets no more.
    is_complete: bool,
}

/// Reads a folder from some place on.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) chosen: Chosen,
    /// Whether files that come are read, too.
    pub(super) follows: bool,
    /// Files before the last, oldest first, that are not opened yet.
    files: VecDeque<PathBuf>,
    /// The one that was `current`, until its turn comes.
    current: Option<Open>,
    open: Option<Open>,
    partial: Vec<u8>,
    last: Duration,
    since: Duration,
}

impl Reader {
    /// Opens a folder. One that is not there holds nothing yet.
    pub(crate) fn open(chosen: Chosen, follows: bool) -> Result<Self, ReadError> {
        let failed = |source| ReadError { folder: chosen.folder.clone(), source };
        let current = open(&chosen.folder.join("current"), false).map_err(failed)?;
        let mut files = names(&chosen.folder).map_err(failed)?;
        // Put aside since it was opened; and what came then is read when it is followed.
        let id = current.as_ref().map(|open| open.id);
        if let Some(at) = files.iter().position(|path| id.is_some() && id_of(path) == id) {
            files.truncate(at);
        }
        Ok(Self {
            chosen,
            follows,
            files: files.into(),
            current,
            open: None,
            partial: Vec::new(),
            last: Duration::ZERO,
            since: Duration::ZERO,
        })
    }

    /// Leaves out what was printed before this time.
    pub(crate) fn skip_to(&mut self, since: Duration) {
        self.since = since;
        // A file is named by the time at which it got its last line.
        while self.files.front().and_then(|path| named_time(path)).is_some_and(|until| until < since) {
            self.files.pop_front();
        }
    }

    /// Leaves out all but the last lines.
    pub(crate) fn skip_to_last(&mut self, lines: usize) {
        let mut missing = lines;
        if self.current.as_mut().is_some_and(|open| skip_lines(open, &mut missing)) {
            return self.files.clear();
        }
        for index in (0..self.files.len()).rev() {
            let Ok(Some(mut open)) = open(&self.files[index], true) else { continue };
            if skip_lines(&mut open, &mut missing) {
                self.files.drain(..=index);
                self.open = Some(open);
                return;
            }
        }
    }

    /// The next line, if there is one now.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let Some(open) = &mut self.open else {
                if !self.open_next()? {
                    return Ok(None);
                }
                continue;
            };
            let room = LINE_BYTES_MAX.saturating_sub(self.partial.len() as u64);
            open.reader.by_ref().take(room).read_until(b'\n', &mut self.partial)?;
            let is_line = self.partial.last() == Some(&b'\n');
            if is_line || self.partial.len() as u64 >= LINE_BYTES_MAX {
                let line = self.take_line();
                if line.order >= self.since {
                    return Ok(Some(line));
                }
            } else if open.is_complete {
                self.open = None;
            } else if !self.follows || !self.was_put_aside()? {
                return Ok(None);
            }
        }
    }

    /// A last line that has no end.
    pub(crate) fn rest(&mut self) -> Option<Line> {
        let line = (!self.partial.is_empty()).then(|| self.take_line());
        line.filter(|line| line.order >= self.since)
    }

    fn take_line(&mut self) -> Line {
        let bytes = std::mem::take(&mut self.partial);
        let (time, text) = match split(&bytes) {
            Some((time, text)) => (Some(time), text),
            None => (None, &bytes[..]),
        };
        self.last = time.map_or(self.last, |time| time.max(self.last));
        let text = text.strip_suffix(b"\n").unwrap_or(text).to_vec();
        Line { time, order: self.last, text }
    }

    fn open_next(&mut self) -> io::Result<bool> {
        while let Some(path) = self.files.pop_front() {
            // It may be the oldest, and gone.
            self.open = open(&path, true)?;
            if self.open.is_some() {
                return Ok(true);
            }
        }
        if self.current.is_none() && self.follows {
            self.current = open(&self.chosen.folder.join("current"), false)?;
        }
        self.open = self.current.take();
        Ok(self.open.is_some())
    }

    /// Whether the file that was `current` is so no longer: then it is complete, and others follow it.
    fn was_put_aside(&mut self) -> io::Result<bool> {
        let Some(open) = &mut self.open else { return Ok(false) };
        let path = self.chosen.folder.join("current");
        if id_of(&path) == Some(open.id) {
            return Ok(false);
        }
        // Between two files there may be none for a moment.
        let Some(next) = self::open(&path, false)? else { return Ok(false) };
        open.is_complete = true;
        let names = names(&self.chosen.folder)?;
        let after = match names.iter().position(|path| id_of(path) == Some(open.id)) {
            Some(at) => at + 1,
            // Removed already: what has come since is named by a later time.
            None => names.iter().take_while(|path| named_time(path) <= Some(self.last)).count(),
        };
        let is_next = |path: &PathBuf| id_of(path) == Some(next.id);
        self.files = names.into_iter().skip(after).take_while(|path| !is_next(path)).collect();
        self.current = Some(next);
        Ok(true)
    }
}

/// The last lines of a folder; none when it cannot be read.
pub(crate) fn last_lines(folder: &Path, lines: usize) -> Vec<Line> {
    let chosen = Chosen { group: String::new(), tag: String::new(), folder: folder.to_owned() };
    let Ok(mut reader) = Reader::open(chosen, false) else { return Vec::new() };
    reader.skip_to_last(lines);
    let mut found = Vec::new();
    while let Ok(Some(line)) = reader.next_line() {
        found.push(line);
    }
    found.extend(reader.rest());
    found.drain(..found.len().saturating_sub(lines));
    found
}

/// Puts a file where so many lines are left, or less with what it has; true when it has them all.
fn skip_lines(open: &mut Open, missing: &mut usize) -> bool {
    let file = open.reader.get_mut();
    let mut bytes = Vec::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes));
    // The end of the last line begins no other.
    let ends = bytes.iter().enumerate().rev().filter(|&(at, &byte)| byte == b'\n' && at + 1 < bytes.len());
    let begin = ends.map(|(at, _)| at + 1).nth(missing.saturating_sub(1)).unwrap_or(0);
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').count();
    let begin = if *missing == 0 { bytes.len() } else { begin };
    let sought = read.and_then(|_| open.reader.seek(SeekFrom::Start(begin as u64)));
    let has_all = lines >= *missing || sought.is_err();
    *missing = missing.saturating_sub(lines);
    has_all
}

fn open(path: &Path, is_complete: bool) -> io::Result<Option<Open>> {
    match File::open(path) {
        Ok(file) => {
            let metadata = file.metadata()?;
            let id = (metadata.dev(), metadata.ino());
            Ok(Some(Open { reader: BufReader::new(file), id, is_complete }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn id_of(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// The time that a file was put aside at.
fn named_time(path: &Path) -> Option<Duration> {
    parse_tai64n(path.file_name()?.to_str()?.get(..TAI64N_BYTES)?.as_bytes())
}

/// The files that were put aside, oldest first.
fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    let mut named: Vec<PathBuf> = paths.into_iter().filter(|path| named_time(path).is_some()).collect();
    named.sort_unstable();
    Ok(named)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicU32, Ordering};

    use clinit_daemon::logs::stamp::tai64n;

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("clinit-reader-{}-{count}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn append(&self, name: &str, text: &str) {
            let mut file = File::options().append(true).create(true).open(self.0.join(name)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn rotate(&self, second: u64) {
            let name = format!("{}.s", tai64n(Duration::from_secs(second)));
            fs::rename(self.0.join("current"), self.0.join(name)).unwrap();
            self.append("current", "");
        }

        fn reader(&self, follows: bool) -> Reader {
            let chosen = Chosen { group: "g".to_owned(), tag: "t".to_owned(), folder: self.0.clone() };
            Reader::open(chosen, follows).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _left = fs::remove_dir_all(&self.0);
        }
    }

    fn line(second: u64, text: &str) -> String {
        format!("{} {text}", tai64n(Duration::from_secs(second)))
    }

    fn texts(reader: &mut Reader) -> Vec<String> {
        std::iter::from_fn(|| reader.next_line().unwrap())
            .map(|line| String::from_utf8(line.text).unwrap())
            .collect()
    }

    #[test]
    fn lines_go_over_all_files_and_on_in_the_next() {
        let scratch = Scratch::new();
        scratch.append("current", &(line(1, "one\n") + &line(2, "two, ")));
        scratch.rotate(3);
        scratch.append("current", &("half of it\n".to_owned() + &line(4, "three\n")));
        scratch.rotate(5);
        scratch.append("current", &line(6, "no end"));
        let mut reader = scratch.reader(false);
        assert_eq!(texts(&mut reader), ["one", "two, half of it", "three"]);
        let rest = reader.rest().unwrap();
        assert_eq!((rest.time, &rest.text[..]), (Some(Duration::from_secs(6)), &b"no end"[..]));
    }

    #[test]
    fn the_last_lines_may_be_in_several_files() {
        let scratch = Scratch::new();
        scratch.append("current", "one\ntwo\nthree\n");
        scratch.rotate(3);
        scratch.append("current", "four\n");
        scratch.rotate(5);
        scratch.append("current", "five\nsix\n");
        for lines in 0..9 {
            let mut reader = scratch.reader(false);
            reader.skip_to_last(lines);
            let all = ["one", "two", "three", "four", "five", "six"];
            assert_eq!(texts(&mut reader), &all[all.len() - lines.min(6)..], "{lines}");
        }
        let last: Vec<_> = last_lines(&scratch.0, 2).into_iter().map(|line| line.text).collect();
        assert_eq!(last, [b"five".to_vec(), b"six".to_vec()]);
        assert!(last_lines(Path::new("/nowhere"), 2).is_empty());
    }

    #[test]
    fn what_is_older_is_left_out() {
        let scratch = Scratch::new();
        scratch.append("current", &line(1, "one\n"));
        scratch.rotate(2);
        scratch.append("current", &(line(3, "two\n") + &line(5, "three\n") + "of the same time\n"));
        let mut reader = scratch.reader(false);
        reader.skip_to(Duration::from_secs(4));
        assert_eq!(texts(&mut reader), ["three", "of the same time"]);
    }

    #[test]
    fn one_who_follows_misses_no_file_however_many_came() {
        let scratch = Scratch::new();
        let mut reader = scratch.reader(true);
        assert_eq!(texts(&mut reader), [""; 0]);
        scratch.append("current", "one\nt");
        assert_eq!(texts(&mut reader), ["one"]);
        scratch.append("current", "wo\n");
        scratch.rotate(1);
        scratch.append("current", "three\n");
        scratch.rotate(2);
        scratch.append("current", "four\n");
        scratch.rotate(3);
        scratch.append("current", "five\n");
        assert_eq!(texts(&mut reader), ["two", "three", "four", "five"]);
        assert_eq!(texts(&mut reader), [""; 0]);
        scratch.append("current", "six\n");
        assert_eq!(texts(&mut reader), ["six"]);
    }

    #[test]
    fn what_is_put_aside_while_it_is_read_is_read_once() {
        let scratch = Scratch::new();
        scratch.append("current", "one\n");
        scratch.rotate(1);
        scratch.append("current", "two\n");
        for follows in [false, true] {
            let mut reader = scratch.reader(follows);
            if follows {
                scratch.rotate(2);
                scratch.append("current", "three\n");
            }
            let expected: &[&str] = if follows { &["one", "two", "three"] } else { &["one", "two"] };
            assert_eq!(texts(&mut reader), expected);
        }
    }
}

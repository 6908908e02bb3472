//! From a FIFO into `staged`, and from there to where a stream's lines go.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};

use crate::carrier::{Carrier, Outlet, Stream};
use crate::feed::{FileSink, Sink};
use crate::folder::{Fault, Folder};
use crate::held::{Dropped, Held};
use crate::lines::print;
use crate::piece::{Spot, cut, newline};
use crate::place::{Note, Place, Source};
use crate::stamp::{before_line, now};
use crate::step::step;
use crate::sync::Sync;

/// How much is read at once: what a FIFO holds.
const READ_BYTES: usize = 64 * 1024;

/// `staged` begins anew when it has this size.
const STAGED_BYTES: u32 = 128 * 1024;

/// What was not written of some bytes: the note says from where on.
pub(crate) type Unwritten = (Note, Fault);

impl Carrier {
    /// Carries what a stream's FIFO holds now. False when that is nothing, or cannot be carried.
    pub(crate) fn carry(&mut self, number: u64) -> bool {
        let Some(stream) = self.streams.get_mut(&number) else { return false };
        if self.stuck.is_some() || !stream.wants_more() {
            return false;
        }
        if stream.trouble.is_some() {
            return self.drop_some(number);
        }
        if let Err(fault) = self.make_ready(number) {
            self.serial += 1;
            let nothing = Note::unwritten(self.serial, number, Source::Held, 0);
            self.hold(nothing, &[], Dropped::default(), &fault);
            return false;
        }
        let note = match self.stage(number) {
            Ok(Some(note)) => note,
            Ok(None) => return false,
            Err(error) => {
                let nothing = Note::unwritten(self.serial, number, Source::Held, 0);
                let what = "the daemon's state folder".to_owned();
                self.hold(nothing, &[], Dropped::default(), &Fault { what, error });
                return false;
            }
        };
        let source = std::mem::take(&mut self.source);
        let skipped = self.skip(number, &source);
        let from = note.from + place(skipped);
        let note = Note { from, to: from, ..note };
        if skipped > 0 {
            self.place.set(note);
            step();
        }
        self.deliver(note, &source[skipped..], Dropped::default());
        self.source = source;
        self.restage();
        true
    }

    /// Sees to it that lines of a stream can be written before they leave the FIFO.
    pub(crate) fn make_ready(&mut self, number: u64) -> Result<(), Fault> {
        self.keep(number).map_err(|error| Fault { what: "the daemon's state folder".to_owned(), error })?;
        let Some(stream) = self.streams.get_mut(&number) else { return Ok(()) };
        if matches!(stream.outlet, Outlet::File(None)) {
            self.open_outlet(number)?;
        }
        Ok(())
    }

    /// Opens the folder of a stream, or takes it over from one that shares it.
    fn open_outlet(&mut self, number: u64) -> Result<(), Fault> {
        let sharing = self.sharing(number);
        let others = || sharing.iter().filter_map(|other| self.streams.get(other));
        if others().any(|other| other.has_begun_piece()) {
            // How much of that piece is there, the size of the file tells.
            let error = io::Error::other("lines of an entry of the same name, which is gone, wait as well");
            let what = self.streams.get(&number).map_or(String::new(), |stream| stream.name());
            return Err(Fault { what, error });
        }
        let is_ours = others().any(|other| other.is_ours);
        let taken = sharing.iter().find_map(|other| match &mut self.streams.get_mut(other)?.outlet {
            Outlet::File(folder) => folder.take(),
            Outlet::Terminal | Outlet::Syslog(_) => None,
        });
        let Some(stream) = self.streams.get_mut(&number) else { return Ok(()) };
        let Sink::File(sink) = &stream.sink else { return Ok(()) };
        let folder = match taken {
            Some(folder) => folder,
            None => Folder::open(sink, stream.is_ours || is_ours, &mut self.sync)?,
        };
        stream.outlet = Outlet::File(Some(folder));
        stream.is_ours = true;
        Ok(())
    }

    /// Moves what a FIFO holds to the end of `staged`, and reads it there.
    fn stage(&mut self, number: u64) -> io::Result<Option<Note>> {
        let Some(stream) = self.streams.get_mut(&number) else { return Ok(None) };
        self.serial += 1;
        let note = Note::unwritten(self.serial, number, Source::Staged, self.staged_size);
        self.place.set(note);
        step();
        let mut end = u64::from(self.staged_size);
        let moved = splice(
            &stream.fifo,
            None,
            self.staged.as_fd(),
            Some(&mut end),
            READ_BYTES,
            SpliceFlags::NONBLOCK,
        );
        let size = match moved {
            Ok(size) => size,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            // A file system that cannot: only there may a crash cost what is between these two calls.
            Err(Errno::INVAL) => copy(stream, &self.staged, self.staged_size, &mut self.source)?,
            Err(error) => return Err(error.into()),
        };
        step();
        if size == 0 {
            return Ok(None);
        }
        self.source.resize(size, 0);
        self.staged.read_exact_at(&mut self.source, self.staged_size.into())?;
        self.staged_size += place(size);
        Ok(Some(Note { time: now(), ..note }))
    }

    /// How many bytes belong to a line of which the beginning was dropped.
    fn skip(&mut self, number: u64, bytes: &[u8]) -> usize {
        let Some(stream) = self.streams.get_mut(&number).filter(|stream| stream.is_skipping) else {
            return 0;
        };
        match newline(bytes) {
            Some(end) => {
                stream.is_skipping = false;
                end + 1
            }
            None => bytes.len(),
        }
    }

    /// Lets `staged` begin anew when it is long and nothing in it is needed any more.
    pub(crate) fn restage(&mut self) {
        if self.stuck.is_none() && self.staged_size >= STAGED_BYTES {
            self.place.clear();
            step();
            if self.staged.set_len(0).is_ok() {
                self.staged_size = 0;
            }
            step();
        }
    }

    /// Writes bytes of a stream where its lines go, from `note.from` on, which is the first of them. What cannot be
    /// written is held. True when all was.
    pub(crate) fn deliver(&mut self, note: Note, bytes: &[u8], dropped: Dropped) -> bool {
        let Some(stream) = self.streams.get_mut(&note.stream) else { return true };
        let done = match (&mut stream.outlet, &stream.sink) {
            (Outlet::File(folder), Sink::File(sink)) => {
                let (place, sync, out) = (&self.place, &mut self.sync, &mut self.out);
                write_files(place, folder, sink, sync, out, note, bytes)
            }
            (Outlet::File(_) | Outlet::Terminal | Outlet::Syslog(_), _) => {
                return self.deliver_lines(note, bytes, dropped);
            }
        };
        match done {
            Ok(()) => true,
            Err((rest, fault)) => {
                let begin = (rest.from - note.from) as usize;
                self.hold(rest, &bytes[begin..], dropped, &fault);
                false
            }
        }
    }

    /// Sends or prints complete lines; the beginning of another is held until its end comes.
    fn deliver_lines(&mut self, note: Note, bytes: &[u8], dropped: Dropped) -> bool {
        let Some(stream) = self.streams.get_mut(&note.stream) else { return true };
        let had_partial = !stream.partial.is_empty();
        let mut text = std::mem::take(&mut stream.partial);
        let text = if had_partial {
            text.extend(bytes);
            &text[..]
        } else {
            bytes
        };
        let (done, fault) = match (&mut stream.outlet, &stream.sink) {
            (Outlet::Syslog(syslog), Sink::Syslog { tag }) => {
                syslog.send(Path::new(&self.dev_log), tag, note.time, text, &mut self.out)
            }
            (Outlet::Syslog(_) | Outlet::Terminal | Outlet::File(_), _) => {
                (print(&stream.label, text, &mut self.out), None)
            }
        };
        step();
        let rest = &text[done..];
        let unwritten =
            Note { time: note.time, ..Note::unwritten(note.serial, note.stream, Source::Held, 0) };
        if let Some(fault) = fault {
            self.hold(unwritten, rest, dropped, &fault);
            return false;
        }
        if had_partial || !rest.is_empty() {
            // With this the lines before it are done.
            let _or_only_in_memory = Held::write(self.folder.as_fd(), unwritten, rest, dropped);
            stream.partial = rest.to_vec();
        }
        if rest.is_empty() {
            let from = note.from + place(bytes.len());
            self.place.set(Note::unwritten(note.serial, note.stream, note.source, from));
            step();
            if had_partial {
                Held::remove(self.folder.as_fd(), note.stream);
            }
        }
        true
    }

    /// Ends the line of a stream that has begun.
    pub(crate) fn end_line(&mut self, stream: &mut Stream) {
        if stream.partial.is_empty() {
            return;
        }
        stream.partial.push(b'\n');
        match (&mut stream.outlet, &stream.sink) {
            (Outlet::Syslog(syslog), Sink::Syslog { tag }) => {
                syslog.send(&self.dev_log, tag, now(), &stream.partial, &mut self.out);
            }
            (Outlet::Syslog(_) | Outlet::Terminal | Outlet::File(_), _) => {
                print(&stream.label, &stream.partial, &mut self.out);
            }
        }
        stream.partial.clear();
    }
}

/// A place in a file that is never long.
fn place(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// Reads a FIFO and appends what it held to a file.
fn copy(stream: &mut Stream, staged: &std::fs::File, size: u32, buffer: &mut Vec<u8>) -> io::Result<usize> {
    buffer.resize(READ_BYTES, 0);
    match rustix::io::read(&stream.fifo, &mut buffer[..]) {
        Ok(read) => staged.write_all_at(&buffer[..read], size.into()).map(|()| read),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Writes bytes into the files of a folder, piece by piece, each noted before and after. A piece that the note
/// says may have been written already is compared with the file first.
fn write_files(
    place: &Place,
    folder_or_none: &mut Option<Folder>,
    sink: &FileSink,
    sync: &mut Sync,
    out: &mut Vec<u8>,
    mut note: Note,
    bytes: &[u8],
) -> Result<(), Unwritten> {
    let begin = note.from;
    let fault = |error| Fault { what: format!("{}/current", name_of(sink)), error };
    let Some(folder) = folder_or_none else {
        return Err((note, fault(io::Error::from(io::ErrorKind::NotFound))));
    };
    if note.to > note.from {
        finish_piece(folder, note, &bytes[..(note.to - begin) as usize], out)
            .map(|is_there| if is_there { note.from = note.to } else { note.to = note.from })
            .map_err(|error| (note, fault(error)))?;
        place.set(note);
        step();
    }
    let stamp = before_line(sink.stamp, note.time);
    while (note.from - begin) as usize != bytes.len() {
        let spot = Spot { size: folder.size, max: sink.size, is_mid: folder.is_mid };
        out.clear();
        let cut = cut(&bytes[(note.from - begin) as usize..], spot, stamp.as_bytes(), out);
        if !out.is_empty() {
            note.to = note.from + self::place(cut.taken);
            (note.base, note.inode, note.stamp, note.is_mid) =
                (folder.size, folder.inode, sink.stamp, folder.is_mid);
            place.set(note);
            step();
            folder.write(out).map_err(|error| (note, fault(error)))?;
            step();
            note.from = note.to;
            place.set(note);
            step();
        }
        if cut.is_full
            && let Err(fault) = folder.rotate(sink.count, sync)
        {
            *folder_or_none = None;
            return Err((note, fault));
        }
    }
    Ok(())
}

/// Writes what a file lacks of a piece. False when the file is not the one that the note is about.
fn finish_piece(folder: &mut Folder, note: Note, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<bool> {
    let size = folder.size_there();
    if folder.inode != note.inode || size < note.base {
        return Ok(false);
    }
    out.clear();
    // It was measured when it was made: now it is to have its whole length.
    let spot = Spot { size: note.base, max: u64::MAX, is_mid: note.is_mid };
    cut(bytes, spot, before_line(note.stamp, note.time).as_bytes(), out);
    let there = usize::try_from(size - note.base).unwrap_or(usize::MAX).min(out.len());
    folder.take_size(size, out.last().is_some_and(|&byte| byte != b'\n'));
    folder.write(&out[there..]).map(|()| true)
}

fn name_of(sink: &FileSink) -> String {
    [&sink.base[..], b"/", &sink.name].concat().iter().map(|&byte| char::from(byte)).collect()
}

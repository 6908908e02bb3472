//! Where lines go one by one: onto a terminal, or to the system's log.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use clinit_sys::clock::local_offset_seconds;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with,
};

use crate::folder::Fault;
use crate::piece::newline;
use crate::stamp::date;

/// A line longer than this is carried in pieces.
pub(crate) const LINE_BYTES_MAX: usize = 16 * 1024;

/// The longest line of the system's log: what its usual daemons take.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 - 512;

/// Facility daemon, severity info (RFC 3164, 4.1.1).
const PRIORITY: u32 = 3 * 8 + 6;

/// Where the system's log listens (syslog(3)).
pub(crate) const DEV_LOG: &str = "/dev/log";

/// The first line of bytes, without its end, and how many bytes it is with it; `None` when its end is still to
/// come. A long one is given in pieces.
pub(crate) fn first_line(bytes: &[u8], max: usize) -> Option<(&[u8], usize)> {
    let head = &bytes[..bytes.len().min(max + 1)];
    match newline(head) {
        Some(end) => Some((&bytes[..end], end + 1)),
        None => (bytes.len() > max).then(|| (&bytes[..max], max)),
    }
}

/// Prints the complete lines, each behind the label, to the daemon's standard output. How many bytes that were.
/// Where nobody reads, nobody misses it.
pub(crate) fn print(label: &[u8], bytes: &[u8], out: &mut Vec<u8>) -> usize {
    out.clear();
    let mut done = 0;
    while let Some((line, length)) = first_line(&bytes[done..], LINE_BYTES_MAX) {
        for part in [label, line, b"\n"] {
            out.extend(part);
        }
        done += length;
    }
    let mut stdout = io::stdout().lock();
    let _gone = stdout.write_all(out).and_then(|()| stdout.flush());
    done
}

/// A connection to the system's log.
#[derive(Debug, Default)]
pub(crate) struct Syslog {
    socket: Option<OwnedFd>,
}

impl Syslog {
    /// Sends the complete lines. How many bytes those are that were sent, and why no more were, if that is a fault.
    pub(crate) fn send(
        &mut self,
        path: &Path,
        tag: &[u8],
        time: Duration,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> (usize, Option<Fault>) {
        let head = head(tag, time);
        let mut done = 0;
        while let Some((line, length)) = first_line(&bytes[done..], MESSAGE_BYTES_MAX) {
            out.clear();
            out.extend(&head);
            out.extend(line);
            if let Err(error) = self.send_one(path, out) {
                return (done, Some(Fault { what: path.display().to_string(), error }));
            }
            done += length;
        }
        (done, None)
    }

    fn send_one(&mut self, path: &Path, message: &[u8]) -> io::Result<()> {
        // The daemon behind the socket may have been started again: then another socket is there.
        for is_new in [false, true] {
            if self.socket.is_none() || is_new {
                self.socket = Some(open(path)?);
            }
            let Some(socket) = &self.socket else { continue };
            match send(socket.as_fd(), message, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(_) => return Ok(()),
                Err(Errno::AGAIN | Errno::NOBUFS) => return Err(Errno::AGAIN.into()),
                Err(error) if is_new => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// `<30>Oct 11 22:14:15 web/httpd: `, in local time, as local programs write it.
fn head(tag: &[u8], time: Duration) -> Vec<u8> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let utc = i64::try_from(time.as_secs()).unwrap_or(0);
    let local = u64::try_from(utc + local_offset_seconds(utc)).unwrap_or(0);
    let (_, month, day) = date(local / 86_400);
    let month =
        usize::try_from(month).ok().and_then(|month| MONTHS.get(month.checked_sub(1)?)).unwrap_or(&"Jan");
    let (hour, minute, second) = (local / 3600 % 24, local / 60 % 60, local % 60);
    let mut head = format!("<{PRIORITY}>{month} {day:2} {hour:02}:{minute:02}:{second:02} ").into_bytes();
    head.extend(tag);
    head.extend(b": ");
    head
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn lines_are_given_with_their_ends_and_long_ones_in_pieces() {
        assert_eq!(first_line(b"one\ntwo", 100), Some((&b"one"[..], 4)));
        assert_eq!(first_line(b"\n", 100), Some((&b""[..], 1)));
        assert_eq!(first_line(b"two", 100), None);
        assert_eq!(first_line(b"", 100), None);
        assert_eq!(first_line(b"abcd\n", 4), Some((&b"abcd"[..], 5)));
        assert_eq!(first_line(b"abcdef\n", 4), Some((&b"abcd"[..], 4)));
    }

    #[test]
    fn the_system_is_told_each_line_with_its_tag() {
        let scratch = Scratch::new();
        let path = scratch.path("log");
        let (mut syslog, mut out) = (Syslog::default(), Vec::new());
        let mut send = |text: &str| {
            syslog.send(&path, b"web/httpd", Duration::from_secs(1_000_000_000), text.as_bytes(), &mut out)
        };
        let (done, fault) = send("one\n");
        assert_eq!((done, fault.unwrap().error.kind()), (0, io::ErrorKind::NotFound));

        for _ in 0..2 {
            // The second time by another socket.
            let _old = std::fs::remove_file(&path);
            let log = UnixDatagram::bind(&path).unwrap();
            assert_eq!(send("one\ntwo\nno end").0, 8);
            let mut buffer = [0; 100];
            for line in ["one", "two"] {
                let size = log.recv(&mut buffer).unwrap();
                let text = std::str::from_utf8(&buffer[..size]).unwrap();
                assert!(
                    text.starts_with("<30>Sep ") && text.ends_with(&format!(" web/httpd: {line}")),
                    "{text}"
                );
                assert_eq!(text.len(), "<30>Sep  9 03:46:40 web/httpd: ".len() + line.len());
            }
        }
    }
}

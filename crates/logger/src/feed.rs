//! What engine and logger tell each other: one message to a packet, little-endian.
//!
//! The engine sends [`Feed`], the logger [`Word`]. A [`Feed::Follow`] is also what is kept of a stream in the state
//! folder, so that one that is started anew knows at once where lines go.

use clinit_keeper::protocol::FEED_LEAVE;

/// The version of these messages: a program of another one does not replace this one in place.
pub const VERSION: u32 = 2;

/// The longest message.
pub const FEED_BYTES_MAX: usize = 8 * 1024;

/// The longest label and the longest path that a message has room for.
const TEXT_BYTES_MAX: usize = (FEED_BYTES_MAX - 64) / 2;

/// What the logger is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// Another engine speaks: it is told everything anew, and tells everything anew but what is followed.
    Reset,
    /// Carry what comes out of a stream's FIFO. A stream is what one entry prints in all its lives.
    Follow {
        /// Its number, which no other has, ever.
        stream: u64,
        /// How the entry is called: on a terminal it stands before each line.
        label: Vec<u8>,
        /// Where to.
        sink: Sink,
    },
    /// Its entry is gone: carry what is in its FIFO and what still comes, until there is nobody who could print into
    /// it, and remove it.
    Ended {
        /// Which.
        stream: u64,
    },
    /// Append what the engine writes to this file instead of standard error.
    LogFile {
        /// Its path, absolute.
        path: Vec<u8>,
    },
    /// A logger of another program follows: leave what is there to it, and end. Sent by the keeper, which has it as
    /// [`FEED_LEAVE`].
    Leave,
    /// Nothing runs any more: carry all that is left and close all files, then say [`Word::Finished`].
    Finish {
        /// Comes back with the answer.
        number: u32,
    },
}

/// Where an entry's lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// To the daemon's standard output, each behind the label.
    Terminal,
    /// Into files.
    File(FileSink),
    /// To the system's log, each with this tag.
    Syslog {
        /// The entry's name.
        tag: Vec<u8>,
    },
}

/// Files of an entry's lines: the newest and those that were rotated away, in a folder of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSink {
    /// The folder of all entries, absolute; made when missing.
    pub base: Vec<u8>,
    /// The entry's folder in it: [`folder_name`](crate::folder_name).
    pub name: Vec<u8>,
    /// The most bytes of a file.
    pub size: u64,
    /// The most files.
    pub count: u32,
    /// What stands before each line.
    pub stamp: StampKind,
    /// How long lines wait for a disk that takes none, in milliseconds, before they are dropped; `None` is for
    /// ever.
    pub hold_ms: Option<u64>,
}

/// What stands before each line in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampKind {
    /// `@` and 24 hexadecimal digits, as multilog has them.
    Tai64n,
    /// The date and time of UTC, as ISO 8601 has them.
    Iso,
    /// Nothing.
    None,
}

impl StampKind {
    pub(crate) fn to_byte(self) -> u8 {
        match self {
            Self::Tai64n => 0,
            Self::Iso => 1,
            Self::None => 2,
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Tai64n, Self::Iso, Self::None].into_iter().find(|kind| kind.to_byte() == byte)
    }
}

/// What the logger tells the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// How it is with a stream's lines; said when it changes.
    Fault {
        /// Whose.
        stream: u64,
        /// Why they cannot be written; 0 when they can.
        errno: i32,
        /// Whether they are dropped meanwhile.
        is_dropping: bool,
        /// How many were, since the logger was started.
        dropped_lines: u64,
    },
    /// All is carried that could be.
    Finished {
        /// What came with the order.
        number: u32,
    },
}

fn push_text(packet: &mut Vec<u8>, text: &[u8]) {
    let text = &text[..text.len().min(TEXT_BYTES_MAX)];
    packet.extend(u16::try_from(text.len()).unwrap_or(0).to_le_bytes());
    packet.extend(text);
}

/// Takes a packet apart from its front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let length = usize::from(u16::from_le_bytes(self.bytes()?));
        let (text, rest): (&'a [u8], _) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text.to_vec())
    }
}

impl Sink {
    fn push(&self, packet: &mut Vec<u8>) {
        match self {
            Self::Terminal => packet.push(0),
            Self::File(FileSink { base, name, size, count, stamp, hold_ms }) => {
                packet.push(1);
                packet.extend(size.to_le_bytes());
                packet.extend(count.to_le_bytes());
                packet.push(stamp.to_byte());
                packet.extend(hold_ms.unwrap_or(u64::MAX).to_le_bytes());
                push_text(packet, base);
                push_text(packet, name);
            }
            Self::Syslog { tag } => {
                packet.push(2);
                push_text(packet, tag);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(match reader.bytes()? {
            [0] => Self::Terminal,
            [1] => {
                let (size, count) = (reader.u64()?, u32::from_le_bytes(reader.bytes()?));
                let [stamp] = reader.bytes()?;
                let stamp = StampKind::from_byte(stamp)?;
                let hold_ms = Some(reader.u64()?).filter(|&hold_ms| hold_ms != u64::MAX);
                let (base, name) = (reader.text()?, reader.text()?);
                Self::File(FileSink { base, name, size, count, stamp, hold_ms })
            }
            [2] => Self::Syslog { tag: reader.text()? },
            _ => return None,
        })
    }
}

impl Feed {
    /// As a packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, number): (u8, u64) = match self {
            Self::Reset => (1, 0),
            Self::Follow { stream, .. } => (2, *stream),
            Self::Ended { stream } => (3, *stream),
            Self::LogFile { .. } => (4, 0),
            Self::Finish { number } => (5, (*number).into()),
            Self::Leave => (FEED_LEAVE[0], 0),
        };
        let mut packet = vec![kind];
        packet.extend(number.to_le_bytes());
        match self {
            Self::Follow { label, sink, .. } => {
                push_text(&mut packet, label);
                sink.push(&mut packet);
            }
            Self::LogFile { path } => push_text(&mut packet, path),
            Self::Reset | Self::Ended { .. } | Self::Finish { .. } | Self::Leave => {}
        }
        packet
    }

    /// From a packet; `None` when it is none of a feed.
    #[must_use]
    pub fn decode(packet: &[u8]) -> Option<Self> {
        let mut reader = Reader(packet);
        let [kind] = reader.bytes()?;
        let number = reader.u64()?;
        match kind {
            1 => Some(Self::Reset),
            2 => {
                let label = reader.text()?;
                Some(Self::Follow { stream: number, label, sink: Sink::read(&mut reader)? })
            }
            3 => Some(Self::Ended { stream: number }),
            4 => Some(Self::LogFile { path: reader.text()? }),
            5 => Some(Self::Finish { number: number.try_into().ok()? }),
            kind if kind == FEED_LEAVE[0] => Some(Self::Leave),
            _ => None,
        }
    }
}

impl Word {
    /// As a packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match *self {
            Self::Fault { stream, errno, is_dropping, dropped_lines } => {
                let mut packet = vec![1, u8::from(is_dropping)];
                packet.extend(stream.to_le_bytes());
                packet.extend(errno.to_le_bytes());
                packet.extend(dropped_lines.to_le_bytes());
                packet
            }
            Self::Finished { number } => [&[2, 0][..], &u64::from(number).to_le_bytes()].concat(),
        }
    }

    /// From a packet; `None` when it is none of a word.
    #[must_use]
    pub fn decode(packet: &[u8]) -> Option<Self> {
        let mut reader = Reader(packet);
        let [kind, is_dropping] = reader.bytes()?;
        let number = reader.u64()?;
        match kind {
            1 => Some(Self::Fault {
                stream: number,
                errno: i32::from_le_bytes(reader.bytes()?),
                is_dropping: is_dropping != 0,
                dropped_lines: reader.u64()?,
            }),
            2 => Some(Self::Finished { number: number.try_into().ok()? }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feeds() -> Vec<Feed> {
        let files = FileSink {
            base: b"/var/log/clinit".to_vec(),
            name: b"web/httpd".to_vec(),
            size: 1 << 40,
            count: 10,
            stamp: StampKind::Iso,
            hold_ms: Some(60_000),
        };
        let label = || b"web/httpd | ".to_vec();
        vec![
            Feed::Reset,
            Feed::Follow { stream: u64::MAX, label: label(), sink: Sink::Terminal },
            Feed::Follow { stream: 1, label: label(), sink: Sink::File(files.clone()) },
            Feed::Follow { stream: 1, label: label(), sink: Sink::File(FileSink { hold_ms: None, ..files }) },
            Feed::Follow { stream: 2, label: label(), sink: Sink::Syslog { tag: b"web/httpd".to_vec() } },
            Feed::Ended { stream: 3 },
            Feed::LogFile { path: b"/var/log/clinit".to_vec() },
            Feed::Finish { number: 7 },
            Feed::Leave,
        ]
    }

    #[test]
    fn messages_come_back_as_they_went() {
        for feed in feeds() {
            assert_eq!(Feed::decode(&feed.encode()), Some(feed));
        }
        assert_eq!(Feed::Leave.encode(), FEED_LEAVE);
        for word in [
            Word::Fault { stream: 9, errno: 28, is_dropping: true, dropped_lines: u64::MAX - 1 },
            Word::Finished { number: 4 },
        ] {
            assert_eq!(Word::decode(&word.encode()), Some(word));
        }
    }

    #[test]
    fn what_is_cut_or_foreign_is_no_message() {
        assert_eq!(Feed::decode(&[9; 9]), None);
        for feed in feeds() {
            let packet = feed.encode();
            for end in 0..packet.len() {
                assert_eq!(Feed::decode(&packet[..end]), None, "{feed:?}");
            }
        }
        assert_eq!(Word::decode(b""), None);
    }

    #[test]
    fn the_longest_message_fits() {
        let long = || vec![b'x'; 10_000];
        let Feed::Follow { stream, label, sink: Sink::File(mut files) } = feeds().remove(2) else { panic!() };
        (files.base, files.name) = (long(), label);
        let feed = Feed::Follow { stream, label: long(), sink: Sink::File(files) };
        assert!(feed.encode().len() <= FEED_BYTES_MAX);
    }
}

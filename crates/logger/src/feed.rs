//! What the engine tells the logger: one message to a packet.

/// The longest message.
pub const FEED_BYTES_MAX: usize = 8 * 1024;

/// What the logger is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// Forget everything: another engine speaks.
    Reset,
    /// Carry what comes out of a slot's FIFO, each line behind this label.
    Follow {
        /// Which FIFO.
        slot: u32,
        /// What to put before each line.
        label: Vec<u8>,
    },
    /// Carry what is left in it, and close it.
    Unfollow {
        /// Which FIFO.
        slot: u32,
    },
    /// Append what the engine writes to this file instead of standard error.
    LogFile {
        /// Its path, absolute.
        path: Vec<u8>,
    },
}

impl Feed {
    /// As a packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, slot, text): (u8, u32, &[u8]) = match self {
            Self::Reset => (1, 0, b""),
            Self::Follow { slot, label } => (2, *slot, label),
            Self::Unfollow { slot } => (3, *slot, b""),
            Self::LogFile { path } => (4, 0, path),
        };
        let mut packet = vec![kind];
        packet.extend(slot.to_le_bytes());
        packet.extend(text.iter().take(FEED_BYTES_MAX - packet.len()));
        packet
    }

    /// From a packet; `None` when it is none of a feed.
    #[must_use]
    pub fn decode(packet: &[u8]) -> Option<Self> {
        let (&kind, rest) = packet.split_first()?;
        let (slot, text) = rest.split_first_chunk::<4>()?;
        let slot = u32::from_le_bytes(*slot);
        match kind {
            1 => Some(Self::Reset),
            2 => Some(Self::Follow { slot, label: text.to_vec() }),
            3 => Some(Self::Unfollow { slot }),
            4 => Some(Self::LogFile { path: text.to_vec() }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_went() {
        let label = b"web/httpd | ".to_vec();
        for feed in [
            Feed::Reset,
            Feed::Follow { slot: 70_000, label },
            Feed::Unfollow { slot: 3 },
            Feed::LogFile { path: b"/var/log/clinit".to_vec() },
        ] {
            assert_eq!(Feed::decode(&feed.encode()), Some(feed));
        }
        assert_eq!(Feed::decode(b""), None);
        assert_eq!(Feed::decode(b"\x09\0\0\0\0"), None);
    }
}

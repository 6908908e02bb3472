//! What the keeper tells the engine. How a packet of it looks stands in [`protocol`](super).

use super::{HEAD_BYTES, head, u32_at, u64_at};

/// The size of a report.
pub const REPORT_BYTES: usize = 32;

/// What the keeper saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// A process is there.
    Spawned {
        /// Whose.
        slot: u32,
        /// Which life.
        generation: u64,
        /// Its pid.
        pid: u32,
        /// What its cgroup should have been bounded in and is not: the [bits](crate::steps::Bound::bit).
        unbounded: u8,
    },
    /// None could be made.
    NotSpawned {
        /// Whose.
        slot: u32,
        /// Which life.
        generation: u64,
        /// Why.
        errno: i32,
    },
    /// The main process has ended.
    Exited {
        /// Whose.
        slot: u32,
        /// Which life.
        generation: u64,
        /// How.
        ending: Ending,
        /// Whether others of its scope still live.
        leftovers: bool,
    },
    /// The others have ended, too.
    Emptied {
        /// Whose.
        slot: u32,
        /// Which life.
        generation: u64,
    },
    /// What an [`Order::Follow`](super::Order::Follow) names is no process of this life, or cannot be watched. One that is followed is
    /// told by [`Report::Spawned`].
    NotFollowed {
        /// Whose.
        slot: u32,
        /// Which life.
        generation: u64,
    },
    /// Everything that the slots hold has been reported.
    InventoryTaken,
    /// The keeper was sent a signal.
    Signalled {
        /// Which.
        signal: u8,
    },
    /// A logger was started and knows nothing yet.
    LoggerStarted,
    /// The keeper is another program now, which wants an engine of its own.
    Replaced,
    /// It could not become another program.
    NotReplaced {
        /// Why.
        errno: i32,
    },
}

/// How a main process ended, as it stands in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this status.
    Code(u8),
    /// This signal ended it.
    Signal(u8),
    /// It did not become the wanted program: the step (see `clinit_sys::spawn::stage`) and the errno.
    NotExecuted(u8, i32),
    /// Nobody can tell.
    Unknown,
}

impl Ending {
    /// As two words of a slot or report.
    #[must_use]
    pub fn to_words(self) -> (u32, u32) {
        match self {
            Self::Unknown => (0, 0),
            Self::Code(code) => (1 << 8 | u32::from(code), 0),
            Self::Signal(signal) => (2 << 8 | u32::from(signal), 0),
            Self::NotExecuted(stage, errno) => {
                (3 << 8, u32::from(stage) << 24 | u32::try_from(errno).unwrap_or(0) & 0xff_ffff)
            }
        }
    }

    /// From two words; what makes no sense is unknown.
    #[must_use]
    pub fn from_words(ending: u32, fault: u32) -> Self {
        let [low, kind, ..] = ending.to_le_bytes();
        match kind {
            1 => Self::Code(low),
            2 => Self::Signal(low),
            3 => Self::NotExecuted(
                (fault >> 24).to_le_bytes()[0],
                i32::try_from(fault & 0xff_ffff).unwrap_or(0),
            ),
            _ => Self::Unknown,
        }
    }
}

const SPAWNED: u8 = 1;
const NOT_SPAWNED: u8 = 2;
const EXITED: u8 = 3;
const EMPTIED: u8 = 4;
const INVENTORY_TAKEN: u8 = 5;
const SIGNALLED: u8 = 6;
const LOGGER_STARTED: u8 = 7;
const NOT_FOLLOWED: u8 = 8;
const REPLACED: u8 = 32;
const NOT_REPLACED: u8 = 33;

impl Report {
    /// As a packet.
    #[must_use]
    pub fn encode(&self) -> [u8; REPORT_BYTES] {
        let (kind, small, slot, generation, number, words) = match *self {
            Self::Spawned { slot, generation, pid, unbounded } => {
                (SPAWNED, [unbounded, 0, 0], slot, generation, pid, (0, 0))
            }
            Self::NotSpawned { slot, generation, errno } => {
                (NOT_SPAWNED, [0; 3], slot, generation, u32::try_from(errno).unwrap_or(0), (0, 0))
            }
            Self::Exited { slot, generation, ending, leftovers } => {
                (EXITED, [u8::from(leftovers), 0, 0], slot, generation, 0, ending.to_words())
            }
            Self::Emptied { slot, generation } => (EMPTIED, [0; 3], slot, generation, 0, (0, 0)),
            Self::NotFollowed { slot, generation } => (NOT_FOLLOWED, [0; 3], slot, generation, 0, (0, 0)),
            Self::InventoryTaken => (INVENTORY_TAKEN, [0; 3], 0, 0, 0, (0, 0)),
            Self::Signalled { signal } => (SIGNALLED, [0, 0, signal], 0, 0, 0, (0, 0)),
            Self::LoggerStarted => (LOGGER_STARTED, [0; 3], 0, 0, 0, (0, 0)),
            Self::Replaced => (REPLACED, [0; 3], 0, 0, 0, (0, 0)),
            Self::NotReplaced { errno } => {
                (NOT_REPLACED, [0; 3], 0, 0, u32::try_from(errno).unwrap_or(0), (0, 0))
            }
        };
        let mut packet = [0; REPORT_BYTES];
        packet[..HEAD_BYTES].copy_from_slice(&head(kind, small, slot, generation));
        packet[16..20].copy_from_slice(&number.to_le_bytes());
        packet[20..24].copy_from_slice(&words.0.to_le_bytes());
        packet[24..28].copy_from_slice(&words.1.to_le_bytes());
        packet
    }

    /// From a packet; `None` when it is none of a report.
    #[must_use]
    pub fn decode(packet: &[u8]) -> Option<Self> {
        let packet: &[u8; REPORT_BYTES] = packet.try_into().ok()?;
        let (slot, generation, number) = (u32_at(packet, 4)?, u64_at(packet, 8)?, u32_at(packet, 16)?);
        Some(match packet[0] {
            SPAWNED => Self::Spawned { slot, generation, pid: number, unbounded: packet[1] },
            NOT_SPAWNED => {
                Self::NotSpawned { slot, generation, errno: i32::try_from(number).unwrap_or(i32::MAX) }
            }
            EXITED => {
                let ending = Ending::from_words(u32_at(packet, 20)?, u32_at(packet, 24)?);
                Self::Exited { slot, generation, ending, leftovers: packet[1] != 0 }
            }
            EMPTIED => Self::Emptied { slot, generation },
            NOT_FOLLOWED => Self::NotFollowed { slot, generation },
            INVENTORY_TAKEN => Self::InventoryTaken,
            SIGNALLED => Self::Signalled { signal: packet[3] },
            LOGGER_STARTED => Self::LoggerStarted,
            REPLACED => Self::Replaced,
            NOT_REPLACED => Self::NotReplaced { errno: i32::try_from(number).unwrap_or(i32::MAX) },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_back_as_they_went() {
        let (slot, generation) = (9, 1 << 40);
        let mut reports = vec![
            Report::Spawned { slot, generation, pid: 4_000_000, unbounded: 5 },
            Report::NotSpawned { slot, generation, errno: 11 },
            Report::Emptied { slot, generation },
            Report::NotFollowed { slot, generation },
            Report::InventoryTaken,
            Report::Signalled { signal: 15 },
            Report::LoggerStarted,
            Report::Replaced,
            Report::NotReplaced { errno: 8 },
        ];
        for ending in [Ending::Code(255), Ending::Signal(9), Ending::NotExecuted(2, 13), Ending::Unknown] {
            reports.push(Report::Exited { slot, generation, ending, leftovers: true });
        }
        for report in reports {
            assert_eq!(Report::decode(&report.encode()), Some(report));
        }
    }
}

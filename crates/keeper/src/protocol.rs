//! The messages between engine and keeper: binary, one to a packet, little-endian.
//!
//! They travel over a socket pair of type `SOCK_SEQPACKET`, which keeps their bounds and their order. An
//! [`Order`] has a head of 24 bytes; a spawn has strings behind it, each ended by NUL: name, candidates,
//! arguments, environment. Before them stand its [`steps`], if it has any, behind their length
//! in four bytes. A [`Report`] has 32 bytes.
//!
//! | bytes | order | report |
//! |---|---|---|
//! | 0 | kind | kind |
//! | 1, 2, 3 | flags, scope, signal or output | flags or what is unbounded, -, signal |
//! | 4..8 | slot | slot |
//! | 8..16 | generation | generation |
//! | 16..20 | numbers of candidates and arguments (u16 each) | pid or errno |
//! | 20..24 | number of variables (u16), status | how it ended |
//! | 24..28 | | what kept it from exec |

use crate::steps;

/// The longest order. The command of an entry with all it needs must fit.
pub const ORDER_BYTES_MAX: usize = 128 * 1024;

/// The size of a report.
pub const REPORT_BYTES: usize = 32;

const HEAD_BYTES: usize = 24;

/// Whom a signal reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The process group.
    Group,
    /// The main process.
    Main,
    /// The cgroup, where the entry has one; else the process group.
    Cgroup,
}

/// Where standard output and error go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// To the keeper's own.
    Inherit,
    /// To /dev/null.
    Null,
    /// Into the slot's FIFO, for the logger to read.
    Fifo,
}

/// What the engine wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order<'a> {
    /// Start a process, unless the slot has had this generation.
    Spawn(Spawn<'a>),
    /// Send a signal and CONT, once for each generation.
    Stop {
        /// Whose.
        slot: u32,
        /// Which life.
        generation: u64,
        /// Which signal.
        signal: u8,
        /// To whom.
        scope: Scope,
    },
    /// Send a signal to the main process.
    Signal {
        /// Whose.
        slot: u32,
        /// Which life.
        generation: u64,
        /// Which signal.
        signal: u8,
    },
    /// Send KILL.
    Kill {
        /// Whose.
        slot: u32,
        /// Which life.
        generation: u64,
        /// To whom.
        scope: Scope,
    },
    /// Forget a life that has ended.
    Release {
        /// Whose.
        slot: u32,
        /// Which life.
        generation: u64,
    },
    /// Nothing is left to do: end when engine and logger have ended, with this status.
    Leave {
        /// The exit status.
        status: u8,
    },
}

/// A process to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spawn<'a> {
    /// Whose.
    pub slot: u32,
    /// Which life.
    pub generation: u64,
    /// Whether the rest of `scope` is killed when the main process ends by itself.
    pub kill_rest: bool,
    /// Whether it gets a cgroup, if one can be made.
    pub cgroup: bool,
    /// What belongs to it.
    pub scope: Scope,
    /// Where its output goes.
    pub output: Output,
    /// Names its cgroup.
    pub name: &'a [u8],
    /// What is done beside executing, as [`Step::encode`](crate::steps::Step::encode) writes it.
    pub steps: &'a [u8],
    /// NUL-ended strings: paths to try, arguments, variables to set beside the keeper's own. A variable
    /// without a value takes the keeper's away.
    pub strings: &'a [u8],
    /// How many of the strings are paths, arguments and variables.
    pub counts: [u16; 3],
}

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
    /// Everything that the slots hold has been reported.
    InventoryTaken,
    /// The keeper was sent a signal.
    Signalled {
        /// Which.
        signal: u8,
    },
    /// A logger was started and knows nothing yet.
    LoggerStarted,
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

const SPAWN: u8 = 1;
const STOP: u8 = 2;
const KILL: u8 = 3;
const RELEASE: u8 = 4;
const LEAVE: u8 = 5;
const SIGNAL: u8 = 6;

const KILL_REST: u8 = 1;
const CGROUP: u8 = 2;
const STEPS: u8 = 4;

impl Scope {
    fn to_byte(self) -> u8 {
        match self {
            Self::Group => 0,
            Self::Main => 1,
            Self::Cgroup => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Group, Self::Main, Self::Cgroup].into_iter().find(|scope| scope.to_byte() == byte)
    }
}

impl Output {
    fn to_byte(self) -> u8 {
        match self {
            Self::Inherit => 0,
            Self::Null => 1,
            Self::Fifo => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Inherit, Self::Null, Self::Fifo].into_iter().find(|output| output.to_byte() == byte)
    }
}

fn head(kind: u8, small: [u8; 3], slot: u32, generation: u64) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[0] = kind;
    head[1..4].copy_from_slice(&small);
    head[4..8].copy_from_slice(&slot.to_le_bytes());
    head[8..16].copy_from_slice(&generation.to_le_bytes());
    head
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl<'a> Order<'a> {
    /// As a packet. A spawn may exceed [`ORDER_BYTES_MAX`]: the caller looks.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Spawn(spawn) => {
                let has_steps = !spawn.steps.is_empty();
                let flags = u8::from(spawn.kill_rest) * KILL_REST
                    + u8::from(spawn.cgroup) * CGROUP
                    + u8::from(has_steps) * STEPS;
                let small = [flags, spawn.scope.to_byte(), spawn.output.to_byte()];
                let mut head = head(SPAWN, small, spawn.slot, spawn.generation);
                for (count, at) in spawn.counts.iter().zip([16, 18, 20]) {
                    head[at..at + 2].copy_from_slice(&count.to_le_bytes());
                }
                let behind = 4 + spawn.steps.len() + spawn.name.len() + 1 + spawn.strings.len();
                let mut packet = Vec::with_capacity(HEAD_BYTES + behind);
                packet.extend(head);
                if has_steps {
                    packet.extend(u32::try_from(spawn.steps.len()).unwrap_or(u32::MAX).to_le_bytes());
                    packet.extend(spawn.steps);
                }
                packet.extend(spawn.name);
                packet.push(0);
                packet.extend(spawn.strings);
                packet
            }
            Self::Stop { slot, generation, signal, scope } => {
                head(STOP, [0, scope.to_byte(), *signal], *slot, *generation).to_vec()
            }
            Self::Kill { slot, generation, scope } => {
                head(KILL, [0, scope.to_byte(), 0], *slot, *generation).to_vec()
            }
            Self::Signal { slot, generation, signal } => {
                head(SIGNAL, [0, 0, *signal], *slot, *generation).to_vec()
            }
            Self::Release { slot, generation } => head(RELEASE, [0; 3], *slot, *generation).to_vec(),
            Self::Leave { status } => head(LEAVE, [0, 0, *status], 0, 0).to_vec(),
        }
    }

    /// From a packet; `None` when it is none of an order.
    #[must_use]
    pub fn decode(packet: &'a [u8]) -> Option<Self> {
        let (slot, generation) = (u32_at(packet, 4)?, u64_at(packet, 8)?);
        let (flags, scope, last) = (packet[1], Scope::from_byte(packet[2])?, packet[3]);
        let rest = packet.get(HEAD_BYTES..)?;
        Some(match packet[0] {
            SPAWN => {
                let counts = [u16_at(packet, 16)?, u16_at(packet, 18)?, u16_at(packet, 20)?];
                let (steps, rest) = if flags & STEPS == 0 {
                    (&[][..], rest)
                } else {
                    let (length, rest) = rest.split_first_chunk::<4>()?;
                    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?
                };
                if !steps::decode(steps).all(|step| step.is_some()) {
                    return None;
                }
                let end = rest.iter().position(|&byte| byte == 0)?;
                let (name, strings) = (&rest[..end], &rest[end + 1..]);
                let ends = strings.iter().filter(|&&byte| byte == 0).count();
                let complete = strings.last().is_none_or(|&byte| byte == 0);
                if ends != counts.iter().map(|&count| usize::from(count)).sum::<usize>() || !complete {
                    return None;
                }
                let (kill_rest, cgroup) = (flags & KILL_REST != 0, flags & CGROUP != 0);
                let output = Output::from_byte(last)?;
                Self::Spawn(Spawn {
                    slot,
                    generation,
                    kill_rest,
                    cgroup,
                    scope,
                    output,
                    name,
                    steps,
                    strings,
                    counts,
                })
            }
            STOP => Self::Stop { slot, generation, signal: last, scope },
            KILL => Self::Kill { slot, generation, scope },
            SIGNAL => Self::Signal { slot, generation, signal: last },
            RELEASE => Self::Release { slot, generation },
            LEAVE => Self::Leave { status: last },
            _ => return None,
        })
    }
}

const SPAWNED: u8 = 1;
const NOT_SPAWNED: u8 = 2;
const EXITED: u8 = 3;
const EMPTIED: u8 = 4;
const INVENTORY_TAKEN: u8 = 5;
const SIGNALLED: u8 = 6;
const LOGGER_STARTED: u8 = 7;

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
            Self::InventoryTaken => (INVENTORY_TAKEN, [0; 3], 0, 0, 0, (0, 0)),
            Self::Signalled { signal } => (SIGNALLED, [0, 0, signal], 0, 0, 0, (0, 0)),
            Self::LoggerStarted => (LOGGER_STARTED, [0; 3], 0, 0, 0, (0, 0)),
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
            INVENTORY_TAKEN => Self::InventoryTaken,
            SIGNALLED => Self::Signalled { signal: packet[3] },
            LOGGER_STARTED => Self::LoggerStarted,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> Vec<Order<'static>> {
        vec![
            Order::Spawn(Spawn {
                slot: 7,
                generation: u64::MAX - 1,
                kill_rest: true,
                cgroup: false,
                scope: Scope::Cgroup,
                output: Output::Fifo,
                name: b"web.httpd",
                steps: &[],
                strings: b"/bin/a\0a\0-x\0A=1\0",
                counts: [1, 2, 1],
            }),
            Order::Spawn(Spawn {
                slot: 8,
                generation: 1,
                kill_rest: false,
                cgroup: true,
                scope: Scope::Group,
                output: Output::Null,
                name: b"web.other",
                // To become user 33, and to enter /.
                steps: &[9, 4, 0, 0, 0, 33, 0, 0, 0, 12, 1, 0, 0, 0, b'/'],
                strings: b"/bin/b\0b\0A\0",
                counts: [1, 1, 1],
            }),
            Order::Stop { slot: 1, generation: 2, signal: 15, scope: Scope::Main },
            Order::Kill { slot: 1, generation: 2, scope: Scope::Group },
            Order::Signal { slot: 5, generation: 6, signal: 10 },
            Order::Release { slot: u32::MAX, generation: 0 },
            Order::Leave { status: 3 },
        ]
    }

    #[test]
    fn orders_come_back_as_they_went() {
        for order in orders() {
            assert_eq!(Order::decode(&order.encode()), Some(order));
        }
    }

    #[test]
    fn reports_come_back_as_they_went() {
        let (slot, generation) = (9, 1 << 40);
        let mut reports = vec![
            Report::Spawned { slot, generation, pid: 4_000_000, unbounded: 5 },
            Report::NotSpawned { slot, generation, errno: 11 },
            Report::Emptied { slot, generation },
            Report::InventoryTaken,
            Report::Signalled { signal: 15 },
            Report::LoggerStarted,
        ];
        for ending in [Ending::Code(255), Ending::Signal(9), Ending::NotExecuted(2, 13), Ending::Unknown] {
            reports.push(Report::Exited { slot, generation, ending, leftovers: true });
        }
        for report in reports {
            assert_eq!(Report::decode(&report.encode()), Some(report));
        }
    }

    #[test]
    fn cut_or_changed_packets_are_refused_or_harmless() {
        for order in orders() {
            let packet = order.encode();
            for end in 0..packet.len() {
                // Never panics; a cut spawn lacks strings and is refused.
                let cut = Order::decode(&packet[..end]);
                assert!(cut.is_none() || packet[0] != SPAWN, "{cut:?}");
            }
            for at in 0..packet.len() {
                for bit in 0..8 {
                    let mut changed = packet.clone();
                    changed[at] ^= 1 << bit;
                    if let Some(Order::Spawn(spawn)) = Order::decode(&changed) {
                        let strings = spawn.strings.split_inclusive(|&byte| byte == 0).count();
                        assert_eq!(strings, spawn.counts.iter().map(|&n| usize::from(n)).sum::<usize>());
                    }
                }
            }
        }
    }
}

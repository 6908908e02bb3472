//! The messages between engine and keeper: binary, one to a packet, little-endian.
//!
//! They travel over a socket pair of type `SOCK_SEQPACKET`, which keeps their bounds and their order. An
//! [`Order`] has a head of 24 bytes; a spawn has twelve more (the stream into whose FIFO it prints, the number for its
//! readiness as u16, the number of its sockets, one unused), and strings behind them, each ended by NUL: name,
//! candidates, arguments, environment. Before them stand its [`steps`], if it has any, behind their length
//! in four bytes. The sockets of a spawn come along as descriptors. A [`Report`] has 32 bytes.
//!
//! | bytes | order | report |
//! |---|---|---|
//! | 0 | kind | kind |
//! | 1, 2, 3 | flags, scope, signal or output | flags or what is unbounded, -, signal |
//! | 4..8 | slot | slot |
//! | 8..16 | generation | generation |
//! | 16..20 | numbers of candidates and arguments (u16 each), pid | pid or errno |
//! | 20..24 | number of variables (u16), status | how it ended |
//! | 24..28 | | what kept it from exec |

mod report;

use crate::steps;

pub use report::{Ending, REPORT_BYTES, Report};

/// The version of all this. Whoever changes anything here, or what companions are started with, counts it up: a
/// program of another version does not replace this one in place.
pub const VERSION: u32 = 2;

/// What the keeper tells the logger of the program before when that is to leave.
pub const FEED_LEAVE: [u8; 9] = [32, 0, 0, 0, 0, 0, 0, 0, 0];

/// The longest order. The command of an entry with all it needs must fit.
pub const ORDER_BYTES_MAX: usize = 128 * 1024;

/// The most sockets that one process can be given.
pub const SOCKETS_MAX: usize = 64;

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
    /// Take a process for the main one from now on, if it is one of the life's; else tell
    /// [`Report::NotFollowed`].
    Follow {
        /// Whose.
        slot: u32,
        /// Which life.
        generation: u64,
        /// The process.
        pid: u32,
    },
    /// Listen no longer to what it writes for its readiness.
    Heard {
        /// Whose.
        slot: u32,
        /// Which life.
        generation: u64,
    },
    /// Forget a life that has ended.
    Release {
        /// Whose.
        slot: u32,
        /// Which life.
        generation: u64,
    },
    /// Become another program in place: the one that is open as this descriptor of the engine's.
    Reexec {
        /// The descriptor's number.
        descriptor: u32,
        /// The arguments of all three processes, NUL between them.
        arguments: &'a [u8],
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
    /// The stream into whose FIFO, if it goes into one.
    pub stream: u64,
    /// The number of a descriptor to which it writes a line when it is ready; 0 for none.
    pub ready: u16,
    /// How many sockets it is given, from 3 on, with `LISTEN_PID`. They come along with the order.
    pub sockets: u8,
    /// Whether its main process may name another one: until it was stopped, it counts as a leftover whatever is in
    /// its cgroup.
    pub hands_over: bool,
    /// Whether it is told its pid in `WATCHDOG_PID`.
    pub watchdog_pid: bool,
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

const SPAWN: u8 = 1;
const STOP: u8 = 2;
const KILL: u8 = 3;
const RELEASE: u8 = 4;
const LEAVE: u8 = 5;
const SIGNAL: u8 = 6;
const FOLLOW: u8 = 7;
const HEARD: u8 = 8;
const REEXEC: u8 = 32;

const KILL_REST: u8 = 1;
const CGROUP: u8 = 2;
const STEPS: u8 = 4;
const WATCHDOG_PID: u8 = 8;
const HANDS_OVER: u8 = 16;

/// What a spawn has behind its head.
const MORE_BYTES: usize = 12;

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
                    + u8::from(has_steps) * STEPS
                    + u8::from(spawn.watchdog_pid) * WATCHDOG_PID
                    + u8::from(spawn.hands_over) * HANDS_OVER;
                let small = [flags, spawn.scope.to_byte(), spawn.output.to_byte()];
                let mut head = head(SPAWN, small, spawn.slot, spawn.generation);
                for (count, at) in spawn.counts.iter().zip([16, 18, 20]) {
                    head[at..at + 2].copy_from_slice(&count.to_le_bytes());
                }
                let behind = MORE_BYTES + 4 + spawn.steps.len() + spawn.name.len() + 1 + spawn.strings.len();
                let mut packet = Vec::with_capacity(HEAD_BYTES + behind);
                packet.extend(head);
                packet.extend(spawn.stream.to_le_bytes());
                packet.extend(spawn.ready.to_le_bytes());
                packet.extend([spawn.sockets, 0]);
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
            Self::Follow { slot, generation, pid } => {
                let mut head = head(FOLLOW, [0; 3], *slot, *generation);
                head[16..20].copy_from_slice(&pid.to_le_bytes());
                head.to_vec()
            }
            Self::Heard { slot, generation } => head(HEARD, [0; 3], *slot, *generation).to_vec(),
            Self::Release { slot, generation } => head(RELEASE, [0; 3], *slot, *generation).to_vec(),
            Self::Reexec { descriptor, arguments } => {
                let mut packet = head(REEXEC, [0; 3], *descriptor, 0).to_vec();
                packet.extend(*arguments);
                packet
            }
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
                let (more, rest) = rest.split_first_chunk::<MORE_BYTES>()?;
                let (stream, ready, sockets) = (u64_at(more, 0)?, u16_at(more, 8)?, more[10]);
                if usize::from(sockets) > SOCKETS_MAX {
                    return None;
                }
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
                let (watchdog_pid, hands_over) = (flags & WATCHDOG_PID != 0, flags & HANDS_OVER != 0);
                let output = Output::from_byte(last)?;
                Self::Spawn(Spawn {
                    slot,
                    generation,
                    kill_rest,
                    cgroup,
                    scope,
                    output,
                    stream,
                    ready,
                    sockets,
                    hands_over,
                    watchdog_pid,
                    name,
                    steps,
                    strings,
                    counts,
                })
            }
            STOP => Self::Stop { slot, generation, signal: last, scope },
            KILL => Self::Kill { slot, generation, scope },
            SIGNAL => Self::Signal { slot, generation, signal: last },
            FOLLOW => Self::Follow { slot, generation, pid: u32_at(packet, 16)? },
            HEARD => Self::Heard { slot, generation },
            RELEASE => Self::Release { slot, generation },
            REEXEC => Self::Reexec { descriptor: slot, arguments: rest },
            LEAVE => Self::Leave { status: last },
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
                stream: 5,
                ready: 0,
                sockets: 0,
                hands_over: false,
                watchdog_pid: true,
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
                stream: 8,
                ready: 10,
                sockets: 2,
                hands_over: true,
                watchdog_pid: false,
                name: b"web.other",
                // To become user 33, and to enter /.
                steps: &[9, 4, 0, 0, 0, 33, 0, 0, 0, 12, 1, 0, 0, 0, b'/'],
                strings: b"/bin/b\0b\0A\0",
                counts: [1, 1, 1],
            }),
            Order::Stop { slot: 1, generation: 2, signal: 15, scope: Scope::Main },
            Order::Kill { slot: 1, generation: 2, scope: Scope::Group },
            Order::Signal { slot: 5, generation: 6, signal: 10 },
            Order::Follow { slot: 5, generation: 6, pid: 4_194_303 },
            Order::Heard { slot: 5, generation: 6 },
            Order::Release { slot: u32::MAX, generation: 0 },
            Order::Leave { status: 3 },
            Order::Reexec { descriptor: 9, arguments: b"--table=/etc/cltab\0--color" },
        ]
    }

    #[test]
    fn orders_come_back_as_they_went() {
        for order in orders() {
            assert_eq!(Order::decode(&order.encode()), Some(order));
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

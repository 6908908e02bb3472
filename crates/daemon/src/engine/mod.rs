//! The engine's process: the policy, run over keeper, logger, socket and files.
//!
//! ```text
//!   keeper ── Report ──┐                        ┌── Order ──> keeper
//!   clients ── call ───┤  Event    Node   Action├── reply ──> clients
//!   disk ── table ─────┼────────> (engine) ─────┼── note ───> logger
//!   time ──────────────┘             │          └── status ─> disk
//!                                    └─ records ──> journal, before any of these
//! ```
//!
//! One thread, one loop, no waiting but for all of them at once. A turn of the loop lets everything happen
//! that has happened, remembers what changed, and only then acts.
//!
//! | file | room for |
//! |---|---|
//! | `begin` | from the inherited descriptors and what was remembered to a running engine |
//! | `turn` | sources to events, actions to effects |
//! | `requests` | the calls of the socket |
//! | `clients` | connections and their bounds |
//! | `tables` | which table holds, and who waits for it |
//! | `disk` | the helper thread that may wait for the table's file system |
//! | `finder` | the helper thread that may wait for a name service and for environment files |
//! | `journal`, `tablefile` | what outlives the engine |
//! | `lowering`, `surroundings` | entries to orders |
//! | `hand_over`, `starts` | starts on their way to the keeper, and those that wait for a name or a file |
//! | `packets` | links to keeper and logger |
//! | `view`, `notes`, `events`, `faults` | state and change, for people |

mod begin;
mod clients;
mod disk;
mod events;
mod faults;
mod finder;
mod hand_over;
mod journal;
mod lowering;
mod notes;
mod packets;
mod requests;
mod starts;
mod surroundings;
mod tablefile;
mod tables;
mod turn;
mod view;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use clinit_engine::event::Action;
use clinit_engine::node::Node;
use clinit_engine::time::Instant;
use clinit_keeper::Reviver;
use clinit_sys::signals::SignalFd;

pub use begin::EngineError;
pub(crate) use begin::run;
pub(crate) use begin::{REREAD, prepare_state};
pub(crate) use view::errno_text;

use crate::roles::Setup;

/// Everything the engine has.
#[derive(Debug)]
pub(crate) struct Engine {
    setup: Setup,
    lowering: lowering::Lowering,
    node: Node,
    epoll: OwnedFd,
    reviver: Reviver,
    keeper_pid: u32,
    keeper: packets::Packets,
    feed: packets::Packets,
    signals: SignalFd,
    clients: clients::Clients,
    waiters: Vec<requests::Waiter>,
    disk: disk::Disk,
    finder: finder::Finder,
    starts: starts::Starts,
    journal: journal::Journal,
    tables: tables::Tables,
    notes: notes::Notes,
    events: events::Events,
    /// What this turn's events brought, to be done when it is remembered.
    actions: Vec<Action>,
    /// What is to be remembered beside the node's own records.
    items: Vec<journal::Item>,
    journal_failed: bool,
    status: Status,
    /// Slots whose FIFO the logger reads, with their labels.
    followed: BTreeMap<u32, String>,
    /// The keeper has told of a signal that asks for the end.
    was_asked_to_end: bool,
    /// When the daemon, not this process, was started.
    started: Instant,
    /// An engine before this one had begun.
    is_restored: bool,
    /// The keeper has told of all that ran before this engine.
    is_inventory_taken: bool,
    /// All entries have ended: only the way out is left.
    leaving: bool,
    keeper_gone: bool,
    /// Reads as ended when the keeper is gone.
    _life: OwnedFd,
    /// Held until this process ends, however it does: there is one engine at a time.
    _only: OwnedFd,
}

/// The status file's state: the newest text is written when the last is on disk, and not too often.
#[derive(Debug, Default)]
struct Status {
    is_stale: bool,
    is_being_written: bool,
    not_before: Instant,
    has_failed: bool,
}

/// Now, on the engine's clock.
fn now() -> Instant {
    Instant::from_nanos(clinit_sys::clock::boottime_nanos())
}

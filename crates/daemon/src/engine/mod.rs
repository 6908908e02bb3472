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
//! | `queries` | those that ask: status, explain |
//! | `orders`, `reloads`, `runs` | those about single entries |
//! | `waiting` | clients that wait for what they began |
//! | `clients` | connections and their bounds |
//! | `tables` | which table holds, and who waits for it |
//! | `disk` | the helper thread that may wait for the table's file system |
//! | `finder` | the helper thread that may wait for a name service and for environment files |
//! | `journal`, `tablefile` | what outlives the engine |
//! | `lowering`, `surroundings` | entries to orders |
//! | `hand_over`, `starts` | starts on their way to the keeper, and those that wait for a name or a file |
//! | `hearing`, `speech` | what entries say of themselves, and who says it |
//! | `probes` | asking whether somebody accepts connections |
//! | `listening`, `store` | the sockets on which entries listen: opened, and held |
//! | `ending` | when a shutdown is over, and with which status |
//! | `remembering` | what outlives the machine |
//! | `packets` | links to keeper and logger |
//! | `upgrade`, `trial` | another program in the place of this one, and how it is tried |
//! | `slack` | memory that is needed for a moment |
//! | `logs` | what the logger is told, and tells |
//! | `view`, `causes`, `exits`, `faults`, `notes`, `events` | state and change, for people |
//! | `counting` | what `cargo xtask callgrind` counts of this |

mod begin;
mod causes;
mod clients;
pub mod counting;
mod disk;
mod ending;
mod events;
mod exits;
mod faults;
mod finder;
mod hand_over;
mod hearing;
pub(crate) mod journal;
mod listening;
mod logs;
mod lowering;
mod notes;
mod orders;
mod packets;
mod probes;
mod queries;
mod reloads;
mod remembering;
mod requests;
mod runs;
mod slack;
mod speech;
mod starts;
mod store;
mod surroundings;
mod tablefile;
mod tables;
pub(crate) mod trial;
mod turn;
mod upgrade;
mod view;
mod waiting;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use clinit_engine::event::Action;
use clinit_engine::name::{GroupName, Level};
use clinit_engine::node::Node;
use clinit_engine::time::Instant;
use clinit_keeper::Reviver;
use clinit_sys::signals::SignalFd;

pub use begin::EngineError;
pub(crate) use begin::run;
pub(crate) use begin::{REREAD, prepare_state};
pub(crate) use exits::errno_text;

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
    waiters: Vec<waiting::Waiter>,
    disk: disk::Disk,
    finder: finder::Finder,
    starts: starts::Starts,
    hearing: hearing::Hearing,
    probes: probes::Probes,
    store: store::Store,
    ending: ending::Ending,
    /// The levels that groups were told by hand.
    told: BTreeMap<GroupName, Level>,
    remembering: Status,
    /// A program that is to take the place of this one.
    upgrade: Option<upgrade::Upgrade>,
    /// The keeper is another program now.
    replaced: bool,
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
    logs: logs::Logs,
    slack: slack::Slack,
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

/// The state of the status file, or of the one that remembers: the newest text is written when the last is on disk, and not too often.
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

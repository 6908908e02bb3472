//! For who counts the instructions of hot paths: what the engine makes of its node for others.

use std::path::Path;

use clinit_control::interface::GroupStatus;
use clinit_engine::event::{EntryId, Generation};
use clinit_engine::node::Node;
use clinit_engine::time::Instant;

use super::lowering::{Launched, Lowering};
use super::surroundings::Prepared;
use super::view;
use crate::roles::Manner;

/// What a reply to `Status` says of all groups, as text.
#[must_use]
pub fn status_reply(node: &Node, now: Instant) -> Option<String> {
    let groups: Vec<GroupStatus> =
        node.groups().map(|group| view::group(node, group, now, |_| true)).collect();
    serde_json::to_string(&groups).ok()
}

/// Makes the orders that start entries.
#[derive(Debug)]
pub struct Orders(Lowering);

impl Orders {
    /// As of a daemon with this socket.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self(Lowering::new(None, socket, Manner::Daemon, None))
    }

    /// The order that starts an entry, as the packet that the keeper gets.
    #[must_use]
    pub fn spawn(&self, node: &Node, id: EntryId, generation: Generation) -> Option<Vec<u8>> {
        let what = Launched::at(node, id)?;
        self.0.spawn(id, &what, generation, true, Prepared::default())
    }
}

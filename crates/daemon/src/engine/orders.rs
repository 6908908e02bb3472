//! Orders to single entries.

use clinit_control::CallError;
use clinit_control::interface::{OrderReply, Status};
use clinit_control::message::Reply;
use clinit_engine::event::{EntryId, Event, Order};
use clinit_engine::time::Instant;

use super::Engine;
use super::requests::Caller;
use super::waiting::{Asked, Awaited, Ordered, Rest};

impl Engine {
    /// Orders entries something, and lets the caller wait for the end if it wants to.
    pub(super) fn order(
        &mut self,
        caller: Caller,
        group: &Option<String>,
        tag: &Option<String>,
        order: Order,
        now: Instant,
    ) {
        let Caller { client, more, oneway } = caller;
        let mut entries = match self.meant(group, tag) {
            Ok(entries) => entries,
            Err(error) => return self.finish::<OrderReply>(client, oneway, Err(error), now),
        };
        if order == Order::Reload {
            return self.reload(caller, entries, now);
        }
        let starts = matches!(order, Order::Start | Order::Restart);
        if tag.is_none() && starts {
            // Of a group only what belongs to its level is meant, if anything does.
            let startable = |id: &EntryId| self.node.why_not_start(*id).is_none();
            if entries.iter().any(startable) {
                entries.retain(startable);
            }
        }
        let one = |&id: &EntryId| {
            let refusal = if starts { self.node.why_not_start(id) } else { None };
            Some(Ordered { refusal, ..self.willing(id)? })
        };
        let ordered: Vec<Ordered> = entries.iter().filter_map(one).collect();
        let after = self.actions.len();
        self.happen(Event::Ordered { entries, order }, now);
        self.remembering.is_stale |= !matches!(order, Order::Signal(_) | Order::Reload);
        let reply = OrderReply { entries: self.ordered(&ordered), outcome: None };
        let group = ordered.first().map(|ordered| ordered.key.group.clone());
        match group.filter(|_| more && !oneway) {
            Some(group) => {
                self.clients.reply(client, &Reply::continued(reply));
                let level = self.node.group(&group).and_then(|group| group.target().cloned());
                let rest = Rest { group, level, asked: Asked::Order(ordered), ended: None, look_until: None };
                self.let_wait(client, after, Awaited::Rest(rest));
            }
            None => self.finish(client, oneway, Ok(reply), now),
        }
    }

    /// The entries that a call names.
    fn meant(&self, group: &Option<String>, tag: &Option<String>) -> Result<Vec<EntryId>, CallError> {
        self.entries_of(&self.pick(&Status { group: group.clone(), tag: tag.clone() })?)
    }
}

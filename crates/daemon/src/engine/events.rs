//! What happened lately, and who follows what happens.

use std::collections::VecDeque;

use clinit_control::interface::{Event, EventsReply};
use clinit_control::message::Reply;

use super::clients::{ClientId, Clients};

/// How many events are remembered.
const REMEMBERED_MAX: usize = 512;

/// The latest events, oldest first, and the clients that are told of each.
#[derive(Debug, Default)]
pub(crate) struct Events {
    remembered: VecDeque<Event>,
    followers: Vec<ClientId>,
}

impl Events {
    /// Remembers an event and tells those who follow. One who does not keep up is dropped by its bounds.
    pub(crate) fn happened(&mut self, event: Event, clients: &mut Clients) {
        self.followers.retain(|&follower| clients.is_there(follower));
        let reply = EventsReply { event: Some(event) };
        for &follower in &self.followers {
            clients.reply(follower, &Reply::continued(&reply));
        }
        if self.remembered.len() == REMEMBERED_MAX {
            self.remembered.pop_front();
        }
        self.remembered.extend(reply.event);
    }

    /// Tells a client what is remembered, and, if it follows, what happens from then on. True when that was all.
    pub(crate) fn tell(&mut self, client: ClientId, follow: bool, clients: &mut Clients) -> bool {
        for event in &self.remembered {
            clients.reply(client, &Reply::continued(&EventsReply { event: Some(event.clone()) }));
        }
        if follow {
            self.followers.push(client);
        } else {
            clients.reply(client, &Reply::last(EventsReply::default()));
        }
        !follow
    }
}

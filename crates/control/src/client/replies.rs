//! The replies to a call with `more`.

use std::marker::PhantomData;
use std::time::Duration;

use super::wire::Deadline;
use super::{Client, ClientError};
use crate::interface::Method;

/// The replies to a call with `more`, one after the other, until the last or the first error.
///
/// Dropped before its end it leaves the connection unusable for further calls: what is still on its way
/// would be taken for their answer.
#[derive(Debug)]
pub struct Replies<'c, M> {
    client: &'c mut Client,
    ended: bool,
    method: PhantomData<M>,
}

impl<'c, M: Method> Replies<'c, M> {
    pub(super) fn new(client: &'c mut Client) -> Self {
        Self { client, ended: false, method: PhantomData }
    }

    /// The next reply, waited for no longer than `wait`; as an iterator, no longer than the client's
    /// timeout. `Duration::MAX` waits for ever.
    pub fn next_within(&mut self, wait: Duration) -> Option<Result<M::Reply, ClientError>> {
        self.next_before(&Deadline::after(wait))
    }

    pub(super) fn next_before(&mut self, deadline: &Deadline) -> Option<Result<M::Reply, ClientError>> {
        if self.ended {
            return None;
        }
        let reply = self.client.receive::<M>(deadline);
        self.ended = !matches!(reply, Ok((_, true)));
        Some(reply.map(|(reply, _)| reply))
    }
}

impl<M: Method> Iterator for Replies<'_, M> {
    type Item = Result<M::Reply, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_within(self.client.timeout())
    }
}

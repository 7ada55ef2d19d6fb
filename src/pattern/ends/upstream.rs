//! What an `XPUB` has to tell its application: subscriptions and cancellations, and messages of its subscribers.
//!
//! What it is: a bounded queue, and the memory of which peer the last piece of news read was from. What does not fit is
//! dropped and counted; the subscription itself is not this queue's business.
//!
//! Invariant: a peer that is named, in the queue or as the last one, is a pipe that still exists.

use std::collections::VecDeque;

use crate::message::Message;
use crate::pipe::{DropReason, PipeId, Pipes};

/// Whom an entry is from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Not a subscription of a peer's: reading it changes nothing.
    Other,
    Peer(PipeId),
    /// A peer that has left.
    Gone,
}

/// The queue towards the application.
#[derive(Default)]
pub(in crate::pattern) struct Upstream {
    queue: VecDeque<(Message, Origin)>,
    /// In messages; 0 for none.
    limit: usize,
    /// The peer whose subscription was read last, in manual mode.
    pub(in crate::pattern) last: Option<PipeId>,
}

impl Upstream {
    /// How many entries may wait; 0 for no limit.
    pub(in crate::pattern) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(in crate::pattern) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn is_full(&self) -> bool {
        self.limit != 0 && self.queue.len() >= self.limit
    }

    /// A subscription or its end, as a message: `what`, then the topic. `pipe` is none if the peer has left.
    pub(in crate::pattern) fn news(
        &mut self,
        pipes: &mut Pipes,
        pipe: Option<PipeId>,
        what: u8,
        topic: &[u8],
    ) {
        if self.is_full() {
            pipes.count_drop(pipe, DropReason::Notification);
            return;
        }
        let message = Message::from([&[what], topic].concat());
        self.queue
            .push_back((message, pipe.map_or(Origin::Other, Origin::Peer)));
    }

    /// A message of a subscriber's.
    pub(in crate::pattern) fn message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
    ) {
        if self.is_full() {
            pipes.count_drop(Some(pipe), DropReason::Watermark);
        } else {
            self.queue.push_back((message, Origin::Other));
        }
    }

    /// The next entry; with `remember`, the peer it is from becomes the last one.
    pub(in crate::pattern) fn pop(&mut self, remember: bool) -> Option<Message> {
        let (message, origin) = self.queue.pop_front()?;
        if remember {
            match origin {
                Origin::Other => {}
                Origin::Peer(pipe) => self.last = Some(pipe),
                Origin::Gone => self.last = None,
            }
        }
        Some(message)
    }

    /// The peer has left.
    pub(in crate::pattern) fn forget(&mut self, pipe: PipeId) {
        if self.last == Some(pipe) {
            self.last = None;
        }
        for (_, origin) in &mut self.queue {
            if *origin == Origin::Peer(pipe) {
                *origin = Origin::Gone;
            }
        }
    }
}

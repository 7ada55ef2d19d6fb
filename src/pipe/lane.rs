//! The lane trait: the way to one live peer, whatever carries it.

use std::time::Instant;

use super::{CloseCause, Got, Limits, Packet, Subscription};
use crate::message::Message;

/// What a lane without a packet says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LaneIdle {
    /// Nothing now; the lane's owner is told when that changes (a doorbell or descriptor readiness).
    Empty,
    /// Everything was delivered and nothing will come any more.
    Closed(CloseCause),
}

/// What is left after a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// Everything has left this process (or is in the peer's hands).
    Done,
    /// The kernel takes no more for now; readiness will tell when to go on.
    Blocked,
    /// The link is broken; `try_recv` tells why once it has delivered what had arrived.
    Broken,
}

/// How much waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Depth {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    /// Messages that newer ones took the place of before they were sent (`conflate`), since the lane began.
    pub(crate) replaced: u64,
}

/// Things that happen to a lane from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LaneEvent {
    /// The descriptor may have bytes to read.
    Readable,
    /// The descriptor may take bytes again.
    Writable,
    /// Time passes: heartbeats are sent, silence is judged.
    Tick(Instant),
    /// The peer has stopped sending; what it sent before is still to be read.
    Hangup,
    /// The watermarks were changed (sending, receiving).
    Limits(Limits, Limits),
    /// Nothing more will be sent: tell the peer once everything is out.
    Finish,
    /// Nobody receives just now: read ahead, up to so many bytes.
    Prefetch(usize),
}

/// What turned up on a lane that no descriptor and no doorbell has told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Glance {
    /// There is something to receive, or the link has ended.
    pub(crate) readable: bool,
    /// There is room that was wanted.
    pub(crate) writable: bool,
}

impl Glance {
    pub(crate) fn any(self) -> bool {
        self.readable || self.writable
    }
}

/// The way to one live peer. Messages pass by reference: one is as wide as a cache line and a word, and each move of it
/// through a layer costs as much as finding out where it goes. All calls come from whoever holds the socket's lock; none blocks.
///
/// Contract, which `transport`'s conformance tests hold every implementation to:
/// - packets arrive whole, once, in order;
/// - `try_send` accepts a message or leaves it where it is, and `subscribe` never refuses;
/// - after `try_send` refused, the owner hears when there is room (readiness or doorbell);
/// - `try_recv` delivers everything that had arrived before it says `Closed`;
/// - nothing is promised to leave before `flush`, which the owner calls.
pub(crate) trait Lane: Send {
    /// Takes the message, and leaves anything in its place; or `false`, and it stays, because the watermark is
    /// reached or the link is broken.
    fn try_send(&mut self, message: &mut Message) -> bool;

    /// As `try_send` for one of several receivers of the same message.
    fn try_publish(&mut self, message: &Message) -> bool {
        self.try_send(&mut message.clone())
    }

    /// Takes a subscription.
    fn subscribe(&mut self, subscription: Subscription);

    /// The next packet; a message is put into `into`.
    fn try_recv(&mut self, into: &mut Message) -> Result<Got, LaneIdle>;

    /// Pushes out what `try_send` collected.
    fn flush(&mut self) -> Flush;

    /// Looks at memory that the peer writes without telling: what is there that the owner was not told of. With
    /// `sleep` and nothing found, the peer tells from now on, on the lane's descriptor, once. `None` for lanes whose
    /// peers always tell.
    fn glance(&mut self, _sleep: bool) -> Option<Glance> {
        None
    }

    /// Asks for news that would be told, at the price of a system call; `true` if there are any. For those who look
    /// instead of sleeping.
    fn probe(&mut self) -> bool {
        false
    }

    /// Something happened; see [`LaneEvent`]. Says why the lane has ended, if it has and nothing that it
    /// received is left to deliver.
    fn on_event(&mut self, event: LaneEvent) -> Option<CloseCause>;

    /// How much waits to be sent.
    fn depth(&self) -> Depth;

    /// After the link broke: the accepted packets of which nothing was handed over, oldest first, and
    /// how many messages were cut in the middle.
    fn reclaim(&mut self) -> (Vec<Packet>, usize);
}

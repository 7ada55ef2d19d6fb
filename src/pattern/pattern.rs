//! The pattern trait: who gets a message, and whose message comes next.
//!
//! A pattern is synchronous and whole-message. It never blocks, knows no transport, no runtime and no
//! clock; the socket's core calls it under the socket's one lock and does the waiting.

use bytes::Bytes;

use crate::config::Options;
use crate::message::Message;
use crate::pipe::{PipeId, Pipes};

/// What happened to a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PipeEvent {
    /// A new pipe. A connecting side has it at once, an accepting side after the handshake.
    Attached,
    /// The pipe's link is up: for the first time (right after `Attached`) or again. The place to send
    /// subscriptions, probes and welcome messages.
    LinkUp,
    /// The link of a connected-side pipe broke; the pipe stays and waits for the next one.
    LinkDown,
    /// The pipe is about to be removed; what it still delivers can be read during this call only.
    Detached,
    /// The pipe may have something to receive.
    Readable,
    /// The pipe may have room again.
    Writable,
}

/// Why a send was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No peer has room (libzmq: EAGAIN). Trying again later can succeed.
    WouldBlock,
    /// Not the turn to send (libzmq: EFSM).
    State,
    /// No such peer, and the options want to know (libzmq: EHOSTUNREACH).
    Unroutable,
    /// The message cannot be sent on this socket, and never will be.
    Invalid(&'static str),
}

/// Why nothing was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecvRefusal {
    /// Nothing has arrived.
    Empty,
    /// Not the turn to receive (libzmq: EFSM).
    State,
}

/// Requests that only some patterns understand.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Control<'a> {
    /// SUB, XSUB: want this topic. XPUB in manual mode: subscribe the peer of the last notification.
    Subscribe(&'a Bytes),
    /// The opposite.
    Unsubscribe(&'a Bytes),
    /// The options have changed.
    Options(&'a Options),
}

/// Why a control request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ControlRefusal {
    /// This kind of socket has no such request, or not in its present mode.
    NotSupported,
    /// There was no such subscription.
    NotSubscribed,
}

/// What a pattern can say about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Gauges {
    /// Distinct topics subscribed to.
    pub(crate) topics: usize,
    /// Peers with at least one subscription.
    pub(crate) subscribers: usize,
}

/// One family's behaviour. See the module's text for the rules of the game.
pub(crate) trait Pattern: Send {
    /// Something happened to a pipe.
    fn on_event(&mut self, pipes: &mut Pipes, pipe: PipeId, event: PipeEvent);

    /// Hands the message to the peer or peers whose turn it is, and leaves anything in its place. A refused message
    /// stays where it is.
    fn try_send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal>;

    /// Puts the next message for the application into `into`.
    fn try_recv(&mut self, pipes: &mut Pipes, into: &mut Message) -> Result<(), RecvRefusal>;

    /// Whether `try_send` would (as far as can be known) succeed now.
    fn can_send(&mut self, pipes: &mut Pipes) -> bool;

    /// Whether `try_recv` would succeed now.
    fn can_recv(&mut self, pipes: &mut Pipes) -> bool;

    /// A request that only some patterns understand.
    fn control(&mut self, pipes: &mut Pipes, control: Control<'_>) -> Result<(), ControlRefusal>;

    /// Topics and subscribers; zero for patterns without.
    fn gauges(&self) -> Gauges {
        Gauges::default()
    }
}

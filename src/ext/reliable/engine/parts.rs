//! Plain parts that the files of the engine share: links, and what was received.

use super::super::model::{Ident, Letter, MessageId};
use super::super::wire::Hello;
use super::time::Time;

pub(super) type PeerKey = usize;

/// A link, as the driver counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::ext::reliable) struct LinkId(pub(in crate::ext::reliable) u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody said hello yet.
    Silent,
    Session(PeerKey),
    Contending(PeerKey),
    /// Not to be talked to for a while (a connector), or at all.
    Refused,
}

/// One link.
#[derive(Debug)]
pub(super) struct Link {
    /// We connected it.
    pub(super) connector: bool,
    pub(super) state: State,
    /// Refusals in a row.
    pub(super) refusals: u32,
    /// When the next hello is due.
    pub(super) hello_at: Time,
}

/// A newcomer with the ident of a connected peer.
#[derive(Debug)]
pub(super) struct Contender {
    pub(super) link: LinkId,
    pub(super) hello: Hello,
    pub(super) until: Time,
}

/// Who this messenger is.
#[derive(Debug, Clone)]
pub(in crate::ext::reliable) struct Identity {
    pub(in crate::ext::reliable) ident: Ident,
    pub(in crate::ext::reliable) instance: [u8; 16],
    pub(in crate::ext::reliable) run: [u8; 16],
}

/// A message that was received.
#[derive(Debug)]
pub(in crate::ext::reliable) struct Received {
    pub(in crate::ext::reliable) token: Token,
    pub(in crate::ext::reliable) from: Ident,
    pub(in crate::ext::reliable) id: MessageId,
    pub(in crate::ext::reliable) letter: Letter,
    pub(in crate::ext::reliable) redelivered: u32,
}

/// Which received message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ext::reliable) struct Token {
    pub(super) peer: PeerKey,
    pub(super) instance: [u8; 16],
    pub(super) priority: u8,
    pub(super) number: u64,
    pub(super) size: usize,
}

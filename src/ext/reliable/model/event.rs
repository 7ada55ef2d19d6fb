//! What a messenger tells about itself.

use std::sync::Arc;
use std::time::Duration;

use super::ident::{Ident, MessageId};
use super::outcome::Dropped;
use crate::ext::store::StoreError;

/// Something that happened to a messenger.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A peer is reachable.
    Connected {
        /// Which.
        peer: Ident,
        /// It is another process than before, or the first.
        restarted: bool,
    },
    /// A peer is not reachable any more; what is sent to it waits.
    Disconnected {
        /// Which.
        peer: Ident,
    },
    /// A peer will not talk to us. What is queued for it stays; it is tried again.
    Refused {
        /// Which, if it said.
        peer: Option<Ident>,
        /// Why.
        reason: Refusal,
    },
    /// We will not talk to somebody who connected.
    Rejected {
        /// Who it says it is, if it got so far.
        peer: Option<Ident>,
        /// Why.
        reason: Refusal,
    },
    /// A message was handed to the link for the first time.
    Sent {
        /// For whom.
        to: Ident,
        /// Which.
        id: MessageId,
    },
    /// The receiver has it, in its store if it is persistent.
    Delivered {
        /// Who.
        to: Ident,
        /// Which.
        id: MessageId,
    },
    /// It will not be delivered.
    Dropped(Dropped),
    /// The store fails. What is stored stays, what has to be stored waits or is refused, and it is tried again.
    StoreFailed(Arc<StoreError>),
    /// The store works again.
    StoreRecovered,
    /// The clock of the system was set. Times to live go on as if it had not been.
    ClockStepped {
        /// How far.
        by: Duration,
        /// Back instead of forward.
        back: bool,
    },
    /// So many events were not told, because nobody read them in time.
    Missed(u64),
}

/// Why two messengers do not talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// They speak different versions of the protocol.
    Version {
        /// The version of the one who says so.
        theirs: u8,
    },
    /// Another living messenger has the same ident.
    DuplicateIdent,
    /// It has the ident of the one it connected to.
    OwnIdent,
    /// Its place was taken by a newer process of the same ident, while it did not answer.
    Replaced,
    /// There are as many peers as there may be.
    TooManyPeers,
    /// It broke the protocol: what it sent is malformed, or it acknowledged what it never got.
    Protocol,
    /// Something that this version does not know.
    Other(u8),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Version { theirs } => write!(f, "the other end speaks version {theirs}"),
            Refusal::DuplicateIdent => f.write_str("another living messenger has this ident"),
            Refusal::OwnIdent => f.write_str("both ends have the same ident"),
            Refusal::Replaced => f.write_str("replaced by a newer process while it did not answer"),
            Refusal::TooManyPeers => f.write_str("too many peers"),
            Refusal::Protocol => f.write_str("the protocol was broken"),
            Refusal::Other(code) => write!(f, "reason {code}"),
        }
    }
}

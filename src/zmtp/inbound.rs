//! What a decoder hands out: whole messages and the commands that matter after the handshake.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use bytes::Bytes;

use crate::message::Message;

/// One complete item from a peer.
///
/// Peers older than 3.1 subscribe with messages whose first byte is 1 (subscribe) or 0 (cancel); these arrive as
/// [`Inbound::Message`], because only the pattern knows whether that is what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A whole message, all frames of it.
    Message(Message),
    /// The peer wants messages that begin with this topic.
    Subscribe(Bytes),
    /// The peer wants them no more.
    Cancel(Bytes),
    /// The peer asks for a PONG with the same context.
    Ping {
        /// Promise of the peer to send something within this time; zero promises nothing. Unit on the wire: 100 ms.
        ttl: Duration,
        /// To be sent back.
        context: PingContext,
    },
    /// The answer to a PING.
    Pong {
        /// What the PING carried.
        context: PingContext,
    },
    /// The peer gives up and says why. It will close the connection.
    Error(String),
    /// A command we do not know; to be ignored.
    Unknown,
}

/// The context of a PING: up to 16 bytes, held in place so that an [`Inbound`] is no wider than a message.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct PingContext {
    len: u8,
    bytes: [u8; PingContext::MAX],
}

impl PingContext {
    /// Most bytes of a context.
    pub const MAX: usize = 16;

    /// A context from these bytes, cut at [`PingContext::MAX`] (RFC 37 lets longer ones be truncated).
    pub fn new(context: &[u8]) -> Self {
        let len = context.len().min(Self::MAX);
        let mut bytes = [0; Self::MAX];
        bytes[..len].copy_from_slice(&context[..len]);
        Self {
            len: len as u8,
            bytes,
        }
    }
}

impl Deref for PingContext {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for PingContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

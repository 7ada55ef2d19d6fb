//! Gates: who may say when a link carries a message.
//!
//! A gate knows sizes and nothing else: no content, no pipe, no clock. `gated.rs` puts it in front of a lane.

use std::task::{Context, Poll};

use bytes::Bytes;

use crate::config::{PeerCredentials, SocketKind};

/// Lets the messages of one link pass, one by one, in one direction.
///
/// All calls come from whoever holds the socket's lock: none may block, or call the socket.
pub trait LinkGate: Send {
    /// Asks for one message of so many payload bytes. `Ready` has let it pass; after `Pending` the task of `cx` is
    /// woken when it is worth asking again, which may be for another message.
    fn poll_pass(&mut self, cx: &mut Context<'_>, bytes: usize) -> Poll<()>;

    /// The message that passed last could not go on after all; it will be asked for again.
    fn give_back(&mut self, bytes: usize);
}

/// The gates of a new link; without one, all pass.
#[derive(Default)]
pub struct LinkGates {
    /// For what is sent.
    pub sending: Option<Box<dyn LinkGate>>,
    /// For what is received.
    pub receiving: Option<Box<dyn LinkGate>>,
}

impl LinkGates {
    pub(crate) fn is_empty(&self) -> bool {
        self.sending.is_none() && self.receiving.is_none()
    }
}

/// Says which gates a new link has.
pub(crate) type ChooseGates = dyn Fn(&NewLink) -> LinkGates + Send + Sync;

/// A link that has just come up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewLink {
    /// The endpoint that was bound or connected.
    pub endpoint: String,
    /// The peer's address; `:uid:gid:pid` for ipc, empty for inproc.
    pub address: String,
    /// What the peer says it is, once it has.
    pub kind: Option<SocketKind>,
    /// The routing id that the peer announced, or empty.
    pub routing_id: Bytes,
    /// The user the authenticator named, or empty.
    pub user_id: String,
    /// The process at the other end of an ipc link, as the system knows it.
    pub credentials: Option<PeerCredentials>,
}

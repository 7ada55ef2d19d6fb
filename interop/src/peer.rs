//! The least that a socket of any implementation can do.
//!
//! What it is not: an abstraction for users; options and errors that the tests do not need are missing.

use std::time::Duration;

use taipan::SocketKind;

/// A message, frame by frame.
pub type Frames = Vec<Vec<u8>>;

/// How long a test waits for something that has to happen: far longer than any machine needs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Builds a message out of texts.
pub fn frames<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> Frames {
    parts
        .into_iter()
        .map(|part| part.as_ref().to_vec())
        .collect()
}

/// What a socket is created with. Routers are always mandatory: a message to nobody is refused.
#[derive(Clone, Debug)]
pub struct PeerOptions {
    /// The kind of the socket.
    pub kind: SocketKind,
    /// Its routing id; empty for none.
    pub routing_id: Vec<u8>,
}

impl PeerOptions {
    /// A socket without a routing id.
    pub fn new(kind: SocketKind) -> Self {
        Self {
            kind,
            routing_id: Vec::new(),
        }
    }

    /// A socket with a routing id.
    pub fn named(kind: SocketKind, routing_id: impl AsRef<[u8]>) -> Self {
        Self {
            kind,
            routing_id: routing_id.as_ref().to_vec(),
        }
    }
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody had room for it within [`PATIENCE`].
    TimedOut,
    /// A router has no such peer.
    Unroutable,
}

/// A socket of some implementation.
///
/// Contract: `bind` returns the endpoint that the other side can connect to; `send` waits for [`PATIENCE`] at the
/// most; everything that cannot happen in a test panics.
pub trait Peer {
    /// Listens; returns the endpoint with the port that was chosen.
    fn bind(&mut self, endpoint: &str) -> String;
    /// Connects in the background.
    fn connect(&mut self, endpoint: &str);
    /// Asks for a topic (SUB, XSUB).
    fn subscribe(&mut self, topic: &[u8]);
    /// Takes a topic back (SUB, XSUB).
    fn unsubscribe(&mut self, topic: &[u8]);
    /// Sends a message.
    fn send(&mut self, message: &[Vec<u8>]) -> Result<(), Refusal>;
    /// Receives a message, or `None` if none came in time.
    fn recv(&mut self, timeout: Duration) -> Option<Frames>;
}

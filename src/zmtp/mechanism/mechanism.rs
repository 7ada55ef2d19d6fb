//! What a security mechanism has to do, and the cipher it may leave behind.
//!
//! ```text
//!   Mechanism --finish--> Agreement { peer, user_id, cipher: Option<CipherPair> }
//!                                                     sealer -> Encoder    opener -> Decoder
//! ```
//! The two halves of a cipher are separate values, because the directions share nothing but keys: the encoder and the
//! decoder of a connection may live behind different locks.

use super::peer::PeerProperties;
use crate::message::Frame;
use crate::zmtp::error::ProtocolError;

/// Inside a sealed frame: another frame of the same message follows.
pub const SEALED_MORE: u8 = 1;
/// Inside a sealed frame: the frame is a command (2, not 4 as in the clear).
pub const SEALED_COMMAND: u8 = 2;

/// One side of a handshake after the greeting.
///
/// The driver sends what `next_command` gives until it gives nothing, hands in each command of the peer, and stops
/// when `is_ready`. ERROR commands never come here: they end the handshake.
pub trait Mechanism: Send {
    /// The name in the greeting, 20 bytes at most.
    fn name(&self) -> &'static str;

    /// Whether this is the side that checks credentials.
    fn as_server(&self) -> bool;

    /// Appends the next command frame to `out`, with its header; false when there is nothing to say now.
    fn next_command(&mut self, out: &mut Vec<u8>) -> bool;

    /// Takes a command of the peer: its body, without the frame header.
    ///
    /// # Errors
    /// The peer is refused or broke the protocol. A last command (ERROR) may still come from `next_command`.
    fn handle_command(&mut self, body: &[u8]) -> Result<(), ProtocolError>;

    /// Whether both sides have said everything and traffic may begin.
    fn is_ready(&self) -> bool;

    /// What was agreed on; only of use once [`Mechanism::is_ready`].
    fn finish(self: Box<Self>) -> Agreement;
}

/// The result of a mechanism.
pub struct Agreement {
    /// What the peer says of itself.
    pub peer: PeerProperties,
    /// Whom the authenticator found the peer to be; empty when nobody asked.
    pub user_id: String,
    /// How traffic is sealed, if it is.
    pub cipher: Option<CipherPair>,
}

/// Both halves of a cipher.
pub struct CipherPair {
    /// For what we send.
    pub sealer: Box<dyn Sealer>,
    /// For what we receive.
    pub opener: Box<dyn Opener>,
}

/// Seals outgoing frames.
pub trait Sealer: Send {
    /// Appends the body of the outer frame to `out`; `flags` are [`SEALED_MORE`] and [`SEALED_COMMAND`].
    fn seal(&mut self, flags: u8, body: &[u8], out: &mut Vec<u8>);
}

/// Opens incoming frames.
pub trait Opener: Send {
    /// The inner flags and payload of an outer frame's body.
    ///
    /// # Errors
    /// [`ProtocolError::BadSeal`] when it was not sealed by the peer, or was seen before.
    fn open(&mut self, body: &[u8]) -> Result<(u8, Frame), ProtocolError>;

    /// By how many bytes an outer body is longer than its payload.
    fn overhead(&self) -> usize;
}

//! ZMTP 3.1 as pure state machines: bytes in, bytes and messages out.
//!
//! Nothing here opens a socket, reads a clock or knows a runtime; time comes in as an `Instant`. ZMTP 3.0 and 2.0
//! peers are spoken to in their own dialect; ZMTP 1.0 peers are refused with [`ProtocolError::Version1Peer`].
//!
//! ```text
//!                 handshake (greeting, mechanism) --finish--> Established
//!                                                                 | split
//!  wire bytes --> decoder --> Inbound            Message --> encoder --> outbox --> wire bytes
//!                    |                                          ^
//!                    '-- any traffic, PING --> heartbeat -- SendPing
//! ```
//!
//! [`Engine`] ties the four together, for tests, fuzzing and as worked example.

mod decoder;
mod encoder;
mod engine;
mod error;
mod handshake;
mod heartbeat;
mod inbound;
pub mod mechanism;
mod outbox;
pub mod wire;

#[cfg(test)]
mod tests;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use engine::{Beats, Engine, Event};
pub use error::{Blame, ProtocolError};
pub use handshake::{Established, Handshake, HandshakeConfig, Progress};
pub use heartbeat::{Beat, Heartbeat};
pub use inbound::{Inbound, PingContext};
pub use mechanism::{CipherPair, Mechanism, Opener, PeerProperties, Sealer};
pub use outbox::Outbox;
pub use outbox::reclaim::{Outbound, Reclaimed};
pub use wire::{Metadata, Version};

//! Security mechanisms: what the two sides say between greeting and traffic, and how traffic is sealed.

#[allow(clippy::module_inception)]
mod mechanism;
mod null;
mod peer;
mod plain;

pub use mechanism::{
    Agreement, CipherPair, Mechanism, Opener, SEALED_COMMAND, SEALED_MORE, Sealer,
};
pub use null::Null;
pub use peer::{LocalProperties, PeerProperties};
pub use plain::{PlainClient, PlainServer};

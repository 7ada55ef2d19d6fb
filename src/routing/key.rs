//! What names a peer in this room.

/// Names a peer: small, dense, reused after the peer is gone (a slab index). Tables are indexed by it.
pub(crate) type Key = usize;

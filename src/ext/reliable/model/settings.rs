//! Bounds and times, and what a peer's queue looks like.

use std::time::Duration;

use super::ident::Ident;

/// Messages and bytes of content and properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Messages.
    pub messages: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Amount {
    /// So many of each.
    pub const fn new(messages: u64, bytes: u64) -> Self {
        Amount { messages, bytes }
    }

    pub(in crate::ext::reliable) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }

    pub(in crate::ext::reliable) fn sub(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes as u64);
    }

    /// Whether one more of this size stays within `limit`; one of any size does if there is nothing else.
    pub(in crate::ext::reliable) fn fits(&self, bytes: usize, limit: Amount) -> bool {
        self.messages < limit.messages
            && (self.bytes + bytes as u64 <= limit.bytes || self.messages == 0)
    }

    pub(in crate::ext::reliable) fn within(&self, limit: Amount) -> bool {
        self.messages <= limit.messages && self.bytes <= limit.bytes
    }
}

/// What happens to a letter for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// `send` waits, `try_send` gives it back.
    #[default]
    Wait,
    /// It is taken and dropped at once, with `DropReason::QueueFull` as its outcome.
    Drop,
}

/// Bounds and times of a messenger.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// What may wait for one peer, sent or not, in memory and in the store. Default: 1,000,000 messages, 1 GiB.
    pub queue: Amount,
    /// What may wait for all peers together. Default: 10,000,000 messages, 8 GiB.
    pub total: Amount,
    /// What happens beyond. Default: `send` waits.
    pub overflow: Overflow,
    /// How much of what is stored for one peer and priority is also held in memory. Default: 8,192 messages, 8 MiB.
    pub window: Amount,
    /// What may be on its way to one peer, unacknowledged. Default: 8,192 messages, 8 MiB.
    pub in_flight: Amount,
    /// What one peer may have sent that the application did not take (and acknowledge) yet; the peer waits then. Default:
    /// 16,384 messages, 16 MiB.
    pub inbox: Amount,
    /// The same of all peers together; each gets its share of what is left. Default: 262,144 messages, 256 MiB.
    pub inbox_total: Amount,
    /// Bytes of content and properties of one message, in both directions. Default: 64 MiB; at most 256 MiB.
    pub max_message: u64,
    /// Peers that are remembered: connected, or with something queued, or received from. Default: 65,536.
    pub max_peers: usize,
    /// How long an unanswered question of the protocol waits before it is asked again. Default: 1 s.
    pub retry: Duration,
    /// How long a newcomer with the ident of a connected peer waits for that one to show that it lives. Default: 3 s.
    pub liveness: Duration,
    /// How long acknowledgements and the like may wait for a commit to share. Default: 20 ms.
    pub lazy_commit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Settings {
            queue: Amount::new(1_000_000, 1024 * MIB),
            total: Amount::new(10_000_000, 8 * 1024 * MIB),
            overflow: Overflow::Wait,
            window: Amount::new(8_192, 8 * MIB),
            in_flight: Amount::new(8_192, 8 * MIB),
            inbox: Amount::new(16_384, 16 * MIB),
            inbox_total: Amount::new(262_144, 256 * MIB),
            max_message: 64 * MIB,
            max_peers: 65_536,
            retry: Duration::from_secs(1),
            liveness: Duration::from_secs(3),
            lazy_commit: Duration::from_millis(20),
        }
    }
}

/// One peer, as seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStatus {
    /// Its name.
    pub ident: Ident,
    /// Whether it is reachable.
    pub connected: bool,
    /// What waits for it and is not yet known to have arrived.
    pub queued: Amount,
    /// Of these, messages that are on their way.
    pub in_flight: u64,
    /// Of these, messages held back by their delay.
    pub delayed: u64,
    /// Of these, messages that are in the store alone and not in memory.
    pub spilled: u64,
    /// How long the oldest has waited (delayed ones aside).
    pub oldest: Option<Duration>,
    /// What came from it and was not taken and acknowledged yet.
    pub inbox: Amount,
    /// Messages that came more than once and were passed over.
    pub duplicates: u64,
}

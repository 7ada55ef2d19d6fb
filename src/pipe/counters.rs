//! Plain counters of one pipe or one socket. They live under the socket's lock, so they cost an add.

/// Why a message was dropped rather than delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The peer's queue was at its watermark (PUB, XPUB, XSUB and a reply to a full requester).
    Watermark,
    /// There is no such peer (ROUTER without `router_mandatory`, REP whose requester left).
    Unroutable,
    /// A peer's message had no valid envelope, or a request of the user's had none.
    Malformed,
    /// A newer message took its place (`conflate`).
    Replaced,
    /// A reply nobody waits for (REQ): late, or from another peer than the one asked.
    Unexpected,
    /// The link broke while the message was on its way into it, or the pipe ended with it inside.
    LinkLost,
    /// A subscription notification that the application did not read in time (XPUB).
    Notification,
    /// Sent upstream by a subscriber to a PUB, which cannot receive.
    Ignored,
    /// The linger time was over.
    Linger,
}

impl DropReason {
    /// Every reason, in the order of [`Drops::iter`].
    pub const ALL: [DropReason; 9] = [
        DropReason::Watermark,
        DropReason::Unroutable,
        DropReason::Malformed,
        DropReason::Replaced,
        DropReason::Unexpected,
        DropReason::LinkLost,
        DropReason::Notification,
        DropReason::Ignored,
        DropReason::Linger,
    ];
}

/// Dropped messages by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drops([u64; DropReason::ALL.len()]);

impl Drops {
    /// Messages dropped for `reason`.
    pub fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// Messages dropped for any reason.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Every reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL
            .iter()
            .map(|reason| (*reason, self.get(*reason)))
    }

    pub(crate) fn add(&mut self, reason: DropReason, count: u64) {
        self.0[reason as usize] += count;
    }

    pub(crate) fn merge(&mut self, other: &Drops) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

/// What went through one pipe (or, summed up, one socket).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    pub(crate) messages_in: u64,
    pub(crate) messages_out: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) reconnects: u64,
    pub(crate) drops: Drops,
}

impl Counters {
    pub(crate) fn merge(&mut self, other: &Counters) {
        self.messages_in += other.messages_in;
        self.messages_out += other.messages_out;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.reconnects += other.reconnects;
        self.drops.merge(&other.drops);
    }
}

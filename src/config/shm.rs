//! What a user can say about shared memory: whether, how much, and how long a waiting thread looks before it sleeps.
//!
//! What it is not: shared memory (`shm`), or how two processes agree on it (`transport/upgrade.rs`). Invariant:
//! plain data that means the same on every system; where there is no shared memory nobody reads it.

use std::time::Duration;

/// The READY property by which each end says that it can share memory. A user's metadata cannot have this name.
pub(crate) const SHM_PROPERTY: &str = "X-Taipan-Shm";

/// Shared memory behind `ipc://`; see [`Options::shared_memory`](super::Options::shared_memory).
///
/// Two processes of this library on one Linux machine move messages through memory instead of the Unix socket, if
/// both want it. Peers that do not (libzmq, another system) are talked to over the Unix socket as ever.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedMemory {
    /// Whether to use it. Default true.
    pub enabled: bool,
    /// What one link's messages wait in, for each direction, in bytes: a power of two from
    /// [`RING_MIN`](Self::RING_MIN) to [`RING_MAX`](Self::RING_MAX). Default 1 MiB.
    pub ring_bytes: usize,
    /// The memory from which the socket hands large messages to its peers without copying them for each, in bytes:
    /// whole pages of [`POOL_STEP`](Self::POOL_STEP) up to [`POOL_MAX`](Self::POOL_MAX), or 0 for none. This is
    /// address space; memory is used as far as it was touched. Made once a socket, when the first peer comes or the
    /// first [`loan`](crate::Socket::loan) is asked for; not at all by sockets that cannot send.
    /// Given to processes of the same user and of root only: who has it can read in it what is meant for others.
    /// Everybody else's large messages go through the ring. Default 64 MiB.
    pub pool_bytes: usize,
    /// What becomes of a large message while the pool has no room. Default [`PoolExhausted::Copy`].
    pub exhausted: PoolExhausted,
    /// Whether a received message may lie in the sender's memory instead of being copied out. Default
    /// [`Views::SameUser`].
    pub views: Views,
    /// With a mechanism that encrypts: whether messages may leave the encrypted stream, because whoever can read
    /// this machine's memory could read them anyway. Means nothing with NULL and PLAIN. Default false.
    pub trust_local_host: bool,
    /// The most shared memory taken from one peer, its ring and its pool together, in bytes. A peer that offers more
    /// stays on the Unix socket. Default 4 GiB.
    pub peer_bytes: u64,
}

impl SharedMemory {
    /// The smallest [`ring_bytes`](Self::ring_bytes): 64 KiB.
    pub const RING_MIN: usize = 64 * 1024;
    /// The largest [`ring_bytes`](Self::ring_bytes): 16 MiB.
    pub const RING_MAX: usize = 16 * 1024 * 1024;
    /// What [`pool_bytes`](Self::pool_bytes) are a multiple of: 4 KiB.
    pub const POOL_STEP: usize = 4096;
    /// The largest [`pool_bytes`](Self::pool_bytes): 64 GiB, or half the address space where that is less.
    pub const POOL_MAX: usize = {
        let half = isize::MAX as usize / Self::POOL_STEP * Self::POOL_STEP;
        let most = 64_u64 * 1024 * 1024 * 1024;
        if most > half as u64 {
            half
        } else {
            most as usize
        }
    };

    /// Shared memory switched off: `ipc://` stays on the Unix socket.
    pub fn off() -> Self {
        SharedMemory {
            enabled: false,
            ..SharedMemory::default()
        }
    }
}

impl Default for SharedMemory {
    fn default() -> Self {
        SharedMemory {
            enabled: true,
            ring_bytes: 1024 * 1024,
            pool_bytes: 64 * 1024 * 1024,
            exhausted: PoolExhausted::default(),
            views: Views::default(),
            trust_local_host: false,
            peer_bytes: 4 * 1024 * 1024 * 1024,
        }
    }
}

/// What becomes of a large message while the pool has no room; see [`SharedMemory::exhausted`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PoolExhausted {
    /// It is copied through the ring, in pieces if need be.
    #[default]
    Copy,
    /// It waits until its receiver gives memory back, as if that were full. What can never fit into the pool, and
    /// what goes to a receiver that has nothing to give back, is copied through the ring all the same.
    Wait,
}

/// Whether a received message may lie in the sender's memory; see [`SharedMemory::views`].
///
/// Reading in place saves a copy of each large message. It takes trust in the sender alone: it could change the
/// bytes while they are being read, which Rust does not allow for a `&[u8]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Views {
    /// From processes of the same user, who could as well be debugging this one.
    #[default]
    SameUser,
    /// From nobody: every message is copied once when it is received.
    Never,
    /// From everybody who is let in.
    Always,
}

/// How long a waiting caller looks for messages before it sleeps; see [`Options::spin`](super::Options::spin).
///
/// Waking a sleeping thread takes tens of microseconds, so a message that comes soon is had much earlier by looking.
/// The price is a processor that is busy meanwhile, and given away in between to whoever wants it. All links are looked
/// at: shared memory and in-process peers at the cost of some nanoseconds a look, streams at that of a system call, and
/// those only by callers that wait to receive. A [`Poller`](crate::Poller) does not look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Spin {
    /// Up to 50 us, in blocking calls and in async ones: less often where messages do not come that soon, and not at
    /// all on a machine with one processor.
    #[default]
    Auto,
    /// Not at all.
    Never,
    /// So long, up to one second; zero is [`Spin::Never`].
    UpTo(Duration),
}

impl Spin {
    /// The longest [`Spin::UpTo`].
    pub const LIMIT: Duration = Duration::from_secs(1);
}

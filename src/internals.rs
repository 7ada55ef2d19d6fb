//! The side door for fuzz targets and measurements: the protocol, and what routing decides by.
//!
//! Exists with the feature `internals` only and is not covered by semantic versioning: what is here may change
//! or go in any release. What it is not: a second way to use the library.

pub use crate::zmtp;

#[cfg(target_os = "linux")]
pub use crate::transport::shared::door::{SharedGot, SharedPeer, SharedRecord, SharedSide};
#[cfg(target_os = "linux")]
pub use upgrade::UpgradeSide;

use crate::routing::{FairQueue, LocalFilter, Removed, RoundRobin, TopicIndex};

/// The index a publisher keeps of its subscribers' topics.
#[derive(Debug, Default)]
pub struct Topics(TopicIndex);

impl Topics {
    /// A peer subscribes; whether the topic is new for it, and whether it is new at all.
    pub fn add(&mut self, topic: &[u8], peer: usize) -> (bool, bool) {
        let added = self.0.add(topic, peer);
        (added.new_for_key, added.new_topic)
    }

    /// A peer takes a subscription back; whether nobody is left, or `None` if it did not hold the topic.
    pub fn remove(&mut self, topic: &[u8], peer: usize) -> Option<bool> {
        match self.0.remove(topic, peer) {
            Removed::NotThere => None,
            Removed::OthersRemain => Some(false),
            Removed::LastOfAll => Some(true),
        }
    }

    /// A peer leaves; the topics it held, each with whether nobody is left.
    pub fn remove_peer(&mut self, peer: usize) -> Vec<(Vec<u8>, bool)> {
        let mut gone = Vec::new();
        self.0
            .remove_key(peer, |topic, last| gone.push((topic.to_vec(), last)));
        gone
    }

    /// The peers that get a message, in no order.
    pub fn matches(&mut self, message: &[u8]) -> Vec<usize> {
        let mut peers = Vec::new();
        self.0.matches(message, &mut peers);
        peers
    }

    /// As [`matches`](Self::matches), into a vector whose content is replaced.
    #[inline]
    pub fn matches_into(&mut self, message: &[u8], peers: &mut Vec<usize>) {
        self.0.matches(message, peers);
    }

    /// Whether one peer gets a message.
    pub fn holds(&self, message: &[u8], peer: usize) -> bool {
        self.0.holds(message, peer)
    }

    /// Different topics, and peers that hold at least one.
    pub fn counts(&self) -> (usize, usize) {
        (self.0.topic_count(), self.0.subscriber_count())
    }
}

/// The topics that a subscriber wants, counted.
#[derive(Debug, Default)]
pub struct Filter(LocalFilter);

impl Filter {
    /// One more subscription; whether it is the first of its topic.
    pub fn subscribe(&mut self, topic: &[u8]) -> bool {
        self.0.subscribe(topic)
    }

    /// One less; whether it was the last of its topic, or `None` if there was none.
    pub fn unsubscribe(&mut self, topic: &[u8]) -> Option<bool> {
        self.0.unsubscribe(topic)
    }

    /// Whether a message is wanted.
    #[inline]
    pub fn matches(&self, message: &[u8]) -> bool {
        self.0.matches(message)
    }

    /// Different topics.
    pub fn topic_count(&self) -> usize {
        self.0.topic_count()
    }
}

/// Whose turn it is to get a message.
#[derive(Debug, Default)]
pub struct SendTurns(RoundRobin);

impl SendTurns {
    /// A new peer, believed to have room.
    pub fn attach(&mut self, peer: usize) {
        self.0.attach(peer);
    }

    /// A peer has room again.
    #[inline]
    pub fn activate(&mut self, peer: usize) {
        self.0.activate(peer);
    }

    /// Offers one message in turn until `takes` says yes; who took it, or `None` if nobody has room.
    #[inline]
    pub fn offer(&mut self, mut takes: impl FnMut(usize) -> bool) -> Option<usize> {
        while let Some(peer) = self.0.turn() {
            if takes(peer) {
                self.0.taken();
                return Some(peer);
            }
            self.0.refused();
        }
        None
    }
}

/// Whose turn it is to be read.
#[derive(Debug, Default)]
pub struct ReadTurns(FairQueue);

impl ReadTurns {
    /// A new peer, believed to have something.
    pub fn attach(&mut self, peer: usize) {
        self.0.attach(peer);
    }

    /// A peer may have something again.
    #[inline]
    pub fn activate(&mut self, peer: usize) {
        self.0.activate(peer);
    }

    /// Asks the peers in turn until one yields something; who it was, or `None` if nobody has anything.
    #[inline]
    pub fn poll<T>(&mut self, try_one: impl FnMut(usize) -> Option<T>) -> Option<(usize, T)> {
        self.0.poll(try_one)
    }
}

#[cfg(target_os = "linux")]
mod upgrade {
    use crate::config::SocketKind;
    use crate::transport::UpgradeRefusal;
    use crate::transport::upgrade::{Arrived, Hello, Step, Terms, Upgrade};
    use crate::zmtp::ProtocolError;

    /// One side of the upgrade to shared memory, a PULL whose peer is a PUSH. What is a descriptor is up to the
    /// caller; memory is not made.
    pub struct UpgradeSide<F>(Upgrade<F>);

    impl<F> UpgradeSide<F> {
        /// A side that has its HELLO ready. It takes up to 4 GiB from its peer and has a ring of 1 MiB, whose
        /// segment begins with 0x10000 bytes.
        #[allow(clippy::new_without_default)]
        pub fn new() -> Self {
            UpgradeSide(Upgrade::new(Terms {
                hello: Hello {
                    page_size: 4096,
                    ring_bytes: 1 << 20,
                    pool_bytes: 1 << 26,
                    recv_hwm: 1000,
                    recv_hwm_bytes: 0,
                    ttl_ms: 0,
                    kind: SocketKind::Pull.number(),
                },
                segment_head: 0x10000,
                peer_bytes: 1 << 32,
                peer_kind: Some(SocketKind::Push),
            }))
        }

        /// Takes bytes, and descriptors that came with them.
        pub fn input(&mut self, bytes: &[u8], descriptors: Vec<F>) -> Result<(), ProtocolError> {
            self.0.input(Arrived {
                bytes,
                descriptors,
                cut: false,
            })
        }

        /// Bytes to read without reading past the next command.
        pub fn wants(&self) -> usize {
            self.0.wants()
        }

        /// Does what is to be done until more has to be read: writes, says that it has made its memory, and adopts
        /// what is offered. Returns what it writes and the descriptors it adopts.
        pub fn run(&mut self) -> (Vec<u8>, Vec<F>) {
            let (mut written, mut adopted) = (Vec::new(), Vec::new());
            loop {
                match self.0.step() {
                    Step::Write => {
                        let bytes = self.0.output().map(|(bytes, _)| bytes.to_vec());
                        let bytes = bytes.unwrap_or_default();
                        self.0.consume_output(bytes.len());
                        written.extend_from_slice(&bytes);
                    }
                    Step::Make => self.0.made(0x10000 + (1 << 20), 1 << 26),
                    Step::Adopt => {
                        let offer = self.0.take_offer();
                        adopted.extend(offer.into_iter().flat_map(|offer| {
                            let pool = offer.pool.map(|(descriptor, _)| descriptor);
                            [offer.segment.0].into_iter().chain(pool)
                        }));
                        self.0.adopted();
                    }
                    Step::Read | Step::Over => return (written, adopted),
                }
            }
        }

        /// Whether shared memory is agreed on; `None` before the end.
        pub fn outcome(&self) -> Option<Result<(), UpgradeRefusal>> {
            self.0.outcome()
        }

        /// What came behind the last command.
        pub fn into_leftover(self) -> Vec<u8> {
            self.0.into_leftover()
        }
    }
}

//! The side door for fuzz targets and measurements: the protocol, and what routing decides by.
//!
//! Exists with the feature `internals` only and is not covered by semantic versioning: what is here may change
//! or go in any release. What it is not: a second way to use the library.

pub use crate::zmtp;

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

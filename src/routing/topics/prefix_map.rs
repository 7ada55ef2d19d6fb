//! Values stored under topics, found by every topic that is a prefix of a given string.
//!
//! What it is: the one structure under [`TopicIndex`](super::TopicIndex) and [`LocalFilter`](super::LocalFilter). It is
//! not a map with a public face: ids of nodes are handed out, and stay valid until the node is removed.
//!
//! While there are few topics they are compared one by one. Otherwise the string is hashed once, from its start, and
//! looked up at each length that some topic has: the cost depends on how many lengths there are, not on how many
//! topics. (A radix tree was measured against it: with a million topics of one length a match took it four times as long,
//! cold and warm; with 15 lengths it was mostly ahead, up to twice as fast.) The hash is keyed, since peers choose topics.
//!
//! ```text
//!   "abcde"   lengths: 1 3 5      hash("a")--+   hash("abc")--+   hash("abcde")--+     one pass over the bytes
//!                                            v                v                  v
//!                                 heads: hash -> node (topic, value) -next-> node with the same hash
//! ```
//!
//! Invariants: every node is in the chain that its hash heads; `lengths` counts the topics of each length, ascending,
//! without zeros; `few` names all nodes until there were more than [`FEW`], and is then gone
//! until the map is empty again.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use slab::Slab;

use super::topic_bytes::TopicBytes;

/// Names a node. Valid until it is removed; 32 bits, so that lists of them stay small.
pub(super) type NodeId = u32;

/// Up to so many topics are compared one by one.
const FEW: usize = 4;

#[derive(Debug)]
struct Node<V> {
    topic: TopicBytes,
    /// The next topic with the same hash: practically never.
    next: Option<NodeId>,
    value: V,
}

#[derive(Debug, Clone, Copy)]
struct Length {
    bytes: usize,
    topics: usize,
}

#[derive(Debug)]
pub(super) struct PrefixMap<V, S = RandomState> {
    nodes: Slab<Node<V>>,
    heads: HashMap<u64, NodeId, BuildHasherDefault<Hashed>>,
    lengths: Vec<Length>,
    few: Option<Vec<NodeId>>,
    keyed: S,
}

impl<V, S: BuildHasher + Default> Default for PrefixMap<V, S> {
    fn default() -> Self {
        Self {
            nodes: Slab::new(),
            heads: HashMap::default(),
            lengths: Vec::new(),
            few: Some(Vec::new()),
            keyed: S::default(),
        }
    }
}

impl<V, S: BuildHasher> PrefixMap<V, S> {
    /// How many topics there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node of exactly this topic.
    pub(super) fn find(&self, topic: &[u8]) -> Option<NodeId> {
        self.lookup(self.hash(topic), topic)
    }

    /// The value of a node.
    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut V> {
        self.nodes.get_mut(id as usize).map(|node| &mut node.value)
    }

    /// The topic of a node.
    pub(super) fn topic(&self, id: NodeId) -> &[u8] {
        self.nodes
            .get(id as usize)
            .map_or(&[], |node| node.topic.as_slice())
    }

    /// The nodes, in no particular order.
    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().map(|(id, _)| id as NodeId)
    }

    /// Stores a value under a topic that is not there yet, and returns its node.
    pub(super) fn insert(&mut self, topic: &[u8], value: V) -> NodeId {
        let hash = self.hash(topic);
        let next = self.heads.get(&hash).copied();
        let id = self.nodes.insert(Node {
            topic: TopicBytes::new(topic),
            next,
            value,
        }) as NodeId;
        self.heads.insert(hash, id);
        if let Some(few) = &mut self.few {
            few.push(id);
        }
        if self.nodes.len() > FEW {
            self.few = None;
        }
        match self
            .lengths
            .binary_search_by_key(&topic.len(), |length| length.bytes)
        {
            Ok(at) => self.lengths[at].topics += 1,
            Err(at) => self.lengths.insert(
                at,
                Length {
                    bytes: topic.len(),
                    topics: 1,
                },
            ),
        }
        id
    }

    /// Removes a node.
    pub(super) fn remove(&mut self, id: NodeId) -> Option<V> {
        let node = self.nodes.try_remove(id as usize)?;
        let topic = node.topic.as_slice();
        self.unlink(self.hash(topic), id, node.next);
        if let Ok(at) = self
            .lengths
            .binary_search_by_key(&topic.len(), |length| length.bytes)
        {
            self.lengths[at].topics -= 1;
            if self.lengths[at].topics == 0 {
                self.lengths.remove(at);
            }
        }
        if let Some(few) = &mut self.few {
            few.retain(|listed| *listed != id);
        }
        if self.nodes.is_empty() {
            // Starts afresh, and gives back the memory that a million topics took.
            self.nodes = Slab::new();
            self.heads = HashMap::default();
            self.few = Some(Vec::new());
        }
        Some(node.value)
    }

    /// Shows `found` the value of every topic that `string` begins with, until it says true; then so does this.
    #[inline]
    pub(super) fn any_prefix(&self, string: &[u8], mut found: impl FnMut(&V) -> bool) -> bool {
        if let Some(few) = &self.few {
            let mut listed = few.iter().filter_map(|&id| self.nodes.get(id as usize));
            return listed
                .any(|node| string.starts_with(node.topic.as_slice()) && found(&node.value));
        }
        let mut hasher = self.keyed.build_hasher();
        let mut hashed = 0;
        for length in &self.lengths {
            let Some(prefix) = string.get(..length.bytes) else {
                break;
            };
            hasher.write(&prefix[hashed..]);
            hashed = length.bytes;
            if let Some(id) = self.lookup(hasher.finish(), prefix)
                && found(&self.nodes[id as usize].value)
            {
                return true;
            }
        }
        false
    }

    fn hash(&self, topic: &[u8]) -> u64 {
        let mut hasher = self.keyed.build_hasher();
        hasher.write(topic);
        hasher.finish()
    }

    #[inline]
    fn lookup(&self, hash: u64, topic: &[u8]) -> Option<NodeId> {
        let mut at = self.heads.get(&hash).copied();
        while let Some(id) = at {
            let node = &self.nodes[id as usize];
            if node.topic.as_slice() == topic {
                return Some(id);
            }
            at = node.next;
        }
        None
    }

    /// Takes a removed node out of its chain.
    fn unlink(&mut self, hash: u64, id: NodeId, next: Option<NodeId>) {
        let Some(&head) = self.heads.get(&hash) else {
            return;
        };
        if head == id {
            match next {
                Some(next) => self.heads.insert(hash, next),
                None => self.heads.remove(&hash),
            };
            return;
        }
        let mut at = Some(head);
        while let Some(node) = at.and_then(|at| self.nodes.get_mut(at as usize)) {
            if node.next == Some(id) {
                node.next = next;
                return;
            }
            at = node.next;
        }
    }
}

/// Passes on what is a good hash already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A hash so weak that most topics share a chain.
    #[derive(Debug, Default)]
    struct Weak(u64);

    impl Hasher for Weak {
        fn write(&mut self, bytes: &[u8]) {
            self.0 += bytes.iter().map(|&byte| u64::from(byte & 1)).sum::<u64>();
        }

        fn finish(&self) -> u64 {
            self.0
        }
    }

    fn below<S: BuildHasher>(map: &PrefixMap<u32, S>, string: &[u8]) -> Vec<u32> {
        let mut found = Vec::new();
        assert!(!map.any_prefix(string, |value| {
            found.push(*value);
            false
        }));
        found.sort_unstable();
        found
    }

    #[test]
    fn the_search_ends_with_the_first_that_is_good_enough() {
        for more in [0, 20] {
            let mut map = PrefixMap::<u32>::default();
            map.insert(b"", 1);
            map.insert(b"a", 2);
            for i in 0..more {
                map.insert(format!("other {i}").as_bytes(), 9);
            }
            let mut seen = 0;
            assert!(map.any_prefix(b"abc", |_| {
                seen += 1;
                true
            }));
            assert_eq!(seen, 1);
        }
    }

    #[test]
    fn long_topics_and_many_lengths_are_found() {
        let string: Vec<u8> = (0..=255).collect();
        let mut map = PrefixMap::<u32>::default();
        for len in 0..=256u32 {
            map.insert(&string[..len as usize], len);
        }
        assert_eq!(below(&map, &string[..100]), (0..=100).collect::<Vec<_>>());
        assert_eq!(below(&map, b"\x00\x02"), [0, 1]);
        for id in map.ids().collect::<Vec<_>>() {
            map.remove(id);
        }
        assert!(below(&map, &string).is_empty());
        assert_eq!(
            (map.nodes.capacity(), map.heads.len(), map.lengths.len()),
            (0, 0, 0)
        );
    }

    fn agrees<S: BuildHasher + Default>(ops: &[(bool, Vec<u8>)]) {
        let mut map = PrefixMap::<u32, S>::default();
        let mut oracle = BTreeMap::new();
        for (step, (insert, topic)) in ops.iter().enumerate() {
            match map.find(topic) {
                None if *insert => {
                    map.insert(topic, step as u32);
                    assert_eq!(oracle.insert(topic.clone(), step as u32), None);
                }
                Some(id) if !insert => {
                    assert_eq!(map.topic(id), topic);
                    assert_eq!(map.remove(id), oracle.remove(topic));
                }
                found => assert_eq!(found.is_some(), oracle.contains_key(topic)),
            }
            assert_eq!(map.len(), oracle.len());
            let mut want: Vec<u32> = (0..=topic.len())
                .filter_map(|n| oracle.get(&topic[..n]).copied())
                .collect();
            want.sort_unstable();
            assert_eq!(below(&map, topic), want);
        }
        let mut topics: Vec<Vec<u8>> = map.ids().map(|id| map.topic(id).to_vec()).collect();
        topics.sort();
        assert_eq!(topics, oracle.into_keys().collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_map(ops in prop::collection::vec(
            (prop::bool::weighted(0.6), prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 255]), 0..5)),
            0..200,
        )) {
            agrees::<RandomState>(&ops);
            agrees::<BuildHasherDefault<Weak>>(&ops);
        }
    }
}

//! Who subscribed to what: the index a publisher keeps of its subscribers' topics.
//!
//! What it is: topics (byte prefixes) to sets of peers, and back. It is not a counter: one peer holds a topic once however
//! often it asked, because subscribers count on their own side and cancel once, when their last interest ends.
//!
//! Invariants: `held[key]` lists the nodes of the topics that `key` holds, and the entry of `key` at each of these nodes
//! names its position in that list; the entries of a node are sorted by key. What matching costs does not depend on the
//! number of topics (see `prefix_map.rs`); removing a peer costs its own topics only.
//!
//! ```text
//!   topics:      "a" -> [key 1 @0, key 4 @0]      "ab" -> [key 4 @1]
//!   held:        1: ["a"]     4: ["a", "ab"]      matches("abc") = {1, 4}
//! ```

use super::prefix_map::{NodeId, PrefixMap};
use crate::routing::key::Key;

/// What adding a subscription changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Added {
    /// This peer did not hold the topic yet.
    pub new_for_key: bool,
    /// Nobody held the topic yet.
    pub new_topic: bool,
}

/// What removing a subscription changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removed {
    /// The peer did not hold the topic.
    NotThere,
    /// The peer no longer holds it; others do.
    OthersRemain,
    /// Nobody holds it any more.
    LastOfAll,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: Key,
    place: u32,
}

#[derive(Debug)]
enum Holders {
    One(Entry),
    Many(Vec<Entry>),
}

/// Topics and the peers that hold them.
#[derive(Debug, Default)]
pub(crate) struct TopicIndex {
    topics: PrefixMap<Holders>,
    held: Vec<Vec<NodeId>>,
    subscribers: usize,
    marks: Vec<u32>,
    epoch: u32,
}

impl TopicIndex {
    /// No subscriptions.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// How many different topics somebody holds.
    pub(crate) fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// How many peers hold at least one topic.
    pub(crate) fn subscriber_count(&self) -> usize {
        self.subscribers
    }

    /// `key` subscribes to every message whose first frame begins with `topic`.
    pub(crate) fn add(&mut self, topic: &[u8], key: Key) -> Added {
        if self.held.len() <= key {
            self.held.resize_with(key + 1, Vec::new);
            self.marks.resize(key + 1, self.epoch);
        }
        let entry = Entry {
            key,
            place: self.held[key].len() as u32,
        };
        let Some(id) = self.topics.find(topic) else {
            let id = self.topics.insert(topic, Holders::One(entry));
            self.hold(key, id);
            return Added {
                new_for_key: true,
                new_topic: true,
            };
        };
        let new_for_key = self
            .topics
            .get_mut(id)
            .is_some_and(|holders| holders.insert(entry));
        if new_for_key {
            self.hold(key, id);
        }
        Added {
            new_for_key,
            new_topic: false,
        }
    }

    /// `key` gives up `topic`.
    pub(crate) fn remove(&mut self, topic: &[u8], key: Key) -> Removed {
        let Some(id) = self.topics.find(topic) else {
            return Removed::NotThere;
        };
        let Some(place) = self
            .topics
            .get_mut(id)
            .and_then(|holders| holders.place(key))
            .map(|place| *place)
        else {
            return Removed::NotThere;
        };
        let list = &mut self.held[key];
        list.swap_remove(place as usize);
        self.subscribers -= usize::from(list.is_empty());
        if let Some(&moved) = list.get(place as usize)
            && let Some(slot) = self
                .topics
                .get_mut(moved)
                .and_then(|holders| holders.place(key))
        {
            *slot = place;
        }
        if self.release(id, key) {
            Removed::LastOfAll
        } else {
            Removed::OthersRemain
        }
    }

    /// The peer is gone: `on_topic(topic, last)` is told every topic it held, and whether nobody holds it any more.
    pub(crate) fn remove_key(&mut self, key: Key, mut on_topic: impl FnMut(&[u8], bool)) {
        let Some(list) = self.held.get_mut(key).map(std::mem::take) else {
            return;
        };
        self.subscribers -= usize::from(!list.is_empty());
        let mut path = Vec::new();
        for id in list {
            path.clear();
            path.extend_from_slice(self.topics.topic(id));
            let last = self.release(id, key);
            on_topic(&path, last);
        }
    }

    /// Replaces the content of `out` by the peers that hold a prefix of `topic`, each once.
    #[inline]
    pub(crate) fn matches(&mut self, topic: &[u8], out: &mut Vec<Key>) {
        out.clear();
        let mut contributions = 0;
        self.topics.any_prefix(topic, |holders| {
            contributions += 1;
            match holders {
                Holders::One(entry) => out.push(entry.key),
                Holders::Many(entries) => out.extend(entries.iter().map(|entry| entry.key)),
            }
            false
        });
        if contributions > 1 {
            self.unique(out);
        }
    }

    /// Whether `key` holds a prefix of `topic`.
    pub(crate) fn holds(&self, topic: &[u8], key: Key) -> bool {
        self.topics.any_prefix(topic, |holders| match holders {
            Holders::One(entry) => entry.key == key,
            Holders::Many(entries) => entries
                .binary_search_by_key(&key, |entry| entry.key)
                .is_ok(),
        })
    }

    fn hold(&mut self, key: Key, id: NodeId) {
        let list = &mut self.held[key];
        self.subscribers += usize::from(list.is_empty());
        list.push(id);
    }

    /// Keeps the first of each key: a key is marked with the number of this call when it is met.
    fn unique(&mut self, keys: &mut Vec<Key>) {
        if self.epoch == u32::MAX {
            self.marks.fill(0);
            self.epoch = 0;
        }
        self.epoch += 1;
        let (marks, epoch) = (&mut self.marks, self.epoch);
        keys.retain(|&key| std::mem::replace(&mut marks[key], epoch) != epoch);
    }

    /// Takes `key` from the holders of a node; true if nobody is left there.
    fn release(&mut self, id: NodeId, key: Key) -> bool {
        let Some(holders) = self.topics.get_mut(id) else {
            return false;
        };
        let last = holders.remove(key);
        if last {
            self.topics.remove(id);
        }
        last
    }
}

impl Holders {
    fn place(&mut self, key: Key) -> Option<&mut u32> {
        match self {
            Self::One(entry) => (entry.key == key).then_some(&mut entry.place),
            Self::Many(entries) => {
                let at = entries.binary_search_by_key(&key, |entry| entry.key).ok()?;
                Some(&mut entries[at].place)
            }
        }
    }

    /// False if the key was there.
    fn insert(&mut self, new: Entry) -> bool {
        match self {
            Self::One(old) if old.key == new.key => false,
            Self::One(old) => {
                let mut pair = vec![*old, new];
                pair.sort_unstable_by_key(|entry| entry.key);
                *self = Self::Many(pair);
                true
            }
            Self::Many(entries) => {
                match entries.binary_search_by_key(&new.key, |entry| entry.key) {
                    Ok(_) => false,
                    Err(at) => {
                        entries.insert(at, new);
                        true
                    }
                }
            }
        }
    }

    /// True if nobody is left; then the node must go.
    fn remove(&mut self, key: Key) -> bool {
        let Self::Many(entries) = self else {
            return true;
        };
        if let Ok(at) = entries.binary_search_by_key(&key, |entry| entry.key) {
            entries.remove(at);
        }
        if let [last] = entries[..] {
            *self = Self::One(last);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn matching(index: &mut TopicIndex, topic: &[u8]) -> Vec<Key> {
        let mut out = vec![77];
        index.matches(topic, &mut out);
        out.sort_unstable();
        out
    }

    #[test]
    fn a_prefix_matches_and_the_empty_one_matches_all() {
        let mut index = TopicIndex::new();
        index.add(b"weather", 1);
        index.add(b"", 2);
        assert_eq!(matching(&mut index, b"weather.rome"), [1, 2]);
        assert_eq!(matching(&mut index, b"weathe"), [2]);
        assert_eq!(matching(&mut index, b""), [2]);
        assert_eq!(index.topic_count(), 2);
    }

    #[test]
    fn several_matching_subscriptions_of_one_peer_yield_it_once() {
        let mut index = TopicIndex::new();
        for topic in ["", "a", "ab", "abc"] {
            index.add(topic.as_bytes(), 3);
        }
        index.add(b"ab", 1);
        assert_eq!(matching(&mut index, b"abcd"), [1, 3]);
        index.epoch = u32::MAX;
        assert_eq!(matching(&mut index, b"abcd"), [1, 3]);
    }

    #[test]
    fn adding_and_removing_tell_firsts_and_lasts() {
        let mut index = TopicIndex::new();
        assert_eq!(
            index.add(b"t", 0),
            Added {
                new_for_key: true,
                new_topic: true
            }
        );
        assert_eq!(
            index.add(b"t", 0),
            Added {
                new_for_key: false,
                new_topic: false
            }
        );
        assert_eq!(
            index.add(b"t", 1),
            Added {
                new_for_key: true,
                new_topic: false
            }
        );
        assert_eq!(index.remove(b"t", 2), Removed::NotThere);
        assert_eq!(index.remove(b"u", 0), Removed::NotThere);
        assert_eq!(index.remove(b"t", 0), Removed::OthersRemain);
        assert_eq!(index.remove(b"t", 0), Removed::NotThere);
        assert_eq!(index.remove(b"t", 1), Removed::LastOfAll);
        assert_eq!(index.topic_count(), 0);
    }

    #[test]
    fn a_peer_that_goes_gives_up_all_its_topics() {
        let mut index = TopicIndex::new();
        for topic in ["a", "ab", "b"] {
            index.add(topic.as_bytes(), 0);
        }
        index.add(b"ab", 1);
        let mut told = Vec::new();
        index.remove_key(0, |topic, last| told.push((topic.to_vec(), last)));
        assert_eq!(
            told,
            [
                (b"a".to_vec(), true),
                (b"ab".to_vec(), false),
                (b"b".to_vec(), true)
            ]
        );
        index.remove_key(0, |_, _| panic!("nothing is left to tell"));
        index.remove_key(9, |_, _| panic!("never seen"));
        assert_eq!(matching(&mut index, b"abc"), [1]);
        assert!(index.holds(b"abc", 1) && !index.holds(b"abc", 0) && !index.holds(b"a", 1));
    }

    #[derive(Debug, Clone)]
    enum Op {
        Add(Vec<u8>, Key),
        Remove(Vec<u8>, Key),
        RemoveKey(Key),
        Match(Vec<u8>),
    }

    fn op() -> impl Strategy<Value = Op> {
        let topic = || prop::collection::vec(prop::sample::select(vec![0u8, 1, 255]), 0..6);
        prop_oneof![
            5 => (topic(), 0..5usize).prop_map(|(t, k)| Op::Add(t, k)),
            3 => (topic(), 0..5usize).prop_map(|(t, k)| Op::Remove(t, k)),
            1 => (0..5usize).prop_map(Op::RemoveKey),
            4 => topic().prop_map(Op::Match),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_list_of_topics(ops in prop::collection::vec(op(), 0..300)) {
            let mut index = TopicIndex::new();
            let mut oracle: BTreeMap<Vec<u8>, BTreeSet<Key>> = BTreeMap::new();
            for op in ops {
                match op {
                    Op::Add(topic, key) => {
                        let new_topic = !oracle.contains_key(&topic);
                        let new_for_key = oracle.entry(topic.clone()).or_default().insert(key);
                        prop_assert_eq!(index.add(&topic, key), Added { new_for_key, new_topic });
                    }
                    Op::Remove(topic, key) => {
                        let was = oracle.get_mut(&topic).is_some_and(|keys| keys.remove(&key));
                        let empty = oracle.get(&topic).is_some_and(BTreeSet::is_empty);
                        if empty { oracle.remove(&topic); }
                        let want = match (was, empty) {
                            (false, _) => Removed::NotThere,
                            (true, false) => Removed::OthersRemain,
                            (true, true) => Removed::LastOfAll,
                        };
                        prop_assert_eq!(index.remove(&topic, key), want);
                    }
                    Op::RemoveKey(key) => {
                        let mut told = BTreeMap::new();
                        index.remove_key(key, |topic, last| { told.insert(topic.to_vec(), last); });
                        let mut want = BTreeMap::new();
                        for (topic, keys) in &mut oracle {
                            if keys.remove(&key) { want.insert(topic.clone(), keys.is_empty()); }
                        }
                        oracle.retain(|_, keys| !keys.is_empty());
                        prop_assert_eq!(told, want);
                    }
                    Op::Match(topic) => {
                        let want: BTreeSet<Key> = oracle.iter().filter(|(t, _)| topic.starts_with(t))
                            .flat_map(|(_, keys)| keys.iter().copied()).collect();
                        prop_assert_eq!(matching(&mut index, &topic), want.iter().copied().collect::<Vec<_>>());
                        for key in 0..5 {
                            prop_assert_eq!(index.holds(&topic, key), want.contains(&key));
                        }
                    }
                }
                prop_assert_eq!(index.topic_count(), oracle.len());
                let holders: BTreeSet<Key> = oracle.values().flatten().copied().collect();
                prop_assert_eq!(index.subscriber_count(), holders.len());
            }
        }
    }
}

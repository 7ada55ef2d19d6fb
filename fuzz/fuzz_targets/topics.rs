//! The publisher's index and the subscriber's filter against maps that anybody can check by eye.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use taipan::internals::{Filter, Topics};

#[derive(Arbitrary, Debug)]
enum Operation<'a> {
    Add(&'a [u8], u8),
    Remove(&'a [u8], u8),
    RemovePeer(u8),
    Matches(&'a [u8]),
}

const PEERS: usize = 9;

fuzz_target!(|operations: Vec<Operation<'_>>| {
    let mut topics = Topics::default();
    let mut naive: BTreeMap<&[u8], BTreeSet<usize>> = BTreeMap::new();
    let mut filter = Filter::default();
    let mut counts: BTreeMap<&[u8], u32> = BTreeMap::new();
    for operation in operations {
        match operation {
            Operation::Add(topic, peer) => {
                let peer = peer as usize % PEERS;
                let new_topic = !naive.contains_key(topic);
                let new_for_peer = naive.entry(topic).or_default().insert(peer);
                assert_eq!(topics.add(topic, peer), (new_for_peer, new_topic));
                let count = counts.entry(topic).or_default();
                *count += 1;
                assert_eq!(filter.subscribe(topic), *count == 1);
            }
            Operation::Remove(topic, peer) => {
                let peer = peer as usize % PEERS;
                let held = naive
                    .get_mut(topic)
                    .is_some_and(|peers| peers.remove(&peer));
                let empty = naive.get(topic).is_some_and(BTreeSet::is_empty);
                if empty {
                    naive.remove(topic);
                }
                assert_eq!(topics.remove(topic, peer), held.then_some(empty));
                let left = counts.get_mut(topic).map(|count| {
                    *count -= 1;
                    *count
                });
                if left == Some(0) {
                    counts.remove(topic);
                }
                assert_eq!(filter.unsubscribe(topic), left.map(|left| left == 0));
            }
            Operation::RemovePeer(peer) => {
                let peer = peer as usize % PEERS;
                let mut expected = Vec::new();
                naive.retain(|topic, peers| {
                    if peers.remove(&peer) {
                        expected.push((topic.to_vec(), peers.is_empty()));
                    }
                    !peers.is_empty()
                });
                let mut gone = topics.remove_peer(peer);
                gone.sort();
                assert_eq!(gone, expected);
            }
            Operation::Matches(message) => {
                let prefixes = naive.iter().filter(|(topic, _)| message.starts_with(topic));
                let expected: BTreeSet<usize> = prefixes
                    .flat_map(|(_, peers)| peers.iter().copied())
                    .collect();
                let mut peers = topics.matches(message);
                peers.sort_unstable();
                assert!(
                    peers.iter().eq(&expected),
                    "{peers:?} instead of {expected:?}"
                );
                for peer in 0..PEERS {
                    assert_eq!(topics.holds(message, peer), expected.contains(&peer));
                }
                assert_eq!(
                    filter.matches(message),
                    counts.keys().any(|topic| message.starts_with(topic))
                );
            }
        }
        let subscribers: BTreeSet<_> = naive.values().flatten().collect();
        assert_eq!(topics.counts(), (naive.len(), subscribers.len()));
        assert_eq!(filter.topic_count(), counts.len());
    }
});

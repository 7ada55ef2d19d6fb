//! Subscriptions: finding who wants a message, and keeping the list: `cargo bench --features internals --bench topics`.
//!
//! With 1, 100, 10,000 and 1,000,000 topics held, spread over 16 peers:
//! - `match, one length`: a publisher looks for the peers that want a message; every topic has the same length and every
//!   second message is wanted. The messages are in no order and as many as the topics, up to 65,536, so that large
//!   indices are met cold, as in use. `match, 16 lengths`: the same with topics of 16 different lengths.
//! - `filter`: the same question asked by a subscriber of its own list.
//! - `subscribe and unsubscribe`: one more topic, and its end, beside those that are held.
//! - `leave`: a peer with 100 topics of its own goes (it comes again outside of the time that is taken).
//!
//! Throughput is in messages, or topics. No message is sent and no lock taken; the bytes of a subscription on the wire
//! and their decoding are not in it.

mod common;

use std::hint::black_box;

use common::quick;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use taipan::internals::{Filter, Topics};

const HELD: [usize; 4] = [1, 100, 10_000, 1_000_000];
const PEERS: usize = 16;
const MESSAGES: usize = 65_536;
const BATCH: usize = 512;

/// Topics of 16 bytes.
fn one_length(index: usize) -> Vec<u8> {
    format!("stock/{index:09}/").into_bytes()
}

/// Topics of 16 to 31 bytes.
fn many_lengths(index: usize) -> Vec<u8> {
    let mut topic = one_length(index);
    topic.extend(std::iter::repeat_n(b'x', index % 16));
    topic
}

/// What a message of a topic begins with.
fn message(topic: Vec<u8>) -> Vec<u8> {
    [topic, b"and a payload".to_vec()].concat()
}

fn index_of(held: usize, topic: fn(usize) -> Vec<u8>) -> Topics {
    let mut topics = Topics::default();
    for index in 0..held {
        topics.add(&topic(index), index % PEERS);
    }
    topics
}

/// Wanted and unwanted messages in turn, the topics in an order that is the same every time and has no other rule.
fn messages(held: usize, topic: fn(usize) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut state = 1_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    (0..held.clamp(2, MESSAGES))
        .map(|at| message(topic(random() % held + (at % 2) * held)))
        .collect()
}

/// Goes round the messages a batch at a time.
fn round<'a>(messages: &'a [Vec<u8>], at: &mut usize) -> impl Iterator<Item = &'a [u8]> {
    let from = *at;
    *at = (from + BATCH) % messages.len();
    (from..from + BATCH).map(move |at| &messages[at % messages.len()][..])
}

fn matching(criterion: &mut Criterion, name: &str, topic: fn(usize) -> Vec<u8>) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(BATCH as u64));
    for held in HELD {
        let mut topics = index_of(held, topic);
        assert_eq!(topics.counts(), (held, held.min(PEERS)), "all are held");
        let messages = messages(held, topic);
        assert_eq!(topics.matches(&messages[0]).len(), 1, "wanted by one peer");
        assert!(topics.matches(&messages[1]).is_empty(), "wanted by nobody");
        let mut at = 0;
        let mut peers = Vec::new();
        group.bench_function(BenchmarkId::from_parameter(held), |bencher| {
            bencher.iter(|| {
                for message in round(&messages, &mut at) {
                    topics.matches_into(message, &mut peers);
                    black_box(&peers);
                }
            });
        });
    }
    group.finish();
}

fn one(criterion: &mut Criterion) {
    matching(criterion, "match, one length", one_length);
}

fn many(criterion: &mut Criterion) {
    matching(criterion, "match, 16 lengths", many_lengths);
}

fn filter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("filter");
    group.throughput(Throughput::Elements(BATCH as u64));
    for held in HELD {
        let mut filter = Filter::default();
        for index in 0..held {
            filter.subscribe(&one_length(index));
        }
        let messages = messages(held, one_length);
        assert!(filter.matches(&messages[0]), "wanted");
        assert!(!filter.matches(&messages[1]), "unwanted");
        let mut at = 0;
        group.bench_function(BenchmarkId::from_parameter(held), |bencher| {
            bencher.iter(|| {
                for message in round(&messages, &mut at) {
                    black_box(filter.matches(message));
                }
            });
        });
    }
    group.finish();
}

fn changes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("change");
    for held in HELD {
        let mut topics = index_of(held, one_length);
        let new: Vec<_> = (held..held + BATCH).map(one_length).collect();
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function(
            BenchmarkId::new("subscribe and unsubscribe", held),
            |bencher| {
                bencher.iter(|| {
                    for topic in &new {
                        black_box(topics.add(topic, 0));
                    }
                    for topic in &new {
                        black_box(topics.remove(topic, 0));
                    }
                });
            },
        );
        assert_eq!(topics.counts().0, held, "as many as before");
        leave(&mut group, &mut topics, held);
    }
    group.finish();
}

fn leave(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    topics: &mut Topics,
    held: usize,
) {
    const OWN: usize = 100;
    let own: Vec<_> = (held..held + OWN).map(one_length).collect();
    let topics = std::cell::RefCell::new(topics);
    let come = || {
        for topic in &own {
            topics.borrow_mut().add(topic, PEERS);
        }
    };
    group.throughput(Throughput::Elements(OWN as u64));
    group.bench_function(BenchmarkId::new("leave", held), |bencher| {
        bencher.iter_batched(
            come,
            |()| topics.borrow_mut().remove_peer(PEERS),
            BatchSize::PerIteration,
        );
    });
    assert_eq!(topics.borrow().counts().0, held, "as many as before");
}

fn main() {
    let mut criterion = quick().configure_from_args();
    one(&mut criterion);
    many(&mut criterion);
    filter(&mut criterion);
    changes(&mut criterion);
    criterion.final_summary();
}

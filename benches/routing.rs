//! Taking turns among 1, 8 and 64 peers: `cargo bench --features internals --bench routing`.
//!
//! - `round robin`: whose turn it is to get a message, as PUSH, DEALER and REQ ask; `fair queue`: whose turn it is to be
//!   read, as PULL, ROUTER and the rest ask.
//! - `all ready`: every peer takes, or has, a message whenever it is asked.
//! - `coming and going`: the first peer that is asked has no room, or nothing, and becomes passive; the next one takes
//!   or has a message (a lone peer has no next one); then the passive one is activated.
//!
//! The peers are numbers: no lane, no message and no lock is touched, only the policy. Throughput is in turns.

mod common;

use std::hint::black_box;

use common::quick;
use criterion::{BenchmarkId, Criterion, Throughput};
use taipan::internals::{ReadTurns, SendTurns};

const PEERS: [usize; 3] = [1, 8, 64];
const TURNS: usize = 1024;

fn senders(peers: usize) -> SendTurns {
    let mut turns = SendTurns::default();
    (0..peers).for_each(|peer| turns.attach(peer));
    turns
}

fn readers(peers: usize) -> ReadTurns {
    let mut turns = ReadTurns::default();
    (0..peers).for_each(|peer| turns.attach(peer));
    turns
}

/// The first that is asked says no, the others yes; who said no is remembered.
fn unless_first(refused: &mut Option<usize>, peer: usize) -> bool {
    let first = refused.is_none();
    if first {
        *refused = Some(black_box(peer));
    }
    !first
}

fn round_robin(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("round robin");
    group.throughput(Throughput::Elements(TURNS as u64));
    for peers in PEERS {
        let mut turns = senders(peers);
        let order: Vec<_> = (0..2 * peers).map(|_| turns.offer(|_| true)).collect();
        let expected: Vec<_> = (0..2 * peers).map(|turn| Some(turn % peers)).collect();
        assert_eq!(order, expected, "each once a round");
        group.bench_function(BenchmarkId::new("all ready", peers), |bencher| {
            bencher.iter(|| {
                for _ in 0..TURNS {
                    black_box(turns.offer(|peer| black_box(peer) < peers));
                }
            });
        });
        group.bench_function(BenchmarkId::new("coming and going", peers), |bencher| {
            bencher.iter(|| {
                for _ in 0..TURNS {
                    let mut refused = None;
                    black_box(turns.offer(|peer| unless_first(&mut refused, peer)));
                    turns.activate(refused.expect("somebody was asked"));
                }
            });
        });
    }
    group.finish();
}

fn fair_queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fair queue");
    group.throughput(Throughput::Elements(TURNS as u64));
    for peers in PEERS {
        let mut turns = readers(peers);
        let order: Vec<_> = (0..2 * peers).map(|_| turns.poll(Some)).collect();
        let expected: Vec<_> = (0..2 * peers)
            .map(|turn| Some((turn % peers, turn % peers)))
            .collect();
        assert_eq!(order, expected, "each once a round");
        group.bench_function(BenchmarkId::new("all ready", peers), |bencher| {
            bencher.iter(|| {
                for _ in 0..TURNS {
                    black_box(turns.poll(|peer| Some(black_box(peer))));
                }
            });
        });
        group.bench_function(BenchmarkId::new("coming and going", peers), |bencher| {
            bencher.iter(|| {
                for _ in 0..TURNS {
                    let mut quiet = None;
                    black_box(turns.poll(|peer| unless_first(&mut quiet, peer).then_some(peer)));
                    turns.activate(quiet.expect("somebody was asked"));
                }
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = quick().configure_from_args();
    round_robin(&mut criterion);
    fair_queue(&mut criterion);
    criterion.final_summary();
}

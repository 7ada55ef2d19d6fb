//! The in-process way of a message, without any thread to wait for: `cargo bench --bench queue`.
//!
//! A PUSH and a PULL over `inproc` in one thread: a batch of 500 messages is sent, then received. That is the price of
//! the calls, the sockets' locks, the routing and the queue between them, per message and for both ends together.
//!
//! What it is not: the throughput between two threads, which depends on how the cores share their caches, or the time
//! to wake a receiver. What is sent is a clone of one message: of 64 B a copy in place, of more another handle to the same
//! bytes, and of three frames a vector of its own, whose allocation is part of the figure.

mod common;

use std::hint::black_box;

use common::{message, named, quick};
use criterion::{BenchmarkId, Criterion, Throughput};
use taipan::{Context, Message, Pull, Push};

/// Half of the watermark of one end, so that no call ever waits.
const BATCH: usize = 500;

fn pair(context: &Context, name: &str) -> (Push, Pull) {
    let pull = Pull::new(context);
    let endpoint = pull.bind(&*format!("inproc://{name}")).expect("bind");
    let push = Push::new(context);
    push.connect(endpoint).expect("connect");
    assert!(push.blocking_wait_for_peers(1, None), "connected");
    (push, pull)
}

fn cases() -> Vec<(String, Message)> {
    let mut cases: Vec<_> = [64, 1024, 64 * 1024]
        .iter()
        .map(|size| (named(*size), message(*size)))
        .collect();
    let frames = [&b"topic"[..], b"routing-id", b"a payload of 24 bytes..."];
    cases.push(("3 small frames".to_owned(), Message::from_frames(frames)));
    cases
}

fn one_by_one(criterion: &mut Criterion) {
    let context = Context::new();
    let mut group = criterion.benchmark_group("queue/one by one");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, message) in cases() {
        let (push, pull) = pair(&context, "one-by-one");
        group.bench_function(BenchmarkId::new("try", &name), |bencher| {
            bencher.iter(|| {
                for _ in 0..BATCH {
                    push.try_send(message.clone()).expect("there is room");
                }
                for _ in 0..BATCH {
                    black_box(pull.try_recv().expect("it is there"));
                }
            });
        });
        group.bench_function(BenchmarkId::new("blocking", &name), |bencher| {
            bencher.iter(|| {
                for _ in 0..BATCH {
                    push.blocking_send(message.clone()).expect("there is room");
                }
                for _ in 0..BATCH {
                    black_box(pull.blocking_recv().expect("it is there"));
                }
            });
        });
        assert!(pull.try_recv().is_err(), "nothing was left behind");
    }
    group.finish();
}

fn many_at_once(criterion: &mut Criterion) {
    let context = Context::new();
    let mut group = criterion.benchmark_group("queue/many at once");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, message) in cases() {
        let (push, pull) = pair(&context, "many-at-once");
        let mut received = Vec::with_capacity(BATCH);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                let messages = (0..BATCH).map(|_| message.clone());
                let sent = push.blocking_send_many(messages).expect("there is room");
                assert_eq!(sent, BATCH, "all were sent");
                received.clear();
                while received.len() < BATCH {
                    let rest = BATCH - received.len();
                    pull.blocking_recv_many(&mut received, rest)
                        .expect("they are there");
                }
                black_box(&received);
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = quick().configure_from_args();
    one_by_one(&mut criterion);
    many_at_once(&mut criterion);
    criterion.final_summary();
}

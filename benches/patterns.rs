//! The patterns through the public API over each transport: `cargo bench --bench patterns [-- inproc|tcp|ipc]`.
//!
//! - `push-pull`: a batch of 1000 messages of 64 B or 1 KiB is sent, then received.
//! - `req-rep`, `dealer-router`: one message of 64 B there and one back.
//! - `req-rep across threads`: the same, with the replier in a thread of its own.
//! - `pub-sub`: a batch of 100 messages of 64 B to 4 subscribers, then received by each; the throughput counts what is
//!   received.
//!
//! Both ends are sockets of one context, and except for "across threads" both are used by one thread with blocking
//! calls: the figures contain the calls, the codec and the kernel's part, but no two cores at work, so `push-pull` is
//! not the most that a link carries. Nothing leaves the machine: tcp is the loopback interface. Figures of the kernel's
//! transports vary with whatever else the machine does; compare runs made one right after the other.

mod common;

use std::hint::black_box;
use std::thread::JoinHandle;

use common::{message, named, quick};
use criterion::{BenchmarkGroup, Criterion, Throughput};
use criterion::{BenchmarkId, measurement::WallTime};
use taipan::{Context, Dealer, Options, Pub, Pull, Push, RecvError, Rep, Req, Router, Sub};

const TRANSPORTS: [(&str, &str); 3] = [
    ("inproc", "inproc://bench"),
    ("tcp", "tcp://127.0.0.1:*"),
    ("ipc", "ipc://*"),
];
const BATCH: usize = 1000;
const PUBLISHED: usize = 100;
const SUBSCRIBERS: usize = 4;
const SMALL: usize = 64;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// Room for a whole batch on either side, so that a thread that sends before it receives never waits for itself.
fn roomy() -> Options {
    let mut options = Options::default();
    options.send_hwm = 2 * BATCH;
    options.recv_hwm = 2 * BATCH;
    options
}

fn push_pull(group: &mut Group<'_>, address: &str) {
    let context = Context::new();
    let pull = Pull::with_options(&context, roomy()).expect("options");
    let endpoint = pull.bind(address).expect("bind");
    let push = Push::with_options(&context, roomy()).expect("options");
    push.connect(endpoint).expect("connect");
    assert!(push.blocking_wait_for_peers(1, None), "connected");
    for size in [SMALL, 1024] {
        let message = message(size);
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function(BenchmarkId::new("push-pull", named(size)), |bencher| {
            bencher.iter(|| {
                for _ in 0..BATCH {
                    push.blocking_send(message.clone()).expect("send");
                }
                for _ in 0..BATCH {
                    let received = pull.blocking_recv().expect("receive");
                    assert_eq!(received.byte_len(), size, "whole messages");
                }
            });
        });
    }
}

fn req_rep(group: &mut Group<'_>, address: &str) {
    let context = Context::new();
    let rep = Rep::new(&context);
    let endpoint = rep.bind(address).expect("bind");
    let req = Req::new(&context);
    req.connect(endpoint).expect("connect");
    assert!(req.blocking_wait_for_peers(1, None), "connected");
    let question = message(SMALL);
    group.throughput(Throughput::Elements(1));
    group.bench_function("req-rep", |bencher| {
        bencher.iter(|| {
            req.blocking_send(question.clone()).expect("ask");
            let asked = rep.blocking_recv().expect("be asked");
            rep.blocking_send(asked).expect("answer");
            black_box(req.blocking_recv().expect("be answered"));
        });
    });
}

/// Answers with what it is asked until its context ends.
fn replier(context: &Context, address: &str) -> (JoinHandle<()>, String) {
    let rep = Rep::new(context);
    let endpoint = rep.bind(address).expect("bind").to_string();
    let thread = std::thread::spawn(move || {
        loop {
            match rep.blocking_recv() {
                Ok(question) => rep.blocking_send(question).expect("answer"),
                Err(RecvError::Closed) => return,
                Err(error) => panic!("the replier cannot receive: {error}"),
            }
        }
    });
    (thread, endpoint)
}

fn req_rep_across_threads(group: &mut Group<'_>, address: &str) {
    let context = Context::new();
    let (thread, endpoint) = replier(&context, address);
    let req = Req::new(&context);
    req.connect(&*endpoint).expect("connect");
    assert!(req.blocking_wait_for_peers(1, None), "connected");
    let question = message(SMALL);
    group.throughput(Throughput::Elements(1));
    group.bench_function("req-rep across threads", |bencher| {
        bencher.iter(|| {
            req.blocking_send(question.clone()).expect("ask");
            black_box(req.blocking_recv().expect("be answered"));
        });
    });
    context.shutdown();
    thread.join().expect("the replier ends");
}

fn pub_sub(group: &mut Group<'_>, address: &str) {
    let context = Context::new();
    let publisher = Pub::with_options(&context, roomy()).expect("options");
    let endpoint = publisher.bind(address).expect("bind");
    let subscribers: Vec<Sub> = (0..SUBSCRIBERS)
        .map(|_| {
            let sub = Sub::with_options(&context, roomy()).expect("options");
            sub.subscribe("").expect("subscribe");
            sub.connect(endpoint.clone()).expect("connect");
            sub
        })
        .collect();
    assert!(
        publisher.blocking_wait_for_subscribers(SUBSCRIBERS, None),
        "all subscriptions have arrived"
    );
    let message = message(SMALL);
    group.throughput(Throughput::Elements((PUBLISHED * SUBSCRIBERS) as u64));
    group.bench_function("pub-sub, 4 subscribers", |bencher| {
        bencher.iter(|| {
            for _ in 0..PUBLISHED {
                publisher.blocking_send(message.clone()).expect("publish");
            }
            for sub in &subscribers {
                for _ in 0..PUBLISHED {
                    black_box(sub.blocking_recv().expect("receive"));
                }
            }
        });
    });
}

fn dealer_router(group: &mut Group<'_>, address: &str) {
    let context = Context::new();
    let router = Router::new(&context);
    let endpoint = router.bind(address).expect("bind");
    let dealer = Dealer::new(&context);
    dealer.connect(endpoint).expect("connect");
    assert!(dealer.blocking_wait_for_peers(1, None), "connected");
    let question = message(SMALL);
    group.throughput(Throughput::Elements(1));
    group.bench_function("dealer-router", |bencher| {
        bencher.iter(|| {
            dealer.blocking_send(question.clone()).expect("send");
            // The first frame names the peer: what was received goes back where it came from.
            let received = router.blocking_recv().expect("receive");
            router.blocking_send(received).expect("send back");
            black_box(dealer.blocking_recv().expect("receive it back"));
        });
    });
}

fn patterns(criterion: &mut Criterion) {
    for (name, address) in TRANSPORTS {
        let mut group = criterion.benchmark_group(name);
        push_pull(&mut group, address);
        req_rep(&mut group, address);
        req_rep_across_threads(&mut group, address);
        pub_sub(&mut group, address);
        dealer_router(&mut group, address);
        group.finish();
    }
}

fn main() {
    let mut criterion = quick().configure_from_args();
    patterns(&mut criterion);
    criterion.final_summary();
}

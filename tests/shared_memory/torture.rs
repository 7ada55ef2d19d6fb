//! Many messages of all sizes between two processes, with a ring and a pool that are much too small for them; every
//! byte, every number and the order are checked, and views are kept for a while and dropped by other threads.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use taipan::{AnySocket, Dealer, Message, Pair, Pull, Push, Router, SocketKind, Spin};

use crate::children::Follower;
use crate::common::*;
use crate::process::Child;
use crate::rig::*;
use crate::script::{Random, Script, noise, seed, tag_of};

/// The longest frames.
const MOST: usize = 4 * 1024 * 1024;

/// Drops views that others have received, some at once and some much later, and checks them once more before.
fn dropper(script: Script, views: Receiver<Message>) {
    let mut random = Random::new(script.seed);
    let mut held = Vec::new();
    loop {
        match views.recv_timeout(Duration::from_millis(2)) {
            Ok(view) => held.push(view),
            // Whoever keeps views while the sender waits for its memory waits for ever.
            Err(RecvTimeoutError::Timeout) => held.clear(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if held.len() > 12 {
            for _ in 0..random.below(10) {
                let view: Message = held.swap_remove(random.below(held.len()));
                let (stream, number) = tag_of(&view);
                script.check(stream, number, &view);
            }
        }
    }
}

/// Receives in this thread until all has come; the streams are in order.
fn receive_in_order(socket: &AnySocket, script: Script, total: u64, views: &Sender<Message>) {
    let mut follower = Follower::default();
    for _ in 0..total {
        let message = socket.blocking_recv().expect("recv");
        let (_, number) = follower.follow(script, &message);
        assert!(number > 0 || follower.next(tag_of(&message).0) == 1);
        views.send(message).expect("the dropper");
    }
}

/// A child pours; here `threads` threads receive on one socket.
fn poured(style: &str, streams: u64, count: u64, threads: u64) {
    let _dog = watchdog(60);
    let script = Script {
        seed: seed(),
        most: MOST,
    };
    let (dir, context) = (Dir::new(), context());
    let options = small(|o| {
        if style.contains("still") {
            o.spin = Spin::Never;
        }
    });
    let pull = AnySocket::of(&context, SocketKind::Pull, options).expect("options");
    let address = dir.address("socket");
    pull.bind(address.as_str()).expect("bind");
    let numbers =
        [streams, count, script.seed, script.most as u64].map(|number| number.to_string());
    let [streams_text, count_text, seed, most] = &numbers;
    let child = Child::start(
        "pour",
        &[
            "push",
            &address,
            streams_text,
            count_text,
            seed,
            most,
            style,
        ],
    );
    assert!(pull.blocking_wait_for_peers(1, None));
    assert_shared(&pull, 1);
    let (views, to_drop) = mpsc::channel();
    let dropping = thread::spawn(move || dropper(script, to_drop));
    if threads == 1 {
        receive_in_order(&pull, script, streams * count, &views);
    } else {
        receive_in_threads(&pull, script, (streams, count), threads, &views);
    }
    drop(views);
    dropping.join().expect("dropped");
    child.finish();
    assert_eq!(pull.stats().drops.total(), 0);
}

/// Receives in one of several threads; the numbers it has got of each stream.
fn receive_until_closed(
    socket: &AnySocket,
    script: Script,
    views: &Sender<Message>,
    total: &AtomicU64,
) -> HashMap<u64, Vec<u64>> {
    let mut got: HashMap<u64, Vec<u64>> = HashMap::new();
    while let Ok(message) = socket.blocking_recv() {
        let (stream, number) = tag_of(&message);
        script.check(stream, number, &message);
        got.entry(stream).or_default().push(number);
        views.send(message).expect("the dropper");
        total.fetch_add(1, Ordering::Relaxed);
    }
    got
}

/// Several threads receive: each stream comes to each of them in order, and to all together without gaps.
fn receive_in_threads(
    socket: &AnySocket,
    script: Script,
    (streams, count): (u64, u64),
    threads: u64,
    views: &Sender<Message>,
) {
    // Not the socket's own count: that is ahead of the callers by what was only looked for.
    let total = Arc::new(AtomicU64::new(0));
    let receiving: Vec<_> = (0..threads)
        .map(|_| {
            let (socket, views, total) = (socket.clone(), views.clone(), total.clone());
            thread::spawn(move || receive_until_closed(&socket, script, &views, &total))
        })
        .collect();
    until(|| {
        // As a user's own statistics would, which must not get in anybody's way.
        socket.stats();
        total.load(Ordering::Relaxed) >= streams * count
    });
    socket.close();
    let mut all: HashMap<u64, Vec<u64>> = HashMap::new();
    for thread in receiving {
        for (stream, numbers) in thread.join().expect("received") {
            assert!(
                numbers.is_sorted(),
                "a thread has got stream {stream} out of order"
            );
            all.entry(stream).or_default().extend(numbers);
        }
    }
    for stream in 0..streams {
        let mut numbers = all.remove(&stream).unwrap_or_default();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..count), "stream {stream}");
    }
}

#[test]
fn all_sizes_arrive_whole_and_in_order() {
    poured("copy", 1, 3_000, 1);
}

#[test]
fn all_sizes_arrive_if_they_wait_for_the_pool() {
    poured("wait", 1, 3_000, 1);
}

#[test]
fn all_sizes_arrive_if_nobody_spins() {
    poured("copy-still", 1, 2_000, 1);
}

#[test]
fn threads_that_share_a_sender_keep_their_own_order() {
    poured("wait", 4, 600, 1);
}

#[test]
fn tasks_that_share_a_sender_keep_their_own_order() {
    poured("async-wait", 4, 600, 1);
}

#[test]
fn threads_that_share_both_ends_lose_nothing() {
    poured("copy", 3, 600, 3);
}

#[test]
fn threads_and_tasks_lose_nothing_without_spinning() {
    poured("async-copy-still", 3, 600, 3);
}

/// Keeps a few messages under way to a child that echoes them, and checks that they come back in order.
fn echoed(peer: SocketKind, total: u64) {
    let _dog = watchdog(60);
    let script = Script {
        seed: seed(),
        most: MOST,
    };
    let mut random = Random::new(script.seed);
    let (dir, context) = (Dir::new(), context());
    let address = dir.address("socket");
    let (ours, role) = match peer {
        SocketKind::Pair => (
            Pair::with_options(&context, small(|_| ()))
                .expect("options")
                .into_any(),
            "pair",
        ),
        _ => (
            Router::with_options(&context, small(|o| o.router_mandatory = true))
                .expect("options")
                .into_any(),
            "dealer",
        ),
    };
    ours.bind(address.as_str()).expect("bind");
    let mut child = Child::start("echo", &[role, &address]);
    assert!(ours.blocking_wait_for_peers(1, None));
    assert_shared(&ours, 1);
    let (mut sent, mut got, mut held) = (0, 0, VecDeque::new());
    while got < total {
        while sent < total && sent - got < 1 + random.below(8) as u64 {
            let mut message = match sent % 2 {
                0 => script.loaned(&ours, 1, sent),
                _ => script.message(1, sent),
            };
            if peer == SocketKind::Dealer {
                message.push_front("echo");
            }
            ours.blocking_send(message).expect("send");
            sent += 1;
        }
        let mut message = ours.blocking_recv().expect("recv");
        if peer == SocketKind::Dealer {
            assert_eq!(message.pop_front().expect("an id"), "echo");
        }
        script.check(1, got, &message);
        got += 1;
        held.push_back(message);
        held.truncate(5);
    }
    child.tell("end");
    child.finish();
}

#[test]
fn a_pair_echoes_all_sizes() {
    echoed(SocketKind::Pair, 1_500);
}

#[test]
fn a_dealer_echoes_all_sizes_to_a_router() {
    echoed(SocketKind::Dealer, 1_500);
}

/// Async callers on both ends, in one process: the small sizes, where sleeping and waking is most of the work.
#[test]
fn small_messages_between_tasks_never_get_stuck() {
    let _dog = watchdog(60);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build();
    let runtime = runtime.expect("a runtime");
    for spin in [Spin::Never, Spin::Auto] {
        let (dir, context) = (Dir::new(), context());
        let with = |o: &mut taipan::Options| {
            o.spin = spin;
            (o.send_hwm, o.recv_hwm) = (2, 1);
        };
        let a = Dealer::with_options(&context, small(with)).expect("options");
        let b = Dealer::with_options(&context, small(with)).expect("options");
        marry(&a, &b, &dir.address("socket"));
        assert_shared(&a, 1);
        let send = |socket: Dealer| async move {
            for number in 0..3_000_u64 {
                socket.send(number.to_le_bytes()).await.expect("send");
                if number % 7 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        };
        let recv = |socket: Dealer| async move {
            for number in 0..3_000_u64 {
                assert_eq!(socket.recv().await.expect("recv"), number.to_le_bytes());
            }
        };
        runtime.block_on(async {
            let all = [(a.clone(), b.clone()), (b, a)]
                .map(|(from, to)| (tokio::spawn(send(from)), tokio::spawn(recv(to))));
            for (sending, receiving) in all {
                sending.await.expect("sent");
                receiving.await.expect("received");
            }
        });
    }
}

/// Bug: the pipe was no longer looked at, and its peer not asked to tell, when one thread had gone to sleep although
/// there were pieces, and another one then read those without a message coming of it. Both slept for ever.
#[test]
fn pieces_that_make_no_message_yet_do_not_put_a_link_to_sleep() {
    let _dog = watchdog(60);
    let (dir, context) = (Dir::new(), context());
    let without = |o: &mut taipan::Options| {
        o.shared_memory.pool_bytes = 0;
        o.spin = Spin::Never;
    };
    let push = Push::with_options(&context, small(without)).expect("options");
    let pull = Pull::with_options(&context, small(without)).expect("options");
    marry(&pull, &push, &dir.address("socket"));
    let receiving: Vec<_> = (0..3)
        .map(|_| {
            let pull = pull.clone();
            thread::spawn(move || while pull.blocking_recv().is_ok() {})
        })
        .collect();
    for number in 0..500 {
        push.blocking_send(noise(150_000, number)).expect("send");
    }
    until(|| pull.stats().messages_in == 500);
    pull.close();
    receiving
        .into_iter()
        .for_each(|thread| thread.join().expect("received"));
}

//! Watermarks, conflation and lingering on shared memory, where they are as exact as in one process; and messages
//! larger than everything.

use std::thread;
use std::time::Duration;

use taipan::{Context, LingerReport, Message, MonitorKind, Options, Pull, Push};

use crate::common::*;
use crate::rig::*;
use crate::script::{noise, same};

fn linked(
    context: &Context,
    of_push: impl FnOnce(&mut Options),
    of_pull: impl FnOnce(&mut Options),
) -> (Push, Pull, Dir) {
    let dir = Dir::new();
    let push = Push::with_options(context, small(of_push)).expect("options");
    let pull = Pull::with_options(context, small(of_pull)).expect("options");
    marry(&pull, &push, &dir.address("socket"));
    assert_shared(&push, 1);
    (push, pull, dir)
}

#[test]
fn watermarks_add_up_in_messages() {
    let _dog = watchdog(20);
    for len in [0, 100, 5_000, 20_000] {
        let context = context();
        let (push, pull, _dir) = linked(&context, |o| o.send_hwm = 5, |o| o.recv_hwm = 6);
        assert_eq!(fill(&push, |at| noise(len, at).into()), 11, "{len}");
        for at in 0..11 {
            assert!(same(pull.blocking_recv().unwrap().first(), at));
        }
        // Room is made by reading, and told.
        let again = thread::spawn(move || {
            (0..100).for_each(|at| push.blocking_send(noise(len, at)).unwrap())
        });
        (0..100).for_each(|at| assert!(same(pull.blocking_recv().unwrap().first(), at)));
        again.join().unwrap();
    }
}

#[test]
fn watermarks_add_up_in_bytes() {
    let _dog = watchdog(20);
    let context = context();
    let (push, pull, _dir) = linked(
        &context,
        |o| o.send_hwm_bytes = 30_000,
        |o| o.recv_hwm_bytes = 20_000,
    );
    assert_eq!(fill(&push, |at| noise(5_000, at).into()), 10);
    (0..10).for_each(|at| assert!(same(pull.blocking_recv().unwrap().first(), at)));
    // One is always let in, however large.
    assert_eq!(fill(&push, |at| noise(5_000_000, at).into()), 1);
    assert!(same(pull.blocking_recv().unwrap().first(), 0));
}

#[test]
fn conflation_keeps_the_newest() {
    let _dog = watchdog(20);
    for (len, pool) in [(8, POOL), (20_000, POOL), (200_000, POOL), (200_000, 0)] {
        let context = context();
        let with = |o: &mut Options| {
            o.conflate = true;
            o.shared_memory.pool_bytes = pool;
        };
        let (push, pull, _dir) = linked(&context, with, with);
        for at in 0..100_usize {
            push.blocking_send(noise(len, at)).unwrap();
            push.flush();
        }
        let queued = push.stats().queued_out;
        assert!(
            queued <= 2,
            "{queued} messages of {len} bytes wait, pool of {pool}"
        );
        let mut got = 0;
        while !same(pull.blocking_recv().unwrap().first(), 99) {
            got += 1;
        }
        assert!(got <= 4, "{got} older ones were received");
    }
}

#[test]
fn what_was_sent_before_the_end_arrives() {
    let _dog = watchdog(60);
    for len in [10, 3_000, 100_000, 1_500_000] {
        let (here, there) = (context(), context());
        let dir = Dir::new();
        let pull = Pull::with_options(&here, small(|_| ())).unwrap();
        let push = Push::with_options(&there, small(|_| ())).unwrap();
        marry(&pull, &push, &dir.address("socket"));
        let sending = thread::spawn(move || {
            (0..40).for_each(|at| push.blocking_send(noise(len, at)).unwrap());
            drop(push);
            there.terminate()
        });
        for at in 0..40 {
            let message = pull.blocking_recv().unwrap();
            assert!(
                message.byte_len() == len && same(message.first(), at),
                "{len}: {at}"
            );
        }
        assert_eq!(sending.join().unwrap(), LingerReport::default());
    }
}

#[test]
fn without_linger_the_end_waits_for_nothing_and_counts_what_is_left() {
    let _dog = watchdog(20);
    let (here, there) = (context(), context());
    let dir = Dir::new();
    let pull = Pull::with_options(&here, small(|_| ())).unwrap();
    let push = Push::with_options(&there, small(|o| o.linger = Some(Duration::ZERO))).unwrap();
    marry(&pull, &push, &dir.address("socket"));
    let sent = fill(&push, |at| noise(100_000, at).into()) as u64;
    let report = there.terminate();
    assert!(
        (1..sent).contains(&report.unsent_messages),
        "{report:?} of {sent}"
    );
    // What was handed over is whole and in order; one was perhaps cut in the middle.
    let handed_over = sent - report.unsent_messages;
    for at in 0..handed_over as usize {
        let message = pull.blocking_recv_timeout(Duration::from_millis(200));
        match message {
            Ok(message) => assert!(same(message.first(), at)),
            Err(_) => return assert_eq!(at as u64 + 1, handed_over),
        }
    }
}

#[test]
fn a_message_may_be_larger_than_the_ring_and_the_pool() {
    let _dog = watchdog(60);
    let context = context();
    let (push, pull, _dir) = linked(&context, |_| (), |_| ());
    let len = 64 * 1024 * 1024 + 5;
    let sending = thread::spawn(move || {
        push.blocking_send(noise(len, 1)).unwrap();
        push.blocking_send("behind it").unwrap();
    });
    let message = pull.blocking_recv().unwrap();
    assert!(message.byte_len() == len && same(message.first(), 1));
    assert_eq!(pull.blocking_recv().unwrap(), "behind it");
    sending.join().unwrap();
}

#[test]
fn a_frame_too_large_ends_the_link_and_says_why() {
    let _dog = watchdog(20);
    // In the ring, in a chunk and in pieces.
    for (len, pool) in [(5_000, POOL), (50_000, POOL), (500_000, 0)] {
        let context = context();
        let (push, pull, _dir) = linked(
            &context,
            |o| o.shared_memory.pool_bytes = pool,
            |o| o.max_message_size = Some(4_000),
        );
        let mut monitor = pull.monitor();
        push.blocking_send(noise(4_000, 0)).unwrap();
        assert!(same(pull.blocking_recv().unwrap().first(), 0));
        push.blocking_send(noise(len, 0)).unwrap();
        push.flush();
        // What lies in the ring is looked at when it is received.
        let mut end = None;
        until(|| {
            assert!(pull.try_recv().is_err());
            end = monitor.try_recv().ok();
            matches!(&end, Some(event) if matches!(event.kind, MonitorKind::Disconnected { .. }))
        });
        let end = end.expect("it was found");
        let MonitorKind::Disconnected { reason } = end.kind else {
            unreachable!()
        };
        assert!(
            reason.contains("larger than max_message_size (4000)"),
            "{reason}"
        );
    }
}

#[test]
fn a_thousand_frames_are_one_message() {
    let _dog = watchdog(20);
    let context = context();
    let (push, pull, _dir) = linked(&context, |_| (), |_| ());
    for most in [0, 40, 3_000, 30_000] {
        let message = Message::from_frames(
            (0..1_000).map(|at| noise(if most == 0 { 0 } else { at * 37 % most }, at)),
        );
        let sending = {
            let (push, message) = (push.clone(), message.clone());
            thread::spawn(move || push.blocking_send(message).unwrap())
        };
        assert!(pull.blocking_recv().unwrap() == message, "{most}");
        sending.join().unwrap();
    }
}

#[test]
fn what_was_sent_is_found_by_a_try_after_a_wait_in_vain() {
    let _dog = watchdog(20);
    let context = context();
    let (push, pull, _dir) = linked(&context, |_| (), |_| ());
    for at in 0..200 {
        assert!(
            pull.blocking_recv_timeout(Duration::from_micros(100))
                .is_err()
        );
        push.blocking_send(noise(10, at)).unwrap();
        push.flush();
        assert!(
            same(pull.try_recv().expect("it was sent before").first(), at),
            "{at}"
        );
        assert!(pull.try_recv().is_err());
        push.blocking_send(noise(10, at)).unwrap();
        push.flush();
        assert!(pull.try_recv().is_ok(), "{at}");
    }
}

//! Received views: unchanged for as long as they are held, whatever becomes of the link, the sender and the pool.

use std::time::Duration;

use taipan::{Message, PoolExhausted, Pull, Push, SendErrorKind, Views};

use crate::census::{at_rest, is_shared, settles};
use crate::common::*;
use crate::process::{Child, alone};
use crate::rig::*;
use crate::script::{noise, pool_is_free, same};

const LEN: usize = 50_000;

#[test]
fn a_view_stays_the_same_while_the_sender_goes_on() {
    let _dog = watchdog(20);
    let (dir, context) = (Dir::new(), context());
    let push = Push::with_options(&context, small(|_| ())).unwrap();
    let pull = Pull::with_options(&context, small(|_| ())).unwrap();
    marry(&pull, &push, &dir.address("socket"));
    let mut held: Vec<(usize, Message)> = Vec::new();
    for at in 0..500 {
        push.blocking_send(noise(LEN, at)).unwrap();
        let message = pull.blocking_recv().unwrap();
        if at % 50 == 0 {
            assert!(is_shared(message.first()), "{at}");
            held.push((at, message));
        }
    }
    assert!(held.iter().all(|(at, view)| same(view.first(), *at)));
}

/// Either side ends the link while views are held: their chunks are not used again before they are dropped.
#[test]
fn a_chunk_is_not_used_again_while_a_live_peer_borrows_it() {
    let _dog = watchdog(20);
    for receiver_leaves in [false, true] {
        let (dir, context) = (Dir::new(), context());
        let push = Push::with_options(&context, waiting(|_| ())).unwrap();
        let pull = Pull::with_options(&context, small(|_| ())).unwrap();
        let endpoint = marry(&pull, &push, &dir.address("socket"));
        let views: Vec<Message> = (0..6)
            .map(|at| {
                push.blocking_send(noise(LEN, at)).unwrap();
                pull.blocking_recv().unwrap()
            })
            .collect();
        if receiver_leaves {
            pull.close();
        } else {
            push.disconnect(&endpoint).unwrap();
        }
        until_links(&push, 0);
        // Whatever is left of the pool is taken and written.
        let mut loans = Vec::new();
        while let Ok(mut loan) = push.loan(4096) {
            assert!(loan.is_shared());
            loan.fill(0xee);
            loans.push(loan);
        }
        assert_eq!(
            loans.len(),
            POOL / 4096 - 6 * LEN.div_ceil(4096),
            "chunks that views lie in are not free"
        );
        assert!(
            views
                .iter()
                .enumerate()
                .all(|(at, view)| same(view.first(), at))
        );
        drop((loans, views));
        until(|| pool_is_free(&push, POOL));
    }
}

#[test]
fn a_view_outlives_the_process_that_sent_it() {
    if !alone() {
        return;
    }
    let _dog = watchdog(20);
    let (dir, context) = (Dir::new(), context());
    let pull = Pull::with_options(&context, small(|_| ())).unwrap();
    let address = dir.address("socket");
    pull.bind(address.as_str()).unwrap();
    // The thread's own bell is made when it first sleeps.
    assert!(
        pull.blocking_recv_timeout(Duration::from_millis(1))
            .is_err()
    );
    let mut before = None;
    for _ in 0..3 {
        let mut child = Child::start("lend", &[&address]);
        let views: Vec<Message> = (0..10)
            .map(|at| {
                child.tell(&format!("{LEN} {at}"));
                child.expect("sent");
                pull.blocking_recv().unwrap()
            })
            .collect();
        child.tell("end");
        child.finish();
        until_links(&pull, 0);
        assert!(
            views
                .iter()
                .enumerate()
                .all(|(at, view)| is_shared(view.first()) && same(view.first(), at))
        );
        drop(views);
        before.get_or_insert_with(at_rest);
    }
    settles(before.unwrap());
}

/// The borrower is a process of its own, which leaves, keeps its views, and drops them at last or is killed with them.
#[test]
fn what_another_process_borrows_is_free_when_it_is_given_back_or_that_process_is_dead() {
    let _dog = watchdog(20);
    for killed in [false, true] {
        let (dir, context) = (Dir::new(), context());
        let push = Push::with_options(&context, waiting(|_| ())).unwrap();
        let address = dir.address("socket");
        push.bind(address.as_str()).unwrap();
        let mut child = Child::start("borrow", &[&address]);
        assert!(push.blocking_wait_for_peers(1, None));
        for at in 0..5 {
            push.blocking_send(noise(LEN, at)).unwrap();
            child.tell("take");
            child.expect("done");
        }
        child.tell("leave");
        child.expect("done");
        until_links(&push, 0);
        assert!(!pool_is_free(&push, POOL - 4096));
        let mut loans: Vec<_> = std::iter::from_fn(|| push.loan(4096).ok()).collect();
        loans.iter_mut().for_each(|loan| loan.fill(0xee));
        drop(loans);
        child.tell("look");
        child.expect("done");
        assert!(!pool_is_free(&push, POOL));
        if killed {
            child.kill();
        } else {
            child.tell("drop");
            child.expect("done");
        }
        until(|| pool_is_free(&push, POOL));
    }
}

#[test]
fn without_views_messages_are_copies() {
    let _dog = watchdog(20);
    let (dir, context) = (Dir::new(), context());
    let push = Push::with_options(&context, waiting(|_| ())).unwrap();
    let pull =
        Pull::with_options(&context, small(|o| o.shared_memory.views = Views::Never)).unwrap();
    marry(&pull, &push, &dir.address("socket"));
    let held: Vec<Message> = (0..60)
        .map(|at| {
            push.blocking_send(noise(LEN, at)).unwrap();
            pull.blocking_recv().unwrap()
        })
        .collect();
    assert!(
        held.iter()
            .enumerate()
            .all(|(at, copy)| !is_shared(copy.first()) && same(copy.first(), at))
    );
    until(|| pool_is_free(&push, POOL));
}

#[test]
fn an_exhausted_pool_holds_senders_up_until_views_are_dropped() {
    let _dog = watchdog(20);
    let (dir, context) = (Dir::new(), context());
    let push = Push::with_options(&context, waiting(|o| o.send_hwm = 1)).unwrap();
    let pull = Pull::with_options(&context, small(|o| o.recv_hwm = 1)).unwrap();
    marry(&pull, &push, &dir.address("socket"));
    let mut views = Vec::new();
    // Three quarters of the pool are borrowed, and the next message takes half of it.
    for at in 0..12 {
        push.blocking_send(noise(POOL / 16, at)).unwrap();
        views.push(pull.blocking_recv().unwrap());
    }
    let accepted = fill(&push, |at| noise(POOL / 2, at).into());
    assert!((1..=2).contains(&accepted), "{accepted}");
    assert!(pull.try_recv().is_err());
    views.clear();
    for at in 0..accepted {
        assert!(same(pull.blocking_recv().unwrap().first(), at));
    }
    push.try_send(noise(POOL / 2, 5))
        .map_err(|error| error.kind())
        .expect("there is room again");
    assert!(same(pull.blocking_recv().unwrap().first(), 5));
}

#[test]
fn an_exhausted_pool_holds_nobody_up_if_messages_are_then_copied() {
    let _dog = watchdog(20);
    let (dir, context) = (Dir::new(), context());
    let push = Push::with_options(
        &context,
        small(|o| o.shared_memory.exhausted = PoolExhausted::Copy),
    )
    .unwrap();
    let pull = Pull::with_options(&context, small(|_| ())).unwrap();
    marry(&pull, &push, &dir.address("socket"));
    let held: Vec<Message> = (0..200)
        .map(|at| {
            match push.try_send(noise(LEN, at)) {
                Ok(()) => {}
                Err(error) if error.kind() == SendErrorKind::WouldBlock => {
                    panic!("it was held up at {at}")
                }
                Err(error) => panic!("{error}"),
            }
            pull.blocking_recv().unwrap()
        })
        .collect();
    let views = held
        .iter()
        .filter(|message| is_shared(message.first()))
        .count();
    assert!((1..200).contains(&views), "{views}");
    assert!(
        held.iter()
            .enumerate()
            .all(|(at, message)| same(message.first(), at))
    );
}

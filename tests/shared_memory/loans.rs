//! Loans: written, sent to many, sent twice, cut, dropped, and taken over every transport.

use taipan::{Frame, Message, Pub, Pull, Push, SharedMemory};

use crate::census::is_shared;
use crate::common::*;
use crate::process::Child;
use crate::rig::*;
use crate::script::{fill_noise, noise, pool_is_free, same};

#[test]
fn a_loan_is_what_every_subscriber_reads() {
    let _dog = watchdog(20);
    let (dir, context) = (Dir::new(), context());
    let publisher = Pub::with_options(&context, waiting(|_| ())).unwrap();
    let address = dir.address("socket");
    publisher.bind(address.as_str()).unwrap();
    let mut children: Vec<_> = (0..3)
        .map(|_| Child::start("subscribe", &[&address]))
        .collect();
    assert!(publisher.blocking_wait_for_subscribers(3, None));
    for len in [5_000, 100_000, POOL / 2] {
        let mut loan = publisher.loan(len).unwrap();
        assert!(loan.is_shared() && is_shared(&loan));
        fill_noise(&mut loan, 5);
        publisher.blocking_send(loan).unwrap();
        publisher.flush();
        children
            .iter_mut()
            .for_each(|child| child.expect(&format!("true {len}")));
        until(|| pool_is_free(&publisher, POOL));
        // One copy at the most was made of what is no loan: it is larger than half of the pool.
        publisher.blocking_send(noise(POOL / 2 + 4096, 5)).unwrap();
        publisher.flush();
        children
            .iter_mut()
            .for_each(|child| child.expect(&format!("true {}", POOL / 2 + 4096)));
        until(|| pool_is_free(&publisher, POOL));
    }
    publisher.blocking_send("end").unwrap();
    children.into_iter().for_each(Child::finish);
}

#[test]
fn a_loan_may_be_sent_twice_cut_sliced_or_dropped() {
    let _dog = watchdog(20);
    let (dir, context) = (Dir::new(), context());
    let push = Push::with_options(&context, waiting(|_| ())).unwrap();
    let pull = Pull::with_options(&context, small(|_| ())).unwrap();
    marry(&pull, &push, &dir.address("socket"));
    let mut loan = push.loan(100_000).unwrap();
    fill_noise(&mut loan, 9);
    loan.truncate(60_000);
    loan.truncate(70_000);
    assert_eq!(loan.len(), 60_000);
    let frame = Frame::from(loan);
    push.blocking_send(frame.clone()).unwrap();
    push.blocking_send(Message::from_frames([
        frame.slice(1_000..30_000),
        "and".into(),
        frame.clone(),
    ]))
    .unwrap();
    drop(frame);
    let first = pull.blocking_recv().unwrap();
    let second = pull.blocking_recv().unwrap();
    assert!(is_shared(first.first()) && first.byte_len() == 60_000 && same(first.first(), 9));
    assert_eq!(first.first()[1_000..30_000], second.first()[..]);
    assert!(second.last() == first.first() && second.frames()[1] == "and");
    assert!(is_shared(second.first()) && is_shared(second.last()));
    drop(first);
    assert!(!pool_is_free(&push, POOL) && same(second.last(), 9));
    drop(second);
    until(|| pool_is_free(&push, POOL));
    drop(push.loan(POOL).unwrap());
    assert!(push.loan(0).is_ok_and(|loan| loan.is_empty()));
    assert!(push.loan(POOL + 1).is_ok_and(|loan| !loan.is_shared()));
    assert!(pool_is_free(&push, POOL));
    let all = push.loan(POOL).unwrap();
    assert_eq!(push.loan(1).unwrap_err().len, 1);
    drop(all);
}

#[test]
fn a_loan_goes_over_every_transport() {
    let _dog = watchdog(20);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        marry(&pull, &push, &address);
        for at in 0..50 {
            let mut loan = push.loan(30_000).unwrap();
            fill_noise(&mut loan, at);
            push.blocking_send(loan).unwrap();
            assert!(same(pull.blocking_recv().unwrap().first(), at), "{address}");
        }
    }
}

#[test]
fn without_shared_memory_a_loan_is_an_ordinary_buffer() {
    let _dog = watchdog(20);
    let (dir, context) = (Dir::new(), context());
    let push =
        Push::with_options(&context, options(|o| o.shared_memory = SharedMemory::off())).unwrap();
    let pull = Pull::new(&context);
    marry(&pull, &push, &dir.address("socket"));
    let mut loan = push.loan(30_000).unwrap();
    assert!(!loan.is_shared());
    fill_noise(&mut loan, 1);
    push.blocking_send(loan).unwrap();
    assert!(same(pull.blocking_recv().unwrap().first(), 1));
}

/// A received view is sent on: it lies in another's pool, so it is copied into ours.
#[test]
fn a_view_may_be_sent_on() {
    let _dog = watchdog(20);
    let (dir, context) = (Dir::new(), context());
    let [first, middle_out, last_out] =
        ["a", "b", "c"].map(|_| Push::with_options(&context, small(|_| ())).unwrap());
    let [middle_in, last_in, end] =
        ["a", "b", "c"].map(|_| Pull::with_options(&context, small(|_| ())).unwrap());
    marry(&middle_in, &first, &dir.address("a"));
    marry(&last_in, &middle_out, &dir.address("b"));
    marry(&end, &last_out, &dir.address("c"));
    for at in 0..100 {
        first.blocking_send(noise(40_000, at)).unwrap();
        middle_out
            .blocking_send(middle_in.blocking_recv().unwrap())
            .unwrap();
        last_out
            .blocking_send(last_in.blocking_recv().unwrap())
            .unwrap();
        assert!(same(end.blocking_recv().unwrap().first(), at));
    }
}

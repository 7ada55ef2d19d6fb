//! One test for each bug that was found from outside, named after what it did. Bugs of one room have theirs there.

use std::time::Duration;

use taipan::{Context, Options, Pair, Pull, Push, Sub, XPub};

const PATIENCE: Duration = Duration::from_secs(20);

/// The receiver emptied its inbox, then took away the event that announced the next entry, and slept on.
/// Hit about once in 20 rounds.
#[test]
fn a_blocked_receiver_missed_an_in_process_peer() {
    for _ in 0..60 {
        let context = Context::new();
        let (first, last) = (Push::new(&context), Pull::new(&context));
        let (inward, outward) = (Pull::new(&context), Push::new(&context));
        first
            .connect(inward.bind("inproc://in").expect("bind"))
            .expect("connect");
        last.connect(outward.bind("inproc://out").expect("bind"))
            .expect("connect");
        let sender = std::thread::spawn(move || {
            for number in 0..5000_u32 {
                first.blocking_send(number.to_be_bytes()).expect("send");
            }
            first
        });
        let between = std::thread::spawn(move || {
            for _ in 0..5000 {
                outward
                    .blocking_send(inward.blocking_recv().expect("recv"))
                    .expect("send");
            }
            outward
        });
        for expected in 0..5000_u32 {
            let message = last
                .blocking_recv_timeout(PATIENCE)
                .expect("a message in time");
            assert_eq!(message, expected.to_be_bytes());
        }
        sender.join().expect("sender");
        between.join().expect("between");
    }
}

/// Two threads on one socket shared one wake-up: whoever looked first took it away, and the other slept on. Hung within
/// a few hundred rounds.
#[test]
fn a_blocked_sender_and_a_blocked_receiver_shared_one_bell() {
    for _ in 0..150 {
        let context = Context::new();
        let mut options = Options::default();
        options.send_hwm = 3;
        options.recv_hwm = 3;
        let left = Pair::with_options(&context, options.clone()).expect("options");
        let right = Pair::with_options(&context, options).expect("options");
        right
            .connect(left.bind("ipc://*").expect("bind"))
            .expect("connect");
        let echo = std::thread::spawn(move || {
            for _ in 0..500 {
                let message = right.blocking_recv().expect("recv");
                right.blocking_send(message).expect("send");
            }
        });
        let sending = left.clone();
        let sender = std::thread::spawn(move || {
            for number in 0..500_u32 {
                sending.blocking_send(number.to_be_bytes()).expect("send");
            }
        });
        for expected in 0..500_u32 {
            let message = left
                .blocking_recv_timeout(PATIENCE)
                .expect("a message in time");
            assert_eq!(message, expected.to_be_bytes());
        }
        sender.join().expect("sender");
        echo.join().expect("echo");
    }
}

/// A publisher that must not drop and a full subscriber, with how many messages the publisher has taken.
fn filled(context: &Context) -> (XPub, Sub, u32) {
    let mut options = Options::default();
    options.xpub_nodrop = true;
    options.send_hwm = 2;
    options.recv_hwm = 2;
    let publisher = XPub::with_options(context, options.clone()).expect("options");
    let subscriber = Sub::with_options(context, options).expect("options");
    subscriber.subscribe("").expect("subscribe");
    subscriber
        .connect(publisher.bind("inproc://kept").expect("bind"))
        .expect("connect");
    assert!(publisher.blocking_wait_for_subscribers(1, Some(PATIENCE)));
    let accepted = (0_u32..)
        .take_while(|number| publisher.try_send(number.to_be_bytes()).is_ok())
        .count();
    assert_eq!(
        accepted, 5,
        "two watermarks of two, and the one that was kept"
    );
    (publisher, subscriber, 5)
}

fn receive_in_order(subscriber: &Sub, count: u32) {
    for expected in 0..count {
        let message = subscriber.blocking_recv_timeout(PATIENCE);
        assert_eq!(message.expect("a message in time"), expected.to_be_bytes());
    }
}

/// The copy that a full subscriber had no room for was held apart, and lost when the publisher closed.
#[test]
fn a_publisher_that_must_not_drop_lost_a_message_when_it_closed() {
    let (publisher, subscriber, accepted) = filled(&Context::new());
    drop(publisher);
    receive_in_order(&subscriber, accepted);
}

/// The same copy waited for the next call of the publisher, which may never come.
#[test]
fn a_publisher_that_must_not_drop_kept_a_message_until_it_was_called_again() {
    let (publisher, subscriber, accepted) = filled(&Context::new());
    receive_in_order(&subscriber, accepted);
    drop(publisher);
}

/// What peers had given back was noticed at the next send only, so that a loan failed for ever after the pool was
/// exhausted once.
#[cfg(target_os = "linux")]
#[test]
fn a_loan_did_not_see_what_was_given_back() {
    let context = Context::new();
    let mut options = Options::default();
    options.shared_memory.pool_bytes = 4 << 20;
    options.shared_memory.exhausted = taipan::PoolExhausted::Wait;
    let push = taipan::Push::with_options(&context, options).expect("options");
    let pull = taipan::Pull::new(&context);
    push.connect(pull.bind("ipc://*").expect("bind"))
        .expect("connect");
    for _ in 0..3 {
        for _ in 0..4 {
            let loan = push.loan(1 << 20).expect("room for four");
            push.blocking_send(loan).expect("send");
        }
        assert!(push.loan(1 << 20).is_err(), "all is under way");
        for _ in 0..4 {
            pull.blocking_recv_timeout(PATIENCE).expect("a message");
        }
    }
}

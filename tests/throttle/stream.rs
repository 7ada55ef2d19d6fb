//! What goes through a throttle is what came: the failures of other libraries, as tests of this one.

use std::thread;
use std::time::Instant;

use taipan::throttle::{LinkBudgets, Throttled, throttle_links};
use taipan::{Dealer, Pull, Push, Rep, Req};

use crate::common::{context, marry, watchdog};
use crate::ways::{Way, assorted, at_least, bytes, hash, messages, ways};

/// Sends everything one way through throttles at both ends; returns how long that took.
fn through(way: &Way, place: &str) {
    let context = context();
    let pull = Pull::with_options(&context, way.options.clone()).expect("options");
    let push = Push::with_options(&context, way.options.clone()).expect("options");
    let (sending, receiving) = (bytes(20_000_000, 100_000), bytes(30_000_000, 50_000));
    if place == "links" {
        let (out, inward) = (sending.clone(), receiving.clone());
        throttle_links(&push, move |_| LinkBudgets::sending(&out));
        throttle_links(&pull, move |_| LinkBudgets::receiving(&inward));
    }
    marry(&pull, &push, &way.address);
    let (mut near, mut far) = (Throttled::new(&push), Throttled::new(&pull));
    if place == "sockets" {
        (near, far) = (near.sending(&sending), far.receiving(&receiving));
    }
    let all = assorted();
    let total: usize = all.iter().map(|message| message.byte_len()).sum();
    let sent: Vec<u64> = all.iter().map(hash).collect();
    let start = Instant::now();
    let sender = thread::spawn(move || {
        for message in all {
            near.blocking_send(message).expect("send");
        }
    });
    let received: Vec<u64> = sent
        .iter()
        .map(|_| hash(&far.blocking_recv().expect("recv")))
        .collect();
    assert_eq!(received, sent, "{} {place}", way.address);
    // The last large message may be owed, so less than all has been waited for.
    at_least(start, (total - 300_000) as f64 / 20e6);
    sender.join().expect("the sender");
    for budget in [sending, receiving] {
        let stats = budget.stats();
        assert_eq!(stats.messages, sent.len() as u64, "{} {place}", way.address);
        assert_eq!(stats.bytes, total as u64);
        assert_eq!(stats.waiting, 0);
    }
    assert_eq!(push.stats().peers[0].shared_memory, way.shared);
}

/// snakeMQ: bytes repeat from offset 65,536; of 100 packets of 1 kB one arrives intact.
#[test]
fn every_byte_arrives_once_and_in_order() {
    let _watchdog = watchdog(120);
    for place in ["sockets", "links"] {
        for way in ways() {
            through(&way, place);
        }
    }
}

/// snakeMQ: messaging over a throttled link raises an AttributeError.
#[test]
fn questions_and_answers_cross_throttled_links() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let rep = Rep::with_options(&context, way.options.clone()).expect("options");
        let req = Req::with_options(&context, way.options.clone()).expect("options");
        throttle_links(&req, |_| LinkBudgets {
            sending: Some(messages(1000, 1)),
            receiving: Some(messages(1000, 1)),
        });
        marry(&rep, &req, &way.address);
        let budget = messages(2000, 1);
        let rep = Throttled::new(&rep).sending(&budget).receiving(&budget);
        let answering = thread::spawn(move || {
            for _ in 0..50 {
                let question = rep.blocking_recv().expect("recv");
                rep.blocking_send(question).expect("send");
            }
        });
        for number in 0..50 {
            req.blocking_send(number.to_string()).expect("send");
            assert_eq!(
                req.blocking_recv().expect("recv"),
                number.to_string().as_str()
            );
        }
        answering.join().expect("the answers");
        assert_eq!(budget.stats().messages, 100);
    }
}

/// snakeMQ: the rate is outgoing only, and doubled.
#[test]
fn both_directions_keep_to_the_rate() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let a = Dealer::with_options(&context, way.options.clone()).expect("options");
        let b = Dealer::with_options(&context, way.options.clone()).expect("options");
        marry(&a, &b, &way.address);
        let (sending, receiving) = (bytes(100_000, 1000), bytes(100_000, 1000));
        let a = Throttled::new(&a).sending(&sending).receiving(&receiving);
        let start = Instant::now();
        for _ in 0..20 {
            a.blocking_send(vec![1; 1000]).expect("send");
        }
        at_least(start, 0.19);
        for _ in 0..20 {
            b.blocking_send(vec![2; 1000]).expect("send");
        }
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(a.blocking_recv().expect("recv"), vec![2; 1000].as_slice());
        }
        at_least(start, 0.19);
        assert!(sending.stats().delayed >= 18, "{:?}", sending.stats());
        assert!(receiving.stats().delayed >= 18, "{:?}", receiving.stats());
    }
}

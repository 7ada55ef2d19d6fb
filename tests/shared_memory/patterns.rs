//! What patterns make of shared memory: subscriptions, many and large, and fairness.

use std::thread;

use taipan::{Pub, Pull, Push, Sub};

use crate::common::*;
use crate::rig::*;
use crate::script::noise;

#[test]
fn a_hundred_thousand_subscriptions_go_through_a_small_ring() {
    let _dog = watchdog(60);
    let (dir, context) = (Dir::new(), context());
    let publisher = Pub::with_options(&context, small(|_| ())).unwrap();
    let sub = Sub::with_options(&context, small(|_| ())).unwrap();
    marry(&publisher, &sub, &dir.address("socket"));
    for topic in 0..100_000 {
        sub.subscribe(format!("topic {topic}.")).unwrap();
    }
    until(|| publisher.stats().topics == 100_000);
    for topic in (0..100_000).rev().step_by(997) {
        publisher.blocking_send(format!("topic {topic}.")).unwrap();
        publisher.blocking_send("nobody's").unwrap();
        assert_eq!(sub.blocking_recv().unwrap(), format!("topic {topic}."));
    }
    for topic in 0..100_000 {
        sub.unsubscribe(format!("topic {topic}.")).unwrap();
    }
    until(|| publisher.stats().topics == 0);
}

#[test]
fn a_topic_may_be_larger_than_the_ring() {
    let _dog = watchdog(20);
    let (dir, context) = (Dir::new(), context());
    let publisher = Pub::with_options(&context, small(|_| ())).unwrap();
    let sub = Sub::with_options(&context, small(|_| ())).unwrap();
    marry(&publisher, &sub, &dir.address("socket"));
    let topic = noise(3 * 1024 * 1024, 1);
    sub.subscribe(&topic).unwrap();
    assert!(publisher.blocking_wait_for_subscribers(1, None));
    publisher.blocking_send(noise(3 * 1024 * 1024, 2)).unwrap();
    publisher.blocking_send(&topic).unwrap();
    assert!(sub.blocking_recv().unwrap() == topic);
    sub.unsubscribe(&topic).unwrap();
    until(|| publisher.subscriber_count() == 0);
}

#[test]
fn three_senders_are_read_in_turn() {
    const EACH: u32 = 100;
    let _dog = watchdog(20);
    let (dir, context) = (Dir::new(), context());
    let pull = Pull::with_options(&context, small(|_| ())).unwrap();
    let endpoint = pull.bind(dir.address("socket").as_str()).unwrap();
    for len in [10, 20_000] {
        let pushes = [0_u8, 1, 2].map(|_| Push::with_options(&context, small(|_| ())).unwrap());
        pushes.iter().for_each(|push| join(&pull, push, &endpoint));
        assert_shared(&pull, 3);
        let sending: Vec<_> = (0..3_u8)
            .zip(pushes)
            .map(|(who, push)| {
                thread::spawn(move || {
                    (0..EACH).for_each(|_| push.blocking_send(vec![who; len]).unwrap());
                    push.flush();
                    push
                })
            })
            .collect();
        // Small messages wait in the rings, all of them; of large ones as many as the pool holds.
        until(|| len > 10 || sending.iter().all(thread::JoinHandle::is_finished));
        let mut counts = [0_u32; 3];
        for _ in 0..3 * EACH {
            counts[pull.blocking_recv().unwrap().first()[0] as usize] += 1;
            if len == 10 && counts.iter().all(|count| *count < EACH) {
                let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
                assert!(spread <= 2, "{counts:?}");
            }
        }
        assert_eq!(counts, [EACH; 3]);
        drop(
            sending
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect::<Vec<_>>(),
        );
        until_links(&pull, 0);
    }
}

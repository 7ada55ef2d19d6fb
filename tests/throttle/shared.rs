//! One budget for several sockets and links.

use std::thread;
use std::time::Instant;

use taipan::throttle::{LinkBudgets, Throttled, throttle_links};
use taipan::{Pull, Push};

use crate::common::{context, marry, watchdog};
use crate::ways::{at_least, bytes, ways};

const EACH: u64 = 100;

#[test]
fn two_sockets_share_a_budget_and_stay_within_it_together() {
    let _watchdog = watchdog(60);
    let context = context();
    let budget = bytes(500_000, 10_000);
    let mut threads = Vec::new();
    let start = Instant::now();
    for way in ways().into_iter().take(2) {
        let push = Push::with_options(&context, way.options.clone()).expect("options");
        let pull = Pull::with_options(&context, way.options.clone()).expect("options");
        marry(&pull, &push, &way.address);
        let slow = Throttled::new(&push).sending(&budget);
        threads.push(thread::spawn(move || {
            for _ in 0..EACH {
                slow.blocking_send(vec![0; 500]).expect("send");
            }
            for _ in 0..EACH {
                pull.blocking_recv().expect("recv");
            }
        }));
    }
    for thread in threads {
        thread.join().expect("a sender");
    }
    at_least(start, (2.0 * EACH as f64 * 500.0 - 10_000.0) / 500_000.0);
    let stats = budget.stats();
    assert_eq!((stats.messages, stats.bytes), (2 * EACH, 1000 * EACH));
}

/// A socket and a link of another one, and one of the sockets whose receiver does not receive.
#[test]
fn one_that_cannot_go_on_does_not_hold_up_the_others() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let budget = bytes(1_000_000, 1000);
        let (stuck, free) = (Push::new(&context), Push::new(&context));
        let of_link = budget.clone();
        let few = way.options(|options| (options.send_hwm, options.recv_hwm) = (2, 2));
        stuck
            .update_options(|options| *options = few.clone())
            .expect("options");
        throttle_links(&stuck, move |_| LinkBudgets::sending(&of_link));
        let nobody = Pull::with_options(&context, few).expect("options");
        marry(&nobody, &stuck, &way.address);
        let free_pull = Pull::new(&context);
        marry(&free_pull, &free, &crate::common::inproc());
        // Many megabytes would be more than the kernel takes.
        let large = vec![0; 100_000];
        while stuck.try_send(large.clone()).is_ok() {}
        let free = Throttled::new(&free).sending(&budget);
        for _ in 0..50 {
            free.blocking_send(vec![0; 500]).expect("send");
            free_pull.blocking_recv().expect("recv");
        }
    }
}

/// The same for receiving: a link with a message that nobody receives.
#[test]
fn a_link_that_nobody_receives_from_does_not_hold_up_the_others() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let budget = bytes(10_000, 500);
        let sockets: Vec<_> = [way.address.clone(), crate::common::inproc()]
            .into_iter()
            .map(|address| {
                let push = Push::with_options(&context, way.options.clone()).expect("options");
                let pull = Pull::with_options(&context, way.options.clone()).expect("options");
                let own = budget.clone();
                throttle_links(&pull, move |_| LinkBudgets::receiving(&own));
                marry(&pull, &push, &address);
                (push, pull)
            })
            .collect();
        for (push, _) in &sockets {
            for _ in 0..4 {
                push.blocking_send(vec![0; 500]).expect("send");
            }
        }
        let (left, others) = (&sockets[0].1, &sockets[1].1);
        left.blocking_recv().expect("recv");
        // The second waits for the budget, and then for somebody who takes it.
        crate::common::until(|| left.try_recv().is_err() && budget.stats().waiting > 0);
        for _ in 0..4 {
            others.blocking_recv().expect("recv");
        }
    }
}

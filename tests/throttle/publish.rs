//! A publisher with one slow link: that one misses messages, or is waited for, as the option says; the others get all.

use std::thread;

use taipan::throttle::{Budget, Limits, LinkBudgets, throttle_links};
use taipan::{DropReason, Pub, Sub};

use crate::common::{context, inproc, join, text, until, watchdog};
use crate::ways::{Way, messages, ways};

/// A publisher with a subscriber on a slow link (first) and one on a link without a limit.
fn pair(way: &Way, budget: &Budget, nodrop: bool) -> (Pub, Sub, Sub) {
    let context = context();
    let options = way.options(|options| {
        options.send_hwm = 10;
        options.xpub_nodrop = nodrop;
    });
    let publisher = Pub::with_options(&context, options).expect("options");
    let slow_end = publisher.bind(way.address.as_str()).expect("bind");
    let budget = budget.clone();
    let limited = slow_end.to_string();
    throttle_links(&publisher, move |link| match link.endpoint == limited {
        true => LinkBudgets::sending(&budget),
        false => LinkBudgets::none(),
    });
    let free_end = match way.address.split_once("://") {
        Some(("tcp", _)) => "tcp://127.0.0.1:*".to_owned(),
        Some(("ipc", _)) => "ipc://*".to_owned(),
        _ => inproc(),
    };
    let free_end = publisher.bind(free_end.as_str()).expect("bind");
    let [slow, free] = [&slow_end, &free_end].map(|endpoint| {
        let sub = Sub::with_options(&context, way.options.clone()).expect("options");
        sub.subscribe("").expect("subscribe");
        join(&publisher, &sub, endpoint);
        sub
    });
    assert!(publisher.blocking_wait_for_subscribers(2, None));
    (publisher, slow, free)
}

#[test]
fn the_one_slow_subscriber_misses_some_and_the_other_gets_all_at_full_speed() {
    let _watchdog = watchdog(60);
    const COUNT: u64 = 2000;
    for way in ways() {
        let budget = messages(20, 1);
        let (publisher, slow, free) = pair(&way, &budget, false);
        for number in 0..COUNT {
            publisher.blocking_send(number.to_string()).expect("send");
            // The other one is never behind, so nothing may be dropped for it.
            assert_eq!(
                text(&free.blocking_recv().expect("recv")),
                number.to_string()
            );
        }
        let passed = budget.stats().messages;
        let stats = publisher.stats();
        let drops: Vec<u64> = stats
            .peers
            .iter()
            .map(|peer| peer.drops.get(DropReason::Watermark))
            .collect();
        let dropped: u64 = drops.iter().sum();
        assert!(passed < COUNT / 2, "{passed} passed: not slow");
        assert!(dropped > 0 && drops.contains(&0), "{drops:?}");
        budget.set(Limits::none()).expect("limits");
        let (mut last, mut received) = (None, 0);
        until(|| publisher.stats().queued_out == 0);
        while received < COUNT - dropped {
            let number: u64 = text(&slow.blocking_recv().expect("recv"))
                .parse()
                .expect("a number");
            assert!(last < Some(number), "in order");
            last = Some(number);
            received += 1;
        }
        assert!(
            slow.try_recv().is_err(),
            "and no more than were not dropped"
        );
    }
}

#[test]
fn with_nodrop_the_publisher_waits_for_the_slow_subscriber_and_both_get_all() {
    let _watchdog = watchdog(60);
    const COUNT: u64 = 200;
    for way in ways() {
        let budget = messages(1000, 1);
        let (publisher, slow, free) = pair(&way, &budget, true);
        let receivers = [slow, free].map(|sub| {
            thread::spawn(move || {
                for number in 0..COUNT {
                    assert_eq!(
                        text(&sub.blocking_recv().expect("recv")),
                        number.to_string()
                    );
                }
            })
        });
        for number in 0..COUNT {
            publisher.blocking_send(number.to_string()).expect("send");
        }
        for receiver in receivers {
            receiver.join().expect("a receiver");
        }
        assert_eq!(publisher.stats().drops.total(), 0);
        assert_eq!(budget.stats().messages, COUNT);
    }
}

//! Budgets of single links: below the watermark, whoever is or is not calling.

use std::time::{Duration, Instant};

use taipan::throttle::{Budget, Limits, LinkBudgets, throttle_links};
use taipan::{Dealer, DropReason, Interest, Kind, Poller, Pull, Push, Socket};

use crate::common::{context, fill, join, marry, text, until, until_links, watchdog};
use crate::ways::{at_least, messages, stopped, ways};

/// One budget for all links of a socket.
fn limit<K: Kind>(socket: &Socket<K>, budget: &Budget) {
    let budget = budget.clone();
    throttle_links(socket, move |_| LinkBudgets::sending(&budget));
}

#[test]
fn messages_go_on_although_nobody_calls() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let push = Push::with_options(&context, way.options.clone()).expect("options");
        let pull = Pull::with_options(&context, way.options.clone()).expect("options");
        let budget = messages(500, 1);
        limit(&push, &budget);
        marry(&pull, &push, &way.address);
        let start = Instant::now();
        for number in 0..50 {
            push.try_send(number.to_string()).expect("there is room");
        }
        for number in 0..50 {
            assert_eq!(
                text(&pull.blocking_recv().expect("recv")),
                number.to_string()
            );
        }
        at_least(start, 49.0 / 500.0);
        assert_eq!(push.stats().queued_out, 0);
        assert_eq!(budget.stats().messages, 50);
    }
}

#[test]
fn the_watermark_bounds_what_waits_at_a_gate() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let few = way.options(|options| options.send_hwm = 10);
        let push = Push::with_options(&context, few).expect("options");
        let pull = Pull::with_options(&context, way.options.clone()).expect("options");
        let budget = stopped();
        limit(&push, &budget);
        marry(&pull, &push, &way.address);
        let accepted = fill(&push, |number| number.to_string().into());
        assert_eq!(accepted, 10, "{}", way.address);
        let peer = &push.stats().peers[0];
        assert_eq!(peer.queued_out, 10, "{peer:?}");
        let timeout = Duration::from_millis(5);
        assert!(push.blocking_send_timeout("x", timeout).is_err());
        budget.set(Limits::none()).expect("limits");
        push.blocking_send("10").expect("room");
        for number in 0..11 {
            assert_eq!(
                text(&pull.blocking_recv().expect("recv")),
                number.to_string()
            );
        }
    }
}

#[test]
fn what_was_held_when_a_link_was_lost_goes_over_the_next_one() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let push = Push::with_options(&context, way.options.clone()).expect("options");
        let pull = Pull::with_options(&context, way.options.clone()).expect("options");
        let budget = stopped();
        limit(&push, &budget);
        let endpoint = marry(&pull, &push, &way.address);
        for number in 0..6 {
            push.blocking_send(number.to_string()).expect("send");
        }
        assert_eq!(push.stats().queued_out, 6);
        pull.close();
        drop(pull);
        until_links(&push, 0);
        let next = Pull::with_options(&context, way.options.clone()).expect("options");
        until(|| next.bind(endpoint.clone()).is_ok());
        budget.set(Limits::none()).expect("limits");
        for number in 0..6 {
            assert_eq!(
                text(&next.blocking_recv().expect("recv")),
                number.to_string()
            );
        }
        assert_eq!(push.stats().drops.total(), 0);
    }
}

#[test]
fn closing_waits_for_what_is_held() {
    let _watchdog = watchdog(60);
    for way in ways() {
        // Two contexts, but in process, where there can be only one.
        let context = context();
        let push = Push::with_options(&context, way.options.clone()).expect("options");
        let pull = Pull::with_options(&context, way.options.clone()).expect("options");
        limit(&push, &messages(500, 1));
        marry(&pull, &push, &way.address);
        for number in 0..50 {
            push.blocking_send(number.to_string()).expect("send");
        }
        drop(push);
        for number in 0..50 {
            assert_eq!(
                text(&pull.blocking_recv().expect("recv")),
                number.to_string()
            );
        }
    }
}

#[test]
fn what_linger_was_too_short_for_is_counted() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let hasty = way.options(|options| options.linger = Some(Duration::from_millis(20)));
        let push = Push::with_options(&context, hasty.clone()).expect("options");
        let pull = Pull::with_options(&context, hasty).expect("options");
        limit(&push, &stopped());
        marry(&pull, &push, &way.address);
        for number in 0..6 {
            push.blocking_send(number.to_string()).expect("send");
        }
        assert_eq!(context.terminate().unsent_messages, 6, "{}", way.address);
    }
}

#[test]
fn a_push_gives_the_next_peer_its_turn() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let few = way.options(|options| options.send_hwm = 1);
        let push = Push::with_options(&context, few).expect("options");
        let (free, slow) = (Pull::new(&context), Pull::new(&context));
        for pull in [&free, &slow] {
            pull.update_options(|options| *options = way.options.clone())
                .expect("options");
        }
        let endpoint = marry(&push, &free, &way.address);
        throttle_links(&push, |_| LinkBudgets::sending(&stopped()));
        join(&push, &slow, &endpoint);
        for number in 0..100 {
            push.blocking_send(number.to_string()).expect("send");
            // One passes and one or two wait at the slow one; all others are here.
            if number >= 10 {
                free.blocking_recv().expect("recv");
            }
        }
        assert!(free.stats().messages_in >= 90);
    }
}

#[test]
fn a_poller_sees_what_the_gate_lets_in() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let push = Push::with_options(&context, way.options.clone()).expect("options");
        let pull = Pull::with_options(&context, way.options.clone()).expect("options");
        let budget = messages(200, 1);
        let own = budget.clone();
        throttle_links(&pull, move |_| LinkBudgets::receiving(&own));
        marry(&pull, &push, &way.address);
        for number in 0..20 {
            push.blocking_send(number.to_string()).expect("send");
        }
        let mut poller = Poller::new();
        poller
            .add(&pull, 0, Interest::READABLE)
            .expect("a descriptor");
        let start = Instant::now();
        let mut received = 0;
        while received < 20 {
            assert_eq!(poller.wait(None).expect("wait").len(), 1);
            while let Ok(message) = pull.try_recv() {
                assert_eq!(text(&message), received.to_string());
                received += 1;
            }
        }
        at_least(start, 18.0 / 200.0);
        assert_eq!(budget.stats().messages, 20);
    }
}

#[test]
fn the_newest_message_waits_at_the_gate_with_conflate() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let newest = way.options(|options| options.conflate = true);
        let push = Push::with_options(&context, newest).expect("options");
        let pull = Pull::with_options(&context, way.options.clone()).expect("options");
        let budget = stopped();
        limit(&push, &budget);
        marry(&pull, &push, &way.address);
        for number in 0..100 {
            push.try_send(number.to_string()).expect("always room");
        }
        assert_eq!(push.stats().queued_out, 1);
        budget.set(Limits::none()).expect("limits");
        assert_eq!(text(&pull.blocking_recv().expect("recv")), "99");
        assert_eq!(push.stats().drops.get(DropReason::Replaced), 99);
    }
}

#[test]
fn a_link_says_who_it_is() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let (tell, told) = std::sync::mpsc::channel();
        let pull = Dealer::with_options(&context, way.options.clone()).expect("options");
        throttle_links(&pull, move |link| {
            tell.send(link.clone()).expect("the test listens");
            LinkBudgets::none()
        });
        let named = way.options(|options| options.routing_id = "me".into());
        let push = Dealer::with_options(&context, named).expect("options");
        let endpoint = marry(&pull, &push, &way.address);
        let link = told.recv().expect("a link");
        assert_eq!(link.endpoint, endpoint.to_string());
        assert_eq!(link.kind, Some(taipan::SocketKind::Dealer));
        assert_eq!(&link.routing_id[..], b"me");
        assert_eq!(link.credentials.is_some(), link.endpoint.starts_with("ipc"));
    }
}

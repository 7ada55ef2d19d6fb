//! XPUB and XSUB: subscriptions seen and made by hand.

mod common;

use bytes::Bytes;
use common::*;
use taipan::{
    Context, DropReason, Message, Options, Pub, RecvError, Sub, SubscribeError, XPub, XSub,
};

fn xpub_with(context: &Context, change: impl FnOnce(&mut Options)) -> XPub {
    XPub::with_options(context, options(change)).expect("options")
}

/// The next so many notifications, as `+topic` and `-topic`.
fn news(xpub: &XPub, count: usize) -> Vec<String> {
    let read = |message: Message| {
        let frame = message.first().to_vec();
        let sign = if frame[0] == 1 { '+' } else { '-' };
        format!("{sign}{}", String::from_utf8_lossy(&frame[1..]))
    };
    (0..count)
        .map(|_| read(xpub.blocking_recv().unwrap()))
        .collect()
}

#[test]
fn the_first_subscription_and_the_last_cancellation_of_a_topic_are_told() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (xpub, one, two) = (XPub::new(&context), Sub::new(&context), Sub::new(&context));
        let endpoint = marry(&xpub, &one, &address);
        one.subscribe("a").unwrap();
        one.subscribe("a").unwrap();
        assert_eq!(news(&xpub, 1), ["+a"], "{address}");
        join(&xpub, &two, &endpoint);
        two.subscribe("a").unwrap();
        two.subscribe("b").unwrap();
        assert_eq!(news(&xpub, 1), ["+b"], "{address}");
        one.unsubscribe("a").unwrap();
        one.unsubscribe("a").unwrap();
        two.unsubscribe("b").unwrap();
        assert_eq!(news(&xpub, 1), ["-b"], "{address}");
        drop(two);
        assert_eq!(news(&xpub, 1), ["-a"], "{address}: the last one left");
        assert_eq!(xpub.try_recv(), Err(RecvError::WouldBlock), "{address}");
    }
}

#[test]
fn verbose_tells_every_subscription_and_verboser_every_cancellation_too() {
    let _dog = watchdog(60);
    for address in transports() {
        for verboser in [false, true] {
            let context = context();
            let xpub = xpub_with(&context, |o| {
                (o.xpub_verbose, o.xpub_verboser) = (!verboser, verboser)
            });
            let (one, two) = (Sub::new(&context), Sub::new(&context));
            let endpoint = marry(&xpub, &one, &address);
            join(&xpub, &two, &endpoint);
            one.subscribe("a").unwrap();
            two.subscribe("a").unwrap();
            assert_eq!(news(&xpub, 2), ["+a", "+a"], "{address}");
            one.unsubscribe("a").unwrap();
            if verboser {
                assert_eq!(news(&xpub, 1), ["-a"], "{address}");
            }
            one.subscribe("end").unwrap();
            assert_eq!(news(&xpub, 1), ["+end"], "{address}");
            drop(two);
            assert_eq!(news(&xpub, 1), ["-a"], "{address}");
        }
    }
}

#[test]
fn in_manual_mode_nobody_is_subscribed_until_the_application_says_so() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let xpub = xpub_with(&context, |o| o.xpub_manual = true);
        let (one, two) = (Sub::new(&context), Sub::new(&context));
        let endpoint = marry(&xpub, &one, &address);
        one.subscribe("wish").unwrap();
        one.subscribe("granted").unwrap();
        assert_eq!(news(&xpub, 1), ["+wish"], "{address}");
        xpub.blocking_send("wish 0").unwrap();
        xpub.subscribe("granted").unwrap();
        assert_eq!(news(&xpub, 1), ["+granted"], "{address}");
        join(&xpub, &two, &endpoint);
        two.subscribe("wish").unwrap();
        assert_eq!(news(&xpub, 1), ["+wish"], "{address}");
        xpub.subscribe("wish").unwrap();
        for text in ["wish 1", "granted 1"] {
            xpub.blocking_send(text).unwrap();
        }
        assert_eq!(take(&one, 1), ["granted 1"], "{address}");
        assert_eq!(take(&two, 1), ["wish 1"], "{address}");
        two.unsubscribe("wish").unwrap();
        assert_eq!(news(&xpub, 1), ["-wish"], "{address}");
        xpub.unsubscribe("wish").unwrap();
        assert_eq!(
            xpub.unsubscribe("wish"),
            Err(SubscribeError::NotSubscribed),
            "{address}"
        );
        assert_eq!(xpub.stats().topics, 1, "{address}");
    }
}

#[test]
fn a_last_value_goes_to_the_last_subscriber_alone() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let xpub = xpub_with(&context, |o| o.xpub_manual_last_value = true);
        let (old, new) = (Sub::new(&context), Sub::new(&context));
        let endpoint = marry(&xpub, &old, &address);
        old.subscribe("t").unwrap();
        assert_eq!(news(&xpub, 1), ["+t"]);
        xpub.subscribe("t").unwrap();
        xpub.blocking_send("t last for old").unwrap();
        join(&xpub, &new, &endpoint);
        new.subscribe("t").unwrap();
        assert_eq!(news(&xpub, 1), ["+t"]);
        xpub.subscribe("t").unwrap();
        xpub.blocking_send("t last for new").unwrap();
        xpub.blocking_send("t for all").unwrap();
        assert_eq!(take(&old, 2), ["t last for old", "t for all"], "{address}");
        assert_eq!(take(&new, 2), ["t last for new", "t for all"], "{address}");
    }
}

#[test]
fn a_welcome_reaches_whoever_listens_for_it() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let xpub = xpub_with(&context, |o| {
            o.xpub_welcome_msg = Some(Bytes::from_static(b"welcome"))
        });
        let (listens, does_not) = (Sub::new(&context), Sub::new(&context));
        listens.subscribe("welcome").unwrap();
        does_not.subscribe("other").unwrap();
        let endpoint = marry(&xpub, &listens, &address);
        does_not.connect(endpoint).unwrap();
        assert_eq!(take(&listens, 1), ["welcome"], "{address}");
        let mut told = news(&xpub, 2);
        told.sort();
        assert_eq!(told, ["+other", "+welcome"]);
        xpub.blocking_send("other").unwrap();
        assert_eq!(take(&does_not, 1), ["other"], "{address}");
    }
}

#[test]
fn messages_of_subscribers_reach_the_application() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (xpub, xsub) = (XPub::new(&context), XSub::new(&context));
        marry(&xpub, &xsub, &address);
        xsub.blocking_send("hello up there").unwrap();
        xsub.blocking_send(parts([b"two", b"frames"])).unwrap();
        xsub.blocking_send(b"\x01topic").unwrap();
        assert_eq!(xpub.blocking_recv().unwrap(), "hello up there", "{address}");
        assert_eq!(
            xpub.blocking_recv().unwrap(),
            parts([b"two", b"frames"]),
            "{address}"
        );
        assert_eq!(news(&xpub, 1), ["+topic"], "{address}");
        xpub.blocking_send("topic 1").unwrap();
        assert_eq!(take(&xsub, 1), ["topic 1"], "{address}");
        xsub.blocking_send(b"\0topic").unwrap();
        assert_eq!(news(&xpub, 1), ["-topic"], "{address}");
    }
}

#[test]
fn an_xsub_receives_unfiltered_and_drops_doubled_cancellations() {
    let _dog = watchdog(60);
    for address in transports() {
        for verbose in [false, true] {
            let context = context();
            let xpub = xpub_with(&context, |o| o.xpub_verboser = true);
            let xsub =
                XSub::with_options(&context, options(|o| o.xsub_verbose_unsubscribe = verbose))
                    .unwrap();
            marry(&xpub, &xsub, &address);
            xsub.blocking_send(b"\x01a").unwrap();
            xsub.blocking_send(b"\0a").unwrap();
            xsub.blocking_send(b"\0a").unwrap();
            xsub.subscribe("end").unwrap();
            let expected: &[&str] = if verbose {
                &["+a", "-a", "-a", "+end"]
            } else {
                &["+a", "-a", "+end"]
            };
            assert_eq!(news(&xpub, expected.len()), expected, "{address}");
        }
    }
}

#[test]
fn only_the_first_frame_may_be_a_subscription_if_the_option_says_so() {
    let _dog = watchdog(60);
    for address in transports() {
        for only_first in [false, true] {
            let context = context();
            let set = |o: &mut Options| o.only_first_subscribe = only_first;
            let xpub = xpub_with(&context, set);
            let xsub = XSub::with_options(&context, options(set)).unwrap();
            marry(&xpub, &xsub, &address);
            xsub.blocking_send(parts([b"user", b"\x01later"])).unwrap();
            xsub.subscribe("end").unwrap();
            if only_first {
                assert_eq!(
                    xpub.blocking_recv().unwrap(),
                    parts([b"user", b"\x01later"]),
                    "{address}"
                );
                assert_eq!(news(&xpub, 1), ["+end"], "{address}");
            } else {
                let all: Vec<_> = (0..3).map(|_| xpub.blocking_recv().unwrap()).collect();
                assert!(
                    all.contains(&"user".into()) && all.contains(&b"\x01later".into()),
                    "{address}: {all:?}"
                );
            }
        }
    }
}

#[test]
fn nodrop_gives_the_message_back() {
    let _dog = watchdog(60);
    let context = context();
    let xpub = xpub_with(&context, |o| {
        o.xpub_nodrop = true;
        o.send_hwm = 2;
    });
    let sub = Sub::with_options(&context, options(|o| o.recv_hwm = 2)).unwrap();
    sub.subscribe("").unwrap();
    marry(&xpub, &sub, &inproc());
    assert!(xpub.blocking_wait_for_subscribers(1, None));
    let accepted = fill(&xpub, |at| at.to_string().into());
    assert!(
        accepted == 4 || accepted == 5,
        "{accepted}: the last may be held for the full one"
    );
    let refused = xpub.try_send(parts([b"a", b"b"])).unwrap_err();
    assert_eq!(refused.into_message(), parts([b"a", b"b"]));
    assert_eq!(take(&sub, 4), numbered(0, 4));
    xpub.blocking_send("room").unwrap();
    assert_eq!(take(&sub, accepted - 4), numbered(4, accepted - 4));
    assert_eq!(take(&sub, 1), ["room"]);
}

#[test]
fn notifications_that_are_not_read_are_bounded_and_the_subscriptions_hold() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let xpub = xpub_with(&context, |o| o.recv_hwm = 10);
        let sub = Sub::new(&context);
        marry(&xpub, &sub, &address);
        for text in numbered(100, 50) {
            sub.subscribe(text).unwrap();
        }
        until(|| xpub.ready(taipan::Interest::READABLE).is_readable() && xpub.stats().topics == 50);
        assert_eq!(
            xpub.stats().drops.get(DropReason::Notification),
            40,
            "{address}"
        );
        assert_eq!(news(&xpub, 10).last().unwrap(), "+109", "{address}");
        assert_eq!(xpub.try_recv(), Err(RecvError::WouldBlock), "{address}");
        xpub.blocking_send("149").unwrap();
        assert_eq!(take(&sub, 1), ["149"], "{address}");
    }
}

#[test]
fn subscribing_by_hand_needs_manual_mode() {
    let context = context();
    assert_eq!(
        XPub::new(&context).subscribe("x"),
        Err(SubscribeError::NotSupported)
    );
}

#[test]
fn a_forwarder_of_both_kinds_passes_subscriptions_up_and_messages_down() {
    let _dog = watchdog(60);
    for (one, other) in transports().into_iter().zip(transports()) {
        let context = context();
        let (source, xsub, xpub, sink) = (
            Pub::new(&context),
            XSub::new(&context),
            XPub::new(&context),
            Sub::new(&context),
        );
        marry(&source, &xsub, &one);
        marry(&xpub, &sink, &other);
        sink.subscribe("news").unwrap();
        xsub.blocking_send(xpub.blocking_recv().unwrap()).unwrap();
        assert!(source.blocking_wait_for_subscribers(1, None));
        source.blocking_send("old").unwrap();
        source.blocking_send("news 1").unwrap();
        xpub.blocking_send(xsub.blocking_recv().unwrap()).unwrap();
        assert_eq!(take(&sink, 1), ["news 1"], "{one}");
        assert_eq!(xsub.try_recv(), Err(RecvError::WouldBlock), "{one}");
    }
}

//! PUB and SUB: who gets a copy, and who does not.

mod common;

use std::thread;
use std::time::Duration;

use common::*;
use taipan::{
    AnySocket, Context, DropReason, Message, Options, Pub, RecvError, SendErrorKind, SocketKind,
    Sub, SubscribeError, XSub,
};

fn pub_with(context: &Context, change: impl FnOnce(&mut Options)) -> Pub {
    Pub::with_options(context, options(change)).expect("options")
}

fn sub_with(context: &Context, change: impl FnOnce(&mut Options)) -> Sub {
    Sub::with_options(context, options(change)).expect("options")
}

/// Waits until the publisher knows exactly so many topics.
fn until_topics(publisher: &Pub, count: usize) {
    until(|| publisher.stats().topics == count);
}

#[test]
fn a_topic_is_a_prefix_of_the_first_frame() {
    let _dog = watchdog(60);
    for address in transports() {
        for place in [marry::<taipan::kind::Pub, taipan::kind::Sub>, marry_early] {
            let context = context();
            let (publisher, sub) = (Pub::new(&context), Sub::new(&context));
            sub.subscribe("ab").unwrap();
            place(&publisher, &sub, &address);
            sub.subscribe([0xff, 0]).unwrap();
            until_topics(&publisher, 2);
            for topic in [
                &b"a"[..],
                b"ab",
                b"b",
                b"abc",
                b"",
                b"\xff",
                b"\xff\0\0",
                b"Ab",
            ] {
                publisher.blocking_send(topic).unwrap();
            }
            publisher.blocking_send(parts([b"x", b"ab"])).unwrap();
            publisher.blocking_send(parts([b"ab", b"end"])).unwrap();
            let got: Vec<_> = (0..4).map(|_| sub.blocking_recv().unwrap()).collect();
            assert_eq!(
                got[..3],
                [Message::from("ab"), "abc".into(), b"\xff\0\0".into()],
                "{address}"
            );
            assert_eq!(got[3], parts([b"ab", b"end"]), "{address}");
            assert_eq!(sub.try_recv(), Err(RecvError::WouldBlock), "{address}");
        }
    }
}

#[test]
fn the_empty_topic_is_all_and_no_topic_is_nothing() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (publisher, all, none) = (Pub::new(&context), Sub::new(&context), Sub::new(&context));
        all.subscribe("").unwrap();
        let endpoint = marry(&publisher, &all, &address);
        join(&publisher, &none, &endpoint);
        assert!(publisher.blocking_wait_for_subscribers(1, None));
        publisher.blocking_send("").unwrap();
        publisher.blocking_send("x").unwrap();
        assert_eq!(take(&all, 2), ["", "x"], "{address}");
        assert_eq!(none.try_recv(), Err(RecvError::WouldBlock), "{address}");
        assert_eq!(publisher.subscriber_count(), 1, "{address}");
    }
}

#[test]
fn subscriptions_are_counted_and_overlap_without_doubling() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (publisher, sub) = (Pub::new(&context), Sub::new(&context));
        for topic in ["a", "a", "ab", "abc"] {
            sub.subscribe(topic).unwrap();
        }
        marry(&publisher, &sub, &address);
        until_topics(&publisher, 3);
        publisher.blocking_send("abcd").unwrap();
        sub.unsubscribe("a").unwrap();
        sub.unsubscribe("ab").unwrap();
        until_topics(&publisher, 2);
        publisher.blocking_send("a still").unwrap();
        sub.unsubscribe("a").unwrap();
        assert_eq!(
            sub.unsubscribe("a"),
            Err(SubscribeError::NotSubscribed),
            "{address}"
        );
        until_topics(&publisher, 1);
        publisher.blocking_send("a no more").unwrap();
        publisher.blocking_send("abc").unwrap();
        // What was sent before a subscription was taken back is not delivered after.
        assert_eq!(take(&sub, 2), ["abcd", "abc"], "{address}");
        assert_eq!(sub.try_recv(), Err(RecvError::WouldBlock), "{address}");
    }
}

#[test]
fn every_subscriber_gets_one_copy() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let publisher = Pub::new(&context);
        let endpoint = publisher.bind(address.as_str()).unwrap();
        let subs: Vec<_> = (0..5)
            .map(|at| {
                let sub = Sub::new(&context);
                sub.subscribe("all").unwrap();
                sub.subscribe(format!("only {at}")).unwrap();
                sub.connect(endpoint.clone()).unwrap();
                sub
            })
            .collect();
        until_topics(&publisher, 6);
        until(|| publisher.subscriber_count() == 5);
        publisher.blocking_send("only 3").unwrap();
        publisher
            .blocking_send(
                vec![b"all".to_vec(), vec![1; 100_000]]
                    .into_iter()
                    .collect::<Message>(),
            )
            .unwrap();
        assert_eq!(take(&subs[3], 1), ["only 3"]);
        for sub in &subs {
            let got = sub.blocking_recv().unwrap();
            assert_eq!((got[0].len(), got[1].len()), (3, 100_000), "{address}");
            assert_eq!(sub.try_recv(), Err(RecvError::WouldBlock), "{address}");
        }
        assert_eq!(publisher.stats().messages_out, 6, "{address}: one a copy");
    }
}

#[test]
fn a_slow_subscriber_misses_messages_and_holds_up_nobody() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let publisher = pub_with(&context, |o| o.send_hwm = 10);
        let (slow, quick) = (
            sub_with(&context, |o| o.recv_hwm = 10),
            sub_with(&context, |o| o.recv_hwm = 10),
        );
        slow.subscribe("").unwrap();
        quick.subscribe("").unwrap();
        let endpoint = marry(&publisher, &slow, &address);
        join(&publisher, &quick, &endpoint);
        assert!(publisher.blocking_wait_for_subscribers(2, None));
        let mut sent = 0_u64;
        while publisher.stats().drops.get(DropReason::Watermark) < 20 {
            let mut body = vec![0; 20_000];
            body[..8].copy_from_slice(&sent.to_be_bytes());
            publisher.try_send(body).unwrap();
            assert!(publisher.ready(taipan::Interest::WRITABLE).is_writable());
            sent += 1;
            let got = quick.blocking_recv().unwrap();
            assert_eq!(got.first()[..8], (sent - 1).to_be_bytes(), "{address}");
        }
        let dropped = publisher.stats().drops.get(DropReason::Watermark);
        let mut last = None;
        for _ in 0..sent - dropped {
            let got = slow.blocking_recv().unwrap();
            let number = u64::from_be_bytes(got.first()[..8].try_into().unwrap());
            assert!(last < Some(number), "{address}");
            last = Some(number);
        }
        assert_eq!(slow.try_recv(), Err(RecvError::WouldBlock), "{address}");
    }
}

#[test]
fn with_nodrop_the_publisher_waits_for_the_slowest() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let publisher = pub_with(&context, |o| {
            o.send_hwm = 4;
            o.xpub_nodrop = true;
        });
        let (slow, other) = (sub_with(&context, |o| o.recv_hwm = 4), Sub::new(&context));
        slow.subscribe("x").unwrap();
        other.subscribe("y").unwrap();
        let endpoint = marry(&publisher, &slow, &address);
        join(&publisher, &other, &endpoint);
        until_topics(&publisher, 2);
        let make = |at: usize| {
            Message::from_frames([b"x".to_vec(), at.to_string().into_bytes(), vec![0; 50_000]])
        };
        let accepted = fill(&publisher, make);
        publisher.try_send("y: nobody of yours is full").unwrap();
        assert_eq!(take(&other, 1).len(), 1, "{address}");
        let sender = {
            let publisher = publisher.clone();
            thread::spawn(move || {
                (accepted..accepted + 50).for_each(|at| publisher.blocking_send(make(at)).unwrap())
            })
        };
        for at in 0..accepted + 50 {
            assert!(slow.blocking_recv().unwrap() == make(at), "{address}: {at}");
        }
        sender.join().unwrap();
        assert_eq!(publisher.stats().drops.total(), 0, "{address}");
    }
}

#[test]
fn inverted_matching_delivers_what_does_not_match() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let publisher = pub_with(&context, |o| o.invert_matching = true);
        let sub = sub_with(&context, |o| o.invert_matching = true);
        sub.subscribe("no").unwrap();
        marry(&publisher, &sub, &address);
        until_topics(&publisher, 1);
        for text in ["no", "yes", "not", "n"] {
            publisher.blocking_send(text).unwrap();
        }
        assert_eq!(take(&sub, 2), ["yes", "n"], "{address}");
        assert_eq!(sub.try_recv(), Err(RecvError::WouldBlock), "{address}");
    }
}

#[test]
fn a_publisher_without_subscribers_drops_and_never_blocks() {
    let context = context();
    let publisher = pub_with(&context, |o| o.send_hwm = 1);
    for _ in 0..1000 {
        publisher.try_send("nobody").unwrap();
        publisher.blocking_send("nobody").unwrap();
    }
    assert_eq!(publisher.stats().messages_out, 0);
}

#[test]
fn messages_of_subscribers_are_ignored_and_counted() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (publisher, xsub) = (Pub::new(&context), XSub::new(&context));
        marry(&publisher, &xsub, &address);
        xsub.blocking_send("not for you").unwrap();
        xsub.blocking_send(b"\x01topic").unwrap();
        assert!(publisher.blocking_wait_for_subscribers(1, None));
        assert_eq!(
            publisher.stats().drops.get(DropReason::Ignored),
            1,
            "{address}"
        );
        publisher.blocking_send("topic 1").unwrap();
        assert_eq!(take(&xsub, 1), ["topic 1"], "{address}");
    }
}

#[test]
fn a_conflated_subscriber_gets_the_newest() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let publisher = pub_with(&context, |o| o.conflate = true);
        let sub = sub_with(&context, |o| o.conflate = true);
        sub.subscribe("").unwrap();
        marry(&publisher, &sub, &address);
        assert!(publisher.blocking_wait_for_subscribers(1, None));
        for text in numbered(100, 500) {
            publisher.blocking_send(text).unwrap();
        }
        let mut last = String::new();
        while last != "599" {
            let next = text(&sub.blocking_recv().unwrap());
            assert!(last < next, "{address}: {next} after {last}");
            last = next;
        }
    }
}

#[test]
fn a_subscriber_that_leaves_takes_its_subscriptions_along() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (publisher, stays, leaves) =
            (Pub::new(&context), Sub::new(&context), Sub::new(&context));
        stays.subscribe("a").unwrap();
        for topic in ["a", "b", "c"] {
            leaves.subscribe(topic).unwrap();
        }
        let endpoint = marry(&publisher, &stays, &address);
        leaves.connect(endpoint).unwrap();
        until_topics(&publisher, 3);
        drop(leaves);
        until_topics(&publisher, 1);
        assert_eq!(publisher.subscriber_count(), 1, "{address}");
        publisher.blocking_send("a").unwrap();
        assert_eq!(take(&stays, 1), ["a"], "{address}");
    }
}

#[test]
fn one_subscriber_hears_many_publishers_fairly() {
    let _dog = watchdog(60);
    for (one, other) in transports().into_iter().zip(transports()) {
        let context = context();
        let (a, b, sub) = (Pub::new(&context), Pub::new(&context), Sub::new(&context));
        sub.subscribe("").unwrap();
        marry(&a, &sub, &one);
        marry(&b, &sub, &other);
        assert!(
            a.blocking_wait_for_subscribers(1, None) && b.blocking_wait_for_subscribers(1, None)
        );
        for _ in 0..50 {
            a.blocking_send("a").unwrap();
            b.blocking_send("b").unwrap();
        }
        let got = take(&sub, 100);
        assert_eq!(got.iter().filter(|text| *text == "a").count(), 50, "{one}");
    }
}

#[test]
fn what_the_kinds_cannot_do_is_an_error() {
    let context = context();
    let any = |kind| AnySocket::of(&context, kind, options(|_| {})).unwrap();
    let refused = any(SocketKind::Sub).try_send("no").unwrap_err();
    assert_eq!(
        refused.kind(),
        SendErrorKind::Invalid("a SUB socket cannot send")
    );
    assert_eq!(any(SocketKind::Pub).try_recv(), Err(RecvError::State));
    assert_eq!(
        any(SocketKind::Pub).subscribe("x"),
        Err(SubscribeError::NotSupported)
    );
    assert_eq!(
        any(SocketKind::Pull).subscribe("x"),
        Err(SubscribeError::NotSupported)
    );
    let sub = Sub::new(&context);
    assert_eq!(sub.unsubscribe("never"), Err(SubscribeError::NotSubscribed));
    assert_eq!(
        sub.blocking_recv_timeout(Duration::ZERO),
        Err(RecvError::TimedOut)
    );
}

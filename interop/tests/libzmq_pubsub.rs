//! Ten thousand topics between taipan and libzmq, in both roles: every subscription is seen once, every message of a
//! topic comes, none of a topic that was taken back.

mod common;

use common::LibzmqPeer;
use std::time::Duration;

use taipan::SocketKind;
use taipan_interop::{
    Frames, PATIENCE, Peer, PeerOptions, TaipanPeer, Watchdog, Wire, frames, fresh_endpoint,
};

const TOPICS: usize = 10_000;

fn topic(number: usize) -> Vec<u8> {
    format!("topic {number:05}").into_bytes()
}

fn news(number: usize, edition: &str) -> Frames {
    vec![topic(number), edition.as_bytes().to_vec()]
}

/// Without watermarks: nothing may be lost that is published in one go.
fn taipan(kind: SocketKind) -> TaipanPeer {
    TaipanPeer::with(&PeerOptions::new(kind), |options| {
        (options.send_hwm, options.recv_hwm) = (0, 0);
    })
}

fn libzmq(kind: SocketKind) -> LibzmqPeer {
    let peer = LibzmqPeer::new(&PeerOptions::new(kind));
    peer.socket.set_sndhwm(0).expect("no watermark");
    peer.socket.set_rcvhwm(0).expect("no watermark");
    peer
}

fn expect(peer: &mut dyn Peer, expected: &[Vec<u8>]) {
    assert_eq!(peer.recv(PATIENCE).as_deref(), Some(expected));
}

/// What an XPUB is told: each of these topics, once, in order.
fn expect_told(xpub: &mut dyn Peer, subscribed: bool, topics: impl Iterator<Item = usize>) {
    for number in topics {
        expect(
            xpub,
            &[[&[u8::from(subscribed)], topic(number).as_slice()].concat()],
        );
    }
}

/// What an XPUB is told. Meanwhile the subscriber is asked for messages: libzmq tells its subscriptions to those who
/// connect to it only while it is called.
fn hear(xpub: &mut dyn Peer, sub: &mut dyn Peer) -> Frames {
    for _ in 0..3000 {
        if let Some(told) = xpub.recv(Duration::from_millis(20)) {
            return told;
        }
        assert_eq!(sub.recv(Duration::ZERO), None, "nothing was sent yet");
    }
    panic!("no subscription came");
}

fn publish_all(publisher: &mut dyn Peer, edition: &str) {
    for number in 0..TOPICS {
        assert_eq!(publisher.send(&news(number, edition)), Ok(()));
    }
}

fn subscriptions(mut xpub: impl Peer, mut sub: impl Peer, wire: Wire, sub_binds: bool) {
    // The first half is subscribed before there is a connection, the second one after.
    (0..TOPICS / 2).for_each(|number| sub.subscribe(&topic(number)));
    if sub_binds {
        xpub.connect(&sub.bind(&fresh_endpoint(wire)));
    } else {
        sub.connect(&xpub.bind(&fresh_endpoint(wire)));
    }
    let mut early: Vec<Frames> = (0..TOPICS / 2).map(|_| hear(&mut xpub, &mut sub)).collect();
    // An implementation may tell them in any order of its own when it connects.
    early.sort();
    for (number, told) in early.iter().enumerate() {
        assert_eq!(told, &[[b"\x01", topic(number).as_slice()].concat()]);
    }
    (TOPICS / 2..TOPICS).for_each(|number| sub.subscribe(&topic(number)));
    expect_told(&mut xpub, true, TOPICS / 2..TOPICS);

    publish_all(&mut xpub, "first");
    (0..TOPICS).for_each(|number| expect(&mut sub, &news(number, "first")));

    // Counted: subscribing again and taking one back changes nothing.
    sub.subscribe(&topic(1));
    sub.unsubscribe(&topic(1));
    let odd = || (0..TOPICS).filter(|number| number % 2 == 1);
    (0..TOPICS)
        .step_by(2)
        .for_each(|number| sub.unsubscribe(&topic(number)));
    expect_told(&mut xpub, false, (0..TOPICS).step_by(2));
    publish_all(&mut xpub, "second");
    odd().for_each(|number| expect(&mut sub, &news(number, "second")));

    odd().for_each(|number| sub.unsubscribe(&topic(number)));
    sub.subscribe(b"");
    expect_told(&mut xpub, false, odd());
    expect(&mut xpub, &[vec![1]]);
    assert_eq!(xpub.send(&frames(["last"])), Ok(()));
    expect(&mut sub, &frames(["last"]));
}

#[test]
fn taipan_publishes_to_ten_thousand_topics_of_libzmq() {
    let _watchdog = Watchdog::for_test();
    subscriptions(
        taipan(SocketKind::XPub),
        libzmq(SocketKind::Sub),
        Wire::Tcp,
        false,
    );
    subscriptions(
        taipan(SocketKind::XPub),
        libzmq(SocketKind::Sub),
        Wire::Ipc,
        true,
    );
}

#[test]
fn libzmq_publishes_to_ten_thousand_topics_of_taipan() {
    let _watchdog = Watchdog::for_test();
    subscriptions(
        libzmq(SocketKind::XPub),
        taipan(SocketKind::Sub),
        Wire::Tcp,
        false,
    );
    subscriptions(
        libzmq(SocketKind::XPub),
        taipan(SocketKind::Sub),
        Wire::Ipc,
        true,
    );
}

/// A PUB does not show its subscriptions: it can be waited for, and it counts.
#[test]
fn a_publisher_knows_how_many_topics_and_subscribers_it_has() {
    let _watchdog = Watchdog::for_test();
    let mut publisher = taipan(SocketKind::Pub);
    let endpoint = publisher.bind(&fresh_endpoint(Wire::Tcp));
    let mut subscribers = [libzmq(SocketKind::Sub), libzmq(SocketKind::Sub)];
    for (at, subscriber) in subscribers.iter_mut().enumerate() {
        subscriber.connect(&endpoint);
        (0..TOPICS).for_each(|number| subscriber.subscribe(&topic(number)));
        assert!(
            publisher
                .socket()
                .blocking_wait_for_subscribers(at + 1, Some(PATIENCE))
        );
        // Subscriptions come in order: who hears the last topic has told all.
        let last = topic(TOPICS - 1);
        while subscriber.recv(Duration::from_millis(10)).is_none() {
            assert_eq!(publisher.send(&[last.clone(), b"knock".to_vec()]), Ok(()));
        }
        assert_eq!(publisher.socket().stats().topics, TOPICS);
    }
    assert_eq!(publisher.socket().subscriber_count(), 2);
    publish_all(&mut publisher, "both");
    for subscriber in &mut subscribers {
        let mut first = subscriber.recv(PATIENCE).expect("news");
        while first[1] == b"knock" {
            first = subscriber.recv(PATIENCE).expect("news");
        }
        assert_eq!(first, news(0, "both"));
        (1..TOPICS).for_each(|number| expect(subscriber, &news(number, "both")));
    }
}

/// An XPUB is told of the first subscriber of a topic and of the last one to leave, whoever they are.
fn shared_topic(mut xpub: impl Peer) {
    let endpoint = xpub.bind(&fresh_endpoint(Wire::Tcp));
    let (mut ours, mut theirs) = (taipan(SocketKind::Sub), libzmq(SocketKind::Sub));
    ours.subscribe(b"shared");
    ours.connect(&endpoint);
    expect(&mut xpub, &frames(["\x01shared"]));
    theirs.subscribe(b"shared");
    theirs.subscribe(b"theirs");
    theirs.connect(&endpoint);
    // The second subscription of the shared topic is not told, and must have come before or with this one.
    expect(&mut xpub, &frames(["\x01theirs"]));
    while theirs.recv(Duration::from_millis(10)).is_none() {
        assert_eq!(xpub.send(&frames(["shared", "knock"])), Ok(()));
    }
    assert_eq!(xpub.send(&frames(["shared", "both"])), Ok(()));
    for sub in [&mut ours as &mut dyn Peer, &mut theirs] {
        let mut message = sub.recv(PATIENCE).expect("news");
        while message[1] == b"knock" {
            message = sub.recv(PATIENCE).expect("news");
        }
        assert_eq!(message, frames(["shared", "both"]));
    }
    // Closing is leaving. The first of the two is not told.
    drop(ours);
    theirs.unsubscribe(b"theirs");
    expect(&mut xpub, &frames(["\0theirs"]));
    drop(theirs);
    expect(&mut xpub, &frames(["\0shared"]));
}

#[test]
fn a_shared_topic_is_told_once() {
    let _watchdog = Watchdog::for_test();
    shared_topic(taipan(SocketKind::XPub));
    shared_topic(libzmq(SocketKind::XPub));
}

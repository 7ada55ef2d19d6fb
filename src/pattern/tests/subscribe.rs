//! `SUB` and `XSUB`.

use super::rig::{Rig, cancel, msg, subscribe};
use crate::config::SocketKind;
use crate::message::Message;
use crate::pattern::{ControlRefusal, Gauges, Refusal};
use crate::pipe::{DropReason, Packet};

#[test]
fn a_subscription_goes_to_every_publisher_now_and_later() {
    let mut sub = Rig::new(SocketKind::Sub);
    let early = sub.peer();
    sub.subscribe("a").unwrap();
    let late = sub.peer();
    assert_eq!(
        (early.1.sent(), late.1.sent()),
        (vec![subscribe("a")], vec![subscribe("a")])
    );
}

#[test]
fn after_a_reconnect_every_topic_is_sent_again_once() {
    let mut sub = Rig::new(SocketKind::Sub);
    let pipe = sub.absent_peer(None);
    sub.subscribe("a").unwrap();
    sub.subscribe("a").unwrap();
    assert_eq!(sub.link_up(pipe).sent(), [subscribe("a")]);
    sub.link_down(pipe);
    sub.subscribe("b").unwrap();
    let sent = sub.link_up(pipe).sent();
    assert_eq!(sent.len(), 2);
    assert!(sent.contains(&subscribe("a")) && sent.contains(&subscribe("b")));
}

#[test]
fn subscriptions_are_counted_and_taken_back_once() {
    let mut sub = Rig::new(SocketKind::Sub);
    let peer = sub.peer();
    sub.subscribe("a").unwrap();
    sub.subscribe("a").unwrap();
    assert_eq!(
        peer.1.sent(),
        [subscribe("a"), subscribe("a")],
        "a publisher may want to see each"
    );
    sub.unsubscribe("a").unwrap();
    assert!(peer.1.sent().is_empty());
    sub.arrive(&peer, msg(&["abc"]));
    assert_eq!(sub.recv_all(), ["abc"]);
    sub.unsubscribe("a").unwrap();
    assert_eq!(peer.1.sent(), [cancel("a")]);
    assert_eq!(sub.unsubscribe("a"), Err(ControlRefusal::NotSubscribed));
    assert!(peer.1.sent().is_empty());
}

#[test]
fn subscriptions_ignore_the_watermark() {
    let mut sub = Rig::new(SocketKind::Sub);
    let peer = sub.peer();
    peer.1.room(0);
    sub.subscribe("a").unwrap();
    assert_eq!(peer.1.sent(), [subscribe("a")]);
}

#[test]
fn sub_filters_what_arrives_on_the_first_frame() {
    let mut sub = Rig::new(SocketKind::Sub);
    let peer = sub.peer();
    sub.arrive(&peer, msg(&["any"]));
    assert!(!sub.can_recv(), "nothing is wanted yet");
    sub.subscribe("b").unwrap();
    for frames in [&["a", "b"][..], &["b", "1"], &["abc"], &["bcd"]] {
        sub.arrive(&peer, msg(frames));
    }
    assert!(sub.can_recv());
    assert_eq!(sub.recv_all(), [msg(&["b", "1"]), msg(&["bcd"])]);
}

#[test]
fn the_empty_topic_wants_all() {
    let mut sub = Rig::new(SocketKind::Sub);
    let peer = sub.peer();
    sub.subscribe("").unwrap();
    sub.arrive(&peer, msg(&[""]));
    sub.arrive(&peer, msg(&["x"]));
    assert_eq!(sub.recv_all(), ["", "x"]);
}

#[test]
fn inverted_sub_receives_what_does_not_match() {
    let mut sub = Rig::with(SocketKind::Sub, |o| o.invert_matching = true);
    let peer = sub.peer();
    sub.subscribe("a").unwrap();
    sub.arrive(&peer, msg(&["abc"]));
    sub.arrive(&peer, msg(&["b"]));
    assert_eq!(sub.recv_all(), ["b"]);
}

#[test]
fn sub_receives_fairly_and_cannot_send() {
    let mut sub = Rig::new(SocketKind::Sub);
    let (a, b) = (sub.peer(), sub.peer());
    sub.subscribe("").unwrap();
    sub.arrive(&a, msg(&["a1"]));
    sub.arrive(&a, msg(&["a2"]));
    sub.arrive(&b, msg(&["b1"]));
    assert_eq!(sub.recv_all(), ["a1", "b1", "a2"]);
    assert!(!sub.can_send());
    assert!(matches!(sub.send("x"), Err((Refusal::Invalid(_), message)) if message == "x"));
}

#[test]
fn xsub_receives_unfiltered() {
    let mut xsub = Rig::new(SocketKind::XSub);
    let peer = xsub.peer();
    xsub.arrive(&peer, msg(&["never asked for"]));
    assert_eq!(xsub.recv_all(), ["never asked for"]);
}

#[test]
fn xsub_subscribes_by_message_and_remembers() {
    let mut xsub = Rig::new(SocketKind::XSub);
    let peer = xsub.peer();
    xsub.send("\x01news").unwrap();
    assert_eq!(peer.1.sent(), [subscribe("news")]);
    assert_eq!(xsub.peer().1.sent(), [subscribe("news")]);
    xsub.send("\x00news").unwrap();
    assert_eq!(peer.1.sent(), [cancel("news")]);
    assert!(xsub.peer().1.sent().is_empty());
}

#[test]
fn xsub_drops_cancellations_that_are_not_the_last_unless_verbose() {
    let mut xsub = Rig::new(SocketKind::XSub);
    let peer = xsub.peer();
    xsub.send("\x00t").unwrap();
    assert!(peer.1.sent().is_empty());
    xsub.options(|o| o.xsub_verbose_unsubscribe = true);
    xsub.send("\x00t").unwrap();
    assert_eq!(peer.1.sent(), [cancel("t")]);
}

#[test]
fn xsub_sends_other_messages_to_every_publisher_and_drops_at_the_watermark() {
    let mut xsub = Rig::new(SocketKind::XSub);
    let (a, full) = (xsub.peer(), xsub.peer());
    full.1.room(0);
    assert!(xsub.can_send());
    xsub.send(msg(&["hello", "there"])).unwrap();
    assert_eq!(
        (a.1.messages(), full.1.messages().len()),
        (vec![msg(&["hello", "there"])], 0)
    );
    assert_eq!(xsub.drops(DropReason::Watermark), 1);
    xsub.send("").unwrap();
    assert_eq!(a.1.messages(), [""]);
}

#[test]
fn any_frame_can_be_a_subscription_unless_only_the_first_may() {
    let parts = ["user", "\x01t"];
    let mut xsub = Rig::new(SocketKind::XSub);
    let peer = xsub.peer();
    xsub.send(msg(&parts)).unwrap();
    assert_eq!(
        peer.1.sent(),
        [subscribe("t"), Packet::Message("user".into())]
    );
    let mut only_first = Rig::with(SocketKind::XSub, |o| o.only_first_subscribe = true);
    let peer = only_first.peer();
    only_first.send(msg(&parts)).unwrap();
    assert_eq!(peer.1.messages(), [msg(&parts)]);
    only_first.send(msg(&["\x01a", "\x01b"])).unwrap();
    assert_eq!(peer.1.sent(), [subscribe("a"), subscribe("b")]);
}

#[test]
fn a_subscriber_counts_its_topics() {
    let mut sub = Rig::new(SocketKind::Sub);
    for topic in ["a", "a", "b"] {
        sub.subscribe(topic).unwrap();
    }
    assert_eq!(
        sub.pattern.gauges(),
        Gauges {
            topics: 2,
            subscribers: 0
        }
    );
}

#[test]
fn a_publisher_that_left_is_not_told_any_more() {
    let mut sub = Rig::new(SocketKind::Sub);
    let gone = sub.peer();
    sub.subscribe("").unwrap();
    sub.arrive(&gone, Message::from("last"));
    sub.leave(gone.0);
    gone.1.sent();
    sub.subscribe("b").unwrap();
    assert!(gone.1.sent().is_empty());
    assert_eq!(sub.recv_all(), ["last"]);
}

//! `PUB` and `XPUB`.

use super::rig::{Rig, Wire, cancel, msg, subscribe};
use crate::config::{Options, SocketKind};
use crate::message::Message;
use crate::pattern::{ControlRefusal, Gauges, RecvRefusal, Refusal};
use crate::pipe::{DropReason, PipeId};

/// A peer that wants these topics.
fn subscriber(rig: &mut Rig, topics: &[&'static str]) -> (PipeId, Wire) {
    let peer = rig.peer();
    for topic in topics {
        rig.arrive(&peer, subscribe(topic));
    }
    peer
}

fn xpub(change: impl FnOnce(&mut Options)) -> Rig {
    Rig::with(SocketKind::XPub, change)
}

#[test]
fn a_message_goes_to_everyone_whose_topic_it_begins_with() {
    let mut publ = Rig::new(SocketKind::Pub);
    let (a, all, b) = (
        subscriber(&mut publ, &["a"]),
        subscriber(&mut publ, &[""]),
        subscriber(&mut publ, &["b"]),
    );
    publ.send(msg(&["abc", "b"])).unwrap();
    assert_eq!(a.1.messages(), [msg(&["abc", "b"])]);
    assert_eq!(all.1.messages(), [msg(&["abc", "b"])]);
    assert!(b.1.messages().is_empty());
}

#[test]
fn several_matching_topics_of_one_peer_yield_one_copy() {
    let mut publ = Rig::new(SocketKind::Pub);
    let peer = subscriber(&mut publ, &["", "a", "ab", "ab"]);
    publ.send("abc").unwrap();
    assert_eq!(peer.1.messages(), ["abc"]);
}

#[test]
fn one_cancellation_ends_a_topic_however_often_it_was_asked_for() {
    let mut publ = Rig::new(SocketKind::Pub);
    let peer = subscriber(&mut publ, &["a", "a"]);
    publ.arrive(&peer, cancel("a"));
    publ.send("a").unwrap();
    assert!(peer.1.messages().is_empty());
}

#[test]
fn older_peers_subscribe_by_message() {
    let mut publ = Rig::new(SocketKind::Pub);
    let peer = publ.peer();
    publ.arrive(&peer, msg(&["\x01a"]));
    publ.send("a").unwrap();
    publ.arrive(&peer, msg(&["\x00a"]));
    publ.send("a").unwrap();
    assert_eq!(peer.1.messages(), ["a"]);
}

#[test]
fn publishing_never_waits_and_counts_what_is_lost() {
    let mut publ = Rig::new(SocketKind::Pub);
    assert!(publ.can_send());
    publ.send("nobody is there").unwrap();
    let (full, free) = (subscriber(&mut publ, &[""]), subscriber(&mut publ, &[""]));
    full.1.room(1);
    publ.send("1").unwrap();
    publ.send("2").unwrap();
    assert!(publ.can_send());
    assert_eq!((full.1.messages().len(), free.1.messages().len()), (1, 2));
    assert_eq!(publ.drops(DropReason::Watermark), 1);
    publ.make_room(&full, 1);
    publ.send("3").unwrap();
    assert_eq!(full.1.messages(), ["3"]);
}

#[test]
fn pub_drops_messages_of_subscribers_and_cannot_receive() {
    let mut publ = Rig::new(SocketKind::Pub);
    let peer = subscriber(&mut publ, &["a"]);
    publ.arrive(&peer, msg(&["hello"]));
    assert_eq!(
        (publ.drops(DropReason::Ignored), publ.can_recv()),
        (1, false)
    );
    assert_eq!(publ.recv(), Err(RecvRefusal::State));
    assert_eq!(publ.subscribe("a"), Err(ControlRefusal::NotSupported));
}

#[test]
fn a_peer_that_left_gets_nothing_and_its_successor_inherits_nothing() {
    let mut publ = Rig::new(SocketKind::Pub);
    let gone = subscriber(&mut publ, &["a", ""]);
    publ.leave(gone.0);
    let successor = publ.peer();
    assert_eq!(successor.0, gone.0);
    publ.send("a").unwrap();
    assert!(successor.1.messages().is_empty());
    assert_eq!(publ.pattern.gauges(), Gauges::default());
}

#[test]
fn xpub_tells_the_first_subscription_of_a_topic_and_the_last_end() {
    let mut xpub = xpub(|_| ());
    let (a, b) = (subscriber(&mut xpub, &["t"]), subscriber(&mut xpub, &["t"]));
    assert!(xpub.can_recv());
    assert_eq!(xpub.recv_all(), ["\x01t"]);
    xpub.arrive(&a, cancel("t"));
    assert!(!xpub.can_recv());
    assert_eq!(
        xpub.pattern.gauges(),
        Gauges {
            topics: 1,
            subscribers: 1
        }
    );
    xpub.leave(b.0);
    assert_eq!(xpub.recv_all(), ["\x00t"]);
    xpub.arrive(&a, cancel("t"));
    assert_eq!(xpub.recv(), Err(RecvRefusal::Empty), "nobody had it");
}

#[test]
fn verbose_tells_every_subscription_and_verboser_every_end_too() {
    let mut verbose = xpub(|o| o.xpub_verbose = true);
    let (a, b) = (
        subscriber(&mut verbose, &["t", "t"]),
        subscriber(&mut verbose, &["t"]),
    );
    verbose.arrive(&a, cancel("t"));
    verbose.leave(b.0);
    assert_eq!(verbose.recv_all(), ["\x01t", "\x01t", "\x01t", "\x00t"]);
    let mut verboser = xpub(|o| o.xpub_verboser = true);
    let (a, b) = (
        subscriber(&mut verboser, &["t"]),
        subscriber(&mut verboser, &["t"]),
    );
    verboser.arrive(&a, cancel("t"));
    verboser.leave(b.0);
    assert_eq!(verboser.recv_all(), ["\x01t", "\x01t", "\x00t", "\x00t"]);
}

#[test]
fn messages_of_subscribers_reach_the_application_of_an_xpub() {
    let mut xpub = xpub(|_| ());
    let peer = subscriber(&mut xpub, &["t"]);
    xpub.arrive(&peer, msg(&["hello", "there"]));
    xpub.arrive(&peer, msg(&[""]));
    assert_eq!(
        xpub.recv_all(),
        [msg(&["\x01t"]), msg(&["hello", "there"]), msg(&[""])]
    );
}

#[test]
fn later_frames_can_be_subscriptions_unless_only_the_first_may() {
    let parts = ["user", "\x01t"];
    let mut any = xpub(|_| ());
    let peer = any.peer();
    any.arrive(&peer, msg(&parts));
    assert_eq!(any.recv_all(), ["\x01t", "user"]);
    let mut only_first = xpub(|o| o.only_first_subscribe = true);
    let peer = only_first.peer();
    only_first.arrive(&peer, msg(&parts));
    assert_eq!(only_first.recv_all(), [msg(&parts)]);
    only_first.arrive(&peer, msg(&["\x01a", "\x01b"]));
    assert_eq!(only_first.recv_all(), ["\x01a", "\x01b"]);
}

#[test]
fn news_that_is_not_read_is_bounded_but_the_subscription_counts() {
    let mut xpub = xpub(|o| o.recv_hwm = 2);
    let peer = subscriber(&mut xpub, &["a", "b", "c"]);
    xpub.arrive(&peer, msg(&["hello"]));
    assert_eq!(
        (
            xpub.drops(DropReason::Notification),
            xpub.drops(DropReason::Watermark)
        ),
        (1, 1)
    );
    assert_eq!(xpub.recv_all(), ["\x01a", "\x01b"]);
    xpub.send("c").unwrap();
    assert_eq!(peer.1.messages(), ["c"]);
    xpub.arrive(&peer, subscribe("d"));
    assert_eq!(xpub.recv_all(), ["\x01d"]);
}

#[test]
fn a_welcome_goes_to_every_new_link_before_anything_else() {
    let mut xpub = xpub(|o| o.xpub_welcome_msg = Some("welcome".into()));
    let peer = xpub.peer();
    assert_eq!(peer.1.messages(), ["welcome"]);
    let pipe = xpub.absent_peer(None);
    assert_eq!(xpub.link_up(pipe).messages(), ["welcome"]);
}

#[test]
fn inverted_publisher_sends_to_those_that_do_not_match() {
    let mut publ = Rig::with(SocketKind::Pub, |o| o.invert_matching = true);
    let (a, none) = (subscriber(&mut publ, &["a"]), publ.peer());
    publ.send("abc").unwrap();
    publ.send("b").unwrap();
    assert_eq!(
        (a.1.messages(), none.1.messages()),
        (vec!["b".into()], vec!["abc".into(), "b".into()])
    );
}

#[test]
fn nodrop_gives_back_what_not_every_subscriber_can_get() {
    let mut publ = Rig::with(SocketKind::Pub, |o| o.xpub_nodrop = true);
    let (full, free) = (subscriber(&mut publ, &["a"]), subscriber(&mut publ, &[""]));
    full.1.room(0);
    publ.send("a1").unwrap();
    assert_eq!(publ.send("a2"), Err((Refusal::WouldBlock, "a2".into())));
    assert_eq!(
        free.1.messages(),
        ["a1"],
        "nobody got the one that came back"
    );
    publ.send("b").unwrap();
    assert_eq!(free.1.messages(), ["b"], "the full one does not want this");
    publ.make_room(&full, 2);
    publ.send("a2").unwrap();
    assert_eq!(
        (full.1.messages(), free.1.messages()),
        (vec!["a1".into(), "a2".into()], vec!["a2".into()])
    );
    assert_eq!(publ.drops(DropReason::Watermark), 0);
}

#[test]
fn a_full_subscriber_that_leaves_holds_up_nobody() {
    let mut publ = Rig::with(SocketKind::Pub, |o| o.xpub_nodrop = true);
    let (full, free) = (subscriber(&mut publ, &[""]), subscriber(&mut publ, &[""]));
    full.1.room(0);
    publ.send("1").unwrap();
    publ.send("2").unwrap_err();
    publ.leave(full.0);
    publ.send("2").unwrap();
    assert_eq!(free.1.messages(), ["1", "2"]);
}

#[test]
fn in_manual_mode_the_application_subscribes_the_peer_of_the_last_news() {
    let mut xpub = xpub(|o| o.xpub_manual = true);
    let (a, b) = (subscriber(&mut xpub, &["A"]), subscriber(&mut xpub, &["A"]));
    xpub.send("A").unwrap();
    assert!(
        a.1.messages().is_empty() && b.1.messages().is_empty(),
        "nobody is subscribed yet"
    );
    assert_eq!(xpub.recv(), Ok("\x01A".into()));
    xpub.subscribe("XA").unwrap();
    assert_eq!(xpub.recv(), Ok("\x01A".into()), "each is told");
    xpub.subscribe("XB").unwrap();
    xpub.send("XA").unwrap();
    xpub.send("XB").unwrap();
    assert_eq!(
        (a.1.messages(), b.1.messages()),
        (vec!["XA".into()], vec!["XB".into()])
    );
    xpub.arrive(&a, cancel("A"));
    assert_eq!(xpub.recv(), Ok("\x00A".into()));
    assert_eq!(
        xpub.unsubscribe("XB"),
        Err(ControlRefusal::NotSubscribed),
        "that is the other's"
    );
    xpub.unsubscribe("XA").unwrap();
    xpub.send("XA").unwrap();
    assert!(a.1.messages().is_empty());
}

#[test]
fn in_manual_mode_a_peer_that_leaves_takes_back_what_it_asked_for() {
    let mut xpub = xpub(|o| o.xpub_manual = true);
    let (a, b) = (subscriber(&mut xpub, &["A"]), subscriber(&mut xpub, &["A"]));
    xpub.recv().unwrap();
    xpub.subscribe("X").unwrap();
    xpub.recv().unwrap();
    xpub.leave(b.0);
    assert_eq!(xpub.recv_all(), ["\x00A"]);
    xpub.subscribe("Y").unwrap();
    let successor = xpub.peer();
    assert_eq!(successor.0, b.0);
    xpub.send("Y").unwrap();
    assert!(
        successor.1.messages().is_empty(),
        "the last peer is gone, so nobody was subscribed"
    );
    xpub.send("X").unwrap();
    assert_eq!(a.1.messages(), ["X"]);
}

#[test]
fn news_of_a_peer_that_left_names_nobody() {
    let mut xpub = xpub(|o| o.xpub_manual = true);
    let gone = subscriber(&mut xpub, &["A"]);
    xpub.leave(gone.0);
    let successor = xpub.peer();
    assert_eq!(xpub.recv(), Ok("\x01A".into()));
    xpub.subscribe("A").unwrap();
    xpub.send("A").unwrap();
    assert!(successor.1.messages().is_empty());
    assert_eq!(xpub.recv_all(), ["\x00A"]);
}

#[test]
fn in_last_value_mode_the_next_message_goes_to_the_last_peer_alone() {
    let mut xpub = xpub(|o| o.xpub_manual_last_value = true);
    let join = |xpub: &mut Rig| {
        let peer = subscriber(xpub, &["A"]);
        assert_eq!(xpub.recv(), Ok("\x01A".into()));
        xpub.subscribe("A").unwrap();
        peer
    };
    let a = join(&mut xpub);
    xpub.send("A first").unwrap();
    let b = join(&mut xpub);
    xpub.send("A cached").unwrap();
    xpub.send("A live").unwrap();
    assert_eq!(a.1.messages(), ["A first", "A live"]);
    assert_eq!(b.1.messages(), ["A cached", "A live"]);
}

#[test]
fn in_last_value_mode_the_last_peer_gets_only_what_it_wants() {
    let mut xpub = xpub(|o| o.xpub_manual_last_value = true);
    let peer = subscriber(&mut xpub, &["A"]);
    xpub.recv().unwrap();
    xpub.subscribe("A").unwrap();
    xpub.send("B").unwrap();
    assert!(peer.1.messages().is_empty());
}

#[test]
fn options_can_change_later() {
    let mut xpub = xpub(|_| ());
    let peer = subscriber(&mut xpub, &["t"]);
    xpub.options(|o| o.xpub_verbose = true);
    xpub.arrive(&peer, subscribe("t"));
    assert_eq!(xpub.recv_all(), ["\x01t", "\x01t"]);
    assert_eq!(
        xpub.subscribe("t"),
        Err(ControlRefusal::NotSupported),
        "not in manual mode"
    );
    xpub.send(Message::from("t")).unwrap();
    assert_eq!(peer.1.messages(), ["t"]);
}

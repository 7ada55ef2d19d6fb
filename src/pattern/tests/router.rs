//! `ROUTER`.

use super::rig::{Rig, msg};
use crate::config::SocketKind;
use crate::message::{Frame, Message};
use crate::pattern::{RecvRefusal, Refusal};
use crate::pipe::DropReason;

/// `[id] [frames...]`
fn to(id: impl Into<Frame>, frames: &[&'static str]) -> Message {
    let mut message = msg(frames);
    message.push_front(id);
    message
}

#[test]
fn the_first_frame_says_for_whom_and_from_whom() {
    let mut router = Rig::new(SocketKind::Router);
    let (alice, bob) = (router.named_peer("alice"), router.named_peer("bob"));
    router.send(to("bob", &["", "x"])).unwrap();
    router.send(to("alice", &["y"])).unwrap();
    assert_eq!(
        (alice.1.messages(), bob.1.messages()),
        (vec!["y".into()], vec![msg(&["", "x"])])
    );
    router.arrive(&bob, msg(&["", "r"]));
    assert!(router.can_recv());
    assert_eq!(router.recv_all(), [to("bob", &["", "r"])]);
}

#[test]
fn messages_are_received_fairly() {
    let mut router = Rig::new(SocketKind::Router);
    let (a, b) = (router.named_peer("a"), router.named_peer("b"));
    router.arrive(&a, msg(&["1"]));
    router.arrive(&a, msg(&["2"]));
    router.arrive(&b, msg(&["3"]));
    assert_eq!(
        router.recv_all(),
        [to("a", &["1"]), to("b", &["3"]), to("a", &["2"])]
    );
}

#[test]
fn peers_without_an_id_get_one_that_counts_up() {
    let mut router = Rig::new(SocketKind::Router);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let peer = router.peer();
        router.arrive(&peer, msg(&["hi"]));
        let (id, _) = router.recv().unwrap().split_first();
        assert_eq!((id.len(), id[0]), (5, 0));
        ids.push(u32::from_be_bytes(id[1..].try_into().unwrap()));
        router.send(to(id, &["back"])).unwrap();
        assert_eq!(peer.1.messages(), ["back"]);
    }
    assert_eq!(ids[1], ids[0].wrapping_add(1));
}

#[test]
fn a_message_for_nobody_is_dropped_and_counted() {
    let mut router = Rig::new(SocketKind::Router);
    assert!(router.can_send());
    router.send(to("nobody", &["x"])).unwrap();
    assert_eq!(router.drops(DropReason::Unroutable), 1);
}

#[test]
fn a_message_without_anything_behind_the_id_is_swallowed() {
    for mandatory in [false, true] {
        let mut router = Rig::with(SocketKind::Router, |o| o.router_mandatory = mandatory);
        let alice = router.named_peer("alice");
        router.send("alice").unwrap();
        assert_eq!(
            (
                alice.1.messages().len(),
                router.drops(DropReason::Malformed)
            ),
            (0, 1)
        );
    }
}

#[test]
fn a_full_peer_loses_the_message_and_it_is_counted() {
    let mut router = Rig::new(SocketKind::Router);
    let alice = router.named_peer("alice");
    alice.1.room(0);
    router.send(to("alice", &["x"])).unwrap();
    assert!(router.can_send());
    assert_eq!(router.drops(DropReason::Watermark), 1);
}

#[test]
fn mandatory_gives_back_what_nobody_can_get() {
    let mut router = Rig::with(SocketKind::Router, |o| o.router_mandatory = true);
    let refused = router.send(to("nobody", &["x", "y"]));
    assert_eq!(
        refused,
        Err((Refusal::Unroutable, to("nobody", &["x", "y"])))
    );
    let alice = router.named_peer("alice");
    router.send(to("alice", &["z"])).unwrap();
    assert_eq!(alice.1.messages(), ["z"]);
}

#[test]
fn mandatory_waits_for_a_full_peer() {
    let mut router = Rig::with(SocketKind::Router, |o| o.router_mandatory = true);
    assert!(!router.can_send(), "nobody is there");
    let (alice, bob) = (router.named_peer("alice"), router.named_peer("bob"));
    alice.1.room(0);
    bob.1.room(0);
    assert_eq!(
        router.send(to("alice", &["", "x"])),
        Err((Refusal::WouldBlock, to("alice", &["", "x"])))
    );
    assert!(router.can_send(), "bob may have room");
    assert_eq!(
        router.send(to("bob", &["x"])).unwrap_err().0,
        Refusal::WouldBlock
    );
    assert!(!router.can_send());
    router.make_room(&alice, 1);
    assert!(router.can_send());
    router.send(to("alice", &["", "x"])).unwrap();
    router.leave(alice.0);
    assert!(!router.can_send(), "bob is still full");
    assert_eq!(router.drops(DropReason::Watermark), 0);
}

#[test]
fn mandatory_can_be_switched_on_later() {
    let mut router = Rig::new(SocketKind::Router);
    router.options(|o| o.router_mandatory = true);
    assert_eq!(
        router.send(to("nobody", &["x"])).unwrap_err().0,
        Refusal::Unroutable
    );
}

#[test]
fn a_newcomer_with_a_taken_id_is_ignored_for_good() {
    let mut router = Rig::new(SocketKind::Router);
    let first = router.named_peer("twin");
    let second = router.named_peer("twin");
    for text in ["1", "2", "3"] {
        router.arrive(&second, Message::from(text));
    }
    router.arrive(&first, msg(&["first"]));
    router.send(to("twin", &["x"])).unwrap();
    assert_eq!(router.recv_all(), [to("twin", &["first"])]);
    assert_eq!(
        (first.1.messages(), second.1.messages().len()),
        (vec!["x".into()], 0)
    );
    router.leave(first.0);
    router.arrive(&second, msg(&["4"]));
    assert_eq!(
        (router.recv(), router.kicked().len()),
        (Err(RecvRefusal::Empty), 0)
    );
    router.leave(second.0);
    let third = router.named_peer("twin");
    router.send(to("twin", &["y"])).unwrap();
    assert_eq!(third.1.messages(), ["y"]);
}

#[test]
fn with_handover_the_newcomer_takes_the_id_and_the_old_peer_is_ended() {
    let mut router = Rig::with(SocketKind::Router, |o| o.router_handover = true);
    let old = router.named_peer("twin");
    let new = router.named_peer("twin");
    let kicked: Vec<_> = router.kicked().into_iter().map(|(pipe, _)| pipe).collect();
    assert_eq!(kicked, [old.0]);
    router.send(to("twin", &["x"])).unwrap();
    router.arrive(&new, msg(&["hello"]));
    router.leave(old.0);
    router.send(to("twin", &["y"])).unwrap();
    assert_eq!(
        (old.1.messages().len(), new.1.messages()),
        (0, vec!["x".into(), "y".into()])
    );
    assert_eq!(router.recv_all(), [to("twin", &["hello"])]);
}

#[test]
fn a_peer_named_on_connecting_can_be_written_to_before_it_is_there() {
    let mut router = Rig::with(SocketKind::Router, |o| o.router_mandatory = true);
    let pipe = router.absent_peer(Some("server"));
    router.send(to("server", &["early"])).unwrap();
    let wire = router.link_up(pipe);
    assert_eq!(wire.messages(), ["early"]);
    router.arrive(&(pipe, wire), msg(&["hi"]));
    assert_eq!(router.recv_all(), [to("server", &["hi"])]);
}

#[test]
fn a_given_name_that_is_taken_ends_the_pipe() {
    let mut router = Rig::new(SocketKind::Router);
    router.named_peer("server");
    let pipe = router.absent_peer(Some("server"));
    assert_eq!(router.kicked()[0].0, pipe);
}

#[test]
fn a_connected_peer_keeps_its_id_over_a_reconnect() {
    let mut router = Rig::new(SocketKind::Router);
    let pipe = router.absent_peer(None);
    let wire = router.link_up(pipe);
    router.arrive(&(pipe, wire), msg(&["hi"]));
    let (id, _) = router.recv().unwrap().split_first();
    router.link_down(pipe);
    router.send(to(id.clone(), &["while away"])).unwrap();
    let wire = router.link_up(pipe);
    assert_eq!(wire.messages(), ["while away"]);
    router.arrive(&(pipe, wire), msg(&["back"]));
    assert_eq!(router.recv_all(), [to(id, &["back"])]);
}

#[test]
fn what_an_ending_peer_had_sent_is_received_with_its_id() {
    let mut router = Rig::new(SocketKind::Router);
    let alice = router.named_peer("alice");
    router.arrive(&alice, msg(&["1"]));
    router.arrive(&alice, msg(&["2"]));
    assert!(router.can_recv());
    router.leave(alice.0);
    assert_eq!(
        router.recv_all(),
        [to("alice", &["1"]), to("alice", &["2"])]
    );
    router.send(to("alice", &["x"])).unwrap();
    assert_eq!(router.drops(DropReason::Unroutable), 1);
}

#[test]
fn peers_that_come_and_go_are_told_when_asked_for() {
    let mut router = Rig::with(SocketKind::Router, |o| {
        o.router_notify.connect = true;
        o.router_notify.disconnect = true;
    });
    let alice = router.named_peer("alice");
    router.arrive(&alice, msg(&["x"]));
    router.leave(alice.0);
    assert_eq!(
        router.recv_all(),
        [to("alice", &[""]), to("alice", &["x"]), to("alice", &[""])]
    );
    let pipe = router.absent_peer(Some("server"));
    assert!(!router.can_recv(), "not here yet");
    router.link_up(pipe);
    router.link_down(pipe);
    router.leave(pipe);
    assert_eq!(
        router.recv_all(),
        [to("server", &[""]), to("server", &[""])],
        "it went once"
    );
}

#[test]
fn only_the_news_that_was_asked_for_is_told() {
    let mut none = Rig::new(SocketKind::Router);
    let peer = none.named_peer("alice");
    none.leave(peer.0);
    assert!(!none.can_recv());
    let mut goes = Rig::with(SocketKind::Router, |o| o.router_notify.disconnect = true);
    let peer = goes.named_peer("alice");
    assert!(!goes.can_recv());
    goes.leave(peer.0);
    assert_eq!(goes.recv_all(), [to("alice", &[""])]);
}

#[test]
fn unread_news_is_bounded_and_counted() {
    let mut router = Rig::with(SocketKind::Router, |o| {
        o.router_notify.connect = true;
        o.recv_hwm = 2;
    });
    for id in ["a", "b", "c"] {
        router.named_peer(id);
    }
    assert_eq!(router.recv_all(), [to("a", &[""]), to("b", &[""])]);
    assert_eq!(router.drops(DropReason::Notification), 1);
}

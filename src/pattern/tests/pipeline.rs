//! `PUSH`, `PULL`, `DEALER` and `PAIR`.

use super::rig::{Rig, msg, subscribe};
use crate::config::SocketKind;
use crate::message::Message;
use crate::pattern::{ControlRefusal, PipeEvent, RecvRefusal, Refusal};
use crate::pipe::{CloseKind, DropReason};

#[test]
fn push_alternates_and_begins_with_the_first_peer() {
    let mut push = Rig::new(SocketKind::Push);
    let (_, a) = push.peer();
    let (_, b) = push.peer();
    for text in ["1", "2", "3", "4"] {
        push.send(text).unwrap();
    }
    assert_eq!(a.messages(), ["1", "3"]);
    assert_eq!(b.messages(), ["2", "4"]);
}

#[test]
fn push_without_a_peer_gives_the_message_back() {
    let mut push = Rig::new(SocketKind::Push);
    assert!(!push.can_send());
    assert_eq!(
        push.send(msg(&["a", "b"])),
        Err((Refusal::WouldBlock, msg(&["a", "b"])))
    );
}

#[test]
fn push_skips_a_full_peer_until_it_has_room() {
    let mut push = Rig::new(SocketKind::Push);
    let a = push.peer();
    let b = push.peer();
    a.1.room(1);
    for text in ["1", "2", "3", "4"] {
        push.send(text).unwrap();
    }
    assert_eq!(
        (a.1.messages(), b.1.messages()),
        (vec!["1".into()], vec!["2".into(), "3".into(), "4".into()])
    );
    b.1.room(0);
    assert_eq!(push.send("5").unwrap_err().0, Refusal::WouldBlock);
    assert!(!push.can_send());
    push.make_room(&a, 2);
    assert!(push.can_send());
    push.send("6").unwrap();
    assert_eq!(a.1.messages(), ["6"]);
}

#[test]
fn a_peer_that_is_not_there_yet_takes_its_share() {
    let mut push = Rig::new(SocketKind::Push);
    let dead = push.absent_peer(None);
    let (_, live) = push.peer();
    for _ in 0..10 {
        push.send("x").unwrap();
    }
    assert_eq!(live.messages().len(), 5);
    assert_eq!(push.pipes.get(dead).unwrap().depth().messages, 5);
    assert_eq!(
        push.link_up(dead).messages().len(),
        5,
        "and gets it when it comes"
    );
}

#[test]
fn push_forgets_a_peer_that_left() {
    let mut push = Rig::new(SocketKind::Push);
    let (gone, _) = push.peer();
    let (_, b) = push.peer();
    push.leave(gone);
    push.send("1").unwrap();
    push.send("2").unwrap();
    assert_eq!(b.messages(), ["1", "2"]);
}

#[test]
fn what_is_sent_to_a_push_is_dropped_and_counted() {
    let mut push = Rig::new(SocketKind::Push);
    let peer = push.peer();
    push.arrive(&peer, msg(&["hello"]));
    assert_eq!(
        (push.drops(DropReason::Ignored), push.can_recv()),
        (1, false)
    );
    assert_eq!(push.recv(), Err(RecvRefusal::State));
}

#[test]
fn pull_takes_turns_while_both_have_some() {
    let mut pull = Rig::new(SocketKind::Pull);
    let (a, b) = (pull.peer(), pull.peer());
    for text in ["a1", "a2", "a3", "a4", "a5"] {
        pull.arrive(&a, Message::from(text));
    }
    for text in ["b1", "b2"] {
        pull.arrive(&b, Message::from(text));
    }
    assert_eq!(pull.recv_all(), ["a1", "b1", "a2", "b2", "a3", "a4", "a5"]);
    assert_eq!(pull.recv(), Err(RecvRefusal::Empty));
}

#[test]
fn looking_for_a_message_does_not_lose_it() {
    let mut pull = Rig::new(SocketKind::Pull);
    let peer = pull.peer();
    assert!(!pull.can_recv());
    pull.arrive(&peer, msg(&["1", "2"]));
    pull.arrive(&peer, msg(&["3"]));
    assert!(pull.can_recv() && pull.can_recv());
    assert_eq!(pull.recv_all(), [msg(&["1", "2"]), msg(&["3"])]);
    assert!(!pull.can_recv());
}

#[test]
fn what_an_ending_peer_had_sent_is_still_received() {
    let mut pull = Rig::new(SocketKind::Pull);
    let peer = pull.peer();
    pull.arrive(&peer, msg(&["1"]));
    pull.arrive(&peer, msg(&["2"]));
    pull.leave(peer.0);
    assert_eq!(pull.recv_all(), ["1", "2"]);
}

#[test]
fn pull_cannot_send_and_ignores_subscriptions() {
    let mut pull = Rig::new(SocketKind::Pull);
    let peer = pull.peer();
    assert!(matches!(pull.send("x"), Err((Refusal::Invalid(_), message)) if message == "x"));
    pull.arrive(&peer, subscribe("t"));
    assert_eq!(
        (pull.recv(), pull.drops(DropReason::Ignored)),
        (Err(RecvRefusal::Empty), 1)
    );
    assert_eq!(pull.subscribe("t"), Err(ControlRefusal::NotSupported));
}

#[test]
fn dealer_sends_in_turns_and_receives_fairly() {
    let mut dealer = Rig::new(SocketKind::Dealer);
    let (a, b) = (dealer.peer(), dealer.peer());
    for text in ["1", "2", "3"] {
        dealer.send(text).unwrap();
    }
    assert_eq!(
        (a.1.messages().len(), b.1.messages()),
        (2, vec!["2".into()])
    );
    dealer.arrive(&a, msg(&["", "x"]));
    dealer.arrive(&a, msg(&["y"]));
    dealer.arrive(&b, msg(&["z"]));
    assert_eq!(
        dealer.recv_all(),
        [msg(&["", "x"]), msg(&["z"]), msg(&["y"])]
    );
}

#[test]
fn a_full_dealer_gives_the_message_back_and_goes_on_when_there_is_room() {
    let mut dealer = Rig::new(SocketKind::Dealer);
    let peer = dealer.peer();
    peer.1.room(0);
    assert_eq!(dealer.send("x"), Err((Refusal::WouldBlock, "x".into())));
    dealer.make_room(&peer, 1);
    assert!(dealer.can_send());
    dealer.send("x").unwrap();
}

#[test]
fn a_probe_is_the_first_message_of_every_link() {
    for kind in [SocketKind::Dealer, SocketKind::Req, SocketKind::Router] {
        let mut rig = Rig::with(kind, |o| o.probe_router = true);
        let (_, bound) = rig.peer();
        assert_eq!(bound.messages(), [""], "{kind}, accepted");
        let pipe = rig.absent_peer(Some("peer"));
        assert_eq!(rig.link_up(pipe).messages(), [""], "{kind}, connected");
        rig.link_down(pipe);
        assert_eq!(rig.link_up(pipe).messages(), [""], "{kind}, reconnected");
    }
    let mut plain = Rig::new(SocketKind::Dealer);
    assert!(plain.peer().1.messages().is_empty(), "only when asked for");
}

#[test]
fn a_queued_message_follows_the_probe() {
    let mut dealer = Rig::with(SocketKind::Dealer, |o| o.probe_router = true);
    let pipe = dealer.absent_peer(None);
    dealer.send("x").unwrap();
    assert_eq!(dealer.link_up(pipe).messages(), ["", "x"]);
}

#[test]
fn pair_keeps_its_first_peer_and_ends_the_second() {
    let mut pair = Rig::new(SocketKind::Pair);
    let first = pair.peer();
    let second = pair.peer();
    let kicked = pair.kicked();
    assert_eq!(kicked.len(), 1);
    assert_eq!(
        (kicked[0].0, kicked[0].1.kind),
        (second.0, CloseKind::Local)
    );
    pair.arrive(&second, msg(&["not mine"]));
    pair.arrive(&first, msg(&["mine"]));
    pair.send("x").unwrap();
    assert_eq!(pair.recv_all(), ["mine"]);
    assert_eq!(
        (first.1.messages(), second.1.messages().len()),
        (vec!["x".into()], 0)
    );
    pair.leave(second.0);
    pair.send("y").unwrap();
    assert_eq!(first.1.messages(), ["y"]);
}

#[test]
fn pair_waits_without_a_peer_and_takes_the_next_after_the_first_left() {
    let mut pair = Rig::new(SocketKind::Pair);
    assert_eq!(pair.send("x"), Err((Refusal::WouldBlock, "x".into())));
    let first = pair.peer();
    pair.leave(first.0);
    assert!(!pair.can_send());
    let next = pair.peer();
    pair.send("x").unwrap();
    assert_eq!(
        (next.1.messages(), pair.kicked().len()),
        (vec!["x".into()], 0)
    );
}

#[test]
fn a_full_pair_waits_for_room() {
    let mut pair = Rig::new(SocketKind::Pair);
    let peer = pair.peer();
    peer.1.room(1);
    pair.send("1").unwrap();
    assert_eq!(pair.send("2"), Err((Refusal::WouldBlock, "2".into())));
    pair.event(peer.0, PipeEvent::Readable);
    assert!(!pair.can_send());
    pair.make_room(&peer, 1);
    assert!(pair.can_send());
}

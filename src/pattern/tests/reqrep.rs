//! `REQ` and `REP`.

use super::rig::{Rig, Wire, msg};
use crate::config::SocketKind;
use crate::message::Message;
use crate::pattern::{RecvRefusal, Refusal};
use crate::pipe::{CloseKind, DropReason};

/// The id in front of the one request that was sent.
fn request_id(wire: &Wire) -> [u8; 4] {
    let sent = wire.messages();
    assert_eq!((sent.len(), sent[0].frame_count()), (1, 3));
    assert_eq!(sent[0][1], "");
    sent[0][0].as_slice().try_into().unwrap()
}

fn reply(id: [u8; 4], body: &'static str) -> Message {
    let mut reply = msg(&["", body]);
    reply.push_front(id);
    reply
}

#[test]
fn a_request_goes_behind_an_empty_frame_and_its_reply_loses_it() {
    let mut req = Rig::new(SocketKind::Req);
    let peer = req.peer();
    req.send(msg(&["a", "b"])).unwrap();
    assert_eq!(peer.1.messages(), [msg(&["", "a", "b"])]);
    req.arrive(&peer, msg(&["", "x", "", "y"]));
    assert!(req.can_recv());
    assert_eq!(req.recv(), Ok(msg(&["x", "", "y"])));
}

#[test]
fn requests_and_replies_alternate() {
    let mut req = Rig::new(SocketKind::Req);
    let peer = req.peer();
    assert_eq!(req.recv(), Err(RecvRefusal::State));
    req.send("1").unwrap();
    assert!(!req.can_send());
    assert_eq!(req.send("2"), Err((Refusal::State, "2".into())));
    assert_eq!(req.recv(), Err(RecvRefusal::Empty));
    req.arrive(&peer, msg(&["", "r"]));
    assert_eq!(req.recv(), Ok("r".into()));
    assert_eq!(req.recv(), Err(RecvRefusal::State));
    assert!(req.can_send());
    req.send("2").unwrap();
}

#[test]
fn a_request_that_nobody_takes_comes_back_as_it_was() {
    for correlate in [false, true] {
        let mut req = Rig::with(SocketKind::Req, |o| o.req_correlate = correlate);
        assert_eq!(req.send("x"), Err((Refusal::WouldBlock, "x".into())));
        let peer = req.peer();
        peer.1.room(0);
        assert_eq!(
            req.send(msg(&["x", "y"])),
            Err((Refusal::WouldBlock, msg(&["x", "y"])))
        );
        assert_eq!(req.recv(), Err(RecvRefusal::State), "nothing was asked");
        req.make_room(&peer, 1);
        req.send("x").unwrap();
    }
}

#[test]
fn requests_go_round_the_peers() {
    let mut req = Rig::new(SocketKind::Req);
    let (a, b) = (req.peer(), req.peer());
    for peer in [&a, &b, &a] {
        req.send("q").unwrap();
        assert_eq!(peer.1.messages().len(), 1);
        req.arrive(peer, msg(&["", "r"]));
        req.recv().unwrap();
    }
}

#[test]
fn only_the_peer_that_was_asked_can_answer() {
    let mut req = Rig::new(SocketKind::Req);
    let (a, b) = (req.peer(), req.peer());
    req.send("q").unwrap();
    req.arrive(&b, msg(&["", "from b"]));
    assert!(!req.can_recv());
    assert_eq!(req.drops(DropReason::Unexpected), 1);
    req.arrive(&a, msg(&["", "from a"]));
    assert_eq!(req.recv(), Ok("from a".into()));
}

#[test]
fn when_the_asked_peer_is_gone_any_reply_will_do() {
    let mut req = Rig::new(SocketKind::Req);
    let (a, b) = (req.peer(), req.peer());
    req.send("q").unwrap();
    req.leave(a.0);
    assert_eq!(req.recv(), Err(RecvRefusal::Empty));
    req.arrive(&b, msg(&["", "from b"]));
    assert_eq!(req.recv(), Ok("from b".into()));
}

#[test]
fn a_reply_that_came_before_the_peer_left_counts() {
    let mut req = Rig::new(SocketKind::Req);
    let a = req.peer();
    req.send("q").unwrap();
    req.arrive(&a, msg(&["", "last words"]));
    req.leave(a.0);
    assert_eq!(req.recv(), Ok("last words".into()));
}

#[test]
fn stale_replies_are_gone_before_the_next_request() {
    let mut req = Rig::new(SocketKind::Req);
    let peer = req.peer();
    req.send("1").unwrap();
    req.arrive(&peer, msg(&["", "r1"]));
    req.arrive(&peer, msg(&["", "r1 again"]));
    assert_eq!(req.recv(), Ok("r1".into()));
    req.send("2").unwrap();
    assert_eq!(req.recv(), Err(RecvRefusal::Empty));
    assert_eq!(req.drops(DropReason::Unexpected), 1);
    req.arrive(&peer, msg(&["", "r2"]));
    assert_eq!(req.recv(), Ok("r2".into()));
}

#[test]
fn a_peer_whose_reply_has_no_envelope_is_ended() {
    let broken: [&[&'static str]; 5] = [
        &["x"],
        &[""],
        &["x", "y"],
        &["abcd", ""],
        &["abcde", "", "x"],
    ];
    for frames in broken {
        let mut req = Rig::new(SocketKind::Req);
        let peer = req.peer();
        req.send("q").unwrap();
        req.arrive(&peer, msg(frames));
        let kicked = req.kicked();
        assert_eq!(kicked.len(), 1, "{frames:?}");
        assert_eq!(
            (kicked[0].0, kicked[0].1.kind),
            (peer.0, CloseKind::Protocol)
        );
        assert_eq!(
            (req.recv(), req.drops(DropReason::Malformed)),
            (Err(RecvRefusal::Empty), 1)
        );
    }
}

#[test]
fn a_misbehaving_peer_is_ended_also_when_nothing_was_asked() {
    let mut req = Rig::new(SocketKind::Req);
    let peer = req.peer();
    req.arrive(&peer, msg(&["garbage"]));
    assert_eq!(req.kicked().len(), 1);
    assert_eq!(
        req.send("q").unwrap_err().0,
        Refusal::WouldBlock,
        "it is not asked any more"
    );
}

#[test]
fn correlated_requests_count_up_and_other_ids_are_dropped() {
    let mut req = Rig::with(SocketKind::Req, |o| o.req_correlate = true);
    let peer = req.peer();
    req.send("1").unwrap();
    let first = request_id(&peer.1);
    req.arrive(
        &peer,
        reply([first[0] ^ 1, first[1], first[2], first[3]], "other"),
    );
    req.arrive(&peer, msg(&["", "without"]));
    assert_eq!(
        (req.recv(), req.drops(DropReason::Unexpected)),
        (Err(RecvRefusal::Empty), 2)
    );
    req.arrive(&peer, reply(first, "r1"));
    assert_eq!(req.recv(), Ok("r1".into()));
    req.send("2").unwrap();
    let second = u32::from_ne_bytes(request_id(&peer.1));
    assert_eq!(second, u32::from_ne_bytes(first).wrapping_add(1));
    assert!(req.kicked().is_empty());
}

#[test]
fn without_correlation_a_reply_with_an_id_is_not_expected_but_well_formed() {
    let mut req = Rig::new(SocketKind::Req);
    let peer = req.peer();
    req.send("1").unwrap();
    req.arrive(&peer, reply(*b"1234", "r"));
    assert_eq!(
        (req.recv(), req.drops(DropReason::Unexpected)),
        (Err(RecvRefusal::Empty), 1)
    );
    assert!(req.kicked().is_empty());
}

#[test]
fn a_relaxed_request_abandons_the_one_before() {
    let mut req = Rig::with(SocketKind::Req, |o| {
        o.req_relaxed = true;
        o.req_correlate = true;
    });
    let (a, b) = (req.peer(), req.peer());
    req.send("1").unwrap();
    let first = request_id(&a.1);
    assert!(req.can_send());
    req.send("2").unwrap();
    let second = request_id(&b.1);
    req.arrive(&a, reply(first, "late"));
    req.arrive(&b, reply(second, "r2"));
    assert_eq!(
        (req.recv(), req.drops(DropReason::Unexpected)),
        (Ok("r2".into()), 1)
    );
}

#[test]
fn a_reply_that_waits_unread_goes_with_its_abandoned_request() {
    let mut req = Rig::with(SocketKind::Req, |o| o.req_relaxed = true);
    let peer = req.peer();
    req.send("1").unwrap();
    req.arrive(&peer, msg(&["", "r1"]));
    req.send("2").unwrap();
    assert_eq!(
        (req.recv(), req.drops(DropReason::Unexpected)),
        (Err(RecvRefusal::Empty), 1)
    );
}

#[test]
fn a_relaxed_request_that_fails_abandons_nothing() {
    let mut req = Rig::with(SocketKind::Req, |o| o.req_relaxed = true);
    let peer = req.peer();
    peer.1.room(1);
    req.send("1").unwrap();
    req.arrive(&peer, msg(&["", "r1"]));
    assert_eq!(req.send("2"), Err((Refusal::WouldBlock, "2".into())));
    assert_eq!(req.recv(), Ok("r1".into()));
}

#[test]
fn a_late_reply_of_the_same_peer_passes_for_the_new_one_without_correlation() {
    let mut req = Rig::with(SocketKind::Req, |o| o.req_relaxed = true);
    let peer = req.peer();
    req.send("1").unwrap();
    req.send("2").unwrap();
    req.arrive(&peer, msg(&["", "r1"]));
    assert_eq!(req.recv(), Ok("r1".into()));
}

#[test]
fn rep_answers_the_requester_through_its_envelope() {
    let mut rep = Rig::new(SocketKind::Rep);
    let (a, b) = (rep.peer(), rep.peer());
    rep.arrive(&a, msg(&["hop 2", "hop 1", "", "q", "", "r"]));
    assert_eq!(rep.recv(), Ok(msg(&["q", "", "r"])));
    rep.send(msg(&["yes", "no"])).unwrap();
    assert_eq!(a.1.messages(), [msg(&["hop 2", "hop 1", "", "yes", "no"])]);
    assert!(b.1.messages().is_empty());
    rep.arrive(&b, msg(&["", "q"]));
    rep.recv().unwrap();
    rep.send("r").unwrap();
    assert_eq!(b.1.messages(), [msg(&["", "r"])]);
}

#[test]
fn rep_alternates_too() {
    let mut rep = Rig::new(SocketKind::Rep);
    let peer = rep.peer();
    assert_eq!(
        (rep.send("r"), rep.can_send()),
        (Err((Refusal::State, "r".into())), false)
    );
    rep.arrive(&peer, msg(&["", "1"]));
    rep.arrive(&peer, msg(&["", "2"]));
    assert!(rep.can_recv());
    assert_eq!(rep.recv(), Ok("1".into()));
    assert_eq!(
        (rep.recv(), rep.can_recv()),
        (Err(RecvRefusal::State), false)
    );
    assert!(rep.can_send());
    rep.send("r").unwrap();
    assert_eq!(rep.recv(), Ok("2".into()));
}

#[test]
fn a_request_without_envelope_is_skipped_and_counted() {
    let mut rep = Rig::new(SocketKind::Rep);
    let peer = rep.peer();
    for bad in [&["x"][..], &["x", "y"], &[""], &["x", ""]] {
        rep.arrive(&peer, msg(bad));
    }
    rep.arrive(&peer, msg(&["", "good"]));
    assert_eq!(
        (rep.recv(), rep.drops(DropReason::Malformed)),
        (Ok("good".into()), 4)
    );
    assert!(rep.kicked().is_empty());
}

#[test]
fn a_reply_to_a_requester_that_left_is_dropped_and_counted() {
    let mut rep = Rig::new(SocketKind::Rep);
    let gone = rep.peer();
    rep.arrive(&gone, msg(&["", "q"]));
    rep.recv().unwrap();
    rep.leave(gone.0);
    let newcomer = rep.peer();
    assert_eq!(
        newcomer.0, gone.0,
        "the newcomer has the number of the one that left"
    );
    rep.send("r").unwrap();
    assert!(newcomer.1.messages().is_empty());
    assert_eq!(
        (rep.drops(DropReason::Unroutable), rep.can_send()),
        (1, false)
    );
}

#[test]
fn a_request_outlives_its_requester_but_the_reply_does_not() {
    let mut rep = Rig::new(SocketKind::Rep);
    let gone = rep.peer();
    rep.arrive(&gone, msg(&["", "1"]));
    rep.arrive(&gone, msg(&["", "2"]));
    assert!(rep.can_recv());
    rep.leave(gone.0);
    for want in ["1", "2"] {
        assert_eq!(rep.recv(), Ok(want.into()));
        rep.send("r").unwrap();
    }
    assert_eq!(rep.drops(DropReason::Unroutable), 2);
}

#[test]
fn a_reply_to_a_full_requester_is_dropped_and_counted() {
    let mut rep = Rig::new(SocketKind::Rep);
    let peer = rep.peer();
    peer.1.room(0);
    rep.arrive(&peer, msg(&["", "q"]));
    rep.recv().unwrap();
    rep.send("r").unwrap();
    assert_eq!(rep.drops(DropReason::Watermark), 1);
    assert_eq!(
        rep.recv(),
        Err(RecvRefusal::Empty),
        "and the next request may come"
    );
}

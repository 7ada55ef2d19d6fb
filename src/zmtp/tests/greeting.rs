//! The greeting and the NULL handshake, byte by byte.

use bytes::Bytes;

use super::{Pair, config, events, frame, greeting_of, messages, ready_of};
use crate::config::SocketKind;
use crate::message::Message;
use crate::zmtp::{Established, Event, Handshake, Inbound, Progress, ProtocolError, Version};

fn taken(handshake: &mut Handshake) -> Vec<u8> {
    let bytes = handshake.output().to_vec();
    handshake.consume_output(bytes.len());
    bytes
}

#[test]
fn eleven_bytes_are_sent_unasked_and_the_rest_after_the_peers_eleven() {
    let mut handshake = Handshake::new(config(SocketKind::Push));
    assert_eq!(
        taken(&mut handshake),
        [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3]
    );
    let theirs = greeting_of(1, b"NULL");
    assert_eq!(handshake.input(&theirs[..10]), Ok(Progress::NeedMore));
    assert_eq!(taken(&mut handshake), b"");
    assert_eq!(handshake.input(&theirs[10..11]), Ok(Progress::NeedMore));
    let mut rest = vec![1];
    rest.extend_from_slice(b"NULL");
    rest.resize(53, 0);
    assert_eq!(taken(&mut handshake), rest);
}

#[test]
fn the_signature_carries_the_length_of_the_identity_plus_one() {
    let mut ours = config(SocketKind::Dealer);
    ours.routing_id = Bytes::from_static(b"seven b");
    assert_eq!(
        Handshake::new(ours).output()[..10],
        [0xff, 0, 0, 0, 0, 0, 0, 0, 8, 0x7f]
    );
}

#[test]
fn ready_of_a_sub_is_what_libzmq_sends() {
    let mut handshake = Handshake::new(config(SocketKind::Sub));
    handshake.input(&greeting_of(1, b"NULL")).unwrap();
    let sent = taken(&mut handshake);
    assert_eq!(
        sent[64..],
        *b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB"
    );
}

#[test]
fn req_dealer_and_router_send_their_identity_even_when_empty() {
    for kind in SocketKind::ALL {
        let mut ours = config(kind);
        ours.metadata = vec![("X-Pace".into(), Bytes::from_static(b"slow"))];
        let mut handshake = Handshake::new(ours);
        handshake.input(&greeting_of(1, b"NULL")).unwrap();
        let sent = taken(&mut handshake)[64..].to_vec();
        let identity = b"\x08Identity\0\0\0\0\x06X-Pace\0\0\0\x04slow";
        let with = matches!(
            kind,
            SocketKind::Req | SocketKind::Dealer | SocketKind::Router
        );
        assert_eq!(sent.ends_with(identity), with, "{kind}");
        assert!(sent.ends_with(b"\x06X-Pace\0\0\0\x04slow"), "{kind}");
    }
}

#[test]
fn greeting_ready_and_messages_in_one_read_cut_anywhere() {
    let mut wire = greeting_of(1, b"NULL");
    wire.extend(ready_of(b"PUSH"));
    wire.extend(frame(0, b"first"));
    wire.extend(frame(1, b"two"));
    wire.extend(frame(0, b"parts"));
    for cut in 0..=wire.len() {
        let mut pair = Pair::new(config(SocketKind::Pull), config(SocketKind::Push));
        pair.a.input(&wire[..cut], pair.now).unwrap();
        pair.a.input(&wire[cut..], pair.now).unwrap();
        let got = events(&mut pair.a);
        assert_eq!(got.len(), 3, "cut at {cut}");
        let Event::Ready { version, peer, .. } = &got[0] else {
            panic!("not ready: {:?}", got[0]);
        };
        assert_eq!(
            (*version, peer.kind),
            (Version::V3_1, Some(SocketKind::Push))
        );
        assert_eq!(got[1], Event::Inbound(Inbound::Message("first".into())));
        let both = Message::from_frames(["two", "parts"]);
        assert_eq!(got[2], Event::Inbound(Inbound::Message(both)));
    }
}

#[test]
fn what_follows_the_handshake_is_handed_on() {
    let mut handshake = Handshake::new(config(SocketKind::Pull));
    let mut wire = greeting_of(1, b"NULL");
    wire.extend(ready_of(b"PUSH"));
    wire.extend_from_slice(b"\0\x05he");
    assert_eq!(handshake.input(&wire), Ok(Progress::Done));
    assert_eq!(handshake.input(b"llo"), Ok(Progress::Done));
    let established: Established = handshake.finish().ok().unwrap();
    assert_eq!(established.leftover, b"\0\x05hello");
    let (_, _, mut decoder) = established.split();
    assert_eq!(decoder.next(), Ok(Some(Inbound::Message("hello".into()))));
    assert_eq!(decoder.next(), Ok(None));
}

#[test]
fn two_ends_meet_whatever_the_size_of_the_steps() {
    for step in [1, 2, 7, 64, 4096] {
        let mut pair = Pair::new(config(SocketKind::Req), config(SocketKind::Router));
        assert_eq!(pair.drive(step), (None, None));
        assert!(matches!(events(&mut pair.a)[..], [Event::Ready { .. }]));
        pair.a.send(&Message::from_frames(["", "question"]));
        assert_eq!(pair.drive(step), (None, None));
        assert_eq!(
            messages(&mut pair.b),
            [Message::from_frames(["", "question"])]
        );
    }
}

#[test]
fn unknown_properties_are_kept_and_found_in_any_case() {
    let mut ours = config(SocketKind::Push);
    ours.metadata = vec![("X-Shm".into(), Bytes::from_static(b"1"))];
    ours.routing_id = Bytes::from_static(b"me");
    let mut pair = Pair::new(ours, config(SocketKind::Pull));
    pair.drive(100);
    let Some(Event::Ready { peer, .. }) = pair.b.next_event() else {
        panic!("not ready");
    };
    assert_eq!(peer.metadata.get("x-shm"), Some(&Bytes::from_static(b"1")));
    let names: Vec<_> = peer.metadata.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Socket-Type", "X-Shm"]);
    assert_eq!(peer.mechanism, "NULL");
}

#[test]
fn every_compatible_pair_meets_and_every_other_is_refused_by_both() {
    for a in SocketKind::ALL {
        for b in SocketKind::ALL {
            let mut pair = Pair::new(config(a), config(b));
            let refusal = |ours: SocketKind, theirs: SocketKind| {
                (!ours.accepts(theirs)).then(|| ProtocolError::IncompatibleSocket {
                    ours: ours.name(),
                    theirs: theirs.name().into(),
                })
            };
            assert_eq!(pair.drive(1000), (refusal(a, b), refusal(b, a)), "{a} {b}");
        }
    }
}

#[test]
fn later_majors_and_odd_padding_are_taken_for_3_1() {
    let mut wire = greeting_of(0, b"NULL");
    wire[1..9].copy_from_slice(b"whatever");
    wire[10] = 4;
    wire.extend(ready_of(b"PUB"));
    let mut handshake = Handshake::new(config(SocketKind::Sub));
    assert_eq!(handshake.input(&wire), Ok(Progress::Done));
    assert_eq!(handshake.finish().ok().unwrap().version, Version::V3_1);
}

#[test]
fn a_peer_may_leave_its_socket_type_out() {
    let mut wire = greeting_of(1, b"NULL");
    wire.extend(frame(4, b"\x05READY"));
    let mut handshake = Handshake::new(config(SocketKind::Sub));
    assert_eq!(handshake.input(&wire), Ok(Progress::Done));
    assert_eq!(handshake.finish().ok().unwrap().peer.kind, None);
}

#[test]
fn the_result_before_the_end_is_an_error() {
    let handshake = Handshake::new(config(SocketKind::Sub));
    assert_eq!(
        handshake.finish().err(),
        Some(ProtocolError::HandshakeIncomplete)
    );
}

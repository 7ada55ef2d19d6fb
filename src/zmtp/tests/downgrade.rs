//! Peers older than 3.1: what they are told, and what is refused.

use bytes::Bytes;

use super::{config, drain, frame, greeting_of, ready_of};
use crate::config::{Security, SocketKind};
use crate::zmtp::{Blame, Encoder, Handshake, Inbound, Outbox, Progress, ProtocolError, Version};

/// A 2.0 peer's greeting: SUB, identity "old".
const SUB_V2: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x02\0\x03old";

#[test]
fn a_2_0_peer_gets_our_type_number_and_one_identity_frame() {
    for cut in 0..SUB_V2.len() {
        let mut ours = config(SocketKind::XPub);
        ours.routing_id = Bytes::from_static(b"me");
        let mut handshake = Handshake::new(ours);
        handshake.input(&SUB_V2[..cut]).unwrap();
        let mut rest = SUB_V2[cut..].to_vec();
        rest.extend(frame(0, b"\x01topic"));
        assert_eq!(handshake.input(&rest), Ok(Progress::Done));
        let sent = b"\xff\0\0\0\0\0\0\0\x03\x7f\x03\x09\0\x02me";
        assert_eq!(handshake.output(), sent);
        let established = handshake.finish().ok().unwrap();
        assert_eq!(established.version, Version::V2_0);
        assert_eq!(established.peer.kind, Some(SocketKind::Sub));
        assert_eq!(established.peer.routing_id, "old");
        let (_, _, mut decoder) = established.split();
        assert_eq!(
            decoder.next(),
            Ok(Some(Inbound::Message("\x01topic".into())))
        );
    }
}

#[test]
fn a_2_0_peer_of_the_wrong_type_is_refused() {
    for (number, name) in [(8, "8"), (99, "99")] {
        let mut wire = SUB_V2.to_vec();
        wire[11] = number;
        let error = Handshake::new(config(SocketKind::Pub)).input(&wire);
        assert_eq!(
            error,
            Err(ProtocolError::IncompatibleSocket {
                ours: "PUB",
                theirs: name.into()
            })
        );
    }
}

#[test]
fn a_2_0_peer_is_refused_where_security_is_asked_for() {
    let mut plain = config(SocketKind::Pub);
    plain.security = Security::plain_client("ada", "engine");
    let mut domain = config(SocketKind::Pub);
    domain.zap_domain = "inner".into();
    for ours in [plain, domain] {
        let error = Handshake::new(ours).input(&SUB_V2[..11]).unwrap_err();
        assert_eq!(error, ProtocolError::DowngradeRefused);
        assert_eq!(error.blame(), Blame::Incompatible);
    }
}

#[test]
fn identity_frames_of_2_0_peers_are_checked() {
    let cases: [(&[u8], ProtocolError); 4] = [
        (b"\x01\x01x", ProtocolError::BadIdentityFrame(1)),
        (b"\x04\x01x", ProtocolError::BadIdentityFrame(4)),
        (
            b"\x02\0\0\0\0\0\0\x01\0",
            ProtocolError::RoutingIdTooLong(256),
        ),
        (b"\x80\x01x", ProtocolError::ReservedFlags(0x80)),
    ];
    for (identity, cause) in cases {
        let mut handshake = Handshake::new(config(SocketKind::Pub));
        handshake.input(&SUB_V2[..12]).unwrap();
        assert_eq!(handshake.input(identity), Err(cause));
    }
}

#[test]
fn peers_of_1_0_are_refused_with_a_cause_of_their_own() {
    let anonymous: &[u8] = b"\x01\0";
    let named: &[u8] = b"\x04\0abc";
    let long: &[u8] = b"\xff\0\0\0\0\0\0\0\x04\0";
    let versioned: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f\0";
    for wire in [anonymous, named, long, versioned] {
        let mut handshake = Handshake::new(config(SocketKind::Pub));
        assert_eq!(handshake.input(wire), Err(ProtocolError::Version1Peer));
        // And it stays refused.
        assert_eq!(handshake.input(b"more"), Err(ProtocolError::Version1Peer));
        assert_eq!(handshake.finish().err(), Some(ProtocolError::Version1Peer));
    }
}

#[test]
fn a_3_0_peer_gets_subscriptions_as_messages_and_no_ping() {
    let mut handshake = Handshake::new(config(SocketKind::Sub));
    let mut wire = greeting_of(0, b"NULL");
    wire.extend(ready_of(b"PUB"));
    assert_eq!(handshake.input(&wire), Ok(Progress::Done));
    let established = handshake.finish().ok().unwrap();
    assert_eq!(established.version, Version::V3_0);
    let (_, mut encoder, _) = established.split();
    let mut outbox = Outbox::new();
    encoder.subscribe(b"ttt", &mut outbox);
    encoder.cancel(b"ttt", &mut outbox);
    encoder.ping(std::time::Duration::from_secs(1), b"", &mut outbox);
    encoder.pong(b"", &mut outbox);
    assert_eq!(drain(&mut outbox), b"\0\x04\x01ttt\0\x04\0ttt");
}

#[test]
fn a_topic_of_255_bytes_to_a_3_0_peer_is_a_long_frame() {
    let mut outbox = Outbox::new();
    Encoder::new(Version::V3_0, None).subscribe(&[b't'; 255], &mut outbox);
    let bytes = drain(&mut outbox);
    assert_eq!(bytes[..10], [2, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
    assert_eq!(bytes[10..], [b't'; 255]);
}

#[test]
fn a_3_1_peer_gets_subscriptions_as_commands() {
    let mut outbox = Outbox::new();
    let mut encoder = Encoder::new(Version::V3_1, None);
    encoder.subscribe(b"ttt", &mut outbox);
    encoder.cancel(b"", &mut outbox);
    assert_eq!(
        drain(&mut outbox),
        b"\x04\x0d\x09SUBSCRIBEttt\x04\x07\x06CANCEL"
    );
}

#[test]
fn a_2_0_peer_gets_no_error_command_and_may_send_none() {
    let mut outbox = Outbox::new();
    Encoder::new(Version::V2_0, None).error("500", &mut outbox);
    assert!(outbox.is_empty());
    let mut decoder = crate::zmtp::Decoder::new(Version::V2_0, None, None);
    decoder.feed(b"\x04\x05\x04PING");
    assert_eq!(decoder.next(), Err(ProtocolError::ReservedFlags(4)));
}

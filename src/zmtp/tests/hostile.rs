//! Peers that mean no good, or are not ZMTP at all: each gets the cause it deserves.

use super::{config, frame, greeting_of};
use crate::config::SocketKind;
use crate::zmtp::{Blame, Decoder, Handshake, Inbound, ProtocolError, Version};

fn traffic(limit: Option<u64>, bytes: &[u8]) -> Result<Option<Inbound>, ProtocolError> {
    let mut decoder = Decoder::new(Version::V3_1, limit, None);
    decoder.feed(bytes);
    let result = decoder.next();
    if let Err(error) = &result {
        decoder.feed(b"\0\x01x");
        assert_eq!(decoder.next().as_ref(), Err(error), "an error stays");
    }
    result
}

fn handshake(after_greeting: &[u8]) -> Result<(), ProtocolError> {
    let mut handshake = Handshake::new(config(SocketKind::Pull));
    handshake.input(&greeting_of(1, b"NULL"))?;
    handshake.input(after_greeting).map(|_| ())
}

#[test]
fn bad_signatures() {
    let bad = |offset, found| ProtocolError::BadSignature { offset, found };
    let cases = [
        (&b"GET / HTTP/1.1\r\n"[..], bad(0, b'G')),
        (b"\0", bad(0, 0)),
        (b"\x16\x03\x01\x02\0", bad(0, 0x16)),
        (b"\xff\0\0\0\0\0\0\0\x01\x7e", bad(9, 0x7e)),
    ];
    for (bytes, cause) in cases {
        let mut handshake = Handshake::new(config(SocketKind::Pull));
        assert_eq!(handshake.input(bytes), Err(cause.clone()));
        assert_eq!(cause.blame(), Blame::Malformed);
    }
}

#[test]
fn frames_over_the_limit_are_refused_by_their_header_alone() {
    let too_large = |size, limit| Err(ProtocolError::FrameTooLarge { size, limit });
    assert_eq!(traffic(Some(10), b"\0\x0b"), too_large(11, 10));
    assert_eq!(traffic(Some(10), b"\0\x0b12345678901"), too_large(11, 10));
    assert_eq!(
        traffic(Some(10), b"\0\x0a1234567890").map(|item| item.is_some()),
        Ok(true)
    );
    let long = b"\x02\0\0\0\x01\0\0\0\0";
    assert_eq!(traffic(Some(100_000), long), too_large(1 << 32, 100_000));
    assert_eq!(traffic(Some(0), b"\0\x01x"), too_large(1, 0));
    assert_eq!(
        traffic(Some(0), b"\0\0"),
        Ok(Some(Inbound::Message("".into())))
    );
}

#[test]
fn the_limit_is_per_frame_also_within_a_message() {
    let item = traffic(Some(3), b"\x01\x03abc\x01\x03def\0\x03ghi").unwrap();
    let Some(Inbound::Message(message)) = item else {
        panic!("no message");
    };
    assert_eq!(message.frame_count(), 3);
    let (size, limit) = (4, 3);
    assert_eq!(
        traffic(Some(3), b"\x01\x03abc\0\x04defg"),
        Err(ProtocolError::FrameTooLarge { size, limit })
    );
}

#[test]
fn sizes_of_2_to_the_63_and_more() {
    let size = 1 << 63;
    let header = b"\x02\x80\0\0\0\0\0\0\0";
    assert_eq!(
        traffic(None, header),
        Err(ProtocolError::FrameSizeOverflow(size))
    );
    let command = b"\x06\xff\xff\xff\xff\xff\xff\xff\xff";
    assert_eq!(
        handshake(command),
        Err(ProtocolError::FrameSizeOverflow(u64::MAX))
    );
}

#[test]
fn reserved_flags_and_more_on_commands() {
    assert_eq!(
        traffic(None, b"\x08\0"),
        Err(ProtocolError::ReservedFlags(8))
    );
    assert_eq!(
        traffic(None, b"\x81\0"),
        Err(ProtocolError::ReservedFlags(0x81))
    );
    assert_eq!(
        traffic(None, b"\x05\x05\x04PING"),
        Err(ProtocolError::CommandWithMore)
    );
    assert_eq!(
        handshake(b"\x05\x06\x05READY"),
        Err(ProtocolError::CommandWithMore)
    );
}

#[test]
fn commands_longer_than_any_sensible_one() {
    let (size, limit) = (65_537, 65_536);
    let error = ProtocolError::CommandTooLarge { size, limit };
    assert_eq!(handshake(b"\x06\0\0\0\0\0\x01\0\x01"), Err(error.clone()));
    assert_eq!(error.blame(), Blame::Limit);
    let (size, limit) = ((1 << 20) + 1, 1 << 20);
    assert_eq!(
        traffic(None, b"\x06\0\0\0\0\0\x10\0\x01"),
        Err(ProtocolError::CommandTooLarge { size, limit })
    );
    // The limit for messages holds for commands too, but not for those as small as a PING.
    assert_eq!(
        traffic(Some(3), b"\x04\x07\x04PING\0\0").map(|item| item.is_some()),
        Ok(true)
    );
    let (size, limit) = (257, 256);
    assert_eq!(
        traffic(Some(3), b"\x06\0\0\0\0\0\0\x01\x01"),
        Err(ProtocolError::CommandTooLarge { size, limit })
    );
}

#[test]
fn names_and_fields_that_run_past_the_end_of_their_command() {
    for body in [&b""[..], b"\0", b"\0READY", b"\x06READY", b"\xffREADY"] {
        assert_eq!(
            handshake(&frame(4, body)),
            Err(ProtocolError::BadCommandName)
        );
        assert_eq!(
            traffic(None, &frame(4, body)),
            Err(ProtocolError::BadCommandName)
        );
    }
    let command = "PING";
    assert_eq!(
        traffic(None, b"\x04\x06\x04PING\0"),
        Err(ProtocolError::TruncatedCommand { command })
    );
    let command = "ERROR";
    for bytes in [&b"\x04\x06\x05ERROR"[..], b"\x04\x08\x05ERROR\x024"] {
        let cause = ProtocolError::TruncatedCommand { command };
        assert_eq!(traffic(None, bytes), Err(cause.clone()));
        assert_eq!(handshake(bytes), Err(cause));
    }
    assert_eq!(
        handshake(b"\x04\x09\x05ERROR\x0142"),
        Err(ProtocolError::TrailingBytes { command, count: 1 })
    );
}

#[test]
fn metadata_that_does_not_add_up() {
    let command = "READY";
    let ready = |properties: &[u8]| {
        let mut body = b"\x05READY".to_vec();
        body.extend_from_slice(properties);
        handshake(&frame(4, &body))
    };
    let bad = Err(ProtocolError::BadMetadata { command });
    let long_value = b"\x0bSocket-Type\0\0\0\x05PUSH";
    assert_eq!(ready(long_value), bad);
    assert_eq!(ready(b"\x01X\xff\xff\xff\xff"), bad);
    assert_eq!(ready(b"\x0bSocket-Type\0\0"), bad);
    assert_eq!(ready(b"\0\0\0\0\0"), bad);
    assert_eq!(ready(b"\x01\xff\0\0\0\0"), bad);
    assert_eq!(
        ready(b"\x0bSocket-Type\0\0\0\x04PUSHx"),
        Err(ProtocolError::TrailingBytes { command, count: 1 })
    );
    assert_eq!(ready(b"\x0bSocket-Type\0\0\0\x04PUSH\x01X\0\0\0\0"), Ok(()));
}

#[test]
fn socket_types_that_do_not_exist_or_are_spelled_wrong() {
    for theirs in ["SERVER", "push", ""] {
        assert_eq!(
            handshake(&super::ready_of(theirs.as_bytes())),
            Err(ProtocolError::IncompatibleSocket {
                ours: "PULL",
                theirs: theirs.into()
            })
        );
    }
}

#[test]
fn a_routing_id_of_256_bytes() {
    let mut body = b"\x05READY\x08Identity\0\0\x01\0".to_vec();
    body.extend_from_slice(&[b'i'; 256]);
    let mut bytes = vec![6];
    bytes.extend_from_slice(&(body.len() as u64).to_be_bytes());
    bytes.extend(body);
    assert_eq!(handshake(&bytes), Err(ProtocolError::RoutingIdTooLong(256)));
}

#[test]
fn messages_and_other_commands_before_ready() {
    assert_eq!(handshake(b"\0\x01x"), Err(ProtocolError::UnexpectedMessage));
    let (expected, found) = ("READY", "HELLO".to_string());
    assert_eq!(
        handshake(&frame(4, b"\x05HELLO\0\0")),
        Err(ProtocolError::UnexpectedCommand { expected, found })
    );
    let reason = "400".to_string();
    assert_eq!(
        handshake(&frame(4, b"\x05ERROR\x03400")),
        Err(ProtocolError::PeerError { reason })
    );
}

#[test]
fn a_message_that_never_ends_is_cut_off() {
    let mut decoder = Decoder::new(Version::V3_1, None, None);
    let chunk = b"\x01\0".repeat(16 * 1024);
    let mut fed = 0;
    let error = loop {
        decoder.feed(&chunk);
        fed += chunk.len() / 2;
        match decoder.next() {
            Ok(item) => assert_eq!(item, None),
            Err(error) => break error,
        }
        assert!(fed <= 2 << 20, "no end after {fed} frames");
    };
    assert_eq!(error, ProtocolError::TooManyFrames { limit: 1 << 20 });
}

#[test]
fn a_greeting_of_single_bytes_and_then_silence_is_no_error() {
    let mut handshake = Handshake::new(config(SocketKind::Pull));
    for byte in &greeting_of(1, b"NULL")[..63] {
        handshake.input(&[*byte]).unwrap();
    }
    assert_eq!(
        handshake.finish().err(),
        Some(ProtocolError::HandshakeIncomplete)
    );
}

#[test]
fn every_cause_says_something_else() {
    let causes = [
        ProtocolError::CommandWithMore,
        ProtocolError::BadCommandName,
        ProtocolError::Version1Peer,
        ProtocolError::DowngradeRefused,
        ProtocolError::UnexpectedMessage,
        ProtocolError::UnsealedFrame,
        ProtocolError::BadSeal,
        ProtocolError::HandshakeTimeout,
        ProtocolError::HeartbeatTimeout,
        ProtocolError::TtlExpired,
    ];
    let texts: std::collections::HashSet<_> = causes.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), causes.len());
}

//! The hook for mechanisms that seal: a toy one, to prove that handshake, encoder and decoder use it.

use std::time::Duration;

use bytes::Bytes;

use super::{Pair, config, drain, messages};
use crate::config::SocketKind;
use crate::message::{Frame, Message};
use crate::zmtp::mechanism::Agreement;
use crate::zmtp::wire::push_named;
use crate::zmtp::{
    Beats, CipherPair, Decoder, Encoder, Engine, Handshake, Inbound, Mechanism, Opener, Outbound,
    Outbox, PeerProperties, ProtocolError, Reclaimed, Sealer, Version,
};

/// Both sides say KEY and are ready; traffic is flipped and numbered.
#[derive(Default)]
struct Toy {
    sent: bool,
    seen: bool,
}

impl Mechanism for Toy {
    fn name(&self) -> &'static str {
        "TOY"
    }

    fn as_server(&self) -> bool {
        true
    }

    fn next_command(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.sent {
            push_named("KEY", b"k", out);
        }
        !std::mem::replace(&mut self.sent, true)
    }

    fn handle_command(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        assert_eq!(body, b"\x03KEYk");
        self.seen = true;
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.sent && self.seen
    }

    fn finish(self: Box<Self>) -> Agreement {
        Agreement {
            peer: PeerProperties::unknown("TOY"),
            user_id: "toy".into(),
            cipher: Some(CipherPair {
                sealer: Box::new(Counter(0)),
                opener: Box::new(Counter(0)),
            }),
        }
    }
}

struct Counter(u8);

impl Sealer for Counter {
    fn seal(&mut self, flags: u8, body: &[u8], out: &mut Vec<u8>) {
        self.0 = self.0.wrapping_add(1);
        out.extend_from_slice(&[self.0, flags]);
        out.extend(body.iter().map(|byte| !byte));
    }
}

impl Opener for Counter {
    fn open(&mut self, body: &[u8]) -> Result<(u8, Frame), ProtocolError> {
        self.0 = self.0.wrapping_add(1);
        match body {
            [nonce, flags, rest @ ..] if *nonce == self.0 => {
                let plain: Vec<u8> = rest.iter().map(|byte| !byte).collect();
                Ok((*flags, Frame::from(plain)))
            }
            _ => Err(ProtocolError::BadSeal),
        }
    }

    fn overhead(&self) -> usize {
        2
    }
}

fn engine() -> Engine {
    let handshake = Handshake::with_mechanism(config(SocketKind::Pair), Box::new(Toy::default()));
    Engine::with_handshake(handshake, Beats::default())
}

fn ends(limit: Option<u64>) -> (Encoder, Decoder) {
    (
        Encoder::new(Version::V3_1, Some(Box::new(Counter(0)))),
        Decoder::new(Version::V3_1, limit, Some(Box::new(Counter(0)))),
    )
}

#[test]
fn sealed_messages_of_every_size_arrive() {
    for step in [1000, 100_000] {
        let mut pair = Pair::of(engine(), engine());
        assert_eq!(pair.drive(step), (None, None));
        let sent = vec![
            Message::from("short"),
            Message::from_frames([vec![1; 300], vec![], vec![2; 70_000]]),
            Message::from(vec![3; 9000]),
        ];
        for message in &sent {
            assert!(pair.a.send(message));
        }
        assert_eq!(pair.drive(step), (None, None));
        assert!(messages(&mut pair.b) == sent);
    }
}

#[test]
fn flags_travel_inside_and_frames_are_messages_outside() {
    let (mut encoder, mut decoder) = ends(None);
    let mut outbox = Outbox::new();
    encoder.message(&Message::from_frames(["a", "b"]), &mut outbox);
    encoder.subscribe(b"t", &mut outbox);
    encoder.ping(Duration::from_secs(1), b"", &mut outbox);
    assert_eq!(outbox.messages(), 1);
    let bytes = drain(&mut outbox);
    assert_eq!(bytes[..10], [0, 3, 1, 1, !b'a', 0, 3, 2, 0, !b'b']);
    assert_eq!(bytes[10..14], [0, 13, 3, 2]);
    decoder.feed(&bytes);
    let message = Message::from_frames(["a", "b"]);
    assert_eq!(decoder.next(), Ok(Some(Inbound::Message(message))));
    assert_eq!(
        decoder.next(),
        Ok(Some(Inbound::Subscribe(Bytes::from_static(b"t"))))
    );
    assert!(matches!(decoder.next(), Ok(Some(Inbound::Ping { .. }))));
    assert_eq!(decoder.next(), Ok(None));
}

#[test]
fn forged_replayed_and_split_frames_are_refused() {
    let (_, mut decoder) = ends(None);
    decoder.feed(b"\0\x05plain");
    assert_eq!(decoder.next(), Err(ProtocolError::BadSeal));
    let (_, mut decoder) = ends(None);
    decoder.feed(b"\0\x02\x01\0\0\x02\x01\0");
    assert_eq!(decoder.next(), Ok(Some(Inbound::Message("".into()))));
    assert_eq!(decoder.next(), Err(ProtocolError::BadSeal));
    let (_, mut decoder) = ends(None);
    decoder.feed(b"\x01\x02\x01\0");
    assert_eq!(decoder.next(), Err(ProtocolError::UnsealedFrame));
}

#[test]
fn the_limit_is_for_what_is_inside() {
    let (mut encoder, mut decoder) = ends(Some(300));
    let mut outbox = Outbox::new();
    encoder.message(&Message::from(vec![1; 300]), &mut outbox);
    encoder.message(&Message::from(vec![1; 301]), &mut outbox);
    decoder.feed(&drain(&mut outbox));
    assert_eq!(
        decoder.next(),
        Ok(Some(Inbound::Message(vec![1; 300].into())))
    );
    let (size, limit) = (303, 302);
    assert_eq!(
        decoder.next(),
        Err(ProtocolError::FrameTooLarge { size, limit })
    );
}

#[test]
fn sealed_bytes_are_not_reclaimed_but_counted() {
    let (mut encoder, _) = ends(None);
    let mut outbox = Outbox::new();
    encoder.message(&"one".into(), &mut outbox);
    encoder.message(&"two".into(), &mut outbox);
    let nothing = Vec::<Outbound>::new();
    let (items, dropped) = (nothing, 2);
    assert_eq!(outbox.reclaim(), Reclaimed { items, dropped });
}

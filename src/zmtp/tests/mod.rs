//! Tests of the room, in pairs: two ends, a pretended link, a clock that only moves when told.

mod cipher;
mod decoding;
mod downgrade;
mod greeting;
mod heartbeat;
mod hostile;
mod outbox;
mod plain;

use std::time::Instant;

use super::{Beats, Engine, Event, HandshakeConfig, Inbound, Outbox, ProtocolError};
use crate::config::SocketKind;
use crate::message::Message;

/// Two ends and the time.
struct Pair {
    a: Engine,
    b: Engine,
    now: Instant,
}

impl Pair {
    fn new(a: HandshakeConfig, b: HandshakeConfig) -> Self {
        Self::of(
            Engine::new(a, Beats::default()),
            Engine::new(b, Beats::default()),
        )
    }

    fn of(a: Engine, b: Engine) -> Self {
        let now = Instant::now();
        Pair { a, b, now }
    }

    /// Carries bytes, `step` at a time, until both are quiet; what each end failed with, if it did.
    fn drive(&mut self, step: usize) -> (Option<ProtocolError>, Option<ProtocolError>) {
        let (mut failed_a, mut failed_b) = (None, None);
        loop {
            let there = carry(&mut self.a, &mut self.b, step, self.now, &mut failed_b);
            let back = carry(&mut self.b, &mut self.a, step, self.now, &mut failed_a);
            if !there && !back {
                return (failed_a, failed_b);
            }
        }
    }
}

fn carry(
    from: &mut Engine,
    to: &mut Engine,
    step: usize,
    now: Instant,
    failed: &mut Option<ProtocolError>,
) -> bool {
    let bytes = from.output();
    let bytes = bytes[..bytes.len().min(step)].to_vec();
    from.consume_output(bytes.len());
    if let Err(error) = to.input(&bytes, now) {
        failed.get_or_insert(error);
    }
    !bytes.is_empty()
}

fn config(kind: SocketKind) -> HandshakeConfig {
    HandshakeConfig::new(kind)
}

fn events(engine: &mut Engine) -> Vec<Event> {
    std::iter::from_fn(|| engine.next_event()).collect()
}

/// The messages among the events, in order.
fn messages(engine: &mut Engine) -> Vec<Message> {
    let message = |event| match event {
        Event::Inbound(Inbound::Message(message)) => Some(message),
        _ => None,
    };
    events(engine).into_iter().filter_map(message).collect()
}

/// All bytes of an outbox, taken chunk by chunk.
fn drain(outbox: &mut Outbox) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !outbox.is_empty() {
        let chunk = outbox.first_chunk().to_vec();
        outbox.advance(chunk.len());
        bytes.extend(chunk);
    }
    bytes
}

/// A 3.x greeting as a live libzmq sends it.
fn greeting_of(minor: u8, mechanism: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[0] = 0xff;
    bytes[8] = 1;
    bytes[9] = 0x7f;
    bytes[10] = 3;
    bytes[11] = minor;
    bytes[12..12 + mechanism.len()].copy_from_slice(mechanism);
    bytes
}

/// A short frame.
fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![flags, body.len() as u8];
    bytes.extend_from_slice(body);
    bytes
}

/// The READY command of a socket of this type, without identity.
fn ready_of(kind: &[u8]) -> Vec<u8> {
    let mut body = b"\x05READY\x0bSocket-Type\0\0\0".to_vec();
    body.push(kind.len() as u8);
    body.extend_from_slice(kind);
    frame(4, &body)
}

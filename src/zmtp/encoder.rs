//! Messages and commands into bytes for the wire.
//!
//! What it is not: a queue; the bytes go to an [`Outbox`]. Invariant: each call appends whole messages or commands,
//! so what lies in an outbox between two calls never ends inside a message.

use std::time::Duration;

use bytes::Bytes;

use super::inbound::PingContext;
use super::mechanism::{SEALED_COMMAND, SEALED_MORE, Sealer};
use super::outbox::Outbox;
use super::wire::{COMMAND, MORE, Version, header_len, push_error, push_header, push_named};
use crate::message::{Frame, Message};

/// Encodes in the dialect of one connection.
pub struct Encoder {
    version: Version,
    sealer: Option<Box<dyn Sealer>>,
    scratch: Vec<u8>,
}

impl Encoder {
    /// An encoder for a peer of this version; `sealer` is what the mechanism agreed on.
    pub fn new(version: Version, sealer: Option<Box<dyn Sealer>>) -> Self {
        Encoder {
            version,
            sealer,
            scratch: Vec::new(),
        }
    }

    /// The dialect of the connection.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether frames are sealed, and bytes of [`Encoder::plain`] may therefore not be used.
    pub fn is_sealed(&self) -> bool {
        self.sealer.is_some()
    }

    /// Appends a message.
    #[inline]
    pub fn message(&mut self, message: &Message, outbox: &mut Outbox) {
        if self.sealer.is_none()
            && let [frame] = message.frames()
        {
            outbox.push_single(frame);
        } else {
            self.message_slow(message, outbox);
        }
    }

    fn message_slow(&mut self, message: &Message, outbox: &mut Outbox) {
        let frames = message.frames();
        let last = frames.len().saturating_sub(1);
        for (index, frame) in frames.iter().enumerate() {
            let more = index < last;
            if self.sealer.is_some() {
                let flags = if more { SEALED_MORE } else { 0 };
                self.sealed(flags, frame, usize::from(!more), outbox);
            } else {
                outbox.push_frame(if more { MORE } else { 0 }, frame);
            }
        }
    }

    /// A message as plain frames, the same for every peer that is not sealed: to be encoded once and given to many
    /// outboxes ([`Outbox::push_encoded`]).
    pub fn plain(message: &Message) -> Bytes {
        let len = |frame: &Frame| header_len(frame.len()) + frame.len();
        let mut wire = Vec::with_capacity(message.iter().map(len).sum());
        let mut left = message.frame_count();
        for frame in message {
            left -= 1;
            push_header(if left > 0 { MORE } else { 0 }, frame.len(), &mut wire);
            wire.extend_from_slice(frame);
        }
        Bytes::from(wire)
    }

    /// Appends a subscription: a command for 3.1, a message `01 topic` before.
    pub fn subscribe(&mut self, topic: &[u8], outbox: &mut Outbox) {
        self.subscription("SUBSCRIBE", 1, topic, outbox);
    }

    /// Takes a subscription back: a command for 3.1, a message `00 topic` before.
    pub fn cancel(&mut self, topic: &[u8], outbox: &mut Outbox) {
        self.subscription("CANCEL", 0, topic, outbox);
    }

    /// Appends a PING, unless the peer is too old for it. `ttl` is sent in tenths of a second, 6,553.5 s at most;
    /// `context` is cut at 16 bytes.
    pub fn ping(&mut self, ttl: Duration, context: &[u8], outbox: &mut Outbox) {
        if !self.version.has_heartbeat() {
            return;
        }
        let tenths = u16::try_from(ttl.as_millis() / 100).unwrap_or(u16::MAX);
        let mut data = tenths.to_be_bytes().to_vec();
        data.extend_from_slice(&PingContext::new(context));
        self.command("PING", &data, outbox);
    }

    /// Appends a PONG with the context of the PING it answers.
    pub fn pong(&mut self, context: &[u8], outbox: &mut Outbox) {
        if self.version.has_heartbeat() {
            self.command("PONG", &PingContext::new(context), outbox);
        }
    }

    /// Appends an ERROR command with a reason of at most 255 bytes; the connection is to be closed afterwards. Never
    /// sealed, and nothing for a 2.0 peer, which knows no commands.
    pub fn error(&mut self, reason: &str, outbox: &mut Outbox) {
        if self.version.has_commands() {
            outbox.push_command(|out| push_error(reason, out));
        }
    }

    fn subscription(&mut self, name: &str, first: u8, topic: &[u8], outbox: &mut Outbox) {
        if self.version.subscribes_by_command() {
            return self.command(name, topic, outbox);
        }
        let mut body = Vec::with_capacity(1 + topic.len());
        body.push(first);
        body.extend_from_slice(topic);
        outbox.note_subscription_messages();
        self.message(&Message::from(body), outbox);
    }

    fn command(&mut self, name: &str, data: &[u8], outbox: &mut Outbox) {
        if self.sealer.is_none() {
            return outbox.push_command(|out| push_named(name, data, out));
        }
        let mut body = Vec::with_capacity(1 + name.len() + data.len());
        body.push(name.len() as u8);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(data);
        self.sealed(SEALED_COMMAND, &body, 0, outbox);
    }

    /// libzmq sends sealed frames, commands too, as messages whose flags are inside.
    fn sealed(&mut self, flags: u8, body: &[u8], messages: usize, outbox: &mut Outbox) {
        let Some(sealer) = &mut self.sealer else {
            return;
        };
        self.scratch.clear();
        sealer.seal(flags, body, &mut self.scratch);
        outbox.push_sealed(&mut self.scratch, messages);
    }
}

const _: () = assert!(COMMAND & MORE == 0);

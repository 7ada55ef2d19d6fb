//! What a lost connection did not send: the outbox read back into messages.
//!
//! Only messages of which no byte was written come back. One that was written in part is dropped whole, because the
//! peer has dropped its half too. What was written in full may be lost in the kernel; that is not known here.
//! Sealed bytes cannot be read back: they are counted as dropped.

use bytes::Bytes;

use super::{Data, Outbox};
use crate::message::{Frame, Message};
use crate::zmtp::wire::{Command, FrameHeader};

/// One item that was to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbound {
    /// A message.
    Message(Message),
    /// A subscription.
    Subscribe(Bytes),
    /// A subscription taken back.
    Cancel(Bytes),
}

/// What [`Outbox::reclaim`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Whole items, in order. Heartbeats and errors are left out.
    pub items: Vec<Outbound>,
    /// How many messages are lost: one written in part, or all of a sealed connection.
    pub dropped: usize,
}

impl Outbox {
    /// Empties the outbox after its connection was lost, and gives back what can be sent over the next one.
    pub fn reclaim(&mut self) -> Reclaimed {
        self.close_tail(false);
        let old = std::mem::take(self);
        if old.sealed {
            return Reclaimed {
                items: Vec::new(),
                dropped: old.messages(),
            };
        }
        let mut reader = Reader {
            written: old.written,
            subscription_messages: old.subscription_messages,
            ..Reader::default()
        };
        let mut chunks = old.queue.into_iter().peekable();
        while let Some(chunk) = chunks.next() {
            let goes_on = chunks.peek().is_some_and(|next| next.starts_mid);
            reader.chunk(&chunk.data, chunk.starts_mid, goes_on);
            reader.first = false;
        }
        reader.result
    }
}

struct Reader {
    /// The chunk at hand is the first: `written` bytes of it are gone, and so is all that was before it.
    first: bool,
    written: usize,
    subscription_messages: bool,
    /// Frames of the message at hand.
    parts: Vec<Frame>,
    /// Some byte of the message at hand was written.
    begun: bool,
    /// Inside a message: the next frame is not its first.
    inside: bool,
    /// A header whose body is the next, shared chunk.
    pending: Option<FrameHeader>,
    result: Reclaimed,
}

impl Default for Reader {
    fn default() -> Self {
        Reader {
            first: true,
            written: 0,
            subscription_messages: false,
            parts: Vec::new(),
            begun: false,
            inside: false,
            pending: None,
            result: Reclaimed::default(),
        }
    }
}

impl Reader {
    /// `starts_mid`: the chunk begins inside a message; `goes_on`: so does the next one.
    fn chunk(&mut self, data: &Data, starts_mid: bool, goes_on: bool) {
        if self.first && starts_mid {
            (self.begun, self.inside) = (true, true);
        }
        let len = data.as_slice().len();
        match (data, self.pending.take()) {
            (Data::Shared(body), Some(header)) => {
                self.frame(header, Frame::from(body.clone()), 0, len);
            }
            // The header was in a chunk that is written and gone; whether more follows, the next chunk tells.
            (Data::Shared(_), None) if self.first && starts_mid => {
                self.frame_end(goes_on, len);
            }
            (data, _) => self.frames(data.as_slice()),
        }
    }

    fn frames(&mut self, bytes: &[u8]) {
        let mut pos = 0;
        while let Ok(Some(header)) = FrameHeader::parse(&bytes[pos..]) {
            let (start, body) = (pos, pos + header.len);
            let end = body + header.size as usize;
            let Some(payload) = bytes.get(body..end) else {
                self.note_start(start);
                self.pending = Some(header);
                return;
            };
            if header.command {
                if !(self.first && start < self.written) {
                    self.command(payload);
                }
            } else {
                self.frame(header, Frame::copy_from_slice(payload), start, end);
            }
            pos = end;
        }
    }

    /// A frame that lies from `start` to `end` in the chunk at hand.
    fn frame(&mut self, header: FrameHeader, frame: Frame, start: usize, end: usize) {
        self.note_start(start);
        if !self.begun {
            self.parts.push(frame);
        }
        self.frame_end(header.more, end);
    }

    fn note_start(&mut self, start: usize) {
        if !self.inside {
            self.inside = true;
            self.begun = self.first && start < self.written;
        }
    }

    fn frame_end(&mut self, more: bool, end: usize) {
        if more {
            return;
        }
        self.inside = false;
        let parts = std::mem::take(&mut self.parts);
        if !self.begun {
            let item = self.item(Message::from(parts));
            self.result.items.push(item);
        } else if !(self.first && end <= self.written) {
            self.result.dropped += 1;
        }
        self.begun = false;
    }

    fn item(&self, message: Message) -> Outbound {
        if self.subscription_messages && !message.is_multipart() {
            match message.first().as_slice() {
                [1, topic @ ..] => return Outbound::Subscribe(Bytes::copy_from_slice(topic)),
                [0, topic @ ..] => return Outbound::Cancel(Bytes::copy_from_slice(topic)),
                _ => {}
            }
        }
        Outbound::Message(message)
    }

    fn command(&mut self, body: &[u8]) {
        if let Ok(Command { name, data }) = Command::parse(body) {
            match name {
                b"SUBSCRIBE" => self.result.items.push(Outbound::Subscribe(copy(data))),
                b"CANCEL" => self.result.items.push(Outbound::Cancel(copy(data))),
                _ => {}
            }
        }
    }
}

fn copy(data: &[u8]) -> Bytes {
    Bytes::copy_from_slice(data)
}

//! The receiving half: records become packets.
//!
//! What the peer writes is checked by the ring; what it means is checked here: sizes against `max_message_size`
//! before anything is kept, the number of frames, and that pieces and frames follow each other as they must.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::message::{Frame, Message};
use crate::pipe::{Got, Packet, Subscription};
use crate::shm::{
    Consumer, PeerPool, Record, RecordKind, Returner, View, Violation, record_len, ticket,
};

/// Frames of one message, as for other transports.
const MAX_FRAMES: usize = 1 << 20;
/// Bytes of a record that names a chunk.
pub(super) const PLACE_LEN: usize = 24;

/// What a peer did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Impossible memory.
    Violation(Violation),
    /// A frame larger than `max_message_size`.
    TooLarge { size: u64, limit: u64 },
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Fault::Violation(violation)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Violation(violation) => {
                write!(
                    f,
                    "the peer broke the rules of shared memory: {}",
                    violation.0
                )
            }
            Fault::TooLarge { size, limit } => {
                write!(
                    f,
                    "a frame of {size} bytes, larger than max_message_size ({limit})"
                )
            }
        }
    }
}

/// Why there is no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nothing {
    /// Nothing more was published.
    Now,
    /// There is more, but others have their turn first.
    Later,
    /// The peer is at fault: see [`Incoming::fault`].
    Ever,
}

/// See the file's text.
pub(super) struct Incoming {
    rx: Consumer,
    returner: Arc<Returner>,
    pool: Option<Arc<PeerPool>>,
    /// Chunks are lent out in place; else they are copied.
    views: bool,
    max_size: u64,
    /// Frames of a message that is not complete.
    frames: Vec<Frame>,
    /// Pieces of a frame that is not complete.
    piece: Vec<u8>,
    in_pieces: bool,
    /// Bytes of the message that lie in chunks. One place can be named again and again, and each may have to be copied.
    in_chunks: u64,
    /// The peer waits for the room that was made, and must be rung.
    pub(super) ring_due: bool,
    /// What the peer did wrong.
    pub(super) fault: Option<Fault>,
}

impl Incoming {
    pub(super) fn new(
        rx: Consumer,
        returner: Arc<Returner>,
        pool: Option<Arc<PeerPool>>,
        views: bool,
        max_message_size: Option<u64>,
    ) -> Self {
        Incoming {
            rx,
            returner,
            pool,
            views,
            max_size: max_message_size.unwrap_or(u64::MAX),
            frames: Vec::new(),
            piece: Vec::new(),
            in_pieces: false,
            in_chunks: 0,
            ring_due: false,
            fault: None,
        }
    }

    /// The next packet. Look at `ring_due` afterwards.
    #[inline]
    pub(super) fn take(&mut self, into: &mut Message) -> Result<Got, Nothing> {
        match self.rx.next() {
            Ok(Some(record)) if self.is_message(record) => {
                *into = Message::from(self.read(record));
                self.rx.taken.count(record.len);
                self.consume(record);
                Ok(Got::Message {
                    more: self.rx.is_behind(),
                })
            }
            Ok(_) => match self.take_parts()? {
                Packet::Message(message) => {
                    *into = message;
                    Ok(Got::Message {
                        more: self.rx.is_behind(),
                    })
                }
                Packet::Subscription(subscription) => Ok(Got::Subscription(subscription)),
            },
            Err(violation) => Err(self.fail(violation)),
        }
    }

    /// Whether a record is a whole message, and one that may be taken.
    #[inline]
    fn is_message(&self, record: Record) -> bool {
        record.kind == RecordKind::Frame
            && !record.more
            && !self.in_pieces
            && self.frames.is_empty()
            && record.len as u64 <= self.max_size
    }

    #[inline]
    fn read(&self, record: Record) -> Frame {
        if record.len <= Frame::INLINE {
            return Frame::copy_from_window(&self.rx.window(), record.len);
        }
        Frame::from(self.rx.to_vec(record))
    }

    #[inline]
    fn consume(&mut self, record: Record) {
        self.rx.advance(record);
        self.ring_due |= self.rx.release();
    }

    #[cold]
    fn fail(&mut self, fault: impl Into<Fault>) -> Nothing {
        self.fault.get_or_insert(fault.into());
        Nothing::Ever
    }

    /// A packet of several records, a subscription, or none at all.
    #[cold]
    fn take_parts(&mut self) -> Result<Packet, Nothing> {
        let mut budget = self.rx.capacity();
        loop {
            let part = match self.rx.next() {
                Ok(Some(_)) if budget == 0 => return Err(Nothing::Later),
                Ok(Some(record)) => {
                    budget = budget.saturating_sub(record_len(record.len));
                    self.part(record).inspect(|_| self.consume(record))
                }
                Ok(None) => {
                    self.ring_due |= self.rx.release_and_look();
                    return Err(Nothing::Now);
                }
                Err(violation) => Err(violation.into()),
            };
            match part {
                Ok(Some(packet)) => return Ok(packet),
                Ok(None) => {}
                Err(fault) => return Err(self.fail(fault)),
            }
        }
    }

    #[inline]
    fn check_size(&self, size: u64) -> Result<(), Fault> {
        let limit = self.max_size;
        if size > limit {
            return Err(Fault::TooLarge { size, limit });
        }
        Ok(())
    }

    /// Takes in one record of a packet.
    fn part(&mut self, record: Record) -> Result<Option<Packet>, Fault> {
        match record.kind {
            RecordKind::Piece => {
                self.add_piece(record)?;
                Ok(None)
            }
            RecordKind::Frame if self.in_pieces => {
                self.add_piece(record)?;
                let whole = self.take_pieces();
                Ok(self.add_frame(Frame::from(whole), record.more)?)
            }
            RecordKind::Frame => {
                self.check_size(record.len as u64)?;
                Ok(self.add_frame(self.read(record), record.more)?)
            }
            RecordKind::Chunk => {
                let frame = self.chunk(record)?;
                Ok(self.add_frame(frame, record.more)?)
            }
            RecordKind::Subscribe => {
                let topic = self.topic(record)?;
                Ok(Some(Packet::Subscription(Subscription::Add(topic))))
            }
            RecordKind::Cancel => {
                let topic = self.topic(record)?;
                Ok(Some(Packet::Subscription(Subscription::Cancel(topic))))
            }
        }
    }

    fn add_piece(&mut self, record: Record) -> Result<(), Fault> {
        self.in_pieces = true;
        self.check_size(self.piece.len() as u64 + record.len as u64)?;
        self.rx.append(record, &mut self.piece);
        Ok(())
    }

    fn take_pieces(&mut self) -> Vec<u8> {
        self.in_pieces = false;
        std::mem::take(&mut self.piece)
    }

    fn add_frame(&mut self, frame: Frame, more: bool) -> Result<Option<Packet>, Violation> {
        self.frames.push(frame);
        if more && self.frames.len() >= MAX_FRAMES {
            return Err(Violation("a message with too many frames"));
        }
        if more {
            return Ok(None);
        }
        self.in_chunks = 0;
        let message = Message::from(std::mem::take(&mut self.frames));
        self.rx.taken.count(message.byte_len());
        Ok(Some(Packet::Message(message)))
    }

    fn topic(&mut self, record: Record) -> Result<Bytes, Fault> {
        if !self.frames.is_empty() || record.more {
            return Err(Violation("a subscription within a message").into());
        }
        self.add_piece(record)?;
        Ok(Bytes::from(self.take_pieces()))
    }

    fn chunk(&mut self, record: Record) -> Result<Frame, Fault> {
        if record.len != PLACE_LEN || self.in_pieces {
            return Err(Violation("a chunk's place of the wrong size").into());
        }
        let window = self.rx.window();
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&window[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let (name, offset, len) = (word(0), word(8), word(16));
        self.check_size(len)?;
        let pool = self
            .pool
            .as_ref()
            .ok_or(Violation("a chunk without a pool"))?;
        let slice = pool
            .slice(offset, len)
            .ok_or(Violation("a chunk outside of its pool"))?;
        self.in_chunks = self.in_chunks.saturating_add(len);
        if self.in_chunks > pool.len() as u64 {
            return Err(Violation("a message with more in chunks than the pool holds").into());
        }
        let ticket = ticket(name as u32, (name >> 32) as u32);
        if self.views && slice.len() > Frame::INLINE {
            let view = View::new(slice, ticket, self.returner.clone());
            return Ok(Frame::from(Bytes::from_owner(view)));
        }
        let copy = slice.to_vec();
        self.returner.give_back(ticket);
        Ok(Frame::from(copy))
    }

    /// Whether there is a record that was not taken.
    pub(super) fn has_record(&mut self) -> Result<bool, Fault> {
        Ok(self.rx.has_record()?)
    }

    /// Whether the peer has said that nothing more comes; look for records once more afterwards.
    pub(super) fn is_closed(&self) -> bool {
        self.rx.is_closed()
    }

    /// Gives back the room of what was read; whether the peer must be rung.
    pub(super) fn release(&mut self) -> bool {
        self.rx.release_and_look()
    }

    pub(super) fn announce_sleep(&mut self) {
        self.rx.announce_sleep();
    }

    pub(super) fn end_sleep(&mut self) {
        self.rx.end_sleep();
    }
}

//! The sending half: packets become records.
//!
//! ```text
//!   small frame   copied into the ring, where the peer reads it
//!   large frame   copied into a chunk of the pool (unless it lies in one), whose place goes into the ring
//!   no chunk      in pieces through the ring, or it waits for a chunk, as the options say
//!   ring full     packets wait here, up to the watermark
//! ```
//!
//! Invariants: packets are put in order, so once one waits all that follow do; a message is published whole, unless
//! it is larger than half the ring; what the peer has not read counts towards the watermarks.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::incoming::PLACE_LEN;
use super::lent::Lent;
use crate::config::PoolExhausted;
use crate::message::{Frame, Message};
use crate::pipe::{Depth, Flush, Limits, Packet, Subscription};
use crate::shm::{Bell, Place, Producer, RecordKind, Tally, Violation, record_len};
use crate::transport::memory::Memory;

/// Frames of this length and more go into a chunk. Measured: see `docs/performance.md`.
const CHUNK_AT: usize = 16 * 1024;
/// Frames of this length and more that lie in a chunk already are lent, not copied.
const LEND_AT: usize = 4 * 1024;
/// Bytes after which the peer is shown what was put, should it be awake.
const SHOW_AT: usize = 256;

/// Where a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    Done,
    /// There is no room now.
    Full,
    /// It does not fit into half the ring, not even into an empty one.
    TooLarge,
}

/// A packet of which some pieces are in the ring.
struct Cut {
    packet: Packet,
    frame: usize,
    offset: usize,
}

/// See the file's text.
pub(super) struct Outgoing {
    tx: Producer,
    /// The chunks of our pool that the peer borrows; `None` if it has no pool of ours.
    lent: Option<Lent>,
    memory: Memory,
    exhausted: PoolExhausted,
    /// Ours and the peer's together, as for every queue that both ends share.
    limits: Limits,
    conflate: bool,
    waiting: VecDeque<Packet>,
    waiting_messages: usize,
    waiting_bytes: usize,
    cut: Option<Cut>,
    /// With `conflate`: what goes out when the peer has read the last one.
    newest: Option<Message>,
    replaced: u64,
    /// The message at hand goes to other peers too.
    publishes: bool,
    /// Something was refused or waits, so room is news.
    wants_room: bool,
    /// The room there was when it did not suffice.
    free_when_full: usize,
    /// A frame waits for a chunk, since the peer borrowed so many.
    wants_chunk: Option<u64>,
}

/// What the owner has to do after a call.
pub(super) type Rings = bool;

impl Outgoing {
    pub(super) fn new(
        tx: Producer,
        lent: Option<Lent>,
        memory: Memory,
        exhausted: PoolExhausted,
        limits: Limits,
        conflate: bool,
    ) -> Self {
        Outgoing {
            tx,
            lent,
            memory,
            exhausted,
            limits,
            conflate,
            waiting: VecDeque::new(),
            waiting_messages: 0,
            waiting_bytes: 0,
            cut: None,
            newest: None,
            replaced: 0,
            publishes: false,
            wants_room: false,
            free_when_full: 0,
            wants_chunk: None,
        }
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes a message if the watermarks allow; says whether the peer must be rung.
    #[inline]
    pub(super) fn accept(&mut self, message: &Message) -> Result<Option<Rings>, Violation> {
        if self.conflate {
            return self.replace(message).map(Some);
        }
        if !self.admits()? {
            self.wants_room = true;
            return Ok(None);
        }
        if self.is_idle() && self.put_message(message)? == Put::Done {
            return Ok(Some(self.show()));
        }
        let message = self.kept(message);
        self.wait(Packet::Message(message));
        Ok(Some(false))
    }

    /// The message as it waits. One that goes to several peers waits in chunks: those whose turn comes later would
    /// otherwise make a copy each.
    fn kept(&self, message: &Message) -> Message {
        let Some(lent) = self.lent.as_ref().filter(|_| self.publishes) else {
            return message.clone();
        };
        let frames = message.iter().map(|frame| {
            let large = frame.shared().filter(|bytes| bytes.len() >= CHUNK_AT);
            let foreign = large.filter(|bytes| lent.pool().place_of(bytes).is_none());
            foreign
                .and_then(|bytes| self.memory.copy(lent.pool(), bytes, true))
                .map_or_else(|| frame.clone(), Frame::from)
        });
        Message::from_frames(frames)
    }

    /// As [`accept`](Self::accept), for one of several peers.
    #[inline]
    pub(super) fn accept_one_of_many(
        &mut self,
        message: &Message,
    ) -> Result<Option<Rings>, Violation> {
        self.publishes = true;
        let accepted = self.accept(message);
        self.publishes = false;
        accepted
    }

    /// Takes a subscription, which is never refused.
    pub(super) fn control(&mut self, packet: Packet) -> Result<Rings, Violation> {
        if self.is_idle() && self.put(&packet)? == Put::Done {
            return Ok(self.show());
        }
        self.wait(packet);
        Ok(false)
    }

    #[inline]
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.cut.is_none()
    }

    #[inline]
    fn admits(&mut self) -> Result<bool, Violation> {
        if self.admits_as_known() {
            return Ok(true);
        }
        self.tx.refresh()?;
        Ok(self.admits_as_known())
    }

    #[inline]
    fn admits_as_known(&self) -> bool {
        let inside = self.tx.waiting();
        let half_out = self.half_out();
        self.limits.admit(
            inside.messages as usize + self.waiting_messages + half_out.messages,
            inside.bytes as usize + self.waiting_bytes + half_out.bytes,
        )
    }

    /// What is in the ring in part, and counts as sent only when it is there as a whole.
    #[inline]
    fn half_out(&self) -> Depth {
        self.cut.as_ref().map_or_else(Depth::default, |cut| Depth {
            messages: usize::from(!cut.packet.is_control()),
            bytes: cut.packet.byte_len(),
            ..Depth::default()
        })
    }

    fn wait(&mut self, packet: Packet) {
        self.wants_room = true;
        self.waiting_messages += usize::from(!packet.is_control());
        self.waiting_bytes += packet.byte_len();
        self.waiting.push_back(packet);
    }

    /// A packet that waited is in the ring, or about to go there.
    fn no_longer_waits(&mut self, packet: &Packet) {
        self.waiting_messages -= usize::from(!packet.is_control());
        self.waiting_bytes -= packet.byte_len();
    }

    /// With `conflate` one message at most is in the ring, and one here.
    fn replace(&mut self, message: &Message) -> Result<Rings, Violation> {
        if self.tx.waiting().messages > 0 {
            self.tx.refresh()?;
        }
        let free = self.is_idle() && self.newest.is_none() && self.tx.waiting().messages == 0;
        if free && self.put_message(message)? == Put::Done {
            return Ok(self.show());
        }
        self.replaced += u64::from(self.newest.replace(message.clone()).is_some());
        self.wants_room = true;
        Ok(false)
    }

    /// Lets an awake peer see what has come together.
    #[inline]
    fn show(&mut self) -> Rings {
        self.tx.unpublished() >= SHOW_AT && self.tx.publish()
    }

    /// Puts out all that is possible and publishes it.
    pub(super) fn flush(&mut self) -> Result<(Flush, Rings), Violation> {
        if self.newest.is_some() {
            self.tx.refresh()?;
        }
        // One that is half out goes first, and counts only then.
        if self.tx.waiting().messages == 0
            && self.is_idle()
            && let Some(message) = self.newest.take()
        {
            self.wait(Packet::Message(message));
        }
        let left = self.drain()? || self.newest.is_some();
        self.memory.forget_copies();
        let rings = self.tx.publish_and_look();
        if left {
            self.wants_room = true;
            self.free_when_full = self.tx.free();
            return Ok((Flush::Blocked, rings));
        }
        Ok((Flush::Done, rings))
    }

    /// Puts what waits; `true` if something is left.
    fn drain(&mut self) -> Result<bool, Violation> {
        loop {
            if let Some(cut) = self.cut.take() {
                if let Some(rest) = self.go_on(cut)? {
                    self.cut = Some(rest);
                    return Ok(true);
                }
                continue;
            }
            let Some(packet) = self.waiting.pop_front() else {
                return Ok(false);
            };
            match self.put(&packet)? {
                Put::Done => self.no_longer_waits(&packet),
                Put::Full => {
                    self.waiting.push_front(packet);
                    return Ok(true);
                }
                Put::TooLarge => {
                    self.no_longer_waits(&packet);
                    self.cut = Some(Cut {
                        packet,
                        frame: 0,
                        offset: 0,
                    });
                }
            }
        }
    }

    fn put(&mut self, packet: &Packet) -> Result<Put, Violation> {
        let (kind, topic) = match packet {
            Packet::Message(message) => return self.put_message(message),
            Packet::Subscription(Subscription::Add(topic)) => (RecordKind::Subscribe, topic),
            Packet::Subscription(Subscription::Cancel(topic)) => (RecordKind::Cancel, topic),
        };
        match self.room_for(record_len(topic.len()))? {
            Put::Done => self.tx.put(kind, false, topic),
            other => return Ok(other),
        }
        Ok(Put::Done)
    }

    #[inline]
    fn put_message(&mut self, message: &Message) -> Result<Put, Violation> {
        let frame = message.first();
        if message.is_multipart() || frame.len() >= LEND_AT {
            return self.put_frames(message);
        }
        if !self.tx.fits(record_len(frame.len()))? {
            return Ok(Put::Full);
        }
        self.tx.put(RecordKind::Frame, false, frame);
        self.tx.sent.count(frame.len());
        Ok(Put::Done)
    }

    /// Several frames, or one that may go into a chunk.
    fn put_frames(&mut self, message: &Message) -> Result<Put, Violation> {
        // The ring first, because a chunk is not to be taken in vain: as if every large frame had one.
        let least = message.iter().map(|frame| {
            if frame.len() >= LEND_AT && self.lent.is_some() {
                record_len(PLACE_LEN)
            } else {
                record_len(frame.len())
            }
        });
        let least = least.sum();
        match self.room_for(least)? {
            Put::Done => {}
            other => return Ok(other),
        }
        self.take_back()?;
        let mut places = Vec::with_capacity(message.frame_count());
        let mut in_chunks = Tally::default();
        let mut len = 0;
        for frame in message {
            let place = self.place(frame, &mut in_chunks);
            if place.is_none() && self.must_wait(frame) {
                self.wants_chunk = self.lent.as_ref().map(Lent::count);
                return Ok(Put::Full);
            }
            len += record_len(place.as_ref().map_or(frame.len(), |_| PLACE_LEN));
            places.push(place);
        }
        match self.room_for(len)? {
            Put::Done => {}
            other => return Ok(other),
        }
        let last = places.len() - 1;
        for (at, (frame, place)) in message.iter().zip(places).enumerate() {
            match place {
                Some((place, bytes)) => self.put_place(place, bytes, at < last),
                None => self.tx.put(RecordKind::Frame, at < last, frame),
            }
        }
        self.tx.sent.count(message.byte_len());
        Ok(Put::Done)
    }

    fn room_for(&mut self, len: usize) -> Result<Put, Violation> {
        if len > self.tx.capacity() / 2 {
            return Ok(Put::TooLarge);
        }
        let fits = self.tx.fits(len)?;
        Ok(if fits { Put::Done } else { Put::Full })
    }

    fn put_place(&mut self, place: Place, bytes: Bytes, more: bool) {
        let name = u64::from(place.chunk) | u64::from(place.generation) << 32;
        let mut record = [0; PLACE_LEN];
        for (at, word) in [name, place.offset, place.len].into_iter().enumerate() {
            record[at * 8..][..8].copy_from_slice(&word.to_le_bytes());
        }
        self.tx.put(RecordKind::Chunk, more, &record);
        if let Some(lent) = &self.lent {
            lent.lend(place, bytes);
        }
    }

    /// The chunk a frame lies in or was copied into; `None` if it goes through the ring. `in_chunks` is what the message
    /// has in chunks already: never more than the pool, so that the peer can tell what it may have to copy.
    fn place(&self, frame: &Frame, in_chunks: &mut Tally) -> Option<(Place, Bytes)> {
        let (lent, bytes) = (self.lent.as_ref()?, frame.shared()?);
        let fits = in_chunks.bytes as usize + frame.len() <= lent.pool().len();
        if frame.len() < LEND_AT || !fits || !lent.has_room_beside(in_chunks.messages) {
            return None;
        }
        let found = match lent.pool().place_of(bytes) {
            Some(place) => (place, bytes.clone()),
            None if frame.len() < CHUNK_AT => return None,
            None => {
                let copy = self.memory.copy(lent.pool(), bytes, self.publishes)?;
                (lent.pool().place_of(&copy)?, copy)
            }
        };
        in_chunks.count(frame.len());
        Some(found)
    }

    /// Whether a large frame that got no chunk has to wait for one. Only for those that this peer gives back: it would
    /// wait in vain for what others keep, or for more than there is.
    fn must_wait(&self, frame: &Frame) -> bool {
        let Some(lent) = &self.lent else { return false };
        self.exhausted == PoolExhausted::Wait
            && (CHUNK_AT..=lent.pool().len()).contains(&frame.len())
            && lent.count() > 0
    }

    /// Puts further pieces of a packet that is larger than the ring can hold at once. Returns it if some are left.
    fn go_on(&mut self, mut cut: Cut) -> Result<Option<Cut>, Violation> {
        let most = self.tx.capacity() / 4;
        loop {
            let (kind, bytes, more): (_, &[u8], _) = match &cut.packet {
                Packet::Message(message) => {
                    let frames = message.frames();
                    (
                        RecordKind::Frame,
                        &frames[cut.frame],
                        cut.frame + 1 < frames.len(),
                    )
                }
                Packet::Subscription(Subscription::Add(topic)) => {
                    (RecordKind::Subscribe, topic, false)
                }
                Packet::Subscription(Subscription::Cancel(topic)) => {
                    (RecordKind::Cancel, topic, false)
                }
            };
            let rest = &bytes[cut.offset..];
            let piece = &rest[..rest.len().min(most)];
            let last = piece.len() == rest.len();
            if !self.tx.fits(record_len(piece.len()))? {
                return Ok(Some(cut));
            }
            if !last {
                self.tx.put(RecordKind::Piece, false, piece);
                cut.offset += piece.len();
                continue;
            }
            self.tx.put(kind, more, piece);
            cut.offset = 0;
            cut.frame += 1;
            if !more {
                if let Packet::Message(message) = &cut.packet {
                    self.tx.sent.count(message.byte_len());
                }
                return Ok(None);
            }
        }
    }

    /// Whether there is room that was wanted. Tells once.
    pub(super) fn has_news(&mut self) -> Result<bool, Violation> {
        if !self.wants_room {
            return Ok(false);
        }
        self.take_back()?;
        self.tx.refresh()?;
        if self.has_wanted_room() {
            self.wants_room = false;
            self.wants_chunk = None;
            self.tx.end_sleep();
        }
        Ok(!self.wants_room)
    }

    fn has_wanted_room(&self) -> bool {
        if self.newest.is_some() && self.is_idle() {
            return self.tx.waiting().messages == 0;
        }
        if self
            .wants_chunk
            .is_some_and(|then| self.lent.as_ref().is_some_and(|lent| lent.count() >= then))
        {
            return false;
        }
        if self.cut.is_some() {
            return self.tx.free() >= record_len(self.tx.capacity() / 4);
        }
        match self.waiting.front() {
            None => self.admits_as_known(),
            // The first one in the line was tried with less; a chunk that came free is worth a try too.
            Some(_) => self.tx.free() > self.free_when_full || self.wants_chunk.is_some(),
        }
    }

    /// Wants to be rung when there is room.
    pub(super) fn announce_sleep(&mut self) {
        if self.wants_room {
            let wanted = self.enough();
            self.tx.announce_sleep(wanted);
        }
    }

    /// How much the peer must have read in all for half of the watermark to be free.
    fn enough(&self) -> Tally {
        let taken = self.tx.taken();
        let half = |limit: usize| match limit {
            0 => u64::MAX,
            some => some.div_ceil(2) as u64,
        };
        Tally {
            messages: taken.messages.saturating_add(half(self.limits.messages)),
            bytes: taken.bytes.saturating_add(half(self.limits.bytes)),
        }
    }

    /// The bell has rung.
    pub(super) fn end_sleep(&mut self) -> Result<(), Violation> {
        self.tx.end_sleep();
        self.take_back()
    }

    fn take_back(&self) -> Result<(), Violation> {
        self.lent.as_ref().map_or(Ok(()), Lent::take_back)
    }

    /// What waits here.
    pub(super) fn depth(&self) -> Depth {
        let half_out = self.half_out();
        let newest = self.newest.as_ref();
        Depth {
            messages: half_out.messages + self.waiting_messages + usize::from(newest.is_some()),
            bytes: half_out.bytes + self.waiting_bytes + newest.map_or(0, Message::byte_len),
            replaced: self.replaced,
        }
    }

    /// After the link has ended: what was not put, oldest first, and whether a message was cut in the middle.
    pub(super) fn reclaim(&mut self) -> (Vec<Packet>, usize) {
        let cut = self.cut.take().filter(|cut| !cut.packet.is_control());
        (self.waiting_messages, self.waiting_bytes) = (0, 0);
        let newest = self.newest.take().map(Packet::Message);
        let kept = self.waiting.drain(..).chain(newest).collect();
        (kept, usize::from(cut.is_some()))
    }

    /// Messages in the ring that the peer has not read.
    pub(super) fn unread(&mut self) -> usize {
        // After an impossible count the last possible one stands.
        let _ = self.tx.refresh();
        self.tx.waiting().messages as usize
    }

    /// Publishes everything and says that nothing follows.
    pub(super) fn close(&mut self) {
        self.tx.close();
    }

    /// The link has ended.
    pub(super) fn end(&self, bell: &Arc<Bell>) {
        if let Some(lent) = &self.lent {
            lent.end(bell.clone());
        }
    }
}

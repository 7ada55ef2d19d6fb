//! Frames off the wire, assembled into whole messages.
//!
//! What it is not: a reader of sockets. The transport appends bytes where [`Decoder::fill_target`] says, and the
//! decoder takes items off the front.
//!
//! Invariants:
//! - a message comes out whole or not at all;
//! - an announced size is checked before anything is allocated for it, and allocates in proportion to the bytes that
//!   came, never by itself;
//! - a frame that is handed out keeps at most eight times its size alive: short ones are copied inline, those below
//!   [`VIEW_MIN`] exactly, larger ones are views of the read buffer, and a large body that is not complete in the
//!   buffer is read into its own allocation;
//! - after an error every further call gives the same error.
//!
//! ```text
//!   read --> [ decoded | frame | frame | part.. ]   read buffer, 64 KiB, reused
//!                        |                  '-- body >= 16 KiB and incomplete
//!                        v                                   v
//!        inline, exact copy or view        read --> [ body ......... | slack ]   becomes the frame, no copy
//!                                                                      '-- start of the next frame: back to the buffer
//! ```

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::error::ProtocolError;
use super::inbound::{Inbound, PingContext};
use super::mechanism::{Opener, SEALED_COMMAND, SEALED_MORE};
use super::wire::{COMMAND, Command, FrameHeader, LONG, MAX_HEADER, Version};
use crate::message::{Frame, Message};

/// Bytes of the read buffer. One read of this size holds about a thousand 64-byte messages.
const READ_BUFFER: usize = 64 * 1024;
/// A frame of at least this many bytes becomes a view of the read buffer, which then belongs to its views. Below, a
/// copy is cheaper than the buffer it would keep alive.
const VIEW_MIN: usize = READ_BUFFER / 8;
/// A body of at least this many bytes that is not complete in the buffer gets its own allocation. Below, copying
/// (some 0.3 us for 16 KiB) is cheaper than a read of its own.
const OWN_BODY_MIN: usize = 16 * 1024;
/// First allocation for a body of a peer that has not sent such large ones before, in bytes; doubled as it fills.
const BODY_STEP: usize = 256 * 1024;
/// A body's allocation is longer by this, so that the read that ends it brings the next header along.
const BODY_SLACK: usize = 128;
/// Most frames of one message; a peer that never ends one is cut off here.
const MAX_FRAMES: usize = 1 << 20;
/// Largest command in traffic, in bytes. Topics are the only commands of free length.
const MAX_COMMAND: u64 = 1 << 20;
/// Commands up to this size pass even below a tiny limit for messages: a PING must not end a connection.
const MIN_COMMAND: u64 = 256;

/// Turns the bytes of one connection into [`Inbound`] items.
pub struct Decoder {
    version: Version,
    max_frame: u64,
    opener: Option<Box<dyn Opener>>,
    buf: Vec<u8>,
    pos: usize,
    /// What is left of a read buffer that belongs to its views; `buf` is empty meanwhile.
    view: Bytes,
    /// Short single frames with fewer bytes than this take the fast path; 0 closes it.
    fast_end: usize,
    /// Frames of the message that is not complete yet.
    parts: Vec<Frame>,
    body: Option<LargeBody>,
    /// Size of the largest body this peer has completed: what it may allocate at once next time.
    proven: usize,
    failed: Option<ProtocolError>,
}

/// A body that is read into its own allocation.
struct LargeBody {
    header: FrameHeader,
    size: usize,
    data: Vec<u8>,
}

/// Where a complete body lies.
enum Place {
    Buffer(Range<usize>),
    Own(Vec<u8>),
}

impl Decoder {
    /// A decoder for what follows the handshake. `max_frame` limits each frame of a message in bytes; `opener` undoes
    /// the mechanism's sealing.
    pub fn new(version: Version, max_frame: Option<u64>, opener: Option<Box<dyn Opener>>) -> Self {
        let mut decoder = Decoder {
            version,
            max_frame: max_frame.unwrap_or(u64::MAX),
            opener,
            buf: Vec::new(),
            pos: 0,
            view: Bytes::new(),
            fast_end: 0,
            parts: Vec::new(),
            body: None,
            proven: 0,
            failed: None,
        };
        decoder.set_fast_path();
        decoder
    }

    /// Where to append the next bytes, through the spare capacity (there always is some). Call [`Decoder::filled`]
    /// afterwards.
    pub fn fill_target(&mut self) -> &mut Vec<u8> {
        if !self.view.is_empty() {
            self.buf.extend_from_slice(&self.view);
            self.view = Bytes::new();
        }
        if let Some(body) = &mut self.body {
            if body.data.len() == body.data.capacity() {
                let rest = body.size + BODY_SLACK - body.data.len().min(body.size);
                body.data
                    .reserve_exact(rest.min(body.data.len().max(BODY_STEP)));
            }
            return &mut body.data;
        }
        if self.pos > 0 {
            // What is left is less than one frame, so less than OWN_BODY_MIN (or nothing, most of the time).
            self.buf.drain(..self.pos);
            self.pos = 0;
        }
        if self.buf.capacity() < READ_BUFFER || self.buf.len() == self.buf.capacity() {
            let target = READ_BUFFER.max(self.buf.len() + OWN_BODY_MIN);
            self.buf.reserve_exact(target - self.buf.len());
        }
        &mut self.buf
    }

    /// To be called after bytes were appended to the [`Decoder::fill_target`].
    pub fn filled(&mut self) {
        if let Some(body) = &mut self.body
            && body.data.len() > body.size
        {
            self.buf.extend_from_slice(&body.data[body.size..]);
            body.data.truncate(body.size);
        }
    }

    /// Appends bytes by copying them: the leftover of a handshake, tests.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let target = self.fill_target();
            let room = (target.capacity() - target.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            target.extend_from_slice(now);
            self.filled();
            bytes = later;
        }
    }

    /// The next complete item of the bytes appended so far; `None` when more are needed.
    ///
    /// # Errors
    /// The peer broke the protocol or passed a limit; the connection is of no further use.
    #[inline]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Inbound>, ProtocolError> {
        let mut message = Message::new();
        if self.next_short(&mut message) {
            return Ok(Some(Inbound::Message(message)));
        }
        self.next_slow()
    }

    /// Puts the next item into `into` if it is a message of one short frame that lies well within the buffer;
    /// otherwise ask [`next`](Self::next).
    ///
    /// The conditions are those of the fixed-width copy, so that the message is built in its place: moving a frame that
    /// was just written stalls (9 ns of 15, measured).
    #[inline]
    pub fn next_short(&mut self, into: &mut Message) -> bool {
        if let Some([0, len, rest @ ..]) = self.buf.get(self.pos..)
            && let Some(window) = rest.first_chunk::<{ Frame::INLINE }>()
        {
            let len = usize::from(*len);
            if len < self.fast_end && len <= Frame::INLINE {
                self.pos += 2 + len;
                *into = Message::from(Frame::copy_from_window(window, len));
                return true;
            }
        }
        false
    }

    /// Bytes held that are not decoded yet.
    pub fn buffered(&self) -> usize {
        let body = self.body.as_ref().map_or(0, |body| body.data.len());
        self.buf.len() - self.pos + self.view.len() + body
    }

    /// Hands the read buffer back for a pool, if nothing undecoded lies in it. An idle connection should keep none.
    pub fn take_idle_buffer(&mut self) -> Option<Vec<u8>> {
        if self.buffered() > 0 {
            return None;
        }
        self.pos = 0;
        let mut buf = std::mem::take(&mut self.buf);
        buf.clear();
        (buf.capacity() >= READ_BUFFER).then_some(buf)
    }

    /// Gives a read buffer from a pool. It is dropped when the decoder has one already.
    pub fn give_buffer(&mut self, mut buf: Vec<u8>) {
        if self.buf.capacity() < buf.capacity() && self.buf.capacity() < READ_BUFFER {
            buf.clear();
            buf.extend_from_slice(&self.buf[self.pos..]);
            self.buf = buf;
            self.pos = 0;
        }
    }

    #[inline(never)]
    fn next_slow(&mut self) -> Result<Option<Inbound>, ProtocolError> {
        if self.fast_end > 0 {
            if !self.view.is_empty()
                && let Some(message) = self.next_viewed()
            {
                return Ok(Some(Inbound::Message(message)));
            }
            if let Some(payload) = whole_message(&self.buf[self.pos..], self.max_frame) {
                if payload.len() >= VIEW_MIN {
                    self.view = Bytes::from(std::mem::take(&mut self.buf)).slice(self.pos..);
                    self.pos = 0;
                    return Ok(self.next_viewed().map(Inbound::Message));
                }
                let frame = Frame::copy_from_slice(&self.buf[self.pos..][payload.clone()]);
                self.pos += payload.end;
                return Ok(Some(Inbound::Message(Message::from(frame))));
            }
        }
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.pos == self.buf.len() && self.body.is_none() {
            return Ok(None);
        }
        let result = self.next_item();
        self.failed = result.as_ref().err().cloned();
        self.set_fast_path();
        result
    }

    /// The next single-frame message of a buffer that belongs to its views. Anything else goes back to a buffer of
    /// our own, and the ordinary way.
    fn next_viewed(&mut self) -> Option<Message> {
        if let Some(payload) = whole_message(&self.view, self.max_frame) {
            let frame = match payload.len() >= VIEW_MIN {
                true => Frame::from(self.view.slice(payload.clone())),
                false => Frame::copy_from_slice(&self.view[payload.clone()]),
            };
            bytes::Buf::advance(&mut self.view, payload.end);
            return Some(Message::from(frame));
        }
        self.buf.extend_from_slice(&self.view);
        self.view = Bytes::new();
        None
    }

    fn next_item(&mut self) -> Result<Option<Inbound>, ProtocolError> {
        while let Some((header, place)) = self.next_body()? {
            let item = match self.opener {
                None => self.plain_frame(header, place)?,
                Some(_) => self.sealed_frame(header, place)?,
            };
            if item.is_some() {
                return Ok(item);
            }
        }
        Ok(None)
    }

    /// The next complete frame. A large incomplete one moves to an allocation of its own.
    fn next_body(&mut self) -> Result<Option<(FrameHeader, Place)>, ProtocolError> {
        if let Some(body) = self.body.take_if(|body| body.data.len() == body.size) {
            self.proven = self.proven.max(body.size);
            return Ok(Some((body.header, Place::Own(body.data))));
        }
        if self.body.is_some() {
            return Ok(None);
        }
        let Some(header) = FrameHeader::parse(&self.buf[self.pos..])? else {
            return Ok(None);
        };
        self.check_limits(&header)?;
        let limit = u64::MAX;
        let size = usize::try_from(header.size).map_err(|_| ProtocolError::FrameTooLarge {
            size: header.size,
            limit,
        })?;
        let start = self.pos + header.len;
        if size <= self.buf.len().saturating_sub(start) {
            self.pos = start + size;
            return Ok(Some((header, Place::Buffer(start..start + size))));
        }
        if size >= OWN_BODY_MIN {
            self.start_body(header, size, start);
        }
        Ok(None)
    }

    fn start_body(&mut self, header: FrameHeader, size: usize, start: usize) {
        let here = &self.buf[start..];
        let first = size.min(self.proven.max(BODY_STEP));
        let mut data = Vec::with_capacity(first.max(here.len()) + BODY_SLACK);
        data.extend_from_slice(here);
        self.buf.clear();
        self.pos = 0;
        self.body = Some(LargeBody { header, size, data });
    }

    fn check_limits(&self, header: &FrameHeader) -> Result<(), ProtocolError> {
        let size = header.size;
        if header.command && !self.version.has_commands() {
            return Err(ProtocolError::ReservedFlags(COMMAND));
        }
        if let Some(opener) = &self.opener {
            let limit = self.max_frame.saturating_add(opener.overhead() as u64);
            let limit = limit.max(MIN_COMMAND);
            if size > limit {
                return Err(ProtocolError::FrameTooLarge { size, limit });
            }
        } else if header.command {
            let limit = self.max_frame.clamp(MIN_COMMAND, MAX_COMMAND);
            if size > limit {
                return Err(ProtocolError::CommandTooLarge { size, limit });
            }
        } else if size > self.max_frame {
            let limit = self.max_frame;
            return Err(ProtocolError::FrameTooLarge { size, limit });
        }
        Ok(())
    }

    fn plain_frame(
        &mut self,
        header: FrameHeader,
        place: Place,
    ) -> Result<Option<Inbound>, ProtocolError> {
        if header.command {
            return match place {
                Place::Buffer(range) => read_command(&self.buf[range]),
                Place::Own(data) => read_command(&data),
            }
            .map(Some);
        }
        let frame = match place {
            Place::Buffer(range) => Frame::copy_from_window(&self.buf[range.start..], range.len()),
            Place::Own(data) => Frame::from(data),
        };
        self.push_part(header.more, frame)
    }

    /// RFC 37 has sealed frames as commands, libzmq sends them as messages; both carry the flags inside.
    fn sealed_frame(
        &mut self,
        header: FrameHeader,
        place: Place,
    ) -> Result<Option<Inbound>, ProtocolError> {
        let Some(opener) = &mut self.opener else {
            return Err(ProtocolError::UnsealedFrame);
        };
        if header.more {
            return Err(ProtocolError::UnsealedFrame);
        }
        let (flags, frame) = match place {
            Place::Buffer(range) => opener.open(&self.buf[range])?,
            Place::Own(data) => opener.open(&data)?,
        };
        if flags & SEALED_COMMAND != 0 {
            return read_command(&frame).map(Some);
        }
        let (size, limit) = (frame.len() as u64, self.max_frame);
        if size > limit {
            return Err(ProtocolError::FrameTooLarge { size, limit });
        }
        self.push_part(flags & SEALED_MORE != 0, frame)
    }

    fn push_part(&mut self, more: bool, frame: Frame) -> Result<Option<Inbound>, ProtocolError> {
        if more {
            if self.parts.len() + 1 >= MAX_FRAMES {
                return Err(ProtocolError::TooManyFrames { limit: MAX_FRAMES });
            }
            self.parts.push(frame);
            return Ok(None);
        }
        if self.parts.is_empty() {
            return Ok(Some(Inbound::Message(Message::from(frame))));
        }
        let mut parts = std::mem::take(&mut self.parts);
        parts.push(frame);
        Ok(Some(Inbound::Message(Message::from(parts))))
    }

    fn set_fast_path(&mut self) {
        let open = self.opener.is_none()
            && self.parts.is_empty()
            && self.body.is_none()
            && self.failed.is_none();
        let limit = usize::try_from(self.max_frame).unwrap_or(usize::MAX);
        self.fast_end = if open {
            Frame::INLINE.min(limit) + 1
        } else {
            0
        };
    }
}

/// Where the payload of a single-frame message lies, if that is what `bytes` begin with, complete and within the limit.
fn whole_message(bytes: &[u8], max_frame: u64) -> Option<Range<usize>> {
    let (size, header) = match bytes {
        [0, size, ..] => (u64::from(*size), 2),
        [LONG, rest @ ..] => (u64::from_be_bytes(*rest.first_chunk::<8>()?), MAX_HEADER),
        _ => return None,
    };
    let fits = size <= max_frame && size <= (bytes.len() - header) as u64;
    fits.then(|| header..header + size as usize)
}

/// The commands of traffic. Unknown ones are ignored, as libzmq does.
fn read_command(body: &[u8]) -> Result<Inbound, ProtocolError> {
    let command = Command::parse(body)?;
    Ok(match command.name {
        b"SUBSCRIBE" => Inbound::Subscribe(Bytes::copy_from_slice(command.data)),
        b"CANCEL" => Inbound::Cancel(Bytes::copy_from_slice(command.data)),
        b"PING" => {
            let truncated = ProtocolError::TruncatedCommand { command: "PING" };
            let (ttl, context) = command.data.split_first_chunk::<2>().ok_or(truncated)?;
            // RFC 37: "The TTL is a 16-bit unsigned integer in network order, in tenths of a second."
            let ttl = Duration::from_millis(100 * u64::from(u16::from_be_bytes(*ttl)));
            let context = PingContext::new(context);
            Inbound::Ping { ttl, context }
        }
        b"PONG" => Inbound::Pong {
            context: PingContext::new(command.data),
        },
        b"ERROR" => Inbound::Error(command.error_reason()?),
        _ => Inbound::Unknown,
    })
}

const _: () = assert!(OWN_BODY_MIN + MAX_HEADER < READ_BUFFER / 2);

//! The lane of ZMTP over any byte stream.
//!
//! ```text
//!   try_send ─ encode ─► outbox ─ write when full or flushed ─► kernel
//!   try_recv ◄ decode ── buffer ◄ read when decoded empty ───── kernel
//! ```
//!
//! Both happen in the thread of whoever calls. Wire bytes live here, never in a future, so a cancelled
//! call loses nothing. `blocked` and `readable` mirror the edge-triggered readiness of the descriptor.

use std::io::{ErrorKind, IoSlice};
use std::time::Instant;

use crate::message::Message;
use crate::pipe::{
    CloseCause, CloseKind, Depth, Flush, Got, Lane, LaneEvent, LaneIdle, Limits, Packet,
    Subscription,
};
use crate::zmtp::{Beat, Decoder, Encoder, Heartbeat, Inbound, Outbound, Outbox};

use super::{ByteStream, buffers};

/// Collected bytes that are written without waiting for a flush. Measured: about 64 KiB is where the system call
/// is paid for; more only leaves the cache. A little less, so that they lie in one chunk of the outbox.
const WRITE_AT: usize = 60 * 1024;
/// Chunks handed to one write.
const SLICES: usize = 16;

/// See the file's text.
pub(super) struct StreamLane {
    stream: Box<dyn ByteStream>,
    decoder: Decoder,
    encoder: Encoder,
    outbox: Outbox,
    limits: Limits,
    /// With `conflate`: the newest message while the outbox is stuck.
    newest: Option<Message>,
    replaced: u64,
    conflate: bool,
    readable: bool,
    hangup: bool,
    blocked: bool,
    /// Our end is closed; what is still answered (a PING) is not sent, or it would break the link.
    finished: bool,
    broken: Option<CloseCause>,
    heartbeat: Option<Heartbeat>,
    /// A packet that was looked at to learn whether the link has ended.
    ahead: Option<Packet>,
    /// Called when the peer asks to be watched (PING with a time to live).
    wants_ticks: Box<dyn Fn() + Send>,
}

/// What a lane is made of once the handshake is done.
pub(super) struct StreamParts {
    pub(super) stream: Box<dyn ByteStream>,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    pub(super) limits: Limits,
    pub(super) conflate: bool,
    pub(super) heartbeat: Option<Heartbeat>,
    pub(super) wants_ticks: Box<dyn Fn() + Send>,
}

impl StreamLane {
    pub(super) fn new(parts: StreamParts) -> Self {
        StreamLane {
            stream: parts.stream,
            decoder: parts.decoder,
            encoder: parts.encoder,
            outbox: Outbox::new(),
            limits: parts.limits,
            newest: None,
            replaced: 0,
            conflate: parts.conflate,
            readable: true,
            hangup: false,
            blocked: false,
            finished: false,
            broken: None,
            heartbeat: parts.heartbeat,
            ahead: None,
            wants_ticks: parts.wants_ticks,
        }
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        if self
            .limits
            .admit(self.outbox.messages(), self.outbox.bytes())
        {
            return true;
        }
        self.flush();
        self.limits
            .admit(self.outbox.messages(), self.outbox.bytes())
    }

    #[inline]
    fn accept(&mut self, message: &Message) -> bool {
        if self.broken.is_some() {
            return false;
        }
        if self.conflate && (self.blocked || self.newest.is_some() || !self.has_room()) {
            self.replaced += u64::from(self.newest.replace(message.clone()).is_some());
            return true;
        }
        if !self.conflate && !self.has_room() {
            return false;
        }
        self.warm_outbox();
        self.encoder.message(message, &mut self.outbox);
        if self.outbox.bytes() >= WRITE_AT {
            self.flush();
        }
        true
    }

    #[inline]
    fn warm_outbox(&mut self) {
        if self.outbox.is_empty()
            && let Some(buffer) = buffers::take()
        {
            self.outbox.give_buffer(buffer);
        }
    }

    /// One write; `None` to go on, else how the flush ends.
    fn write_some(&mut self) -> Option<Flush> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.outbox.io_slices(&mut slices);
        match self.stream.write(&slices[..filled]) {
            Ok(count) => {
                self.outbox.advance(count);
                None
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.blocked = true;
                Some(Flush::Blocked)
            }
            Err(error) => {
                self.fail_io(&error);
                Some(Flush::Broken)
            }
        }
    }

    #[cold]
    fn fail_io(&mut self, error: &std::io::Error) {
        let kind = match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
                CloseKind::Gone
            }
            _ => CloseKind::Io,
        };
        self.broken
            .get_or_insert_with(|| CloseCause::new(kind, error.to_string()));
    }

    /// Reads once. `false` when there is nothing to read now.
    fn fill(&mut self) -> bool {
        if let Some(buffer) = (self.decoder.buffered() == 0).then(buffers::take).flatten() {
            self.decoder.give_buffer(buffer);
        }
        let target = self.decoder.fill_target();
        let room = target.capacity() - target.len();
        match self.stream.read(target) {
            Ok(0) => {
                self.readable = false;
                self.broken.get_or_insert_with(|| {
                    CloseCause::new(CloseKind::Gone, "the peer closed the connection")
                });
                false
            }
            Ok(count) => {
                // A short read has emptied the socket; the next edge says when there is more.
                self.readable = count == room || self.hangup;
                self.decoder.filled();
                if let Some(heartbeat) = &mut self.heartbeat {
                    heartbeat.on_traffic(Instant::now());
                }
                true
            }
            Err(error) => {
                self.readable = false;
                if error.kind() != ErrorKind::WouldBlock {
                    self.fail_io(&error);
                }
                false
            }
        }
    }

    #[cold]
    fn on_command(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Ping { ttl, context } => {
                if !ttl.is_zero() {
                    let now = Instant::now();
                    self.heartbeat
                        .get_or_insert_with(|| Heartbeat::new(None, None, None, now))
                        .on_ping(ttl, now);
                    (self.wants_ticks)();
                }
                self.warm_outbox();
                self.encoder.pong(&context, &mut self.outbox);
                self.flush();
            }
            Inbound::Error(reason) => {
                let detail = format!("the peer reported an error: {reason}");
                self.broken
                    .get_or_insert_with(|| CloseCause::new(CloseKind::Protocol, detail));
                self.readable = false;
            }
            _ => {}
        }
    }

    #[cold]
    fn idle(&mut self) -> LaneIdle {
        if let Some(buffer) = self.decoder.take_idle_buffer() {
            buffers::give(buffer);
        }
        match &self.broken {
            Some(cause) => LaneIdle::Closed(cause.clone()),
            None => LaneIdle::Empty,
        }
    }

    #[inline]
    fn take(&mut self, into: &mut Message) -> Result<Got, LaneIdle> {
        if self.decoder.next_short(into) {
            let more = self.decoder.buffered() > 0;
            return Ok(Got::Message { more });
        }
        self.take_slow(into)
    }

    #[inline(never)]
    fn take_slow(&mut self, into: &mut Message) -> Result<Got, LaneIdle> {
        loop {
            match self.decoder.next() {
                Ok(Some(Inbound::Message(message))) => {
                    *into = message;
                    let more = self.decoder.buffered() > 0;
                    return Ok(Got::Message { more });
                }
                Ok(Some(Inbound::Subscribe(topic))) => {
                    return Ok(Got::Subscription(Subscription::Add(topic)));
                }
                Ok(Some(Inbound::Cancel(topic))) => {
                    return Ok(Got::Subscription(Subscription::Cancel(topic)));
                }
                Ok(Some(command)) => self.on_command(command),
                Ok(None) => {
                    if !self.readable || !self.fill() {
                        return Err(self.idle());
                    }
                }
                Err(error) => {
                    self.readable = false;
                    self.broken.get_or_insert_with(|| {
                        CloseCause::new(CloseKind::Protocol, error.to_string())
                    });
                    return Err(self.idle());
                }
            }
        }
    }

    /// Reads while nobody receives: handles commands, fills the buffer, learns whether the link has ended.
    fn read_ahead(&mut self, most: usize) -> Option<CloseCause> {
        while self.readable && self.decoder.buffered() < most && self.fill() {}
        if self.ahead.is_none() {
            let mut message = Message::new();
            match self.take(&mut message) {
                Ok(Got::Message { .. }) => self.ahead = Some(Packet::Message(message)),
                Ok(Got::Subscription(wish)) => self.ahead = Some(Packet::Subscription(wish)),
                Err(LaneIdle::Closed(cause)) => return Some(cause),
                Err(LaneIdle::Empty) => {}
            }
        }
        None
    }

    fn tick(&mut self, now: Instant) {
        // What waits in our buffer, or in the kernel because nobody receives, is not silence.
        let quiet = self.decoder.buffered() == 0 && !self.readable;
        let Some(heartbeat) = &mut self.heartbeat else {
            return;
        };
        if !quiet {
            heartbeat.on_traffic(now);
        }
        match heartbeat.poll(now) {
            Beat::Idle => {}
            Beat::SendPing => {
                let ttl = heartbeat.ttl();
                self.warm_outbox();
                self.encoder.ping(ttl, &[], &mut self.outbox);
                self.flush();
            }
            Beat::Dead(cause) => {
                self.readable = false;
                self.broken
                    .get_or_insert_with(|| CloseCause::new(CloseKind::Timeout, cause.to_string()));
            }
        }
    }
}

impl Lane for StreamLane {
    #[inline]
    fn try_send(&mut self, message: &mut Message) -> bool {
        self.accept(message)
    }

    #[inline]
    fn try_publish(&mut self, message: &Message) -> bool {
        self.accept(message)
    }

    fn subscribe(&mut self, subscription: Subscription) {
        self.warm_outbox();
        match subscription {
            Subscription::Add(topic) => self.encoder.subscribe(&topic, &mut self.outbox),
            Subscription::Cancel(topic) => self.encoder.cancel(&topic, &mut self.outbox),
        }
        if self.outbox.bytes() >= WRITE_AT {
            self.flush();
        }
    }

    #[inline]
    fn try_recv(&mut self, into: &mut Message) -> Result<Got, LaneIdle> {
        match self.ahead.take() {
            Some(Packet::Message(message)) => {
                *into = message;
                let more = self.decoder.buffered() > 0;
                Ok(Got::Message { more })
            }
            Some(Packet::Subscription(subscription)) => Ok(Got::Subscription(subscription)),
            None => self.take(into),
        }
    }

    /// Ends only when all is out or the kernel takes no more: whoever stopped in between would have to see to it
    /// that somebody goes on, because no readiness will tell.
    fn flush(&mut self) -> Flush {
        if self.finished {
            return Flush::Done;
        }
        loop {
            if self.blocked {
                return Flush::Blocked;
            }
            if self
                .broken
                .as_ref()
                .is_some_and(|cause| cause.kind != CloseKind::Gone)
            {
                return Flush::Broken;
            }
            if self.outbox.is_empty() {
                match self.newest.take() {
                    Some(message) => self.encoder.message(&message, &mut self.outbox),
                    None => {
                        if let Some(buffer) = self.outbox.take_idle_buffer() {
                            buffers::give(buffer);
                        }
                        return Flush::Done;
                    }
                }
            }
            if let Some(end) = self.write_some() {
                return end;
            }
        }
    }

    fn probe(&mut self) -> bool {
        self.readable || self.fill() || self.broken.is_some()
    }

    fn on_event(&mut self, event: LaneEvent) -> Option<CloseCause> {
        match event {
            LaneEvent::Readable => self.readable = true,
            LaneEvent::Hangup => {
                self.readable = true;
                self.hangup = true;
            }
            LaneEvent::Writable => self.blocked = false,
            LaneEvent::Tick(now) => self.tick(now),
            LaneEvent::Limits(send, _) => self.limits = send,
            LaneEvent::Finish => {
                self.finished = true;
                let _ = self.stream.finish();
            }
            LaneEvent::Prefetch(most) => return self.read_ahead(most),
        }
        None
    }

    fn depth(&self) -> Depth {
        Depth {
            messages: self.outbox.messages() + usize::from(self.newest.is_some()),
            bytes: self.outbox.bytes(),
            replaced: self.replaced,
        }
    }

    fn reclaim(&mut self) -> (Vec<Packet>, usize) {
        let reclaimed = self.outbox.reclaim();
        let kept = reclaimed.items.into_iter().map(|item| match item {
            Outbound::Message(message) => Packet::Message(message),
            Outbound::Subscribe(topic) => Packet::Subscription(Subscription::Add(topic)),
            Outbound::Cancel(topic) => Packet::Subscription(Subscription::Cancel(topic)),
        });
        (
            kept.chain(self.newest.take().map(Packet::Message))
                .collect(),
            reclaimed.dropped,
        )
    }
}

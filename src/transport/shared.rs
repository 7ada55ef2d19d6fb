//! The lane over shared memory: two rings, a pool of chunks on each side, and a bell.
//!
//! ```text
//!   try_send ─ outgoing ─► our ring, our chunks ··· the peer reads them in place
//!   try_recv ◄ incoming ── the peer's ring and chunks
//!   bell: one byte on the Unix socket, only for a peer that has said it sleeps; its end is the peer's end
//! ```
//!
//! All happens in the thread of whoever calls. What is put is visible to an awake peer without any call; whoever
//! is about to wait calls [`glance`](Lane::glance) with `sleep`, which declares it and looks once more.
//!
//! Invariants: `told` says that the owner knows of unread packets, so neither a bell nor a glance has to tell it
//! again; a peer's fault ends the link, and what it had sent and nobody received is lost.

#[cfg(feature = "internals")]
pub(crate) mod door;
mod incoming;
mod lent;
mod outgoing;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::incoming::{Fault, Incoming, Nothing};
use self::lent::Lent;
use self::outgoing::Outgoing;
use super::memory::Memory;
use crate::config::PoolExhausted;
use crate::message::Message;
use crate::pipe::{
    CloseCause, CloseKind, Depth, Flush, Glance, Got, Lane, LaneEvent, LaneIdle, Limits, Packet,
    Subscription,
};
use crate::shm::{Bell, Channel, PeerPool, PeerSegment, Pool, Segment, Signal, Violation};
use crate::zmtp::{Beat, Heartbeat};

/// Rounds of listening to one bell. The system holds a few hundred single bytes of one sender, so these are as many
/// as nobody rings for good reason.
const MOST_ROUNDS: u32 = 64;

/// See the file's text.
pub(in crate::transport) struct SharedLane {
    out: Outgoing,
    incoming: Incoming,
    bell: Arc<Bell>,
    /// The peer's watermarks for what it receives, which count together with ours.
    peer_limits: Limits,
    /// The owner knows that there is something to receive.
    told: bool,
    /// The peer closed its end of the socket.
    ended: bool,
    broken: Option<CloseCause>,
    heartbeat: Option<Heartbeat>,
    /// The peer promised a sign of life within this time of each of its questions.
    peer_ttl: Duration,
    wants_ticks: Box<dyn Fn() + Send>,
}

/// What a lane over shared memory is made of once both sides have agreed on it.
pub(in crate::transport) struct SharedParts {
    /// The Unix socket, which carries nothing but the bell from now on.
    pub(in crate::transport) socket: OwnedFd,
    pub(in crate::transport) local: Segment,
    pub(in crate::transport) peer: PeerSegment,
    pub(in crate::transport) memory: Memory,
    pub(in crate::transport) pool: Option<Arc<Pool>>,
    pub(in crate::transport) peer_pool: Option<Arc<PeerPool>>,
    /// Whether received chunks are borrowed in place; else they are copied.
    pub(in crate::transport) views: bool,
    pub(in crate::transport) exhausted: PoolExhausted,
    pub(in crate::transport) limits: Limits,
    /// The peer's receiving limits.
    pub(in crate::transport) peer_limits: Limits,
    pub(in crate::transport) conflate: bool,
    pub(in crate::transport) max_message_size: Option<u64>,
    pub(in crate::transport) heartbeat: Option<Heartbeat>,
    pub(in crate::transport) peer_ttl: Duration,
    pub(in crate::transport) wants_ticks: Box<dyn Fn() + Send>,
}

impl SharedLane {
    pub(in crate::transport) fn new(parts: SharedParts) -> Self {
        let channel = Channel::new(parts.local.map(), parts.peer.map(), Bell::new(parts.socket));
        SharedLane {
            out: Outgoing::new(
                channel.tx,
                parts.pool.map(|pool| Lent::new(pool, channel.returns)),
                parts.memory,
                parts.exhausted,
                parts.limits.joined(parts.peer_limits),
                parts.conflate,
            ),
            incoming: Incoming::new(
                channel.rx,
                channel.returner,
                parts.peer_pool,
                parts.views,
                parts.max_message_size,
            ),
            bell: channel.bell,
            peer_limits: parts.peer_limits,
            told: false,
            ended: false,
            broken: None,
            heartbeat: parts.heartbeat,
            peer_ttl: parts.peer_ttl,
            wants_ticks: parts.wants_ticks,
        }
    }

    #[inline]
    fn ring(&self, due: bool) {
        if due {
            self.bell.send(Signal::Bell);
        }
    }

    #[cold]
    fn fail(&mut self, fault: impl Into<Fault>) {
        let detail = fault.into().to_string();
        self.broken
            .get_or_insert_with(|| CloseCause::new(CloseKind::Protocol, detail));
    }

    /// Does something with the sending half; nothing if the link is broken or the peer at fault.
    #[inline]
    fn with_out<T>(
        &mut self,
        act: impl FnOnce(&mut Outgoing) -> Result<T, Violation>,
    ) -> Option<T> {
        if self.broken.is_some() {
            return None;
        }
        match act(&mut self.out) {
            Ok(value) => Some(value),
            Err(violation) => {
                self.fail(violation);
                None
            }
        }
    }

    #[inline]
    fn accepted(&mut self, accepted: Option<Option<bool>>) -> bool {
        match accepted {
            Some(Some(due)) => {
                self.ring(due);
                true
            }
            _ => false,
        }
    }

    #[inline]
    fn take(&mut self, into: &mut Message) -> Result<Got, LaneIdle> {
        if self.broken.is_some() {
            return Err(self.idle());
        }
        let taken = self.incoming.take(into);
        if self.incoming.ring_due {
            self.incoming.ring_due = false;
            self.bell.send(Signal::Bell);
        }
        taken.map_err(|nothing| self.no_packet(nothing))
    }

    /// There was no packet: for now, or for ever.
    #[cold]
    fn no_packet(&mut self, nothing: Nothing) -> LaneIdle {
        if let (Nothing::Ever, Some(fault)) = (nothing, self.incoming.fault) {
            self.fail(fault);
        }
        if nothing == Nothing::Now {
            // Notes the end. What was published this very moment is found by the next glance.
            self.finds_record();
        }
        self.idle()
    }

    /// Whether there is a record. If not, and none will come, the link is noted as ended.
    fn finds_record(&mut self) -> bool {
        if self.broken.is_some() {
            return false;
        }
        // Asked first: what was published before the end is then found.
        let over = self.ended || self.incoming.is_closed();
        match self.incoming.has_record() {
            Ok(true) => return true,
            Ok(false) if over => {
                let gone = CloseCause::new(CloseKind::Gone, "the peer closed the connection");
                self.broken = Some(gone);
            }
            Ok(false) => {}
            Err(fault) => self.fail(fault),
        }
        false
    }

    fn idle(&mut self) -> LaneIdle {
        // Of its end the owner is told by this call.
        self.told = self.broken.is_some();
        match &self.broken {
            Some(cause) => LaneIdle::Closed(cause.clone()),
            None => LaneIdle::Empty,
        }
    }

    /// The socket is readable: the bell has rung, or, `at_end`, the peer is gone and its end is behind what it has rung:
    /// that is not announced again.
    fn hear(&mut self, at_end: bool) {
        let mut rounds = 0;
        while !self.ended && self.broken.is_none() {
            rounds += 1;
            if rounds > MOST_ROUNDS {
                return self.fail(Violation("a bell that does not stop"));
            }
            let heard = match self.bell.hear() {
                Ok(heard) => heard,
                Err(violation) => return self.fail(violation),
            };
            self.ended |= heard.end;
            if heard.ping {
                self.bell.send(Signal::Pong);
            }
            if heard.anything {
                self.note_traffic(heard.ping);
            }
            let behind = at_end && heard.anything;
            if !heard.more && !behind {
                break;
            }
        }
        // The episode is over: whoever sleeps on or sleeps next says so anew.
        self.incoming.end_sleep();
        let _ = self.with_out(Outgoing::end_sleep);
    }

    fn note_traffic(&mut self, ping: bool) {
        let now = Instant::now();
        if ping && !self.peer_ttl.is_zero() && self.heartbeat.is_none() {
            self.heartbeat = Some(Heartbeat::new(None, None, None, now));
            (self.wants_ticks)();
        }
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.on_traffic(now);
            if ping {
                heartbeat.on_ping(self.peer_ttl, now);
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        // Unread records are no silence.
        let talks = matches!(self.incoming.has_record(), Ok(true));
        let Some(heartbeat) = &mut self.heartbeat else {
            return;
        };
        if talks {
            heartbeat.on_traffic(now);
        }
        match heartbeat.poll(now) {
            Beat::Idle => {}
            Beat::SendPing => self.bell.send(Signal::Ping),
            Beat::Dead(cause) => {
                self.broken
                    .get_or_insert_with(|| CloseCause::new(CloseKind::Timeout, cause.to_string()));
            }
        }
    }

    /// Looks while nobody receives, which tells whether the link has ended. Takes nothing out of the ring, where it
    /// counts against the peer's watermarks.
    fn look_ahead(&mut self) -> Option<CloseCause> {
        if self.finds_record() {
            // The owner tells its pattern after this call.
            self.told = true;
            return None;
        }
        match self.idle() {
            LaneIdle::Closed(cause) => Some(cause),
            LaneIdle::Empty => None,
        }
    }

    /// Whether there is something to receive that the owner does not know of.
    fn has_unheard_of(&mut self) -> bool {
        if self.told {
            return false;
        }
        let found = self.finds_record() || self.broken.is_some();
        self.told = found;
        found
    }

    fn news(&mut self) -> Glance {
        Glance {
            readable: self.has_unheard_of(),
            writable: self.with_out(Outgoing::has_news).unwrap_or(false),
        }
    }
}

impl Lane for SharedLane {
    #[inline]
    fn try_send(&mut self, message: &mut Message) -> bool {
        let accepted = self.with_out(|out| out.accept(message));
        self.accepted(accepted)
    }

    fn subscribe(&mut self, subscription: Subscription) {
        let packet = Packet::Subscription(subscription);
        let due = self.with_out(|out| out.control(packet));
        self.ring(due == Some(true));
    }

    #[inline]
    fn try_publish(&mut self, message: &Message) -> bool {
        let accepted = self.with_out(|out| out.accept_one_of_many(message));
        self.accepted(accepted)
    }

    #[inline]
    fn try_recv(&mut self, into: &mut Message) -> Result<Got, LaneIdle> {
        self.take(into)
    }

    fn flush(&mut self) -> Flush {
        match self.with_out(Outgoing::flush) {
            Some((flush, due)) => {
                self.ring(due);
                flush
            }
            None => Flush::Broken,
        }
    }

    fn glance(&mut self, sleep: bool) -> Option<Glance> {
        let mut news = self.news();
        if sleep {
            let due = self.incoming.release();
            self.ring(due);
            // Each way by itself: who waits for the one may sleep on while the other has news.
            if !self.told {
                self.incoming.announce_sleep();
                news.readable |= self.has_unheard_of();
            }
            if !news.writable {
                self.out.announce_sleep();
                news.writable = self.with_out(Outgoing::has_news).unwrap_or(false);
            }
        }
        Some(news)
    }

    fn on_event(&mut self, event: LaneEvent) -> Option<CloseCause> {
        match event {
            LaneEvent::Readable => self.hear(false),
            LaneEvent::Hangup => self.hear(true),
            LaneEvent::Writable => {}
            LaneEvent::Tick(now) => self.tick(now),
            LaneEvent::Limits(send, _) => self.out.set_limits(send.joined(self.peer_limits)),
            LaneEvent::Finish => {
                self.out.close();
                self.ring(true);
            }
            LaneEvent::Prefetch(_) => return self.look_ahead(),
        }
        None
    }

    fn depth(&self) -> Depth {
        self.out.depth()
    }

    fn reclaim(&mut self) -> (Vec<Packet>, usize) {
        let peer_ended = self.ended || self.incoming.is_closed();
        // A peer that is still there reads on, even if we go.
        let unread = if peer_ended { self.out.unread() } else { 0 };
        let (kept, cut) = self.out.reclaim();
        (kept, cut + unread)
    }
}

impl Drop for SharedLane {
    fn drop(&mut self) {
        self.out.close();
        self.incoming.release();
        self.bell.send(Signal::Bell);
        self.out.end(&self.bell);
    }
}

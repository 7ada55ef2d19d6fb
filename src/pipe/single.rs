//! One pipe: a peer as a pattern sees it, whose lane may come and go.
//!
//! ```text
//!            connect(): exists at once            link up            link down
//!   try_send ──► pending (watermark) ──drained──► lane ──reclaim──► pending
//!   try_recv ◄── injected messages ◄── lane
//! ```
//!
//! Invariants: while a lane is attached `pending` is empty, unless the lane itself refused the rest; then
//! new messages queue behind it, so order holds. A conflated pipe holds at most one message.

use std::collections::VecDeque;
use std::mem;

use bytes::Bytes;

use super::{
    CloseCause, Counters, Depth, DropReason, Got, Lane, LaneIdle, Limits, Packet, Subscription,
};
use crate::config::{PeerCredentials, SocketKind};
use crate::message::Message;

/// Who is at the other end.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerInfo {
    /// Unique in the socket's life, never reused.
    pub(crate) number: u64,
    /// The endpoint that was bound or connected.
    pub(crate) endpoint: String,
    /// The peer's address, where the transport has one.
    pub(crate) address: String,
    /// The process at the other end of the last link, if it was a local one.
    pub(crate) credentials: Option<PeerCredentials>,
    /// Whether the last link was over shared memory.
    pub(crate) shared_memory: bool,
    /// What the peer says it is.
    pub(crate) kind: Option<SocketKind>,
    /// The routing id the peer announced; empty if none.
    pub(crate) routing_id: Bytes,
    /// The routing id this side gave it (`connect_as`), which wins over the announced one.
    pub(crate) assigned_id: Option<Bytes>,
    /// Properties the peer announced in its handshake.
    pub(crate) metadata: Vec<(String, Bytes)>,
    /// The user the authenticator saw, or empty.
    pub(crate) user_id: String,
    /// Whether this side connected (the pipe then outlives its link) or accepted.
    pub(crate) connected_side: bool,
    /// The number of the bind that an in-process link was last made with; 0 for none.
    pub(crate) binding: u64,
    /// Whether the pattern was told of the pipe.
    pub(crate) attached: bool,
}

/// One peer of a socket.
pub(crate) struct Pipe {
    pub(crate) info: PeerInfo,
    pub(crate) counters: Counters,
    lane: Option<Box<dyn Lane>>,
    /// Whether the lane collects, and so must be flushed after a send.
    collects: bool,
    /// Whether the lane is over memory that has to be looked at.
    glances: bool,
    /// Its peer does not tell of news, because it was not asked to: see [`Lane::glance`].
    pub(super) awake: bool,
    pub(super) dirty: bool,
    /// Its lane holds back what a gate does not let pass, and has to be flushed when there is room.
    pub(crate) gated: bool,
    pending: VecDeque<Packet>,
    pending_bytes: usize,
    injected: VecDeque<Message>,
    send_limits: Limits,
    recv_limits: Limits,
    conflate: bool,
    /// The peer is gone for good; the pipe stays until the application has read what is injected.
    ended: Option<CloseCause>,
}

impl Pipe {
    /// A pipe without a lane; what is sent waits until one is attached.
    pub(crate) fn new(
        info: PeerInfo,
        send_limits: Limits,
        recv_limits: Limits,
        conflate: bool,
    ) -> Self {
        Pipe {
            info,
            counters: Counters::default(),
            lane: None,
            collects: false,
            glances: false,
            awake: false,
            dirty: false,
            gated: false,
            pending: VecDeque::new(),
            pending_bytes: 0,
            injected: VecDeque::new(),
            send_limits,
            recv_limits,
            conflate,
            ended: None,
        }
    }

    /// The routing id that names the peer: assigned here, else announced by it; may be empty.
    pub(crate) fn routing_id(&self) -> &Bytes {
        self.info
            .assigned_id
            .as_ref()
            .unwrap_or(&self.info.routing_id)
    }

    pub(crate) fn has_lane(&self) -> bool {
        self.lane.is_some()
    }

    pub(crate) fn lane_mut(&mut self) -> Option<&mut (dyn Lane + 'static)> {
        self.lane.as_deref_mut()
    }

    pub(crate) fn collects(&self) -> bool {
        self.collects
    }

    pub(crate) fn glances(&self) -> bool {
        self.glances
    }

    /// A link came up: what was pending goes first.
    pub(super) fn attach(&mut self, mut lane: Box<dyn Lane>, collects: bool) {
        self.glances = lane.glance(false).is_some();
        self.lane = Some(lane);
        self.collects = collects;
        self.feed();
    }

    /// The link is gone: takes the lane away and keeps what it had not handed over.
    pub(crate) fn detach(&mut self) -> Option<Box<dyn Lane>> {
        self.counters = self.counted();
        let mut lane = self.lane.take()?;
        self.glances = false;
        let (kept, cut) = lane.reclaim();
        self.counters.drops.add(DropReason::LinkLost, cut as u64);
        for packet in kept.into_iter().rev() {
            // Subscriptions are sent anew by the pattern when the next link is up.
            if !packet.is_control() {
                self.pending_bytes += packet.byte_len();
                self.pending.push_front(packet);
            }
        }
        self.pending.retain(|packet| !packet.is_control());
        Some(lane)
    }

    /// Moves pending packets into the lane until it refuses; `true` if none is left.
    pub(crate) fn feed(&mut self) -> bool {
        let Some(lane) = self.lane.as_mut() else {
            return self.pending.is_empty();
        };
        while let Some(packet) = self.pending.pop_front() {
            let bytes = packet.byte_len();
            match packet {
                Packet::Message(mut message) => {
                    if !lane.try_send(&mut message) {
                        self.pending.push_front(Packet::Message(message));
                        return false;
                    }
                }
                Packet::Subscription(subscription) => lane.subscribe(subscription),
            }
            self.pending_bytes -= bytes;
        }
        true
    }

    /// Takes the message, to send it now or to keep it for later within the watermark; or leaves it.
    #[inline]
    pub(super) fn try_send(&mut self, message: &mut Message) -> bool {
        let bytes = message.byte_len() as u64;
        let accepted = match &mut self.lane {
            Some(lane) if self.pending.is_empty() => lane.try_send(message),
            _ => self.hold(message),
        };
        if accepted {
            self.counters.messages_out += 1;
            self.counters.bytes_out += bytes;
        }
        accepted
    }

    /// Sends a subscription, now or in its turn.
    pub(super) fn subscribe(&mut self, subscription: Subscription) {
        match &mut self.lane {
            Some(lane) if self.pending.is_empty() => lane.subscribe(subscription),
            Some(_) => {
                self.pending_bytes += subscription.topic().len();
                self.pending.push_back(Packet::Subscription(subscription));
            }
            // Without a link there is nobody to tell: the pattern resends subscriptions on link up.
            None => {}
        }
    }

    /// As `try_send`, for one of several receivers.
    #[inline]
    pub(super) fn try_publish(&mut self, message: &Message) -> bool {
        let accepted = match &mut self.lane {
            Some(lane) if self.pending.is_empty() => lane.try_publish(message),
            _ => self.hold(&mut message.clone()),
        };
        if accepted {
            self.counters.messages_out += 1;
            self.counters.bytes_out += message.byte_len() as u64;
        }
        accepted
    }

    #[cold]
    fn hold(&mut self, message: &mut Message) -> bool {
        if self.conflate && !self.pending.is_empty() {
            self.counters
                .drops
                .add(DropReason::Replaced, self.pending.len() as u64);
            self.pending.clear();
            self.pending_bytes = 0;
        } else if !self.conflate
            && !self
                .send_limits
                .admit(self.pending.len(), self.pending_bytes)
        {
            return false;
        }
        self.pending_bytes += message.byte_len();
        self.pending.push_back(Packet::Message(mem::take(message)));
        true
    }

    /// Keeps a message beyond the watermark, in front of those that come later.
    pub(super) fn keep(&mut self, message: Message) {
        self.counters.messages_out += 1;
        self.counters.bytes_out += message.byte_len() as u64;
        self.pending_bytes += message.byte_len();
        self.pending.push_back(Packet::Message(message));
    }

    /// The next packet: what the lane delivers, then injected messages. A message is put into `into`.
    #[inline]
    pub(super) fn try_recv(&mut self, into: &mut Message) -> Result<Got, LaneIdle> {
        let mut result = match &mut self.lane {
            Some(lane) if self.conflate => newest(lane.as_mut(), into, &mut self.counters),
            Some(lane) => lane.try_recv(into),
            None => Err(self.ended.clone().map_or(LaneIdle::Empty, LaneIdle::Closed)),
        };
        if result.is_err()
            && let Some(message) = self.injected.pop_front()
        {
            *into = message;
            result = Ok(Got::Message { more: false });
        }
        if matches!(result, Ok(Got::Message { .. })) {
            self.counters.messages_in += 1;
            self.counters.bytes_in += into.byte_len() as u64;
        }
        result
    }

    /// Puts a message of the library's own (hiccup, disconnect) behind what the peer sent.
    pub(crate) fn inject(&mut self, message: Message) {
        self.injected.push_back(message);
    }

    /// The peer is gone for good, but `inject`ed messages are still to be read.
    pub(crate) fn end(&mut self, cause: CloseCause) {
        self.ended = Some(cause);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// What waits to be sent, in the lane and before it.
    pub(crate) fn depth(&self) -> Depth {
        let lane = self
            .lane
            .as_ref()
            .map(|lane| lane.depth())
            .unwrap_or_default();
        Depth {
            messages: lane.messages + self.pending.len(),
            bytes: lane.bytes + self.pending_bytes,
            replaced: lane.replaced,
        }
    }

    /// The counters, with what the lane counts by itself.
    pub(crate) fn counted(&self) -> Counters {
        let mut counters = self.counters;
        counters
            .drops
            .add(DropReason::Replaced, self.depth().replaced);
        counters
    }

    pub(crate) fn limits(&self) -> (Limits, Limits) {
        (self.send_limits, self.recv_limits)
    }

    pub(crate) fn set_limits(&mut self, send: Limits, recv: Limits) {
        self.send_limits = send;
        self.recv_limits = recv;
        if let Some(lane) = &mut self.lane {
            let _ = lane.on_event(super::LaneEvent::Limits(send, recv));
        }
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether there is more to send than the in-process peer took.
    pub(super) fn is_stalled(&self) -> bool {
        self.lane.is_some() && !self.collects && !self.pending.is_empty()
    }
}

/// The last message of all that have arrived; the others are counted as replaced.
fn newest(
    lane: &mut dyn Lane,
    into: &mut Message,
    counters: &mut Counters,
) -> Result<Got, LaneIdle> {
    let mut found = 0;
    loop {
        match lane.try_recv(into) {
            Ok(Got::Message { .. }) => found += 1,
            Err(_) if found > 0 => {
                counters.drops.add(DropReason::Replaced, found - 1);
                return Ok(Got::Message { more: false });
            }
            other => {
                counters.drops.add(DropReason::Replaced, found);
                return other;
            }
        }
    }
}

/// Why a closed pipe was closed, kept until the socket has handled it.
pub(super) type Closed = (super::PipeId, CloseCause);

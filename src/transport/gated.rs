//! A lane behind gates: whatever carries the messages, each asks before it goes on.
//!
//! ```text
//!   try_send ─► held (within the watermark) ── gate ─► the lane itself
//!   try_recv ◄─ ahead (at most one) ◄───────── gate ── the lane itself
//! ```
//!
//! Subscriptions ask no gate; one that arrives behind a message stays behind it. Not here: why a gate lets something pass, and when (`gate.rs`), and who is woken then
//! (the wakers come with the gates; the owner flushes the lane, or receives, when they are).
//!
//! Invariants: messages keep their order; what is held and what the lane itself has not sent are together within the
//! watermark, but for one message that may always wait for the gate; whoever waits at a gate goes on when it opens, even
//! if no caller comes, because others may stand behind it; a message that was received and waits hides the end of the
//! link until it is delivered.

use std::collections::VecDeque;
use std::mem;
use std::task::{Context, Poll, Waker};

use super::gate::{LinkGate, LinkGates};
use crate::message::Message;
use crate::pipe::{
    CloseCause, Depth, Flush, Glance, Got, Lane, LaneEvent, LaneIdle, Limits, Packet, Subscription,
};

/// See the file's text.
pub(crate) struct GatedLane {
    lane: Box<dyn Lane>,
    sending: Option<Gate>,
    receiving: Option<Gate>,
    held: VecDeque<Message>,
    held_bytes: usize,
    limits: Limits,
    conflate: bool,
    replaced: u64,
    /// Received, and not delivered yet.
    ahead: Option<Message>,
    /// The gate has let it in.
    let_in: bool,
}

/// What stopped a message.
enum Stop {
    Gate,
    Lane,
}

/// A gate, and who is told when it opens.
struct Gate {
    gate: Box<dyn LinkGate>,
    waker: Waker,
}

impl Gate {
    fn passes(&mut self, bytes: usize) -> bool {
        let mut cx = Context::from_waker(&self.waker);
        matches!(self.gate.poll_pass(&mut cx, bytes), Poll::Ready(()))
    }
}

impl GatedLane {
    /// Puts gates in front of a lane. `sends` is woken when a message may go out, `receives` when one may come in.
    pub(crate) fn new(
        lane: Box<dyn Lane>,
        gates: LinkGates,
        (sends, receives): (Waker, Waker),
        limits: Limits,
        conflate: bool,
    ) -> GatedLane {
        let gate = |gate: Option<Box<dyn LinkGate>>, waker| gate.map(|gate| Gate { gate, waker });
        GatedLane {
            lane,
            sending: gate(gates.sending, sends),
            receiving: gate(gates.receiving, receives),
            held: VecDeque::new(),
            held_bytes: 0,
            limits,
            conflate,
            replaced: 0,
            ahead: None,
            let_in: false,
        }
    }

    /// Lets one message through the gate and into the lane.
    fn pass(&mut self, bytes: usize, send: impl FnOnce(&mut dyn Lane) -> bool) -> Result<(), Stop> {
        if !self.sending.as_mut().is_none_or(|gate| gate.passes(bytes)) {
            return Err(Stop::Gate);
        }
        if send(self.lane.as_mut()) {
            return Ok(());
        }
        if let Some(gate) = &mut self.sending {
            gate.gate.give_back(bytes);
        }
        Err(Stop::Lane)
    }

    /// Lets out what may go; `true` if nothing is left.
    fn let_out(&mut self) -> bool {
        while let Some(mut message) = self.held.pop_front() {
            let bytes = message.byte_len();
            let passed = self.pass(bytes, |lane| lane.try_send(&mut message));
            if passed.is_err() {
                self.held.push_front(message);
                return false;
            }
            self.held_bytes -= bytes;
        }
        true
    }

    /// Whether the message ahead may be delivered.
    fn let_in(&mut self) -> bool {
        let Some(message) = &self.ahead else {
            return false;
        };
        let bytes = message.byte_len();
        self.let_in = self.let_in
            || self
                .receiving
                .as_mut()
                .is_none_or(|gate| gate.passes(bytes));
        self.let_in
    }

    /// Keeps what may not go yet, or leaves it.
    fn hold(&mut self, message: &mut Message) -> bool {
        if self.held.is_empty() {
            // It has asked at the gate, so it must be there when that opens.
        } else if self.conflate {
            self.replaced += self.held.len() as u64;
            self.held.clear();
            self.held_bytes = 0;
        } else {
            let below = self.lane.depth();
            let (messages, bytes) = (below.messages + self.held.len(), below.bytes);
            if !self.limits.admit(messages, bytes + self.held_bytes) {
                return false;
            }
        }
        self.held_bytes += message.byte_len();
        self.held.push_back(mem::take(message));
        true
    }
}

impl Lane for GatedLane {
    fn try_send(&mut self, message: &mut Message) -> bool {
        if !self.let_out() {
            return self.hold(message);
        }
        match self.pass(message.byte_len(), |lane| lane.try_send(message)) {
            Ok(()) => true,
            Err(Stop::Gate) => self.hold(message),
            // The lane tells when it has room.
            Err(Stop::Lane) => false,
        }
    }

    fn try_publish(&mut self, message: &Message) -> bool {
        if !self.let_out() {
            return self.hold(&mut message.clone());
        }
        match self.pass(message.byte_len(), |lane| lane.try_publish(message)) {
            Ok(()) => true,
            Err(Stop::Gate) => self.hold(&mut message.clone()),
            Err(Stop::Lane) => false,
        }
    }

    fn subscribe(&mut self, subscription: Subscription) {
        self.lane.subscribe(subscription);
    }

    fn try_recv(&mut self, into: &mut Message) -> Result<Got, LaneIdle> {
        if self.ahead.is_none() {
            match self.lane.try_recv(into)? {
                Got::Message { .. } => self.ahead = Some(mem::take(into)),
                subscription => return Ok(subscription),
            }
        }
        if !self.let_in() {
            return Err(LaneIdle::Empty);
        }
        self.let_in = false;
        *into = self.ahead.take().ok_or(LaneIdle::Empty)?;
        Ok(Got::Message { more: false })
    }

    fn flush(&mut self) -> Flush {
        let all = self.let_out();
        match self.lane.flush() {
            Flush::Done if !all => Flush::Blocked,
            flushed => flushed,
        }
    }

    fn glance(&mut self, sleep: bool) -> Option<Glance> {
        self.lane.glance(sleep)
    }

    fn probe(&mut self) -> bool {
        self.lane.probe()
    }

    fn on_event(&mut self, event: LaneEvent) -> Option<CloseCause> {
        match event {
            LaneEvent::Limits(send, _) => self.limits = send,
            // What still comes in is thrown away, and the peer's end is what the owner waits for.
            LaneEvent::Finish => self.receiving = None,
            LaneEvent::Readable | LaneEvent::Prefetch(_) if self.receiving.is_some() => {
                self.let_in();
            }
            _ => {}
        }
        let ended = self.lane.on_event(event);
        ended.filter(|_| self.ahead.is_none())
    }

    fn depth(&self) -> Depth {
        let below = self.lane.depth();
        Depth {
            messages: below.messages + self.held.len(),
            bytes: below.bytes + self.held_bytes,
            replaced: below.replaced + self.replaced,
        }
    }

    fn reclaim(&mut self) -> (Vec<Packet>, usize) {
        let (mut kept, cut) = self.lane.reclaim();
        kept.extend(self.held.drain(..).map(Packet::Message));
        self.held_bytes = 0;
        (kept, cut)
    }
}

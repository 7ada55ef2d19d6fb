//! Fake lanes and a socket around one pattern: what every test of a pattern stands on.
//!
//! A test puts packets on a [`Wire`] and reads what the pattern sent; no runtime, no clock, no waiting.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::config::{Options, SocketKind};
use crate::message::Message;
use crate::pattern::{
    Control, ControlRefusal, Pattern, PipeEvent, RecvRefusal, Refusal, new_pattern,
};
use crate::pipe::{
    CloseCause, Depth, DropReason, Flush, Got, Lane, LaneEvent, LaneIdle, Limits, Packet, PeerInfo,
    Pipe, PipeId, Pipes, Subscription,
};

#[derive(Default)]
struct State {
    incoming: VecDeque<Packet>,
    sent: Vec<Packet>,
    /// Messages that are still taken; none: any number.
    room: Option<usize>,
}

/// The far end of a fake lane.
#[derive(Clone, Default)]
pub(super) struct Wire(Arc<Mutex<State>>);

impl Wire {
    /// Everything that was sent since last asked.
    pub(super) fn sent(&self) -> Vec<Packet> {
        std::mem::take(&mut self.0.lock().unwrap().sent)
    }

    /// As [`sent`](Self::sent), where only messages are expected.
    pub(super) fn messages(&self) -> Vec<Message> {
        let only_messages = |packet| match packet {
            Packet::Message(message) => message,
            other => panic!("not a message: {other:?}"),
        };
        self.sent().into_iter().map(only_messages).collect()
    }

    /// From now on so many messages are taken.
    pub(super) fn room(&self, messages: usize) {
        self.0.lock().unwrap().room = Some(messages);
    }
}

struct FakeLane(Wire);

impl Lane for FakeLane {
    fn try_send(&mut self, message: &mut Message) -> bool {
        let mut state = self.0.0.lock().unwrap();
        match &mut state.room {
            Some(0) => return false,
            Some(room) => *room -= 1,
            None => {}
        }
        state.sent.push(Packet::Message(std::mem::take(message)));
        true
    }

    fn subscribe(&mut self, subscription: Subscription) {
        let packet = Packet::Subscription(subscription);
        self.0.0.lock().unwrap().sent.push(packet);
    }

    fn try_recv(&mut self, into: &mut Message) -> Result<Got, LaneIdle> {
        match self.0.0.lock().unwrap().incoming.pop_front() {
            Some(Packet::Message(message)) => {
                *into = message;
                Ok(Got::Message { more: false })
            }
            Some(Packet::Subscription(subscription)) => Ok(Got::Subscription(subscription)),
            None => Err(LaneIdle::Empty),
        }
    }

    fn flush(&mut self) -> Flush {
        Flush::Done
    }

    fn on_event(&mut self, _: LaneEvent) -> Option<CloseCause> {
        None
    }

    fn depth(&self) -> Depth {
        Depth::default()
    }

    fn reclaim(&mut self) -> (Vec<Packet>, usize) {
        (Vec::new(), 0)
    }
}

/// A socket: one pattern and its pipes.
pub(super) struct Rig {
    pub(super) pipes: Pipes,
    pub(super) pattern: Box<dyn Pattern>,
}

/// One frame or more.
pub(super) fn msg(frames: &[&'static str]) -> Message {
    Message::from_frames(frames.iter().copied())
}

pub(super) fn subscribe(topic: &'static str) -> Packet {
    Packet::Subscription(Subscription::Add(Bytes::from_static(topic.as_bytes())))
}

pub(super) fn cancel(topic: &'static str) -> Packet {
    Packet::Subscription(Subscription::Cancel(Bytes::from_static(topic.as_bytes())))
}

impl Rig {
    pub(super) fn new(kind: SocketKind) -> Self {
        Self::with(kind, |_| ())
    }

    pub(super) fn with(kind: SocketKind, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::default();
        change(&mut options);
        Rig {
            pipes: Pipes::default(),
            pattern: new_pattern(kind, &options),
        }
    }

    pub(super) fn event(&mut self, pipe: PipeId, event: PipeEvent) {
        self.pattern.on_event(&mut self.pipes, pipe, event);
    }

    fn pipe(&mut self, info: PeerInfo) -> PipeId {
        let limits = Limits {
            messages: 1000,
            bytes: 0,
        };
        self.pipes.insert(Pipe::new(info, limits, limits, false))
    }

    /// A peer that connected to this socket.
    pub(super) fn peer(&mut self) -> (PipeId, Wire) {
        self.named_peer("")
    }

    /// A peer that announced a routing id.
    pub(super) fn named_peer(&mut self, id: &'static str) -> (PipeId, Wire) {
        let pipe = self.pipe(PeerInfo {
            routing_id: Bytes::from_static(id.as_bytes()),
            ..PeerInfo::default()
        });
        let wire = self.plug(pipe);
        self.event(pipe, PipeEvent::Attached);
        self.event(pipe, PipeEvent::LinkUp);
        (pipe, wire)
    }

    /// A peer that this socket connects to, and that is not there yet.
    pub(super) fn absent_peer(&mut self, assigned: Option<&'static str>) -> PipeId {
        let assigned_id = assigned.map(|id| Bytes::from_static(id.as_bytes()));
        let pipe = self.pipe(PeerInfo {
            connected_side: true,
            assigned_id,
            ..PeerInfo::default()
        });
        self.event(pipe, PipeEvent::Attached);
        pipe
    }

    fn plug(&mut self, pipe: PipeId) -> Wire {
        let wire = Wire::default();
        let lane = Box::new(FakeLane(wire.clone()));
        self.pipes.attach(pipe, lane, false);
        wire
    }

    /// The link of a connected pipe comes up.
    pub(super) fn link_up(&mut self, pipe: PipeId) -> Wire {
        let wire = self.plug(pipe);
        self.event(pipe, PipeEvent::LinkUp);
        wire
    }

    pub(super) fn link_down(&mut self, pipe: PipeId) {
        drop(self.pipes.get_mut(pipe).unwrap().detach());
        self.event(pipe, PipeEvent::LinkDown);
    }

    /// The peer is gone for good.
    pub(super) fn leave(&mut self, pipe: PipeId) {
        self.event(pipe, PipeEvent::Detached);
        self.pipes.remove(pipe);
    }

    /// The peer sends something.
    pub(super) fn arrive(&mut self, (pipe, wire): &(PipeId, Wire), packet: impl Into<Packet>) {
        wire.0.lock().unwrap().incoming.push_back(packet.into());
        self.event(*pipe, PipeEvent::Readable);
    }

    /// The peer has room for so many messages again.
    pub(super) fn make_room(&mut self, (pipe, wire): &(PipeId, Wire), messages: usize) {
        wire.room(messages);
        self.event(*pipe, PipeEvent::Writable);
    }

    pub(super) fn send(&mut self, message: impl Into<Message>) -> Result<(), (Refusal, Message)> {
        let mut message = message.into();
        let sent = self.pattern.try_send(&mut self.pipes, &mut message);
        sent.map_err(|why| (why, message))
    }

    pub(super) fn recv(&mut self) -> Result<Message, RecvRefusal> {
        let mut message = Message::new();
        self.pattern.try_recv(&mut self.pipes, &mut message)?;
        Ok(message)
    }

    /// Everything there is to receive.
    pub(super) fn recv_all(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.recv().ok()).collect()
    }

    pub(super) fn can_send(&mut self) -> bool {
        self.pattern.can_send(&mut self.pipes)
    }

    pub(super) fn can_recv(&mut self) -> bool {
        self.pattern.can_recv(&mut self.pipes)
    }

    pub(super) fn subscribe(&mut self, topic: &'static str) -> Result<(), ControlRefusal> {
        let topic = Bytes::from_static(topic.as_bytes());
        self.pattern
            .control(&mut self.pipes, Control::Subscribe(&topic))
    }

    pub(super) fn unsubscribe(&mut self, topic: &'static str) -> Result<(), ControlRefusal> {
        let topic = Bytes::from_static(topic.as_bytes());
        self.pattern
            .control(&mut self.pipes, Control::Unsubscribe(&topic))
    }

    pub(super) fn options(&mut self, change: impl FnOnce(&mut Options)) {
        let mut options = Options::default();
        change(&mut options);
        self.pattern
            .control(&mut self.pipes, Control::Options(&options))
            .unwrap();
    }

    /// Dropped messages, on all pipes and on none.
    pub(super) fn drops(&self, reason: DropReason) -> u64 {
        let on_pipes: u64 = self
            .pipes
            .iter()
            .map(|(_, pipe)| pipe.counters.drops.get(reason))
            .sum();
        on_pipes + self.pipes.drops.get(reason)
    }

    /// The pipes that the pattern ended, with the reason.
    pub(super) fn kicked(&mut self) -> Vec<(PipeId, CloseCause)> {
        std::iter::from_fn(|| self.pipes.pop_closed()).collect()
    }
}

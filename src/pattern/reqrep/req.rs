//! `REQ`: one request at a time, and its reply from the peer that got it.
//!
//! ```text
//!   Idle --try_send: [id]? [empty] body, to the next peer P--> Waiting(P, id) --reply from P--> Idle
//!     '-- whatever arrives is stale: dropped, counted                '-- from others, or another id: dropped, counted
//! ```
//!
//! Invariants: `wait` names a pipe that still exists, or none (then any peer's reply will do); `reply` is only there
//! while `wait` is. A peer whose message has not the shape of a reply broke the protocol and is ended:
//! `[id of 4 bytes]? [empty] [body]+`.

use crate::config::Options;
use crate::message::{Frame, Message};
use crate::pattern::ends::{Outlet, Probe, read_message};
use crate::pattern::{Control, ControlRefusal, Pattern, PipeEvent, RecvRefusal, Refusal};
use crate::pipe::{DropReason, PipeId, Pipes};
use crate::routing::FairQueue;

/// Bytes of a request id.
const ID_LEN: usize = size_of::<u32>();

/// The request that is out.
struct Wait {
    pipe: Option<PipeId>,
    id: Option<u32>,
}

/// Asks, and waits for the answer.
pub(crate) struct Req {
    outlet: Outlet,
    fair: FairQueue,
    probe: Probe,
    wait: Option<Wait>,
    reply: Option<Message>,
    last_id: u32,
    correlate: bool,
    relaxed: bool,
}

/// What a peer sent, looked at.
enum Shape {
    /// With the request id it carries, if any, and where the body begins.
    Reply(Option<u32>, usize),
    Broken,
}

fn shape(message: &Message) -> Shape {
    match message.frames() {
        [empty, _, ..] if empty.is_empty() => Shape::Reply(None, 1),
        [id, empty, _, ..] if empty.is_empty() => match <[u8; ID_LEN]>::try_from(id.as_slice()) {
            Ok(id) => Shape::Reply(Some(u32::from_ne_bytes(id)), 2),
            Err(_) => Shape::Broken,
        },
        _ => Shape::Broken,
    }
}

impl Req {
    /// `last_id` is drawn at random: the ids of the requests count up from it.
    pub(crate) fn new(options: &Options, last_id: u32) -> Self {
        Req {
            outlet: Outlet::default(),
            fair: FairQueue::new(),
            probe: Probe::new(options),
            wait: None,
            reply: None,
            last_id,
            correlate: options.req_correlate,
            relaxed: options.req_relaxed,
        }
    }

    /// Reads what has arrived until the reply is found, or nothing is left.
    fn pump(&mut self, pipes: &mut Pipes) {
        while self.wait.is_none() || self.reply.is_none() {
            let Some((pipe, message)) = self.fair.poll(|pipe| read_message(pipes, pipe)) else {
                return;
            };
            self.judge(pipes, pipe, message);
        }
    }

    /// Keeps a message if it is the reply that is waited for.
    fn judge(&mut self, pipes: &mut Pipes, pipe: PipeId, mut message: Message) {
        let (id, body) = match shape(&message) {
            Shape::Reply(id, body) => (id, body),
            Shape::Broken => {
                pipes.count_drop(Some(pipe), DropReason::Malformed);
                self.fair.detach(pipe);
                self.outlet.on_event(pipe, PipeEvent::Detached);
                pipes.kick_misbehaved(pipe, "what a REQ socket got is not a reply");
                return;
            }
        };
        let expected = self.reply.is_none()
            && self
                .wait
                .as_ref()
                .is_some_and(|wait| wait.id == id && wait.pipe.is_none_or(|asked| asked == pipe));
        if !expected {
            pipes.count_drop(Some(pipe), DropReason::Unexpected);
            return;
        }
        for _ in 0..body {
            message.pop_front();
        }
        self.reply = Some(message);
    }

    /// Before a request: everything that is here already answers an earlier one.
    fn drain(&mut self, pipes: &mut Pipes) {
        while let Some((pipe, message)) = self.fair.poll(|pipe| read_message(pipes, pipe)) {
            self.judge(pipes, pipe, message);
        }
    }

    fn end_of(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.fair.detach(pipe);
        while let Some(message) = read_message(pipes, pipe) {
            self.judge(pipes, pipe, message);
        }
        if let Some(wait) = self.wait.as_mut().filter(|wait| wait.pipe == Some(pipe)) {
            wait.pipe = None;
        }
    }
}

impl Pattern for Req {
    fn on_event(&mut self, pipes: &mut Pipes, pipe: PipeId, event: PipeEvent) {
        self.probe.on_event(pipes, pipe, event);
        self.outlet.on_event(pipe, event);
        match event {
            PipeEvent::Attached => self.fair.attach(pipe),
            PipeEvent::LinkUp | PipeEvent::LinkDown | PipeEvent::Readable => {
                self.fair.activate(pipe);
                self.pump(pipes);
            }
            PipeEvent::Writable => {}
            PipeEvent::Detached => self.end_of(pipes, pipe),
        }
    }

    fn try_send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        if self.wait.is_some() && !self.relaxed {
            return Err(Refusal::State);
        }
        if !self.outlet.ready() {
            return Err(Refusal::WouldBlock);
        }
        // Before the request leaves: from then on an answer may come at any moment.
        self.drain(pipes);
        let id = self.correlate.then(|| self.last_id.wrapping_add(1));
        message.push_front(Frame::new());
        if let Some(id) = id {
            message.push_front(id.to_ne_bytes());
        }
        match self.outlet.send(pipes, message) {
            Ok(pipe) => {
                if self.reply.take().is_some() {
                    pipes.count_drop(
                        self.wait.as_ref().and_then(|wait| wait.pipe),
                        DropReason::Unexpected,
                    );
                }
                self.last_id = id.unwrap_or(self.last_id);
                self.wait = Some(Wait {
                    pipe: Some(pipe),
                    id,
                });
                Ok(())
            }
            Err(refusal) => {
                for _ in 0..1 + usize::from(id.is_some()) {
                    message.pop_front();
                }
                Err(refusal)
            }
        }
    }

    fn try_recv(&mut self, pipes: &mut Pipes, into: &mut Message) -> Result<(), RecvRefusal> {
        if self.wait.is_none() {
            return Err(RecvRefusal::State);
        }
        self.pump(pipes);
        *into = self.reply.take().ok_or(RecvRefusal::Empty)?;
        self.wait = None;
        Ok(())
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        (self.wait.is_none() || self.relaxed) && self.outlet.ready()
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.pump(pipes);
        self.wait.is_some() && self.reply.is_some()
    }

    fn control(&mut self, _: &mut Pipes, control: Control<'_>) -> Result<(), ControlRefusal> {
        control.only_options(|options| {
            self.probe.set_options(options);
            self.correlate = options.req_correlate;
            self.relaxed = options.req_relaxed;
        })
    }
}

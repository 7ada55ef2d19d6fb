//! `REP`: takes a request, then owes its sender a reply.
//!
//! Not here: what makes a reply useful. A reply to a requester that has left, or that does not read, is dropped and
//! counted, and the socket goes on.
//!
//! ```text
//!   Idle --try_recv: request from P, envelope kept--> Owing(P) --try_send: envelope + reply to P--> Idle
//! ```
//!
//! Invariant: a requester that is named, here or in the backlog, is a pipe that still exists.

use std::collections::VecDeque;
use std::mem;

use crate::message::Message;
use crate::pattern::ends::read_message;
use crate::pattern::{Control, ControlRefusal, Pattern, PipeEvent, RecvRefusal, Refusal};
use crate::pipe::{DropReason, PipeId, Pipes};
use crate::routing::{Envelope, FairQueue};

/// Where a reply goes: the pipe, if it still exists, and the addresses behind it.
struct Requester {
    pipe: Option<PipeId>,
    envelope: Envelope,
}

/// Answers one request after the other.
#[derive(Default)]
pub(crate) struct Rep {
    fair: FairQueue,
    /// Requests that left their pipe before the application asked.
    backlog: VecDeque<(Requester, Message)>,
    owing: Option<Requester>,
}

impl Rep {
    fn next(&mut self, pipes: &mut Pipes) -> Option<(Requester, Message)> {
        if let Some(request) = self.backlog.pop_front() {
            return Some(request);
        }
        let (_, request) = self.fair.poll(|pipe| read_request(pipes, pipe))?;
        Some(request)
    }

    fn forget(&mut self, pipe: PipeId) {
        let waiting = self.backlog.iter_mut().map(|(requester, _)| requester);
        for requester in waiting.chain(&mut self.owing) {
            if requester.pipe == Some(pipe) {
                requester.pipe = None;
            }
        }
    }
}

/// The next well-formed request of a pipe; malformed ones are skipped and counted.
fn read_request(pipes: &mut Pipes, pipe: PipeId) -> Option<(Requester, Message)> {
    loop {
        match Envelope::split(read_message(pipes, pipe)?) {
            Ok((envelope, body)) => {
                return Some((
                    Requester {
                        pipe: Some(pipe),
                        envelope,
                    },
                    body,
                ));
            }
            Err(_) => pipes.count_drop(Some(pipe), DropReason::Malformed),
        }
    }
}

impl Pattern for Rep {
    fn on_event(&mut self, pipes: &mut Pipes, pipe: PipeId, event: PipeEvent) {
        match event {
            PipeEvent::Attached => self.fair.attach(pipe),
            PipeEvent::LinkUp | PipeEvent::LinkDown | PipeEvent::Readable => {
                self.fair.activate(pipe)
            }
            PipeEvent::Writable => {}
            PipeEvent::Detached => {
                self.fair.detach(pipe);
                while let Some(request) = read_request(pipes, pipe) {
                    self.backlog.push_back(request);
                }
                self.forget(pipe);
            }
        }
    }

    fn try_send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        let requester = self.owing.take().ok_or(Refusal::State)?;
        let Some(pipe) = requester.pipe else {
            pipes.count_drop(None, DropReason::Unroutable);
            return Ok(());
        };
        let mut reply = requester.envelope.wrap(mem::take(message));
        if !pipes.try_send(pipe, &mut reply) {
            pipes.count_drop(Some(pipe), DropReason::Watermark);
        }
        Ok(())
    }

    fn try_recv(&mut self, pipes: &mut Pipes, into: &mut Message) -> Result<(), RecvRefusal> {
        if self.owing.is_some() {
            return Err(RecvRefusal::State);
        }
        let (requester, body) = self.next(pipes).ok_or(RecvRefusal::Empty)?;
        self.owing = Some(requester);
        *into = body;
        Ok(())
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        self.owing.is_some()
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        if self.owing.is_some() {
            return false;
        }
        if let Some(request) = self.next(pipes) {
            self.backlog.push_front(request);
        }
        !self.backlog.is_empty()
    }

    fn control(&mut self, _: &mut Pipes, control: Control<'_>) -> Result<(), ControlRefusal> {
        control.only_options(|_| ())
    }
}

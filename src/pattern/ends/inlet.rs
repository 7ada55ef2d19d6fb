//! The receiving end of most patterns: one whole message a turn from each pipe that has some.
//!
//! What it is: fair queueing over pipes, plus the few messages that left their pipe before the application asked:
//! one that was looked for by `can_recv`, and what a pipe still held when it ended. It is not a queue of its own: all
//! other messages wait in their pipes, where the watermarks are.
//!
//! ```text
//!   pipes --fair queue--> next()              Detached: the rest of the pipe --> backlog, which is read first
//! ```

use std::collections::VecDeque;

use crate::message::Message;
use crate::pattern::{PipeEvent, RecvRefusal};
use crate::pipe::{DropReason, Got, PipeId, Pipes};
use crate::routing::FairQueue;

/// The next message of one pipe. Subscriptions mean nothing to most patterns: they are dropped and counted.
#[inline]
pub(in crate::pattern) fn read_message(pipes: &mut Pipes, pipe: PipeId) -> Option<Message> {
    let mut message = Message::new();
    while let Got::Subscription(_) = pipes.try_recv(pipe, &mut message)? {
        pipes.count_drop(Some(pipe), DropReason::Ignored);
    }
    Some(message)
}

/// A fair-queued receiving end.
#[derive(Default)]
pub(in crate::pattern) struct Inlet {
    fair: FairQueue,
    backlog: VecDeque<Message>,
}

impl Inlet {
    /// Keeps the order of turns up to date, and saves what an ending pipe still holds.
    pub(in crate::pattern) fn on_event(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        event: PipeEvent,
    ) {
        match event {
            PipeEvent::Attached => self.fair.attach(pipe),
            PipeEvent::LinkUp | PipeEvent::LinkDown | PipeEvent::Readable => {
                self.fair.activate(pipe)
            }
            PipeEvent::Writable => {}
            PipeEvent::Detached => {
                self.fair.detach(pipe);
                while let Some(message) = read_message(pipes, pipe) {
                    self.backlog.push_back(message);
                }
            }
        }
    }

    /// Puts the next message that `wanted` lets through into `into`; the others are dropped.
    #[inline]
    pub(in crate::pattern) fn next(
        &mut self,
        pipes: &mut Pipes,
        into: &mut Message,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<(), RecvRefusal> {
        while let Some(message) = self.backlog.pop_front() {
            if wanted(&message) {
                *into = message;
                return Ok(());
            }
        }
        while let Some(pipe) = self.fair.turn() {
            match pipes.try_recv(pipe, into) {
                Some(Got::Message { .. }) => {
                    self.fair.taken();
                    if wanted(into) {
                        return Ok(());
                    }
                }
                Some(_) => pipes.count_drop(Some(pipe), DropReason::Ignored),
                None => self.fair.empty(),
            }
        }
        Err(RecvRefusal::Empty)
    }

    /// Whether [`next`](Self::next) would yield something.
    pub(in crate::pattern) fn ready(
        &mut self,
        pipes: &mut Pipes,
        wanted: impl Fn(&Message) -> bool,
    ) -> bool {
        let mut message = Message::new();
        if self.next(pipes, &mut message, wanted).is_ok() {
            self.backlog.push_front(message);
        }
        !self.backlog.is_empty()
    }
}

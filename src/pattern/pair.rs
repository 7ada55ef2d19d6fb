//! `PAIR`: exactly one peer.
//!
//! Invariant: while there is a peer, every other one that comes is ended at once; after it has left, the next may come.

use super::ends::Inlet;
use super::{Control, ControlRefusal, Pattern, PipeEvent, RecvRefusal, Refusal};
use crate::message::Message;
use crate::pipe::{PipeId, Pipes};

/// Talks to one peer.
#[derive(Default)]
pub(crate) struct Pair {
    peer: Option<PipeId>,
    /// The peer refused a message and has not said that it has room again.
    full: bool,
    inlet: Inlet,
}

impl Pattern for Pair {
    fn on_event(&mut self, pipes: &mut Pipes, pipe: PipeId, event: PipeEvent) {
        match (self.peer, event) {
            (None, PipeEvent::Attached) => self.peer = Some(pipe),
            (Some(peer), PipeEvent::Attached) if peer != pipe => {
                pipes.kick(pipe, "a PAIR socket has a peer already");
            }
            _ => {}
        }
        if self.peer != Some(pipe) {
            return;
        }
        self.inlet.on_event(pipes, pipe, event);
        self.full &= event == PipeEvent::Readable;
        if event == PipeEvent::Detached {
            self.peer = None;
        }
    }

    #[inline]
    fn try_send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        let peer = self.peer.ok_or(Refusal::WouldBlock)?;
        if pipes.try_send(peer, message) {
            return Ok(());
        }
        self.full = true;
        Err(Refusal::WouldBlock)
    }

    #[inline]
    fn try_recv(&mut self, pipes: &mut Pipes, into: &mut Message) -> Result<(), RecvRefusal> {
        self.inlet.next(pipes, into, |_| true)
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        self.peer.is_some() && !self.full
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.inlet.ready(pipes, |_| true)
    }

    fn control(&mut self, _: &mut Pipes, control: Control<'_>) -> Result<(), ControlRefusal> {
        control.only_options(|_| ())
    }
}

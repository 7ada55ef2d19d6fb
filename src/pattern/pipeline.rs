//! `PUSH` and `PULL`: work handed out in turns, and collected fairly.
//!
//! Not here: any answer. A `PULL` cannot send and a `PUSH` cannot receive; what a peer sends to a `PUSH` all the same is
//! dropped and counted.
//!
//! ```text
//!   PUSH --round robin over pipes with room--> PULL, PULL, ...       PULL <--fair queue-- PUSH, PUSH, ...
//! ```

use super::ends::{Inlet, Outlet};
use super::{Control, ControlRefusal, Pattern, PipeEvent, RecvRefusal, Refusal};
use crate::message::Message;
use crate::pipe::{DropReason, PipeId, Pipes};

/// Hands each message to the next peer that has room.
#[derive(Default)]
pub(crate) struct Push {
    outlet: Outlet,
}

impl Pattern for Push {
    fn on_event(&mut self, pipes: &mut Pipes, pipe: PipeId, event: PipeEvent) {
        self.outlet.on_event(pipe, event);
        if matches!(event, PipeEvent::Readable | PipeEvent::LinkUp) {
            // Nobody else reads these pipes: this is how their end is noticed.
            while pipes.try_recv(pipe, &mut Message::new()).is_some() {
                pipes.count_drop(Some(pipe), DropReason::Ignored);
            }
        }
    }

    #[inline]
    fn try_send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        self.outlet.send(pipes, message).map(|_| ())
    }

    fn try_recv(&mut self, _: &mut Pipes, _: &mut Message) -> Result<(), RecvRefusal> {
        Err(RecvRefusal::State)
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        self.outlet.ready()
    }

    fn can_recv(&mut self, _: &mut Pipes) -> bool {
        false
    }

    fn control(&mut self, _: &mut Pipes, control: Control<'_>) -> Result<(), ControlRefusal> {
        control.only_options(|_| ())
    }
}

/// Takes one message a turn from each peer that has some.
#[derive(Default)]
pub(crate) struct Pull {
    inlet: Inlet,
}

impl Pattern for Pull {
    fn on_event(&mut self, pipes: &mut Pipes, pipe: PipeId, event: PipeEvent) {
        self.inlet.on_event(pipes, pipe, event);
    }

    fn try_send(&mut self, _: &mut Pipes, _: &mut Message) -> Result<(), Refusal> {
        Err(Refusal::Invalid("a PULL socket cannot send"))
    }

    #[inline]
    fn try_recv(&mut self, pipes: &mut Pipes, into: &mut Message) -> Result<(), RecvRefusal> {
        self.inlet.next(pipes, into, |_| true)
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        false
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.inlet.ready(pipes, |_| true)
    }

    fn control(&mut self, _: &mut Pipes, control: Control<'_>) -> Result<(), ControlRefusal> {
        control.only_options(|_| ())
    }
}

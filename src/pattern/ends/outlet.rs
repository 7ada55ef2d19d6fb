//! The sending end of `PUSH`, `DEALER` and `REQ`: each message to the next pipe that has room.
//!
//! What it is: load balancing over pipes. It is not a queue: a message that nobody has room for stays with the caller.
//!
//! Cost: with one pipe that has room, a turn is an index into a vector and the pipe's own call.

use crate::message::Message;
use crate::pattern::{PipeEvent, Refusal};
use crate::pipe::{PipeId, Pipes};
use crate::routing::RoundRobin;

/// A load-balanced sending end.
#[derive(Default)]
pub(in crate::pattern) struct Outlet {
    turns: RoundRobin,
}

impl Outlet {
    /// Keeps the order of turns up to date.
    pub(in crate::pattern) fn on_event(&mut self, pipe: PipeId, event: PipeEvent) {
        match event {
            PipeEvent::Attached => self.turns.attach(pipe),
            PipeEvent::LinkUp | PipeEvent::LinkDown | PipeEvent::Writable => {
                self.turns.activate(pipe)
            }
            PipeEvent::Readable => {}
            PipeEvent::Detached => self.turns.detach(pipe),
        }
    }

    /// Sends on the next pipe that has room, and says which. A message that nobody has room for stays where it is.
    #[inline]
    pub(in crate::pattern) fn send(
        &mut self,
        pipes: &mut Pipes,
        message: &mut Message,
    ) -> Result<PipeId, Refusal> {
        while let Some(pipe) = self.turns.turn() {
            if pipes.try_send(pipe, message) {
                self.turns.taken();
                return Ok(pipe);
            }
            self.turns.refused();
        }
        Err(Refusal::WouldBlock)
    }

    /// Whether some pipe is believed to have room.
    pub(in crate::pattern) fn ready(&self) -> bool {
        self.turns.has_active()
    }
}

//! The sending end of `PUSH`, `DEALER` and `REQ`: each message to the next pipe that has room.
//!
//! What it is: load balancing over pipes. It is not a queue: a message that nobody has room for is given back.
//!
//! Cost: with one pipe that has room, a turn is an index into a vector and the pipe's own call.

use crate::pattern::PipeEvent;
use crate::pipe::{Packet, PipeId, Pipes};
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

    /// Sends on the next pipe that has room, and says which; or gives the packet back.
    #[inline]
    pub(in crate::pattern) fn send(
        &mut self,
        pipes: &mut Pipes,
        packet: Packet,
    ) -> Result<PipeId, Packet> {
        let Some(pipe) = self.turns.turn() else {
            return Err(packet);
        };
        match pipes.try_send(pipe, packet) {
            Ok(()) => {
                self.turns.taken();
                Ok(pipe)
            }
            Err(back) => self.send_elsewhere(pipes, back),
        }
    }

    /// The pipe whose turn it was has no room: asks the others.
    #[cold]
    fn send_elsewhere(&mut self, pipes: &mut Pipes, mut packet: Packet) -> Result<PipeId, Packet> {
        self.turns.refused();
        while let Some(pipe) = self.turns.turn() {
            match pipes.try_send(pipe, packet) {
                Ok(()) => {
                    self.turns.taken();
                    return Ok(pipe);
                }
                Err(back) => {
                    packet = back;
                    self.turns.refused();
                }
            }
        }
        Err(packet)
    }

    /// Whether some pipe is believed to have room.
    pub(in crate::pattern) fn ready(&self) -> bool {
        self.turns.has_active()
    }
}

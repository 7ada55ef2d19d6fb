//! The empty message that tells a `ROUTER` of a new peer before that peer has anything to say (`probe_router`).
//!
//! Invariant: one probe for every link. The first is queued when the pipe is made, so that it goes before everything
//! else; the first link then carries it.

use crate::config::Options;
use crate::message::Message;
use crate::pattern::PipeEvent;
use crate::pipe::{DropReason, PipeId, Pipes};

/// Sends probes where they were asked for.
pub(in crate::pattern) struct Probe {
    enabled: bool,
    /// Pipes whose first probe waits for their first link.
    queued: Vec<PipeId>,
}

impl Probe {
    pub(in crate::pattern) fn new(options: &Options) -> Self {
        Probe {
            enabled: options.probe_router,
            queued: Vec::new(),
        }
    }

    pub(in crate::pattern) fn set_options(&mut self, options: &Options) {
        self.enabled = options.probe_router;
    }

    pub(in crate::pattern) fn on_event(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        event: PipeEvent,
    ) {
        if !self.enabled && self.queued.is_empty() {
            return;
        }
        match event {
            PipeEvent::Attached if self.enabled => {
                self.send(pipes, pipe);
                self.queued.push(pipe);
            }
            PipeEvent::LinkUp => {
                if let Some(at) = self.queued.iter().position(|queued| *queued == pipe) {
                    self.queued.swap_remove(at);
                } else if self.enabled {
                    self.send(pipes, pipe);
                }
            }
            PipeEvent::Detached => self.queued.retain(|queued| *queued != pipe),
            _ => {}
        }
    }

    fn send(&self, pipes: &mut Pipes, pipe: PipeId) {
        if !pipes.try_send(pipe, &mut Message::new()) {
            pipes.count_drop(Some(pipe), DropReason::Watermark);
        }
    }
}

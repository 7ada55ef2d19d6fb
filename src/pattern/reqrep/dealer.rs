//! `DEALER`: sends in turns, receives fairly, and adds nothing to a message.
//!
//! Not here: any state between a request and its reply; that is `REQ`, or the application.

use crate::config::Options;
use crate::message::Message;
use crate::pattern::ends::{Inlet, Outlet, Probe};
use crate::pattern::{Control, ControlRefusal, Pattern, PipeEvent, RecvRefusal, Refusal};
use crate::pipe::{PipeId, Pipes};

/// Round robin out, fair queue in.
pub(crate) struct Dealer {
    outlet: Outlet,
    inlet: Inlet,
    probe: Probe,
}

impl Dealer {
    pub(crate) fn new(options: &Options) -> Self {
        Dealer {
            outlet: Outlet::default(),
            inlet: Inlet::default(),
            probe: Probe::new(options),
        }
    }
}

impl Pattern for Dealer {
    fn on_event(&mut self, pipes: &mut Pipes, pipe: PipeId, event: PipeEvent) {
        self.probe.on_event(pipes, pipe, event);
        self.outlet.on_event(pipe, event);
        self.inlet.on_event(pipes, pipe, event);
    }

    #[inline]
    fn try_send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        self.outlet.send(pipes, message).map(|_| ())
    }

    #[inline]
    fn try_recv(&mut self, pipes: &mut Pipes, into: &mut Message) -> Result<(), RecvRefusal> {
        self.inlet.next(pipes, into, |_| true)
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        self.outlet.ready()
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.inlet.ready(pipes, |_| true)
    }

    fn control(&mut self, _: &mut Pipes, control: Control<'_>) -> Result<(), ControlRefusal> {
        control.only_options(|options| self.probe.set_options(options))
    }
}

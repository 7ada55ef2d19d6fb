//! Gates of links: chosen when a link comes up, rung when one opens.
//!
//! A gate that opens has nobody's thread to go on in, so the context's own does it, whether or not callers are there:
//! it flushes the lane, or has it read on, and wakes whoever waits.

use std::sync::Arc;
use std::task::{Wake, Waker};

use super::base::Core;
use super::signal::{Ring, Signal};
use super::state::State;
use crate::pipe::{Lane, PipeId};
use crate::transport::{ChooseGates, GatedLane, LinkGates, NewLink};

/// Rung by a gate that opens.
struct GateBell {
    signal: Arc<Signal>,
    pipe: PipeId,
    ring: Ring,
}

impl Wake for GateBell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.signal.gate_opens(self.pipe, self.ring);
    }
}

impl Core {
    /// Links that come up from now on have the gates that `choose` says.
    pub(crate) fn gate_links(&self, choose: Arc<ChooseGates>) {
        let old = self.lock().gates.replace(choose);
        drop(old);
    }

    /// The gates of a link that is about to be attached. Not under the lock: the choice is the user's code.
    pub(super) fn gates_for(&self, link: impl FnOnce() -> NewLink) -> LinkGates {
        let choose = self.lock().gates.clone();
        choose.map_or_else(LinkGates::default, |choose| choose(&link()))
    }

    /// The lane of a new link, behind its gates if it has any.
    pub(super) fn gated(
        &self,
        state: &mut State,
        pipe: PipeId,
        lane: Box<dyn Lane>,
        gates: LinkGates,
    ) -> Box<dyn Lane> {
        if gates.is_empty() {
            return lane;
        }
        // Without a thread of the context's, gates open when callers come.
        let _ = self.ensure_watch(state);
        if let Some(pipe) = state.pipes.get_mut(pipe) {
            pipe.gated = true;
        }
        let bell = |ring| {
            let signal = self.signal.clone();
            Waker::from(Arc::new(GateBell { signal, pipe, ring }))
        };
        let wakers = (bell(Ring::Writable), bell(Ring::Readable));
        let (send, conflate) = (state.limits().0, state.options.conflate);
        Box::new(GatedLane::new(lane, gates, wakers, send, conflate))
    }
}

//! Gates in front of a socket's links.

use std::sync::Arc;

use super::handle::Socket;
use super::kinds::Kind;
use crate::transport::{LinkGates, NewLink};

impl<K: Kind> Socket<K> {
    /// Puts gates in front of links that come up from now on: what `choose` says when they do. A gate lets messages
    /// pass one by one, whatever carries them; what it does not let pass waits in the link's queue within the
    /// watermark. Links without a gate are as they were. Replaces what was chosen before.
    ///
    /// Budgets of bytes and messages a second are made of this (feature `throttle`).
    pub fn gate_links(&self, choose: impl Fn(&NewLink) -> LinkGates + Send + Sync + 'static) {
        self.core().gate_links(Arc::new(choose));
    }
}

//! The core itself: what every handle of a socket shares.

use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::task::AbortHandle;

use super::signal::Signal;
use super::state::State;
use crate::config::{Options, SocketKind};
use crate::pattern::new_pattern;
use crate::session::{MonitorEvent, MonitorHub, MonitorKind};
use crate::socket::background::Background;
use crate::socket::context::Inner;
use crate::transport::{Loan, LoanExhausted, Memory};

/// See the file's text.
pub(crate) struct Core {
    pub(super) me: Weak<Core>,
    pub(crate) kind: SocketKind,
    pub(crate) context: Arc<Inner>,
    pub(super) state: Mutex<State>,
    pub(super) signal: Arc<Signal>,
    pub(crate) monitor: MonitorHub,
    /// What the socket shares with local peers.
    pub(super) memory: Memory,
    /// Async calls, for the cooperative budget.
    pub(super) calls: AtomicU32,
    /// The clock will see to a flush that was left to a runtime.
    pub(super) guarded: AtomicBool,
    /// A heartbeat task runs.
    pub(super) ticking: AtomicBool,
    /// The task that serves the socket on the context's thread.
    pub(super) server: Mutex<Option<AbortHandle>>,
}

impl Core {
    pub(crate) fn new(context: Arc<Inner>, kind: SocketKind, options: Options) -> Arc<Core> {
        let pattern = new_pattern(kind, &options);
        Arc::new_cyclic(|me| Core {
            me: me.clone(),
            kind,
            context,
            state: Mutex::new(State::new(kind, options, pattern)),
            signal: Arc::new(Signal::default()),
            monitor: MonitorHub::default(),
            memory: Memory::default(),
            calls: AtomicU32::new(0),
            guarded: AtomicBool::new(false),
            ticking: AtomicBool::new(false),
            server: Mutex::new(None),
        })
    }

    /// The lock. Ended pipes are seen to by [`Core::settle`], which every call ends with.
    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn strong(&self) -> Option<Arc<Core>> {
        self.me.upgrade()
    }

    pub(super) fn background(&self) -> std::io::Result<Arc<Background>> {
        self.context.background()
    }

    pub(super) fn tell(&self, endpoint: &str, peer: Option<&str>, kind: MonitorKind) {
        let peer = peer.filter(|peer| !peer.is_empty()).map(str::to_owned);
        self.monitor.publish(MonitorEvent {
            endpoint: endpoint.to_owned(),
            peer,
            kind,
        });
    }

    pub(crate) fn options(&self) -> Options {
        self.lock().options.clone()
    }

    /// How long blocking calls wait, to send and to receive; read before every wait, so not by copying all options.
    pub(crate) fn timeouts(&self) -> (Option<Duration>, Option<Duration>) {
        let state = self.lock();
        (state.options.send_timeout, state.options.recv_timeout)
    }

    /// A buffer in the memory shared with local peers.
    pub(crate) fn loan(&self, len: usize) -> Result<Loan, LoanExhausted> {
        let options = self.lock().options.shared_memory.clone();
        self.memory.loan(len, &options)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Some(task) = self.server.lock().take() {
            task.abort();
        }
        self.ticking.store(false, Ordering::Relaxed);
        self.monitor.stop();
    }
}

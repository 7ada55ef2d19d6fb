//! How a running proxy is steered and observed: orders and counters, shared by its handles.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

/// What a proxy shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Run,
    Pause,
    Terminate,
}

/// What a proxy shares with its handles.
pub(super) struct Control {
    /// Held by the proxy for each of its turns, and by whoever gives an order.
    turn: Mutex<()>,
    orders: watch::Sender<Order>,
    pub(super) frontend: Counters,
    pub(super) backend: Counters,
    pub(super) dropped: Counter,
}

/// The traffic of one side.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) messages_received: Counter,
    pub(super) bytes_received: Counter,
    pub(super) messages_sent: Counter,
    pub(super) bytes_sent: Counter,
}

/// A number that the proxy alone writes, in its turn, and anybody reads.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// There is one writer, so a load and a store will do.
    #[inline]
    pub(super) fn add(&self, more: u64) {
        self.0
            .store(self.0.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    #[inline]
    pub(super) fn received(&self, bytes: usize) {
        self.messages_received.add(1);
        self.bytes_received.add(bytes as u64);
    }

    #[inline]
    pub(super) fn sent(&self, bytes: usize) {
        self.messages_sent.add(1);
        self.bytes_sent.add(bytes as u64);
    }

    fn read(&self) -> ProxyCounters {
        ProxyCounters {
            messages_received: self.messages_received.get(),
            bytes_received: self.bytes_received.get(),
            messages_sent: self.messages_sent.get(),
            bytes_sent: self.bytes_sent.get(),
        }
    }
}

impl Default for Control {
    fn default() -> Self {
        Control {
            turn: Mutex::new(()),
            orders: watch::Sender::new(Order::Run),
            frontend: Counters::default(),
            backend: Counters::default(),
            dropped: Counter::default(),
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("order", &*self.orders.borrow())
            .finish_non_exhaustive()
    }
}

impl Control {
    /// The proxy is at work while it holds this.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock()
    }

    pub(super) fn orders(&self) -> watch::Receiver<Order> {
        self.orders.subscribe()
    }

    /// Reads all numbers between two turns, so that they fit together.
    pub(super) fn statistics(&self) -> ProxyStatistics {
        let _turn = self.turn();
        ProxyStatistics {
            frontend: self.frontend.read(),
            backend: self.backend.read(),
            dropped: self.dropped.get(),
        }
    }

    /// What has ended does not begin again.
    fn order(&self, order: Order) {
        let _turn = self.turn();
        self.orders.send_if_modified(|now| {
            let changes = *now != Order::Terminate && *now != order;
            if changes {
                *now = order;
            }
            changes
        });
    }
}

/// What a proxy did on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProxyCounters {
    /// Messages received from this socket.
    pub messages_received: u64,
    /// Their payload bytes.
    pub bytes_received: u64,
    /// Messages sent to this socket.
    pub messages_sent: u64,
    /// Their payload bytes.
    pub bytes_sent: u64,
}

/// What a proxy did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProxyStatistics {
    /// At the frontend.
    pub frontend: ProxyCounters,
    /// At the backend.
    pub backend: ProxyCounters,
    /// Messages that the target refused for good: replies to peers that have left, on a ROUTER with
    /// `router_mandatory`.
    pub dropped: u64,
}

/// Steers and observes a [`Proxy`](crate::Proxy). Clones steer the same proxy; dropping one does nothing.
///
/// A call waits for the turn that the proxy is in: at most 1000 messages each way, well below a millisecond.
#[derive(Debug, Clone)]
pub struct ProxyHandle {
    control: Arc<Control>,
}

impl ProxyHandle {
    pub(super) fn new(control: Arc<Control>) -> ProxyHandle {
        ProxyHandle { control }
    }

    /// Stops the flow. From when this returns nothing is taken and nothing forwarded; what arrives waits in
    /// the sockets within their watermarks, and then with the senders.
    pub fn pause(&self) {
        self.control.order(Order::Pause);
    }

    /// Lets messages flow again, from where they stopped.
    pub fn resume(&self) {
        self.control.order(Order::Run);
    }

    /// Ends the proxy for good, paused or not. Its sockets stay open.
    pub fn terminate(&self) {
        self.control.order(Order::Terminate);
    }

    /// All that the proxy did up to now, also after its end.
    pub fn statistics(&self) -> ProxyStatistics {
        self.control.statistics()
    }
}

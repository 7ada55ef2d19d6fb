//! What happens to a socket's connections, as a typed stream.
//!
//! Each monitor has its own bounded queue ([`Monitor::CAPACITY`]). One that does not keep up loses the
//! oldest events and is told how many ([`MonitorError::Lagged`]); the socket is never held up.

use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::config::PeerCredentials;
use crate::transport::UpgradeRefusal;
use crate::zmtp::ProtocolError;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorEvent {
    /// The endpoint that was bound or connected, as it was resolved.
    pub endpoint: String,
    /// The peer's address, where there is one.
    pub peer: Option<String>,
    /// What happened.
    pub kind: MonitorKind,
}

/// What happened (in brackets libzmq's name and number).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MonitorKind {
    /// The connection is established, the handshake begins (CONNECTED, 1).
    Connected,
    /// A connection attempt was started (CONNECT_DELAYED, 2).
    ConnectDelayed,
    /// The attempt failed or the link broke; the next attempt follows after the interval (CONNECT_RETRIED, 4).
    ConnectRetried {
        /// The pause before the next attempt.
        interval: Duration,
        /// Why the last one failed; empty if a link was lost.
        reason: String,
    },
    /// The socket listens (LISTENING, 8).
    Listening,
    /// It could not listen (BIND_FAILED, 0x10).
    BindFailed {
        /// What the system said.
        reason: String,
    },
    /// A peer's connection was accepted, the handshake begins (ACCEPTED, 0x20).
    Accepted,
    /// Accepting failed; it is tried again (ACCEPT_FAILED, 0x40).
    AcceptFailed {
        /// What the system said.
        reason: String,
    },
    /// The endpoint was closed: unbound, disconnected, or given up (CLOSED, 0x80).
    Closed,
    /// The endpoint could not be closed cleanly (CLOSE_FAILED, 0x100).
    CloseFailed {
        /// What the system said.
        reason: String,
    },
    /// A link ended (DISCONNECTED, 0x200).
    Disconnected {
        /// Why.
        reason: String,
    },
    /// The socket is closed; nothing follows (MONITOR_STOPPED, 0x400).
    MonitorStopped,
    /// The handshake failed (HANDSHAKE_FAILED_NO_DETAIL 0x800, _PROTOCOL 0x2000, _AUTH 0x4000).
    HandshakeFailed {
        /// Why, by blame.
        fault: HandshakeFault,
    },
    /// The peer is known and messages can flow (HANDSHAKE_SUCCEEDED, 0x1000).
    HandshakeSucceeded,
    /// Both ends of an ipc connection know of shared memory, and this came of it. Follows
    /// [`HandshakeSucceeded`](Self::HandshakeSucceeded) (ours, 0x10_0000; libzmq has no such event).
    SharedMemory {
        /// `Ok`: messages go through shared memory. Else why the link stays on the Unix socket.
        outcome: Result<(), UpgradeRefusal>,
    },
}

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeFault {
    /// The connection broke or timed out.
    NoDetail(String),
    /// The peer does not speak the protocol, or is of an incompatible kind or mechanism.
    Protocol(ProtocolError),
    /// One side refused the other's credentials.
    Auth(ProtocolError),
    /// `ipc_peers` does not let this process in; `None` if the system does not say which it is. Told under the
    /// number of [`HandshakeFault::Auth`]; libzmq does this without a word.
    PeerRefused(Option<PeerCredentials>),
}

impl fmt::Display for HandshakeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeFault::NoDetail(reason) => f.write_str(reason),
            HandshakeFault::Protocol(error) | HandshakeFault::Auth(error) => write!(f, "{error}"),
            HandshakeFault::PeerRefused(Some(peer)) => write!(f, "{peer} is not let in"),
            HandshakeFault::PeerRefused(None) => f.write_str("an unknown process is not let in"),
        }
    }
}

impl MonitorKind {
    /// libzmq's number of the event, or ours where it has none.
    pub fn number(&self) -> u32 {
        match self {
            MonitorKind::Connected => 0x1,
            MonitorKind::ConnectDelayed => 0x2,
            MonitorKind::ConnectRetried { .. } => 0x4,
            MonitorKind::Listening => 0x8,
            MonitorKind::BindFailed { .. } => 0x10,
            MonitorKind::Accepted => 0x20,
            MonitorKind::AcceptFailed { .. } => 0x40,
            MonitorKind::Closed => 0x80,
            MonitorKind::CloseFailed { .. } => 0x100,
            MonitorKind::Disconnected { .. } => 0x200,
            MonitorKind::MonitorStopped => 0x400,
            MonitorKind::HandshakeFailed {
                fault: HandshakeFault::NoDetail(_),
            } => 0x800,
            MonitorKind::HandshakeSucceeded => 0x1000,
            MonitorKind::HandshakeFailed {
                fault: HandshakeFault::Protocol(_),
            } => 0x2000,
            MonitorKind::HandshakeFailed {
                fault: HandshakeFault::Auth(_) | HandshakeFault::PeerRefused(_),
            } => 0x4000,
            MonitorKind::SharedMemory { .. } => 0x10_0000,
        }
    }
}

impl fmt::Display for MonitorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.endpoint)?;
        if let Some(peer) = &self.peer {
            write!(f, " ({peer})")?;
        }
        write!(f, ": {:?}", self.kind)
    }
}

/// Why a monitor has no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorError {
    /// Nothing has happened yet (`try_recv` only).
    Empty,
    /// So many events were lost because they were not read in time; the next call goes on after them.
    Lagged(u64),
    /// The socket is closed and every event was read.
    Closed,
}

impl fmt::Display for MonitorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MonitorError::Empty => f.write_str("no event"),
            MonitorError::Lagged(count) => write!(f, "{count} events were not read in time"),
            MonitorError::Closed => f.write_str("the socket is closed"),
        }
    }
}

impl std::error::Error for MonitorError {}

/// Reads a socket's events, from its creation on.
#[derive(Debug)]
pub struct Monitor {
    events: broadcast::Receiver<MonitorEvent>,
}

impl Monitor {
    /// Events that wait for one monitor at the most.
    pub const CAPACITY: usize = 4096;

    /// The next event. Cancel safe.
    pub async fn recv(&mut self) -> Result<MonitorEvent, MonitorError> {
        self.events.recv().await.map_err(|error| match error {
            broadcast::error::RecvError::Closed => MonitorError::Closed,
            broadcast::error::RecvError::Lagged(count) => MonitorError::Lagged(count),
        })
    }

    /// The next event, waiting in this thread. Must not be called inside an async runtime.
    ///
    /// # Panics
    /// Inside a tokio runtime, which it would block.
    pub fn blocking_recv(&mut self) -> Result<MonitorEvent, MonitorError> {
        self.events.blocking_recv().map_err(|error| match error {
            broadcast::error::RecvError::Closed => MonitorError::Closed,
            broadcast::error::RecvError::Lagged(count) => MonitorError::Lagged(count),
        })
    }

    /// The next event if there is one.
    pub fn try_recv(&mut self) -> Result<MonitorEvent, MonitorError> {
        self.events.try_recv().map_err(|error| match error {
            broadcast::error::TryRecvError::Empty => MonitorError::Empty,
            broadcast::error::TryRecvError::Closed => MonitorError::Closed,
            broadcast::error::TryRecvError::Lagged(count) => MonitorError::Lagged(count),
        })
    }
}

/// Where events are handed out. Costs one load while nobody watches.
#[derive(Debug, Default)]
pub(crate) struct MonitorHub {
    sender: Mutex<Option<broadcast::Sender<MonitorEvent>>>,
}

impl MonitorHub {
    pub(crate) fn watch(&self) -> Monitor {
        let mut sender = self.sender.lock();
        let sender = sender.get_or_insert_with(|| broadcast::channel(Monitor::CAPACITY).0);
        Monitor {
            events: sender.subscribe(),
        }
    }

    pub(crate) fn publish(&self, event: MonitorEvent) {
        #[cfg(feature = "tracing")]
        tracing::debug!(target: "taipan", endpoint = %event.endpoint, peer = ?event.peer, kind = ?event.kind);
        if let Some(sender) = &*self.sender.lock() {
            // An error only says that nobody watches any more.
            let _ = sender.send(event);
        }
    }

    /// Says the last word; monitors end once they have read it.
    pub(crate) fn stop(&self) {
        self.publish(MonitorEvent {
            endpoint: String::new(),
            peer: None,
            kind: MonitorKind::MonitorStopped,
        });
        *self.sender.lock() = None;
    }
}

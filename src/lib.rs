//! ZeroMQ-style sockets: one API from thread to thread, process to process and host to host.
//!
//! ```
//! use taipan::{Context, Pull, Push};
//!
//! let context = Context::new();
//! let pull = Pull::new(&context);
//! let endpoint = pull.bind("tcp://127.0.0.1:*")?;
//!
//! let push = Push::new(&context);
//! push.connect(endpoint)?;
//! push.blocking_send("hello")?;
//! assert_eq!(pull.blocking_recv()?, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Change the address to `inproc://name` or `ipc:///path` and nothing else. Every call exists three times
//! with the same meaning: `send(..).await`, `try_send(..)` and `blocking_send(..)`.

// Unsafe code lives in `shm` alone; `tests/tidy` holds that too.
#![deny(unsafe_code)]

pub mod config;
pub mod ext;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
pub mod message;
mod pattern;
mod pipe;
mod routing;
mod session;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod shm;
mod socket;
pub mod transport;
// Reachable for fuzz targets and measurements; not part of the stable interface.
#[doc(hidden)]
pub mod zmtp;

pub use config::{
    Endpoint, EndpointError, IpcPeers, OptionError, Options, PeerCredentials, PoolExhausted,
    ReconnectStop, RouterNotify, Security, SharedMemory, SocketKind, Spin, Views,
};
#[cfg(feature = "reliable")]
pub use ext::reliable;
#[cfg(feature = "rpc")]
pub use ext::rpc;
#[cfg(feature = "reliable")]
pub use ext::store;
#[cfg(feature = "throttle")]
pub use ext::throttle;
pub use ext::{
    Proxy, ProxyCounters, ProxyEnd, ProxyError, ProxyHandle, ProxyReport, ProxySide,
    ProxyStatistics,
};
pub use message::{Frame, Message};
pub use pipe::{DropReason, Drops};
pub use session::{HandshakeFault, Monitor, MonitorError, MonitorEvent, MonitorKind};
pub use socket::*;
pub use transport::{Loan, LoanExhausted, PoolStats, UpgradeRefusal};
pub use zmtp::{Blame, ProtocolError};

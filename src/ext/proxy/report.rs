//! How a proxy ended, or why it could not work.

use std::error::Error;
use std::fmt;
use std::io;

use super::control::ProxyStatistics;
use crate::config::SocketKind;
use crate::message::Message;
use crate::socket::{RecvError, SendErrorKind};

/// One of the sockets of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxySide {
    /// The socket given first.
    Frontend,
    /// The socket given second.
    Backend,
    /// The socket that gets the copies.
    Capture,
}

/// Why a proxy ended in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyEnd {
    /// A handle said so.
    Terminated,
    /// This socket (or its context) was closed.
    Closed(ProxySide),
}

/// What is left of a proxy.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProxyReport {
    /// Why it ended.
    pub end: ProxyEnd,
    /// All that it did.
    pub statistics: ProxyStatistics,
    /// Messages it had received and not yet sent, with the socket they were for; at most one for each side.
    pub unsent: Vec<(ProxySide, Message)>,
}

/// Why a proxy could not work.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyError {
    /// Between these kinds there is nothing to forward, or (REQ, REP) no free flow.
    Mismatch {
        /// The frontend's kind.
        frontend: SocketKind,
        /// The backend's kind.
        backend: SocketKind,
    },
    /// A socket of this kind cannot be sent the copies.
    Capture(SocketKind),
    /// Receiving failed for another reason than that the socket is closed.
    Receive(ProxySide, RecvError),
    /// Sending failed for another reason than that the socket is closed.
    Send(ProxySide, SendErrorKind),
    /// The system did not give what [`Proxy::run_blocking`](crate::Proxy::run_blocking) needs to wait.
    Io(io::Error),
}

impl fmt::Display for ProxySide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProxySide::Frontend => "frontend",
            ProxySide::Backend => "backend",
            ProxySide::Capture => "capture",
        })
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyError::Mismatch { frontend, backend } => {
                write!(f, "a proxy cannot forward between {frontend} and {backend}")
            }
            ProxyError::Capture(kind) => {
                write!(f, "a {kind} socket cannot capture what a proxy forwards")
            }
            ProxyError::Receive(side, error) => write!(f, "receiving from the {side}: {error}"),
            ProxyError::Send(side, error) => write!(f, "sending to the {side}: {error}"),
            ProxyError::Io(error) => write!(f, "{error}"),
        }
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ProxyError::Receive(_, error) => Some(error),
            ProxyError::Io(error) => Some(error),
            _ => None,
        }
    }
}

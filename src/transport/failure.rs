//! Why no link came about.

use std::fmt;
use std::io;

use crate::config::PeerCredentials;
use crate::zmtp::ProtocolError;

/// Why no link came about.
#[derive(Debug)]
pub(crate) enum HandshakeFailure {
    /// The peer closed, or the system reported an error.
    Io(io::Error),
    /// The peer does not speak our protocol, is of the wrong kind, or was refused.
    Protocol(ProtocolError),
    /// `ipc_peers` does not let this process in; `None` if the system does not say which it is.
    PeerRefused(Option<PeerCredentials>),
    /// It took longer than `handshake_timeout`.
    TimedOut,
}

impl HandshakeFailure {
    /// The end of the stream where more was due.
    pub(super) fn closed() -> Self {
        let text = "the peer closed during the handshake";
        io::Error::new(io::ErrorKind::UnexpectedEof, text).into()
    }
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeFailure::Io(error) => write!(f, "{error}"),
            HandshakeFailure::Protocol(error) => write!(f, "{error}"),
            HandshakeFailure::PeerRefused(Some(peer)) => write!(f, "{peer} is not let in"),
            HandshakeFailure::PeerRefused(None) => f.write_str("an unknown process is not let in"),
            HandshakeFailure::TimedOut => f.write_str("the handshake took too long"),
        }
    }
}

impl From<io::Error> for HandshakeFailure {
    fn from(error: io::Error) -> Self {
        HandshakeFailure::Io(error)
    }
}

impl From<ProtocolError> for HandshakeFailure {
    fn from(error: ProtocolError) -> Self {
        HandshakeFailure::Protocol(error)
    }
}

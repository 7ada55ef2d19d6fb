//! Why a lane ended.

use std::fmt;

/// The kind of end, for counters, monitor events and the decision whether to reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
// A word wide, for the sake of the packet that could be in its place; see `message/frame.rs`.
#[repr(u64)]
pub(crate) enum CloseKind {
    /// The peer closed the connection in an orderly way, or vanished.
    Gone,
    /// The operating system reported an error.
    Io,
    /// The peer broke the protocol.
    Protocol,
    /// The peer was silent for longer than the heartbeat allows.
    Timeout,
    /// This side ended it: the pattern refused the peer, or the endpoint was closed.
    Local,
}

/// Why a lane ended, with a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CloseCause {
    pub(crate) kind: CloseKind,
    pub(crate) detail: String,
}

impl CloseCause {
    pub(crate) fn new(kind: CloseKind, detail: impl Into<String>) -> Self {
        CloseCause {
            kind,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for CloseCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

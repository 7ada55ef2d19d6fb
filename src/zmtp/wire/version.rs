//! The dialects of ZMTP we speak and what each of them can say.

use std::fmt;

/// The dialect spoken on one connection: the older of the two sides'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// ZMTP 2.0 (libzmq 3.x): identity frames, no commands.
    V2_0,
    /// ZMTP 3.0 (libzmq 4.0 and 4.1): commands, subscriptions as messages.
    V3_0,
    /// ZMTP 3.1 and whatever follows it: subscriptions and heartbeats as commands.
    V3_1,
}

impl Version {
    /// Whether SUBSCRIBE and CANCEL travel as commands. Before 3.1 they are messages with a leading 1 or 0.
    pub const fn subscribes_by_command(self) -> bool {
        matches!(self, Version::V3_1)
    }

    /// Whether PING and PONG exist. Heartbeats must stay off towards older peers.
    pub const fn has_heartbeat(self) -> bool {
        matches!(self, Version::V3_1)
    }

    /// Whether frames may carry the COMMAND flag.
    pub const fn has_commands(self) -> bool {
        !matches!(self, Version::V2_0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::V2_0 => "2.0",
            Version::V3_0 => "3.0",
            Version::V3_1 => "3.1",
        })
    }
}

//! The question a server puts to its user when a peer knocks, and the answers.
//!
//! What it is not: a protocol. The questions and answers are those of ZAP (ZeroMQ RFC 27), as values instead of
//! frames: 200 is [`Verdict::Accept`], 300 [`Verdict::Deny`], 400 and 500 are [`Verdict::Reject`].
//!
//! ```text
//!   handshake --AuthRequest--> Authenticator --Verdict--> accept / close / say why and close
//! ```

/// Decides which peers may talk to a server.
///
/// Contract: called once a handshake, from a thread that serves connections, so it must not wait for anything; the
/// same request may come again (a peer that reconnects) and several at the same time.
pub trait Authenticator: Send + Sync {
    /// Whether this peer may talk to us.
    fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict;
}

/// Who knocks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthRequest<'a> {
    /// The security mechanism: `"NULL"` or `"PLAIN"`.
    pub mechanism: &'a str,
    /// The domain of the server socket, [`Options::zap_domain`](super::Options::zap_domain).
    pub domain: &'a str,
    /// The address the peer connects from, as the transport knows it; empty when it does not.
    pub peer_address: &'a str,
    /// The routing id the peer gave itself; empty when it gave none.
    pub routing_id: &'a [u8],
    /// What the peer shows to prove who it is.
    pub credentials: Credentials<'a>,
}

impl<'a> AuthRequest<'a> {
    /// A request with these credentials, everything else empty.
    pub fn new(credentials: Credentials<'a>) -> Self {
        let mechanism = credentials.mechanism();
        Self {
            mechanism,
            domain: "",
            peer_address: "",
            routing_id: &[],
            credentials,
        }
    }
}

/// What a peer shows to prove who it is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials<'a> {
    /// Nothing.
    Null,
    /// A user name and a password, both as they came: up to 255 bytes, not necessarily text.
    Plain {
        /// The user name.
        username: &'a [u8],
        /// The password.
        password: &'a [u8],
    },
}

impl Credentials<'_> {
    /// The mechanism these belong to: `"NULL"` or `"PLAIN"`.
    pub const fn mechanism(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Plain { .. } => "PLAIN",
        }
    }
}

impl std::fmt::Debug for Credentials<'_> {
    /// Shows the user name, never the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Plain { username, .. } => write!(
                f,
                "Plain {{ username: \"{}\", .. }}",
                username.escape_ascii()
            ),
        }
    }
}

/// The answer of an [`Authenticator`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The peer may talk to us.
    Accept {
        /// Whom it was found to be; goes with the connection, and may be empty.
        user_id: String,
    },
    /// Not now: the connection is closed without a word, and the peer will try again.
    Deny,
    /// No: the peer is told why, then the connection is closed.
    Reject {
        /// Whose fault it is.
        status: RejectStatus,
        /// Why, for the log of this side; the peer sees the status alone.
        text: String,
    },
}

/// Whose fault a rejection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectStatus {
    /// 400: the credentials are wrong.
    Refused,
    /// 500: the server could not decide.
    Internal,
}

impl RejectStatus {
    /// The number that goes over the wire: 400 or 500.
    pub const fn code(self) -> u16 {
        match self {
            Self::Refused => 400,
            Self::Internal => 500,
        }
    }

    /// The three digits that go over the wire: `"400"` or `"500"`.
    pub const fn digits(self) -> &'static str {
        match self {
            Self::Refused => "400",
            Self::Internal => "500",
        }
    }
}

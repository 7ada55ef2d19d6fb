//! The socket kinds and which of them may talk to each other.
//!
//! What it is not: the behaviour of a kind (that is `pattern`). Invariant: the compatibility table is symmetric.
//! Numbers and names are those of ZeroMQ: the names go over the wire in a handshake, the numbers through the C API.

use std::fmt;
use std::str::FromStr;

/// The kind of a socket: what it may send, receive and connect to.
///
/// ```
/// use taipan::config::SocketKind;
///
/// assert_eq!("push".parse(), Ok(SocketKind::Push));
/// assert!(SocketKind::Push.accepts(SocketKind::Pull));
/// assert!(!SocketKind::Push.accepts(SocketKind::Sub));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum SocketKind {
    /// One peer, both directions.
    Pair = 0,
    /// Publishes to all subscribers whose subscription matches.
    Pub = 1,
    /// Subscribes to publishers.
    Sub = 2,
    /// Sends a request, then receives its reply.
    Req = 3,
    /// Receives a request, then sends its reply.
    Rep = 4,
    /// Sends round-robin and receives fairly from all peers.
    Dealer = 5,
    /// Addresses each peer by its routing id.
    Router = 6,
    /// Receives work.
    Pull = 7,
    /// Hands work out.
    Push = 8,
    /// A publisher that sees its subscriptions as messages.
    XPub = 9,
    /// A subscriber that sends its subscriptions as messages.
    XSub = 10,
}

use SocketKind::{Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub, XPub, XSub};

impl SocketKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [SocketKind; 11] = [
        Pair, Pub, Sub, Req, Rep, Dealer, Router, Pull, Push, XPub, XSub,
    ];

    /// The name in a handshake: `"PUSH"`.
    pub const fn name(self) -> &'static str {
        match self {
            Pair => "PAIR",
            Pub => "PUB",
            Sub => "SUB",
            Req => "REQ",
            Rep => "REP",
            Dealer => "DEALER",
            Router => "ROUTER",
            Pull => "PULL",
            Push => "PUSH",
            XPub => "XPUB",
            XSub => "XSUB",
        }
    }

    /// The kind with this name in a handshake, which is in upper case; `None` for any other bytes.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().as_bytes() == name)
    }

    /// The number that ZeroMQ gives this kind, 0 to 10.
    #[inline]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether a socket of this kind may talk to a peer of that kind. Symmetric.
    pub const fn accepts(self, peer: SocketKind) -> bool {
        match self {
            Pair => matches!(peer, Pair),
            Pub | XPub => matches!(peer, Sub | XSub),
            Sub | XSub => matches!(peer, Pub | XPub),
            Req => matches!(peer, Rep | Router),
            Rep => matches!(peer, Req | Dealer),
            Dealer => matches!(peer, Rep | Dealer | Router),
            Router => matches!(peer, Req | Dealer | Router),
            Pull => matches!(peer, Push),
            Push => matches!(peer, Pull),
        }
    }

    /// Whether a user may send on this kind: all but SUB and PULL.
    #[inline]
    pub const fn can_send(self) -> bool {
        !matches!(self, Sub | Pull)
    }

    /// Whether a user may receive on this kind: all but PUB and PUSH.
    #[inline]
    pub const fn can_recv(self) -> bool {
        !matches!(self, Pub | Push)
    }
}

impl fmt::Display for SocketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SocketKind {
    type Err = UnknownKind;

    /// The kind with this name, in upper or lower case.
    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let found = Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

/// The text is not the name of a socket kind; holds the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKind(pub String);

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown socket kind {:?}; known are", self.0)?;
        for (at, kind) in SocketKind::ALL.into_iter().enumerate() {
            write!(f, "{} {kind}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownKind {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of ZeroMQ, as written in its documentation: a kind, its number, whether it sends and receives, and
    /// its peers.
    const TABLE: [(&str, u8, bool, bool, &str); 11] = [
        ("PAIR", 0, true, true, "PAIR"),
        ("PUB", 1, true, false, "SUB XSUB"),
        ("SUB", 2, false, true, "PUB XPUB"),
        ("REQ", 3, true, true, "REP ROUTER"),
        ("REP", 4, true, true, "REQ DEALER"),
        ("DEALER", 5, true, true, "REP DEALER ROUTER"),
        ("ROUTER", 6, true, true, "REQ DEALER ROUTER"),
        ("PULL", 7, false, true, "PUSH"),
        ("PUSH", 8, true, false, "PULL"),
        ("XPUB", 9, true, true, "SUB XSUB"),
        ("XSUB", 10, true, true, "PUB XPUB"),
    ];

    #[test]
    fn every_kind_is_as_in_the_table() {
        assert_eq!(SocketKind::ALL.len(), TABLE.len());
        for (kind, (name, number, sends, receives, peers)) in SocketKind::ALL.into_iter().zip(TABLE)
        {
            assert_eq!(kind.name(), name);
            assert_eq!(kind.number(), number, "{name}");
            assert_eq!(kind.can_send(), sends, "{name}");
            assert_eq!(kind.can_recv(), receives, "{name}");
            let accepted = SocketKind::ALL
                .into_iter()
                .filter(|peer| kind.accepts(*peer));
            let accepted: Vec<_> = accepted.map(SocketKind::name).collect();
            let mut expected: Vec<_> = peers.split(' ').collect();
            expected.sort_by_key(|name| name.parse::<SocketKind>().ok());
            assert_eq!(accepted, expected, "{name}");
        }
    }

    #[test]
    fn compatibility_is_symmetric() {
        for one in SocketKind::ALL {
            for other in SocketKind::ALL {
                assert_eq!(one.accepts(other), other.accepts(one), "{one} and {other}");
            }
        }
    }

    #[test]
    fn names_and_numbers_lead_back() {
        for kind in SocketKind::ALL {
            assert_eq!(SocketKind::from_name(kind.name().as_bytes()), Some(kind));
            assert_eq!(SocketKind::from_number(kind.number()), Some(kind));
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(kind.name().to_lowercase().parse(), Ok(kind));
        }
        assert_eq!(SocketKind::from_number(11), None);
    }

    #[test]
    fn the_wire_takes_upper_case_alone() {
        for name in ["push", "Push", "", "PUSHX", "PUS"] {
            assert_eq!(SocketKind::from_name(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_told_back() {
        let error = "stream".parse::<SocketKind>().expect_err("not a kind here");
        assert_eq!(error, UnknownKind("stream".to_owned()));
        let text = error.to_string();
        assert!(
            text.starts_with("unknown socket kind \"stream\"; known are PAIR, PUB,"),
            "{text}"
        );
    }
}

//! What came of the attempt to use shared memory on a link, and the reasons why not, with their codes on the wire.
//!
//! A refusal is no error: the link goes on over the Unix socket. What breaks the protocol is a
//! [`ProtocolError`](crate::zmtp::ProtocolError) instead.

use std::fmt;

/// What a link became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SharedState {
    /// It is not local, or one end does not speak of shared memory.
    NotOffered,
    /// Messages go through shared memory.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    Used,
    /// Both ends spoke of it, and one refused.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    Refused(UpgradeRefusal),
}

/// Why a link stays on the Unix socket although both ends know of shared memory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpgradeRefusal {
    /// It is switched off.
    Disabled,
    /// The peer speaks another version of the conversation.
    Version {
        /// Which.
        theirs: u16,
    },
    /// The peer asks for features that are not known here.
    Features {
        /// As bits.
        unknown: u16,
    },
    /// The peer has memory pages of another size.
    PageSize {
        /// Theirs, in bytes.
        theirs: u32,
    },
    /// What the peer says makes no sense.
    BadParameter(String),
    /// The peer offers more memory than is taken from one peer.
    TooLarge {
        /// What it offers, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The descriptors that came are not what was announced, or not fit to be mapped.
    BadDescriptor(String),
    /// Our memory could not be made, mapped or handed over.
    NoMemory(String),
    /// The options do not allow it with this peer.
    Policy,
    /// The connection is encrypted, and messages are not to leave it.
    Encrypted,
    /// The peer refused, for the reason of this code.
    PeerRefused(u32),
}

/// The codes on the wire. 0 is "accepted"; a code never changes its meaning.
const REASONS: [(u32, &str); 11] = [
    (1, "shared memory is switched off"),
    (2, "another version"),
    (3, "features that are not known"),
    (4, "memory pages of another size"),
    (5, "parameters that make no sense"),
    (6, "more memory than is taken from one peer"),
    (7, "descriptors that cannot be used"),
    (8, "no memory to be had"),
    (9, "not allowed with this peer"),
    (10, "the connection is encrypted"),
    (11, "the other end refused"),
];

impl UpgradeRefusal {
    /// The code on the wire; never 0.
    pub fn code(&self) -> u32 {
        match self {
            Self::Disabled => 1,
            Self::Version { .. } => 2,
            Self::Features { .. } => 3,
            Self::PageSize { .. } => 4,
            Self::BadParameter(_) => 5,
            Self::TooLarge { .. } => 6,
            Self::BadDescriptor(_) => 7,
            Self::NoMemory(_) => 8,
            Self::Policy => 9,
            Self::Encrypted => 10,
            Self::PeerRefused(_) => 11,
        }
    }

    /// What a code means; `None` for one that is not known here.
    pub fn reason_of(code: u32) -> Option<&'static str> {
        let found = REASONS.iter().find(|(known, _)| *known == code);
        found.map(|(_, reason)| *reason)
    }
}

impl fmt::Display for UpgradeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { theirs } => write!(f, "the peer speaks version {theirs}"),
            Self::Features { unknown } => {
                write!(f, "the peer asks for unknown features ({unknown:#06x})")
            }
            Self::PageSize { theirs } => write!(f, "the peer's pages have {theirs} bytes"),
            Self::BadParameter(what) => write!(f, "the peer's parameters make no sense: {what}"),
            Self::TooLarge { size, limit } => {
                write!(f, "the peer offers {size} bytes, the limit is {limit}")
            }
            Self::BadDescriptor(what) => write!(f, "the peer's descriptors: {what}"),
            Self::NoMemory(what) => write!(f, "no shared memory here: {what}"),
            Self::PeerRefused(code) => match Self::reason_of(*code) {
                Some(reason) => write!(f, "the peer refused: {reason}"),
                None => write!(f, "the peer refused with code {code}"),
            },
            Self::Disabled | Self::Policy | Self::Encrypted => {
                f.write_str(Self::reason_of(self.code()).unwrap_or_default())
            }
        }
    }
}

impl std::error::Error for UpgradeRefusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_own_code_with_a_meaning() {
        let all = [
            UpgradeRefusal::Disabled,
            UpgradeRefusal::Version { theirs: 2 },
            UpgradeRefusal::Features { unknown: 0x100 },
            UpgradeRefusal::PageSize { theirs: 65536 },
            UpgradeRefusal::BadParameter("x".into()),
            UpgradeRefusal::TooLarge { size: 2, limit: 1 },
            UpgradeRefusal::BadDescriptor("x".into()),
            UpgradeRefusal::NoMemory("x".into()),
            UpgradeRefusal::Policy,
            UpgradeRefusal::Encrypted,
            UpgradeRefusal::PeerRefused(7),
        ];
        let codes: Vec<u32> = all.iter().map(UpgradeRefusal::code).collect();
        let known: Vec<u32> = REASONS.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, known);
        assert!(all.iter().all(|refusal| !refusal.to_string().is_empty()));
        assert_eq!(UpgradeRefusal::reason_of(0), None);
    }

    #[test]
    fn what_the_peer_refused_for_is_told_in_words() {
        assert_eq!(
            UpgradeRefusal::PeerRefused(7).to_string(),
            "the peer refused: descriptors that cannot be used"
        );
        assert_eq!(
            UpgradeRefusal::PeerRefused(99).to_string(),
            "the peer refused with code 99"
        );
    }
}

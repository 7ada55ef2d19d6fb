//! What can go wrong with a peer, one variant a cause, and who is to blame for it.
//!
//! Not here: I/O errors (the transport's) and errors of the user's options (config's).

use std::fmt;

/// Whose fault a failure is; it decides whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The bytes are not ZMTP: garbage, or a damaged stream.
    Malformed,
    /// Well-formed bytes, at the wrong moment.
    Misbehaved,
    /// Both sides are sound and do not fit together.
    Incompatible,
    /// A bound of ours was passed.
    Limit,
    /// Credentials were refused, by us or by the peer.
    Auth,
    /// The peer fell silent.
    Timeout,
}

/// Why a connection cannot go on. After any of these the byte stream is of no further use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A signature byte of the greeting is wrong.
    BadSignature {
        /// Which byte of the greeting, from 0.
        offset: u8,
        /// What stood there.
        found: u8,
    },
    /// Reserved bits are set in the flags of a frame.
    ReservedFlags(u8),
    /// A command carries the MORE flag.
    CommandWithMore,
    /// A frame announces 2^63 bytes or more.
    FrameSizeOverflow(u64),
    /// A command has no name, or the name runs past its end.
    BadCommandName,
    /// A command ends before its last field does.
    TruncatedCommand {
        /// Name of the command.
        command: &'static str,
    },
    /// A command goes on after its last field.
    TrailingBytes {
        /// Name of the command.
        command: &'static str,
        /// How many bytes are left over.
        count: usize,
    },
    /// A property has an empty name or runs past the end of the metadata.
    BadMetadata {
        /// Name of the command that carried the metadata.
        command: &'static str,
    },
    /// A routing id of more than 255 bytes.
    RoutingIdTooLong(usize),
    /// The identity frame of a ZMTP 2.0 peer carries flags it must not have.
    BadIdentityFrame(u8),
    /// Another command was due.
    UnexpectedCommand {
        /// What was due.
        expected: &'static str,
        /// What came, cut at 32 characters.
        found: String,
    },
    /// A message before the handshake was over.
    UnexpectedMessage,
    /// A command in the clear on a connection that is sealed.
    UnsealedFrame,
    /// The peer speaks ZMTP 1.0, which we do not.
    Version1Peer,
    /// The peer speaks ZMTP 2.0, which has no security, and ours is asked for.
    DowngradeRefused,
    /// The two sides ask for different security mechanisms.
    MechanismMismatch {
        /// Ours.
        ours: &'static str,
        /// The peer's, as far as it can be printed.
        theirs: String,
    },
    /// The peer's kind of socket does not talk to ours.
    IncompatibleSocket {
        /// Ours.
        ours: &'static str,
        /// The peer's, as it named itself (or its number, from a 2.0 peer).
        theirs: String,
    },
    /// A frame is larger than the limit for messages.
    FrameTooLarge {
        /// Announced size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A command is larger than any sensible one.
    CommandTooLarge {
        /// Announced size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A multipart message does not end.
    TooManyFrames {
        /// The limit in frames.
        limit: usize,
    },
    /// We refused the peer's credentials.
    AccessDenied {
        /// Status in the numbers of ZAP: 300 (refused in silence), 400 or 500.
        status: u16,
    },
    /// The peer ended the handshake or the connection with an ERROR command. Not to be retried with the same
    /// credentials.
    PeerError {
        /// The reason it gave; libzmq sends "300", "400" or "500".
        reason: String,
    },
    /// A sealed frame does not open: forged, replayed or damaged.
    BadSeal,
    /// The handshake took too long.
    HandshakeTimeout,
    /// No answer to a PING.
    HeartbeatTimeout,
    /// The peer promised traffic within its time to live, and none came.
    TtlExpired,
    /// The result of a handshake was asked for before it was over.
    HandshakeIncomplete,
}

impl ProtocolError {
    /// Who is to blame.
    pub fn blame(&self) -> Blame {
        use ProtocolError::*;
        match self {
            BadSignature { .. }
            | ReservedFlags(_)
            | CommandWithMore
            | FrameSizeOverflow(_)
            | BadCommandName
            | TruncatedCommand { .. }
            | TrailingBytes { .. }
            | BadMetadata { .. }
            | RoutingIdTooLong(_)
            | BadIdentityFrame(_) => Blame::Malformed,
            UnexpectedCommand { .. } | UnexpectedMessage | UnsealedFrame | HandshakeIncomplete => {
                Blame::Misbehaved
            }
            Version1Peer
            | DowngradeRefused
            | MechanismMismatch { .. }
            | IncompatibleSocket { .. } => Blame::Incompatible,
            FrameTooLarge { .. } | CommandTooLarge { .. } | TooManyFrames { .. } => Blame::Limit,
            AccessDenied { .. } | PeerError { .. } | BadSeal => Blame::Auth,
            HandshakeTimeout | HeartbeatTimeout | TtlExpired => Blame::Timeout,
        }
    }

    /// The number libzmq's monitor reports for this cause (`ZMQ_PROTOCOL_ERROR_*`), or the ZAP status for
    /// refused credentials; `None` where libzmq has no number.
    pub fn monitor_code(&self) -> Option<u32> {
        use ProtocolError::*;
        match self {
            UnexpectedCommand { .. } | UnexpectedMessage | UnsealedFrame => Some(0x1000_0001),
            CommandWithMore | BadCommandName | ReservedFlags(_) => Some(0x1000_0011),
            TruncatedCommand { command } | TrailingBytes { command, .. } => Some(match *command {
                "MESSAGE" => 0x1000_0012,
                "HELLO" => 0x1000_0013,
                "INITIATE" => 0x1000_0014,
                "ERROR" => 0x1000_0015,
                "READY" => 0x1000_0016,
                "WELCOME" => 0x1000_0017,
                _ => 0x1000_0011,
            }),
            BadMetadata { .. } | RoutingIdTooLong(_) | IncompatibleSocket { .. } => {
                Some(0x1000_0018)
            }
            BadSeal => Some(0x1100_0001),
            MechanismMismatch { .. } => Some(0x1100_0002),
            AccessDenied { status } => Some(u32::from(*status)),
            PeerError { reason } => reason.parse().ok(),
            _ => None,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ProtocolError::*;
        match self {
            BadSignature { offset, found } => {
                write!(f, "not a ZMTP greeting: byte {offset} is {found:#04x}")
            }
            ReservedFlags(flags) => write!(f, "reserved bits in frame flags {flags:#04x}"),
            CommandWithMore => f.write_str("a command carries the MORE flag"),
            FrameSizeOverflow(size) => write!(f, "a frame announces {size} bytes (2^63 or more)"),
            BadCommandName => f.write_str("a command without a valid name"),
            TruncatedCommand { command } => write!(f, "the command {command} is cut short"),
            TrailingBytes { command, count } => {
                write!(f, "{count} stray bytes at the end of the command {command}")
            }
            BadMetadata { command } => write!(f, "malformed metadata in the command {command}"),
            RoutingIdTooLong(len) => write!(f, "a routing id of {len} bytes (255 at most)"),
            BadIdentityFrame(flags) => write!(f, "an identity frame with flags {flags:#04x}"),
            UnexpectedCommand { expected, found } => {
                write!(f, "the command {found} came where {expected} was due")
            }
            UnexpectedMessage => f.write_str("a message before the end of the handshake"),
            UnsealedFrame => f.write_str("a frame in the clear on a sealed connection"),
            Version1Peer => f.write_str("the peer speaks ZMTP 1.0, which is not supported"),
            DowngradeRefused => {
                f.write_str("the peer speaks ZMTP 2.0, which cannot do the security asked for")
            }
            MechanismMismatch { ours, theirs } => {
                write!(f, "security mechanism {ours} here, {theirs} there")
            }
            IncompatibleSocket { ours, theirs } => {
                write!(f, "a {ours} socket does not talk to a {theirs} socket")
            }
            FrameTooLarge { size, limit } => {
                write!(f, "a frame of {size} bytes passes the limit of {limit}")
            }
            CommandTooLarge { size, limit } => {
                write!(f, "a command of {size} bytes passes the limit of {limit}")
            }
            TooManyFrames { limit } => write!(f, "a message of more than {limit} frames"),
            AccessDenied { status } => write!(f, "the peer's credentials were refused ({status})"),
            PeerError { reason } => write!(f, "the peer refused us: {reason:?}"),
            BadSeal => f.write_str("a sealed frame does not open"),
            HandshakeTimeout => f.write_str("the handshake took too long"),
            HeartbeatTimeout => f.write_str("no answer to a heartbeat"),
            TtlExpired => f.write_str("no traffic within the peer's time to live"),
            HandshakeIncomplete => f.write_str("the handshake is not over"),
        }
    }
}

impl std::error::Error for ProtocolError {}

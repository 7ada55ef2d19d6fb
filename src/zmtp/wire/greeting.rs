//! The greeting: 64 bytes from a 3.x peer, 12 from a 2.0 peer.
//!
//! ```text
//!  0      FF              10     major version       12..31  mechanism, NUL padded
//!  1..8   padding         11     minor version       32      as-server
//!  9      7F                                         33..63  zero
//! ```
//! Bytes 1 to 8 are written as libzmq does (length of our identity plus one, big-endian, so that a 1.0 peer reads
//! them as a frame header) and never looked at.

use crate::zmtp::error::ProtocolError;

/// Bytes of a 3.x greeting.
pub const GREETING_LEN: usize = 64;
/// Signature and major version: what both sides send before they know each other.
pub const SIGNATURE_LEN: usize = 11;
/// Bytes of a 2.0 greeting.
const GREETING_LEN_V2: usize = 12;

/// What the bytes of the peer's greeting say so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// Nothing can be said yet.
    Unknown,
    /// A 2.0 peer; the number of its socket type once it is there (the greeting is then 12 bytes long).
    V2(Option<u8>),
    /// A 3.x peer; its minor version and mechanism once all 64 bytes are there.
    V3(Option<Greeting3>),
}

/// The fields of a complete 3.x greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting3 {
    /// True for 3.1 and everything later.
    pub at_least_3_1: bool,
    /// The mechanism field, all 20 bytes.
    pub mechanism: [u8; 20],
}

impl Greeting {
    /// Reads what there is of a greeting.
    ///
    /// # Errors
    /// [`ProtocolError::Version1Peer`] for peers that speak 1.0, [`ProtocolError::BadSignature`] for everything
    /// that is no greeting at all.
    pub fn parse(bytes: &[u8]) -> Result<Greeting, ProtocolError> {
        check_signature(bytes)?;
        match bytes.get(10) {
            None => Ok(Greeting::Unknown),
            Some(0) => Err(ProtocolError::Version1Peer),
            Some(1 | 2) => Ok(Greeting::V2(bytes.get(GREETING_LEN_V2 - 1).copied())),
            Some(&major) => Ok(Greeting::V3(parse_rest(major, bytes))),
        }
    }

    /// Bytes the greeting takes, once complete.
    pub fn byte_len(&self) -> usize {
        match self {
            Greeting::Unknown => SIGNATURE_LEN,
            Greeting::V2(_) => GREETING_LEN_V2,
            Greeting::V3(_) => GREETING_LEN,
        }
    }
}

/// A 1.0 peer opens with a frame header, `length flags`: a short identity, or FF and eight bytes of length.
fn check_signature(bytes: &[u8]) -> Result<(), ProtocolError> {
    let bad = |offset: u8, found: u8| Err(ProtocolError::BadSignature { offset, found });
    match bytes {
        [] => Ok(()),
        [0xff, ..] => match bytes.get(9) {
            None => Ok(()),
            // RFC 37, "Version detection": the last bit of the tenth byte tells a versioned peer.
            Some(last) if last & 1 == 1 => Ok(()),
            Some(0) => Err(ProtocolError::Version1Peer),
            Some(&last) => bad(9, last),
        },
        [0, ..] => bad(0, 0),
        [_] => Ok(()),
        [_, 0 | 1, ..] => Err(ProtocolError::Version1Peer),
        [first, ..] => bad(0, *first),
    }
}

fn parse_rest(major: u8, bytes: &[u8]) -> Option<Greeting3> {
    let bytes = bytes.get(..GREETING_LEN)?;
    let mechanism = bytes.get(12..32)?.try_into().ok()?;
    // RFC 37: "a peer SHALL accept higher versions": they speak at least 3.1.
    Some(Greeting3 {
        at_least_3_1: major > 3 || bytes[11] >= 1,
        mechanism,
    })
}

/// Appends signature and major version, bytes 0 to 10.
pub fn push_signature(routing_id_len: usize, out: &mut Vec<u8>) {
    out.push(0xff);
    out.extend_from_slice(&(routing_id_len as u64 + 1).to_be_bytes());
    out.extend_from_slice(&[0x7f, 3]);
}

/// Appends bytes 11 to 63. Names of mechanisms have 20 bytes at most; longer ones are cut.
pub fn push_greeting_rest(mechanism: &str, as_server: bool, out: &mut Vec<u8>) {
    let mut rest = [0; GREETING_LEN - SIGNATURE_LEN];
    rest[0] = 1;
    for (place, byte) in rest[1..21].iter_mut().zip(mechanism.bytes()) {
        *place = byte;
    }
    rest[21] = u8::from(as_server);
    out.extend_from_slice(&rest);
}

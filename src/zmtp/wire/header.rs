//! The frame header of ZMTP 2.0 to 3.1.
//!
//! ```text
//!  flags(1)  01 MORE  02 LONG  04 COMMAND  rest reserved
//!  size      1 byte, or 8 bytes big-endian when LONG
//! ```
//! Invariant: a parsed header has no reserved bits, no MORE on a command, and a size below 2^63.

use crate::zmtp::error::ProtocolError;

/// Another frame of the same message follows.
pub const MORE: u8 = 0x01;
/// The size field takes 8 bytes.
pub const LONG: u8 = 0x02;
/// The frame is a command.
pub const COMMAND: u8 = 0x04;
/// Bytes of the longest header.
pub const MAX_HEADER: usize = 9;

/// One parsed frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Another frame of the same message follows.
    pub more: bool,
    /// The frame is a command.
    pub command: bool,
    /// Bytes of the body.
    pub size: u64,
    /// Bytes the header itself took: 2 or 9.
    pub len: usize,
}

impl FrameHeader {
    /// Reads a header off the front of `bytes`; `None` while it is not complete.
    ///
    /// # Errors
    /// Reserved flags, MORE on a command, a size of 2^63 or more.
    pub fn parse(bytes: &[u8]) -> Result<Option<FrameHeader>, ProtocolError> {
        let Some(&flags) = bytes.first() else {
            return Ok(None);
        };
        if flags & !(MORE | LONG | COMMAND) != 0 {
            return Err(ProtocolError::ReservedFlags(flags));
        }
        let (more, command) = (flags & MORE != 0, flags & COMMAND != 0);
        // RFC 37: "Bit 0 (MORE) ... For command frames, this bit SHALL be zero."
        if more && command {
            return Err(ProtocolError::CommandWithMore);
        }
        let (size, len) = if flags & LONG == 0 {
            match bytes.get(1) {
                Some(&size) => (u64::from(size), 2),
                None => return Ok(None),
            }
        } else {
            match bytes.get(1..9).and_then(|raw| raw.try_into().ok()) {
                Some(raw) => (u64::from_be_bytes(raw), 9),
                None => return Ok(None),
            }
        };
        if size >> 63 != 0 {
            return Err(ProtocolError::FrameSizeOverflow(size));
        }
        Ok(Some(FrameHeader {
            more,
            command,
            size,
            len,
        }))
    }
}

/// Bytes of the header in front of a body of `size` bytes.
pub const fn header_len(size: usize) -> usize {
    if size > 255 { 9 } else { 2 }
}

/// Appends a header; LONG is chosen by the size, `flags` says MORE or COMMAND.
#[inline]
pub fn push_header(flags: u8, size: usize, out: &mut Vec<u8>) {
    match u8::try_from(size) {
        Ok(short) => out.extend_from_slice(&[flags, short]),
        Err(_) => {
            let mut header = [0; MAX_HEADER];
            header[0] = flags | LONG;
            header[1..].copy_from_slice(&(size as u64).to_be_bytes());
            out.extend_from_slice(&header);
        }
    }
}

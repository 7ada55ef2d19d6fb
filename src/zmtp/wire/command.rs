//! A command: `name_len(1) name data`, in a frame of its own.

use super::header::{COMMAND, FrameHeader, push_header};
use crate::zmtp::error::ProtocolError;

/// A command body taken apart; both parts borrow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// The name, never empty.
    pub name: &'a [u8],
    /// What follows the name.
    pub data: &'a [u8],
}

impl<'a> Command<'a> {
    /// Takes a command body apart.
    ///
    /// # Errors
    /// [`ProtocolError::BadCommandName`] when the name is empty or runs past the end.
    pub fn parse(body: &'a [u8]) -> Result<Command<'a>, ProtocolError> {
        let (&len, rest) = body.split_first().ok_or(ProtocolError::BadCommandName)?;
        match rest.split_at_checked(usize::from(len)) {
            Some((name, data)) if !name.is_empty() => Ok(Command { name, data }),
            _ => Err(ProtocolError::BadCommandName),
        }
    }

    /// The body of the command frame at the front of `bytes`, and where the frame ends; `None` while it is not complete.
    ///
    /// # Errors
    /// A frame that is no command, or one of more than `limit` bytes.
    pub fn body_at(bytes: &[u8], limit: u64) -> Result<Option<(&[u8], usize)>, ProtocolError> {
        let Some(header) = FrameHeader::parse(bytes)? else {
            return Ok(None);
        };
        if !header.command {
            return Err(ProtocolError::UnexpectedMessage);
        }
        let size = header.size;
        if size > limit {
            return Err(ProtocolError::CommandTooLarge { size, limit });
        }
        let end = header.len + size as usize;
        Ok(bytes.get(header.len..end).map(|body| (body, end)))
    }

    /// Says that `expected` was due and this one came.
    pub fn unexpected(&self, expected: &'static str) -> ProtocolError {
        ProtocolError::UnexpectedCommand {
            expected,
            found: printable(self.name),
        }
    }

    /// The reason in an ERROR command: `len(1) reason`.
    ///
    /// # Errors
    /// A reason that ends early or is followed by something.
    pub fn error_reason(&self) -> Result<String, ProtocolError> {
        let command = "ERROR";
        let truncated = ProtocolError::TruncatedCommand { command };
        let (&len, rest) = self.data.split_first().ok_or(truncated.clone())?;
        let (reason, rest) = rest.split_at_checked(usize::from(len)).ok_or(truncated)?;
        if !rest.is_empty() {
            return Err(ProtocolError::TrailingBytes {
                command,
                count: rest.len(),
            });
        }
        Ok(String::from_utf8_lossy(reason).into_owned())
    }
}

/// Bytes of a peer as text fit for an error message: 32 bytes at most, the unprintable ones escaped.
pub fn printable(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(32)].escape_ascii().to_string()
}

/// Appends a command frame: header, name, data.
pub fn push_named(name: &str, data: &[u8], out: &mut Vec<u8>) {
    push_header(COMMAND, 1 + name.len() + data.len(), out);
    out.push(name.len() as u8);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(data);
}

/// Appends an ERROR command frame; the reason is cut at 255 bytes.
pub fn push_error(reason: &str, out: &mut Vec<u8>) {
    let reason = &reason.as_bytes()[..reason.len().min(255)];
    let mut data = Vec::with_capacity(1 + reason.len());
    data.push(reason.len() as u8);
    data.extend_from_slice(reason);
    push_named("ERROR", &data, out);
}

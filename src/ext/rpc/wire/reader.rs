//! Reads MessagePack out of a slice, by reference.
//!
//! What it is not: a deserializer. It takes apart what surrounds the arguments and skips the arguments themselves. It
//! neither recurses nor allocates: a value that claims more elements or bytes than are left is refused at once.

use std::fmt;
use std::ops::Range;

use rmp::Marker;

/// Why bytes are no envelope. The peer is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// They end in the middle, or announce more than there is.
    Truncated,
    /// Something follows the envelope.
    Trailing,
    /// Not an array of the form its type has.
    Shape,
    /// A type that this version does not know.
    UnknownType(u64),
    /// A text that is not UTF-8.
    Utf8,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::Truncated => f.write_str("the envelope ends in the middle"),
            WireError::Trailing => f.write_str("something follows the envelope"),
            WireError::Shape => f.write_str("not the form that an envelope of this type has"),
            WireError::UnknownType(number) => write!(f, "unknown type of envelope: {number}"),
            WireError::Utf8 => f.write_str("a text that is not UTF-8"),
        }
    }
}

impl std::error::Error for WireError {}

/// A position in bytes.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or(WireError::Truncated)?;
        self.at += count;
        Ok(taken)
    }

    fn marker(&mut self) -> Result<Marker, WireError> {
        Ok(Marker::from_u8(self.take(1)?[0]))
    }

    /// A big-endian number of so many bytes.
    fn number(&mut self, bytes: usize) -> Result<u64, WireError> {
        let taken = self.take(bytes)?;
        Ok(taken
            .iter()
            .fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
    }

    pub(super) fn uint(&mut self) -> Result<u64, WireError> {
        match self.marker()? {
            Marker::FixPos(value) => Ok(u64::from(value)),
            Marker::U8 => self.number(1),
            Marker::U16 => self.number(2),
            Marker::U32 => self.number(4),
            Marker::U64 => self.number(8),
            // Some encoders use signed forms for what is not negative.
            Marker::I8 => Self::positive(self.number(1)?, 8),
            Marker::I16 => Self::positive(self.number(2)?, 16),
            Marker::I32 => Self::positive(self.number(4)?, 32),
            Marker::I64 => Self::positive(self.number(8)?, 64),
            _ => Err(WireError::Shape),
        }
    }

    fn positive(value: u64, bits: u32) -> Result<u64, WireError> {
        match value >> (bits - 1) {
            0 => Ok(value),
            _ => Err(WireError::Shape),
        }
    }

    pub(super) fn bool(&mut self) -> Result<bool, WireError> {
        match self.marker()? {
            Marker::True => Ok(true),
            Marker::False => Ok(false),
            _ => Err(WireError::Shape),
        }
    }

    /// How many elements follow.
    pub(super) fn array(&mut self) -> Result<usize, WireError> {
        let count = match self.marker()? {
            Marker::FixArray(count) => u64::from(count),
            Marker::Array16 => self.number(2)?,
            Marker::Array32 => self.number(4)?,
            _ => return Err(WireError::Shape),
        };
        self.possible(count)
    }

    /// How many pairs follow.
    pub(super) fn map(&mut self) -> Result<usize, WireError> {
        let count = match self.marker()? {
            Marker::FixMap(count) => u64::from(count),
            Marker::Map16 => self.number(2)?,
            Marker::Map32 => self.number(4)?,
            _ => return Err(WireError::Shape),
        };
        self.possible(2 * count).map(|values| values / 2)
    }

    /// Every value takes a byte at least.
    fn possible(&self, values: u64) -> Result<usize, WireError> {
        match usize::try_from(values) {
            Ok(values) if values <= self.bytes.len() - self.at => Ok(values),
            _ => Err(WireError::Truncated),
        }
    }

    pub(super) fn text(&mut self) -> Result<&'a str, WireError> {
        let count = match self.marker()? {
            Marker::FixStr(count) => u64::from(count),
            Marker::Str8 => self.number(1)?,
            Marker::Str16 => self.number(2)?,
            Marker::Str32 => self.number(4)?,
            _ => return Err(WireError::Shape),
        };
        let bytes = self.take(usize::try_from(count).map_err(|_| WireError::Truncated)?)?;
        std::str::from_utf8(bytes).map_err(|_| WireError::Utf8)
    }

    pub(super) fn binary(&mut self) -> Result<&'a [u8], WireError> {
        let count = match self.marker()? {
            Marker::Bin8 => self.number(1)?,
            Marker::Bin16 => self.number(2)?,
            Marker::Bin32 => self.number(4)?,
            _ => return Err(WireError::Shape),
        };
        self.take(usize::try_from(count).map_err(|_| WireError::Truncated)?)
    }

    /// Passes `nil` if it is next.
    pub(super) fn nil(&mut self) -> bool {
        let next = self.bytes.get(self.at) == Some(&Marker::Null.to_u8());
        self.at += usize::from(next);
        next
    }

    /// Whether a text is next.
    pub(super) fn is_text(&self) -> bool {
        let next = self.bytes.get(self.at).map(|byte| Marker::from_u8(*byte));
        matches!(
            next,
            Some(Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32)
        )
    }

    /// Where the next value lies, whatever it is.
    pub(super) fn value(&mut self) -> Result<Range<usize>, WireError> {
        let start = self.at;
        let mut due: u64 = 1;
        while due > 0 {
            due -= 1;
            let (skip, more) = match self.marker()? {
                Marker::FixPos(_)
                | Marker::FixNeg(_)
                | Marker::Null
                | Marker::True
                | Marker::False => (0, 0),
                Marker::U8 | Marker::I8 => (1, 0),
                Marker::U16 | Marker::I16 => (2, 0),
                Marker::U32 | Marker::I32 | Marker::F32 => (4, 0),
                Marker::U64 | Marker::I64 | Marker::F64 => (8, 0),
                Marker::FixStr(count) => (u64::from(count), 0),
                Marker::Str8 | Marker::Bin8 => (self.number(1)?, 0),
                Marker::Str16 | Marker::Bin16 => (self.number(2)?, 0),
                Marker::Str32 | Marker::Bin32 => (self.number(4)?, 0),
                Marker::FixArray(count) => (0, u64::from(count)),
                Marker::Array16 => (0, self.number(2)?),
                Marker::Array32 => (0, self.number(4)?),
                Marker::FixMap(count) => (0, 2 * u64::from(count)),
                Marker::Map16 => (0, 2 * self.number(2)?),
                Marker::Map32 => (0, 2 * self.number(4)?),
                Marker::FixExt1 => (2, 0),
                Marker::FixExt2 => (3, 0),
                Marker::FixExt4 => (5, 0),
                Marker::FixExt8 => (9, 0),
                Marker::FixExt16 => (17, 0),
                Marker::Ext8 => (1 + self.number(1)?, 0),
                Marker::Ext16 => (1 + self.number(2)?, 0),
                Marker::Ext32 => (1 + self.number(4)?, 0),
                Marker::Reserved => return Err(WireError::Shape),
            };
            self.take(usize::try_from(skip).map_err(|_| WireError::Truncated)?)?;
            due += more;
            self.possible(due)?;
        }
        Ok(start..self.at)
    }
}

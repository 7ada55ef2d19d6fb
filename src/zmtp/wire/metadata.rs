//! Properties of a connection: `name_len(1) name value_len(4 BE) value`, any number of them.
//!
//! Order is kept, unknown names are kept, names compare without regard to case (RFC 37); the first of two
//! properties with the same name is the one that `get` finds.

use bytes::Bytes;

use crate::zmtp::error::ProtocolError;

/// The properties a peer announced, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(String, Bytes)>);

impl Metadata {
    /// Reads properties to the end of `bytes`; `command` names the carrier for the error.
    ///
    /// # Errors
    /// [`ProtocolError::TrailingBytes`] for a single byte after the last property (as in libzmq),
    /// [`ProtocolError::BadMetadata`] for an empty or unprintable name or a field past the end.
    pub fn parse(command: &'static str, mut bytes: &[u8]) -> Result<Metadata, ProtocolError> {
        let mut list = Vec::new();
        while !bytes.is_empty() {
            if bytes.len() == 1 {
                return Err(ProtocolError::TrailingBytes { command, count: 1 });
            }
            let (name, value, rest) =
                split_property(bytes).ok_or(ProtocolError::BadMetadata { command })?;
            list.push((name.to_owned(), Bytes::copy_from_slice(value)));
            bytes = rest;
        }
        Ok(Metadata(list))
    }

    /// The value of a property, found without regard to the case of its name.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.iter()
            .find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
    }

    /// All properties in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many properties there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without any property.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// RFC 37: `name = OCTET 1*255name-char`, `name-char = ALPHA | DIGIT | "-" | "_" | "." | "+"`.
fn split_property(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let (&name_len, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(name_len))?;
    let (value_len, rest) = rest.split_first_chunk::<4>()?;
    let value_len = usize::try_from(u32::from_be_bytes(*value_len)).ok()?;
    let (value, rest) = rest.split_at_checked(value_len)?;
    let name = str::from_utf8(name).ok()?;
    (!name.is_empty()).then_some((name, value, rest))
}

/// Appends one property; a name is cut at 255 bytes (options are checked long before).
pub fn push_property(name: &str, value: &[u8], out: &mut Vec<u8>) {
    let name = &name.as_bytes()[..name.len().min(255)];
    out.push(name.len() as u8);
    out.extend_from_slice(name);
    let value = &value[..value.len().min(u32::MAX as usize)];
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
}

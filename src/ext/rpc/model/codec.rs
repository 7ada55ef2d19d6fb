//! How arguments and results become bytes.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// An encoding of arguments and results. A service has one, said where it is defined.
pub trait Codec: Send + Sync + 'static {
    /// Its name on the wire: what is not `msgpack` crosses as a `bin` that peers without this codec pass over.
    const NAME: &'static str;

    /// Encodes a value.
    ///
    /// # Errors
    ///
    /// What the value is that cannot be encoded.
    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError>;

    /// Decodes a value. The bytes come from a peer: neither panics nor allocates more than they are worth.
    ///
    /// # Errors
    ///
    /// Why the bytes are no such value.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError>;
}

/// Why a value was not encoded or decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecError(String);

impl CodecError {
    /// With words for people.
    pub fn new(why: impl fmt::Display) -> Self {
        CodecError(why.to_string())
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CodecError {}

/// MessagePack, with the names of fields; the default.
#[derive(Debug, Clone, Copy)]
pub struct MsgPack;

impl Codec for MsgPack {
    const NAME: &'static str = "msgpack";

    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
        rmp_serde::to_vec_named(value).map_err(CodecError::new)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        rmp_serde::from_slice(bytes).map_err(CodecError::new)
    }
}

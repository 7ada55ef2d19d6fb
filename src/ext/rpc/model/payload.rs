//! Arguments or a result, encoded, with the bytes that go beside them.

use rmp::encode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{Codec, CodecError, MsgPack};
use super::raw::{collect, offer};
use crate::message::Frame;

/// An encoded value: MessagePack, or with another codec a `bin` of MessagePack that holds its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// One MessagePack value.
    pub body: Frame,
    /// What [`Raw`](super::Raw) put beside it.
    pub attachments: Vec<Frame>,
}

impl Payload {
    /// Encodes a value.
    ///
    /// # Errors
    ///
    /// When the codec cannot.
    pub fn encode<C: Codec, T: Serialize + ?Sized>(value: &T) -> Result<Self, CodecError> {
        if C::NAME == MsgPack::NAME {
            let (body, attachments) = collect(|| C::encode(value));
            return Ok(Payload {
                body: body?.into(),
                attachments,
            });
        }
        let inside = C::encode(value)?;
        let mut body = Vec::with_capacity(inside.len() + 5);
        encode::write_bin(&mut body, &inside).map_err(CodecError::new)?;
        Ok(Payload {
            body: body.into(),
            attachments: Vec::new(),
        })
    }

    /// Decodes a value.
    ///
    /// # Errors
    ///
    /// When these are not the bytes of such a value.
    pub fn decode<C: Codec, T: DeserializeOwned>(&self) -> Result<T, CodecError> {
        if C::NAME == MsgPack::NAME {
            return offer(&self.attachments, || C::decode(&self.body));
        }
        let mut inside: &[u8] = &self.body;
        let count = rmp::decode::read_bin_len(&mut inside).map_err(CodecError::new)?;
        match inside.len() == count as usize {
            true => C::decode(inside),
            false => Err(CodecError::new("not the length it says")),
        }
    }
}

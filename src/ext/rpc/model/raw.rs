//! Bytes that cross without being copied: as frames of their own beside the envelope.
//!
//! ```text
//!   encode:  Raw ── 512 bytes or more ──► list of attachments, and in its place ext(7, index)
//!   decode:  ext(7, index) ──► the attachment of this number, shared
//! ```
//! The list is a thread's while it encodes or decodes one value, so that `serde` need not know of it.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};

use crate::message::Frame;

/// The extension type that stands for an attachment.
const EXTENSION: i8 = 7;
/// Below this a frame of its own costs more than the copy, in bytes.
const SHARE_MIN: usize = 512;
/// The name by which `rmp-serde` knows extensions.
const EXT_STRUCT: &str = "_ExtStruct";

thread_local! {
    static ATTACHED: RefCell<Option<Vec<Frame>>> = const { RefCell::new(None) };
}

/// Runs `encode`; what it attached.
pub(super) fn collect<T>(encode: impl FnOnce() -> T) -> (T, Vec<Frame>) {
    let before = ATTACHED.replace(Some(Vec::new()));
    let result = encode();
    let attached = ATTACHED.replace(before);
    (result, attached.unwrap_or_default())
}

/// Runs `decode`, to which these are attached.
pub(super) fn offer<T>(attached: &[Frame], decode: impl FnOnce() -> T) -> T {
    if attached.is_empty() {
        return decode();
    }
    let before = ATTACHED.replace(Some(attached.to_vec()));
    let result = decode();
    ATTACHED.set(before);
    result
}

/// Bytes as an argument, a result or a part of one. From 512 bytes on they cross without being copied by this layer
/// (over `inproc`, and over `ipc` with views, not at all).
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Raw(pub Bytes);

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw({} bytes)", self.0.len())
    }
}

impl Deref for Raw {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Into<Bytes>> From<T> for Raw {
    fn from(bytes: T) -> Self {
        Raw(bytes.into())
    }
}

/// Bytes as serde's bytes, not as a sequence.
struct Plain<'a>(&'a [u8]);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct Reference(u32);

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(2)?;
        tuple.serialize_element(&EXTENSION)?;
        tuple.serialize_element(&Plain(&self.0.to_be_bytes()))?;
        tuple.end()
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let index = ATTACHED.with_borrow_mut(|attached| {
            let attached = attached.as_mut().filter(|_| self.0.len() >= SHARE_MIN)?;
            attached.push(Frame::from(self.0.clone()));
            Some(attached.len() as u32 - 1)
        });
        match index {
            Some(index) => serializer.serialize_newtype_struct(EXT_STRUCT, &Reference(index)),
            None => serializer.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Raw, E> {
        Ok(Raw(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Raw, E> {
        Ok(Raw(bytes.into()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        self.visit_bytes(text.as_bytes())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element::<u8>()? {
            bytes.push(byte);
        }
        Ok(Raw(bytes.into()))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Raw, D::Error> {
        extension.deserialize_tuple(2, ReferenceVisitor)
    }
}

struct ReferenceVisitor;

impl<'de> Visitor<'de> for ReferenceVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number of an attachment")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Raw, A::Error> {
        let wrong = || de::Error::custom("no such attachment");
        let tag: i8 = parts.next_element()?.ok_or_else(wrong)?;
        let Index(index) = parts.next_element()?.ok_or_else(wrong)?;
        if tag != EXTENSION {
            return Err(de::Error::custom("an extension that stands for no bytes"));
        }
        ATTACHED
            .with_borrow(|attached| {
                let frame = attached.as_ref()?.get(index as usize)?;
                Some(Raw(frame.to_bytes()))
            })
            .ok_or_else(wrong)
    }
}

struct Index(u32);

impl<'de> Deserialize<'de> for Index {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Four;
        impl Visitor<'_> for Four {
            type Value = Index;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("four bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Index, E> {
                let four = bytes.try_into().map_err(|_| E::custom("not four bytes"))?;
                Ok(Index(u32::from_be_bytes(four)))
            }
        }
        deserializer.deserialize_bytes(Four)
    }
}

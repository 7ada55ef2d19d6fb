//! Conversions into and comparisons of [`Frame`] and [`Message`].
//!
//! What it is not: a place that decides how a payload is held; that is `frame.rs` alone. Invariant: owned inputs
//! (`Vec`, `String`, `Box`, `Bytes`, `BytesMut`) are taken over, only borrowed ones are copied.
//!
//! ```text
//!   &[u8] &str [u8; N]      --copy------> Frame --> Message of one frame
//!   Vec String Box Bytes .. --take over-> Frame --> Message of one frame
//! ```

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;

use bytes::{Bytes, BytesMut};

use super::frame::Frame;
use super::message::Message;

/// `From<source>` for a frame, and through it for a message of that one frame.
macro_rules! convert {
    ($([$($generic:tt)*] $source:ty, $payload:ident => $frame:expr;)*) => {$(
        impl<$($generic)*> From<$source> for Frame {
            #[inline]
            fn from($payload: $source) -> Self {
                $frame
            }
        }

        impl<$($generic)*> From<$source> for Message {
            #[inline]
            fn from(payload: $source) -> Self {
                Message::from(Frame::from(payload))
            }
        }
    )*};
}

convert! {
    [] &[u8], payload => Frame::copy_from_slice(payload);
    [] &str, payload => Frame::copy_from_slice(payload.as_bytes());
    [const N: usize] &[u8; N], payload => Frame::copy_from_slice(payload);
    [const N: usize] [u8; N], payload => Frame::copy_from_slice(&payload);
    [] Vec<u8>, payload => Frame::from_vec(payload);
    [] &Vec<u8>, payload => Frame::copy_from_slice(payload);
    [] String, payload => Frame::from_vec(payload.into_bytes());
    [] &String, payload => Frame::copy_from_slice(payload.as_bytes());
    [] Box<[u8]>, payload => Frame::from_vec(payload.into_vec());
    [] Bytes, payload => Frame::from_bytes(payload);
    [] &Bytes, payload => Frame::from_bytes(payload.clone());
    [] BytesMut, payload => Frame::from_bytes(payload.freeze());
    ['a] Cow<'a, [u8]>, payload => match payload {
        Cow::Borrowed(bytes) => Frame::from(bytes),
        Cow::Owned(bytes) => Frame::from(bytes),
    };
    ['a] Cow<'a, str>, payload => match payload {
        Cow::Borrowed(text) => Frame::from(text),
        Cow::Owned(text) => Frame::from(text),
    };
}

impl From<&Frame> for Frame {
    /// A clone.
    #[inline]
    fn from(frame: &Frame) -> Self {
        frame.clone()
    }
}

impl From<Frame> for Bytes {
    #[inline]
    fn from(frame: Frame) -> Self {
        frame.into_bytes()
    }
}

impl From<Frame> for Vec<u8> {
    /// The payload as a vector; takes the allocation over when nobody else shares it.
    #[inline]
    fn from(frame: Frame) -> Self {
        if frame.is_inline() {
            frame.to_vec()
        } else {
            frame.into_bytes().into()
        }
    }
}

impl AsRef<[u8]> for Frame {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Frame {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl Eq for Frame {}

impl PartialEq for Frame {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl PartialOrd for Frame {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Frame {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

/// Equality of a frame, and of a message of exactly one frame, with plain bytes; in both directions.
macro_rules! compare {
    ($([$($generic:tt)*] $other:ty, $bytes:ident => $slice:expr;)*) => {$(
        impl<$($generic)*> PartialEq<$other> for Frame {
            #[inline]
            fn eq(&self, $bytes: &$other) -> bool {
                *self.as_slice() == $slice
            }
        }

        impl<$($generic)*> PartialEq<Frame> for $other {
            #[inline]
            fn eq(&self, frame: &Frame) -> bool {
                frame == self
            }
        }

        impl<$($generic)*> PartialEq<$other> for Message {
            /// Whether this is a message of one frame with that payload.
            #[inline]
            fn eq(&self, other: &$other) -> bool {
                !self.is_multipart() && self.first() == other
            }
        }
    )*};
}

compare! {
    [] [u8], bytes => *bytes;
    [] &[u8], bytes => **bytes;
    [] str, text => *text.as_bytes();
    [] &str, text => *text.as_bytes();
    [const N: usize] [u8; N], bytes => bytes[..];
    [const N: usize] &[u8; N], bytes => bytes[..];
    [] Vec<u8>, bytes => bytes[..];
    [] String, text => *text.as_bytes();
    [] Bytes, bytes => bytes[..];
}

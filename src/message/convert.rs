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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeSet, HashMap};

    /// One byte more than fits in place.
    const LONG: usize = Frame::INLINE + 1;

    #[test]
    fn owned_payloads_keep_their_allocation() {
        let vec = vec![1; LONG];
        let at = vec.as_ptr();
        assert_eq!(Frame::from(vec).as_ptr(), at);

        let mut roomy = Vec::with_capacity(500);
        roomy.resize(LONG, 1);
        let at = roomy.as_ptr();
        assert_eq!(Message::from(roomy).first().as_ptr(), at);

        let text = "x".repeat(LONG);
        let at = text.as_ptr();
        assert_eq!(Frame::from(text).as_ptr(), at);

        let boxed: Box<[u8]> = vec![1; LONG].into();
        let at = boxed.as_ptr();
        assert_eq!(Frame::from(boxed).as_ptr(), at);

        let bytes = Bytes::from(vec![1; LONG]);
        let at = bytes.as_ptr();
        assert_eq!(Frame::from(&bytes).as_ptr(), at);
        assert_eq!(Frame::from(bytes).as_ptr(), at);

        let buffer = BytesMut::from(&[1; LONG][..]);
        let at = buffer.as_ptr();
        assert_eq!(Frame::from(buffer).as_ptr(), at);

        let cow = Cow::Owned::<[u8]>(vec![1; LONG]);
        let at = cow.as_ptr();
        assert_eq!(Frame::from(cow).as_ptr(), at);
    }

    #[test]
    fn a_frame_gives_its_allocation_back() {
        let vec = vec![1; LONG];
        let at = vec.as_ptr();
        let vec = Vec::from(Frame::from(vec));
        assert_eq!(vec.as_ptr(), at);
        assert_eq!(Vec::from(Frame::from("short")), b"short");
        assert_eq!(Bytes::from(Frame::from("short")), "short");
    }

    #[test]
    fn a_short_piece_of_a_large_buffer_does_not_keep_it_alive() {
        let buffer = Bytes::from(vec![1; 64 * 1024]);
        let frame = Frame::from(buffer.slice(..10));
        assert!(frame.is_inline());
        assert!(buffer.is_unique());
    }

    #[test]
    fn every_source_gives_the_same_frame() {
        let text = String::from("abc");
        let frames = [
            Frame::from("abc"),
            Frame::from(b"abc"),
            Frame::from(*b"abc"),
            Frame::from(&b"abc"[..]),
            Frame::from(&text),
            Frame::from(text.clone()),
            Frame::from(&b"abc".to_vec()),
            Frame::from(b"abc".to_vec()),
            Frame::from(b"abc".to_vec().into_boxed_slice()),
            Frame::from(Bytes::from_static(b"abc")),
            Frame::from(&Bytes::from_static(b"abc")),
            Frame::from(BytesMut::from("abc")),
            Frame::from(Cow::Borrowed("abc")),
            Frame::from(Cow::Owned::<str>(text.clone())),
            Frame::from(Cow::Borrowed(&b"abc"[..])),
            Frame::from(&Frame::from("abc")),
        ];
        for frame in frames {
            assert_eq!(frame, "abc");
            assert_eq!(Message::from(frame), "abc");
        }
    }

    #[test]
    fn frames_and_messages_compare_with_plain_bytes() {
        let frame = Frame::from("abc");
        assert_eq!(frame, *"abc");
        assert_eq!(frame, String::from("abc"));
        assert_eq!(frame, b"abc");
        assert_eq!(frame, *b"abc");
        assert_eq!(frame, b"abc"[..]);
        assert_eq!(frame, &b"abc"[..]);
        assert_eq!(frame, b"abc".to_vec());
        assert_eq!(frame, Bytes::from("abc"));
        assert_eq!("abc", frame);
        assert_eq!(*b"abc", frame);
        assert_ne!(frame, "ab");
        assert_ne!(frame, "abcd");

        let message = Message::from("abc");
        assert_eq!(message, "abc");
        assert_eq!(message, b"abc");
        assert_eq!(message, b"abc".to_vec());
        assert_ne!(message, "abd");
    }

    #[test]
    fn a_multipart_message_equals_no_plain_bytes() {
        let message = Message::from_frames(["abc", ""]);
        assert_ne!(message, "abc");
        assert_ne!(message, b"abc".to_vec());
    }

    #[test]
    fn frames_hash_order_and_look_up_by_content() {
        let long = vec![b'k'; LONG];
        let mut map = HashMap::new();
        map.insert(Frame::from(&long[..]), 1);
        map.insert(Frame::from("short"), 2);
        assert_eq!(map.get(&long[..]), Some(&1));
        assert_eq!(map.get(&b"short"[..]), Some(&2));

        let sorted: BTreeSet<_> = ["b", "", "ab", "a"].map(Frame::from).into();
        let sorted: Vec<_> = sorted.into_iter().collect();
        assert_eq!(sorted, ["", "a", "ab", "b"]);
        let (long, short) = (Frame::from(long), Frame::from("l"));
        assert!(long < short);
    }
}

//! One frame: an immutable run of bytes that is cheap to move and to clone.
//!
//! What it is not: a buffer to write into, or something that knows whether more frames follow (that is
//! [`Message`](super::Message)).
//!
//! Invariants:
//! - a payload of at most [`Frame::INLINE`] bytes lies inside the frame, a longer one never does: whoever holds a
//!   short frame keeps no read buffer alive, and whoever clones a long one copies no payload;
//! - the frame is nine words (72 bytes), a message no wider: a length is one of 65 values of a whole word, and the
//!   values left over tell the other forms.
//!
//! ```text
//!    word   0 ........................................ 7      8
//!         | payload, then bytes without meaning           | length 0..=64  |   inline
//!         | Bytes (4 words)     | -                       | another value  |   shared
//! ```
//!
//! Why whole words: a frame is moved in steps of 16 and 8 bytes, and a step that spans two earlier writes, or is wider
//! than one, waits until they have reached the cache (some 5 ns each). With a tag in front of the payload every step
//! did; with a tag and a length of one byte each behind 70 bytes of payload the last one did.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Bound, Deref, RangeBounds};

use bytes::Bytes;

/// One frame of a message: an immutable run of bytes.
///
/// Payloads of at most [`Frame::INLINE`] bytes are held in the frame itself, longer ones are shared: a clone costs
/// a counter, never a copy of the payload. Frames compare, order and hash by content.
///
/// ```
/// use taipan::message::Frame;
///
/// let short = Frame::from("weather.zurich");
/// assert!(short.is_inline());
/// assert_eq!(short, "weather.zurich");
///
/// let long = Frame::from(vec![7; 4096]); // takes the vector over, copies nothing
/// assert_eq!(long.clone().len(), 4096);
/// ```
#[derive(Clone)]
pub struct Frame(Repr);

#[derive(Clone)]
enum Repr {
    Inline(Inline),
    Shared(Bytes),
}

/// A payload in place. The order of the fields and their widths are part of the design: see the head of this file.
#[derive(Clone, Copy)]
#[repr(C)]
struct Inline {
    words: [u64; Frame::INLINE / 8],
    len: Length,
}

macro_rules! lengths {
    ($($name:ident)*) => {
        /// 0 to [`Frame::INLINE`]; the compiler uses the values left over to tell an inline payload from whatever
        /// else stands in the same place.
        #[derive(Clone, Copy)]
        #[repr(u64)]
        enum Length { $($name),* }

        /// The lengths in order: the place is the length.
        const LENGTHS: [Length; Frame::INLINE + 1] = [$(Length::$name),*];
    };
}

lengths! {
    L00 L01 L02 L03 L04 L05 L06 L07 L08 L09 L10 L11 L12 L13 L14 L15 L16 L17 L18 L19 L20 L21
    L22 L23 L24 L25 L26 L27 L28 L29 L30 L31 L32 L33 L34 L35 L36 L37 L38 L39 L40 L41 L42 L43
    L44 L45 L46 L47 L48 L49 L50 L51 L52 L53 L54 L55 L56 L57 L58 L59 L60 L61 L62 L63 L64
}

impl Inline {
    /// `len` is at most [`Frame::INLINE`].
    #[inline]
    fn new(data: [u8; Frame::INLINE], len: usize) -> Self {
        Self {
            words: bytemuck::cast(data),
            len: LENGTHS[len],
        }
    }

    #[inline]
    fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        &bytemuck::bytes_of(&self.words)[..self.len()]
    }
}

impl Frame {
    /// The longest payload, in bytes, that is held in the frame itself: 64.
    pub const INLINE: usize = 64;

    /// The longest part of a payload, in bytes, that [`Debug`](fmt::Debug) shows: 64.
    const SHOWN: usize = 64;

    /// An empty frame.
    #[inline]
    pub const fn new() -> Self {
        Self(Repr::Inline(Inline {
            words: [0; Self::INLINE / 8],
            len: Length::L00,
        }))
    }

    /// A frame with a copy of `payload`; allocates only above [`Frame::INLINE`] bytes.
    #[inline]
    pub fn copy_from_slice(payload: &[u8]) -> Self {
        if payload.len() <= Self::INLINE {
            Self::inline(payload)
        } else {
            Self(Repr::Shared(Bytes::copy_from_slice(payload)))
        }
    }

    /// A frame with a copy of the first `len` bytes of `window`: the same as `copy_from_slice(&window[..len])`.
    ///
    /// Cheaper by a third for short payloads when the window goes on for [`Frame::INLINE`] bytes or more, as a read
    /// buffer does: a copy of fixed width needs neither a call nor a branch. What lies behind `len` is never shown.
    ///
    /// # Panics
    /// As indexing a slice does: when `len` is more than the window has.
    #[inline]
    pub fn copy_from_window(window: &[u8], len: usize) -> Self {
        match window.first_chunk::<{ Self::INLINE }>() {
            Some(wide) if len <= Self::INLINE => Self(Repr::Inline(Inline::new(*wide, len))),
            _ => Self::copy_from_slice(&window[..len]),
        }
    }

    /// A frame over bytes that live for ever; never allocates, and copies at most [`Frame::INLINE`] bytes.
    #[inline]
    pub fn from_static(payload: &'static [u8]) -> Self {
        Self::from_bytes(Bytes::from_static(payload))
    }

    /// Takes shared bytes over. Short ones are copied in, so that they do not keep a large buffer alive.
    #[inline]
    pub(super) fn from_bytes(payload: Bytes) -> Self {
        if payload.len() <= Self::INLINE {
            Self::inline(&payload)
        } else {
            Self(Repr::Shared(payload))
        }
    }

    /// Takes a vector over: a short one is copied in and freed, a long one keeps its allocation.
    #[inline]
    pub(super) fn from_vec(payload: Vec<u8>) -> Self {
        if payload.len() <= Self::INLINE {
            Self::inline(&payload)
        } else {
            Self(Repr::Shared(Bytes::from(payload)))
        }
    }

    /// The inline form of a payload of at most [`Frame::INLINE`] bytes. Built where it is returned: an `Option` in
    /// between costs a second copy of the whole frame (34 ns instead of 19, measured).
    #[inline]
    fn inline(payload: &[u8]) -> Self {
        let mut data = [0; Self::INLINE];
        data[..payload.len()].copy_from_slice(payload);
        Self(Repr::Inline(Inline::new(data, payload.len())))
    }

    /// The length of the payload in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Inline(inline) => inline.len(),
            Repr::Shared(bytes) => bytes.len(),
        }
    }

    /// Whether the payload is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(inline) => inline.as_slice(),
            Repr::Shared(bytes) => bytes,
        }
    }

    /// The payload as shared bytes; allocates only when it is held inline.
    #[inline]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::Inline(inline) => Bytes::copy_from_slice(inline.as_slice()),
            Repr::Shared(bytes) => bytes,
        }
    }

    /// As [`Frame::into_bytes`], keeping the frame.
    #[inline]
    pub fn to_bytes(&self) -> Bytes {
        match &self.0 {
            Repr::Inline(inline) => Bytes::copy_from_slice(inline.as_slice()),
            Repr::Shared(bytes) => bytes.clone(),
        }
    }

    /// Whether the payload lies in the frame itself, which is to say whether it is at most [`Frame::INLINE`] bytes.
    #[inline]
    pub fn is_inline(&self) -> bool {
        matches!(self.0, Repr::Inline(..))
    }

    /// The shared bytes behind the frame; `None` when the payload is held inline.
    #[inline]
    pub fn shared(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Inline(..) => None,
            Repr::Shared(bytes) => Some(bytes),
        }
    }

    /// A part of the payload as a frame of its own; a part above [`Frame::INLINE`] bytes shares the payload.
    ///
    /// # Panics
    /// As indexing a slice does: when the range is reversed or ends behind the payload.
    #[inline]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Frame {
        let bounds: (Bound<usize>, Bound<usize>) =
            (range.start_bound().cloned(), range.end_bound().cloned());
        let part = &self.as_slice()[bounds];
        match &self.0 {
            Repr::Shared(bytes) if part.len() > Self::INLINE => {
                Self(Repr::Shared(bytes.slice(bounds)))
            }
            _ => Self::copy_from_slice(part),
        }
    }
}

impl Default for Frame {
    /// An empty frame.
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Frame {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Hash for Frame {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl fmt::Debug for Frame {
    /// The payload as an escaped byte string, cut at 64 bytes: `b"topic\x00"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self[..self.len().min(Self::SHOWN)];
        write!(f, "b\"{}\"", shown.escape_ascii())?;
        if shown.len() < self.len() {
            write!(f, "... ({} bytes)", self.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_is_72_bytes_and_leaves_room_for_an_option() {
        assert_eq!(size_of::<Frame>(), 72);
        assert_eq!(size_of::<Option<Frame>>(), 72);
    }

    #[test]
    fn the_new_frame_is_empty() {
        for frame in [Frame::new(), Frame::default(), Frame::copy_from_slice(b"")] {
            assert!(frame.is_empty());
            assert!(frame.is_inline());
            assert_eq!(frame.as_slice(), b"");
        }
    }

    #[test]
    fn the_limit_divides_inline_from_shared() {
        let payload = [9; Frame::INLINE + 1];
        let inline = Frame::copy_from_slice(&payload[1..]);
        let shared = Frame::copy_from_slice(&payload);
        assert!(inline.is_inline() && inline.shared().is_none());
        assert_eq!(inline.as_slice(), &payload[1..]);
        assert!(!shared.is_inline());
        assert_eq!(shared.shared().map(|bytes| bytes.len()), Some(65));
        assert_eq!(shared.as_slice(), payload);
    }

    #[test]
    fn long_static_bytes_are_not_copied() {
        static TEXT: [u8; 100] = [b'x'; 100];
        let frame = Frame::from_static(&TEXT);
        assert_eq!(frame.as_ptr(), TEXT.as_ptr());
        assert!(Frame::from_static(&TEXT[..64]).is_inline());
    }

    #[test]
    fn clones_and_bytes_of_a_long_frame_share_its_payload() {
        let frame = Frame::copy_from_slice(&[3; 1000]);
        let at = frame.as_ptr();
        assert_eq!(frame.clone().as_ptr(), at);
        assert_eq!(frame.to_bytes().as_ptr(), at);
        assert_eq!(frame.into_bytes().as_ptr(), at);
    }

    #[test]
    fn a_long_slice_shares_and_a_short_one_does_not() {
        let payload: Vec<u8> = (0..200).collect();
        let frame = Frame::copy_from_slice(&payload);
        let long = frame.slice(10..110);
        assert_eq!(long.as_slice(), &payload[10..110]);
        assert_eq!(long.as_ptr(), frame[10..].as_ptr());
        let short = frame.slice(..=63);
        assert!(short.is_inline());
        assert_eq!(short.as_slice(), &payload[..64]);
        assert_eq!(short.slice(60..), payload[60..64]);
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn a_slice_behind_the_payload_panics() {
        let _ = Frame::copy_from_slice(b"abc").slice(1..4);
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn a_window_shorter_than_its_payload_panics() {
        let _ = Frame::copy_from_window(b"abc", 4);
    }

    #[test]
    fn debug_escapes_and_cuts_at_64_bytes() {
        let short = Frame::copy_from_slice(b"topic\x00\"\xff");
        assert_eq!(format!("{short:?}"), r#"b"topic\x00\"\xff""#);
        let full = Frame::copy_from_slice(&[b'a'; 64]);
        assert_eq!(format!("{full:?}"), format!("b\"{}\"", "a".repeat(64)));
        let long = Frame::copy_from_slice(&[b'a'; 65]);
        let expected = format!("b\"{}\"... (65 bytes)", "a".repeat(64));
        assert_eq!(format!("{long:?}"), expected);
    }

    proptest! {
        #[test]
        fn a_frame_holds_what_it_was_given(
            payload in prop::collection::vec(any::<u8>(), 0..160),
            behind in prop::collection::vec(any::<u8>(), 0..160),
        ) {
            let len = payload.len();
            let window = [payload.as_slice(), &behind].concat();
            let frames = [
                Frame::copy_from_slice(&payload),
                Frame::copy_from_window(&window, len),
                Frame::from_vec(payload.clone()),
                Frame::from_bytes(Bytes::from(payload.clone())),
            ];
            for frame in frames {
                prop_assert_eq!(frame.len(), len);
                prop_assert_eq!(frame.is_inline(), len <= Frame::INLINE);
                prop_assert_eq!(frame.as_slice(), &payload[..]);
                prop_assert_eq!(&frame.slice(len / 3..)[..], &payload[len / 3..]);
                prop_assert_eq!(&frame.clone().into_bytes()[..], &payload[..]);
            }
        }
    }
}

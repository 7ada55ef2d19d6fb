//! One message: one frame or more that are sent, queued and received as a whole.
//!
//! What it is not: a queue of frames or a builder with a "more" flag. A message that exists is complete, which is
//! what makes multipart atomic everywhere above.
//!
//! Invariants:
//! - there is always at least one frame (it may be empty);
//! - a single frame is always held in place, never in a vector of one: the common case allocates nothing, and the
//!   whole is no wider than a frame (72 bytes).
//!
//! ```text
//!   push_front(id) --> [ id | empty | body ] --> pop_front() = id,  [ empty | body ]
//!                        envelope   ^ what the user gave
//! ```

use std::fmt;
use std::ops::Index;
use std::str::Utf8Error;
use std::{mem, slice, vec};

use super::frame::Frame;

/// A message: one frame or more, sent and received as a whole.
///
/// Anything a [`Frame`] can be made from is a message of one frame; [`Message::from_frames`] makes one of several.
///
/// ```
/// use taipan::message::Message;
///
/// let hello = Message::from("hello");
/// assert_eq!(hello, "hello");
///
/// let mut update = Message::from_frames(["weather.zurich", "21 degrees"]);
/// assert_eq!(update.frame_count(), 2);
/// assert_eq!(update.pop_front().unwrap(), "weather.zurich");
/// assert_eq!(update, "21 degrees");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Message(Parts);

/// `Many` holds two frames or more, except for a moment inside a method.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Parts {
    One(Frame),
    Many(Vec<Frame>),
}

impl Message {
    /// Room for this many frames is made when a message becomes multipart: an id, an empty delimiter, a body and
    /// one more, so that an envelope costs one allocation.
    const FIRST_CAPACITY: usize = 4;

    /// A message of one empty frame.
    #[inline]
    pub const fn new() -> Self {
        Self(Parts::One(Frame::new()))
    }

    /// A message of these frames, in order. No frames at all make a message of one empty frame.
    pub fn from_frames<I>(frames: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Frame>,
    {
        let mut frames = frames.into_iter().map(Into::into);
        let Some(first) = frames.next() else {
            return Self::new();
        };
        let Some(second) = frames.next() else {
            return Self(Parts::One(first));
        };
        let mut many = Vec::with_capacity(frames.size_hint().0.saturating_add(2));
        many.push(first);
        many.push(second);
        many.extend(frames);
        Self(Parts::Many(many))
    }

    /// All frames, in order; never empty.
    #[inline]
    pub fn frames(&self) -> &[Frame] {
        match &self.0 {
            Parts::One(frame) => slice::from_ref(frame),
            Parts::Many(frames) => frames,
        }
    }

    /// How many frames there are; at least 1.
    #[inline]
    pub fn frame_count(&self) -> usize {
        match &self.0 {
            Parts::One(_) => 1,
            Parts::Many(frames) => frames.len(),
        }
    }

    /// The sum of all payloads, in bytes.
    #[inline]
    pub fn byte_len(&self) -> usize {
        match &self.0 {
            Parts::One(frame) => frame.len(),
            Parts::Many(frames) => frames.iter().map(Frame::len).sum(),
        }
    }

    /// Whether there is more than one frame.
    #[inline]
    pub fn is_multipart(&self) -> bool {
        matches!(self.0, Parts::Many(_))
    }

    /// The first frame: the topic of a published message, the peer's id of a routed one.
    #[inline]
    pub fn first(&self) -> &Frame {
        match &self.0 {
            Parts::One(frame) => frame,
            Parts::Many(frames) => &frames[0],
        }
    }

    /// The last frame.
    #[inline]
    pub fn last(&self) -> &Frame {
        match &self.0 {
            Parts::One(frame) => frame,
            Parts::Many(frames) => &frames[frames.len() - 1],
        }
    }

    /// Adds a frame at the end.
    #[inline]
    pub fn push_back(&mut self, frame: impl Into<Frame>) {
        let many = self.make_many();
        many.push(frame.into());
    }

    /// Adds a frame in front: how an envelope is put on.
    #[inline]
    pub fn push_front(&mut self, frame: impl Into<Frame>) {
        let frame = frame.into();
        match &mut self.0 {
            Parts::One(only) => {
                let mut many = Vec::with_capacity(Self::FIRST_CAPACITY);
                many.push(frame);
                many.push(mem::take(only));
                self.0 = Parts::Many(many);
            }
            Parts::Many(many) => many.insert(0, frame),
        }
    }

    /// Takes the first frame off: how an envelope is opened. `None` when only one frame is left, because a message
    /// always has one; see [`Message::into_first`] and [`Message::into_frames`].
    #[inline]
    pub fn pop_front(&mut self) -> Option<Frame> {
        let Parts::Many(many) = &mut self.0 else {
            return None;
        };
        let first = many.remove(0);
        self.settle();
        Some(first)
    }

    /// The first frame, and the message that the others make, if there are others.
    #[inline]
    pub fn split_first(mut self) -> (Frame, Option<Message>) {
        match self.pop_front() {
            Some(first) => (first, Some(self)),
            None => (self.into_first(), None),
        }
    }

    /// All frames, in order; never empty. Allocates for a single frame: iterate where that matters.
    #[inline]
    pub fn into_frames(self) -> Vec<Frame> {
        match self.0 {
            Parts::One(frame) => vec![frame],
            Parts::Many(frames) => frames,
        }
    }

    /// The first frame; the others are dropped.
    #[inline]
    pub fn into_first(self) -> Frame {
        match self.0 {
            Parts::One(frame) => frame,
            Parts::Many(mut frames) => frames.swap_remove(0),
        }
    }

    /// A copy of all payloads, one behind the other.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut joined = Vec::with_capacity(self.byte_len());
        for frame in self.iter() {
            joined.extend_from_slice(frame);
        }
        joined
    }

    /// The first frame as text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    #[inline]
    pub fn as_str(&self) -> Result<&str, Utf8Error> {
        str::from_utf8(self.first())
    }

    /// The frames, in order.
    #[inline]
    pub fn iter(&self) -> slice::Iter<'_, Frame> {
        self.frames().iter()
    }

    /// The frames as a vector in place. The caller leaves two or more in it, or calls `settle`.
    #[inline]
    fn make_many(&mut self) -> &mut Vec<Frame> {
        if let Parts::One(only) = &mut self.0 {
            let mut many = Vec::with_capacity(Self::FIRST_CAPACITY);
            many.push(mem::take(only));
            self.0 = Parts::Many(many);
        }
        match &mut self.0 {
            Parts::Many(many) => many,
            Parts::One(_) => unreachable!("a single frame was moved into a vector above"),
        }
    }

    /// Puts a single frame back in place, where the invariant wants it.
    #[inline]
    fn settle(&mut self) {
        if let Parts::Many(many) = &mut self.0
            && many.len() < 2
        {
            self.0 = Parts::One(many.pop().unwrap_or_default());
        }
    }
}

impl Default for Message {
    /// A message of one empty frame.
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl From<Frame> for Message {
    #[inline]
    fn from(frame: Frame) -> Self {
        Self(Parts::One(frame))
    }
}

impl From<&Frame> for Message {
    #[inline]
    fn from(frame: &Frame) -> Self {
        Self(Parts::One(frame.clone()))
    }
}

impl From<Vec<Frame>> for Message {
    /// Takes the vector over; an empty one makes a message of one empty frame.
    #[inline]
    fn from(frames: Vec<Frame>) -> Self {
        let mut message = Self(Parts::Many(frames));
        message.settle();
        message
    }
}

impl<F: Into<Frame>> FromIterator<F> for Message {
    fn from_iter<I: IntoIterator<Item = F>>(frames: I) -> Self {
        Self::from_frames(frames)
    }
}

impl<F: Into<Frame>> Extend<F> for Message {
    fn extend<I: IntoIterator<Item = F>>(&mut self, frames: I) {
        for frame in frames {
            self.push_back(frame);
        }
    }
}

impl Index<usize> for Message {
    type Output = Frame;

    /// The frame at this position, from 0; panics behind the last one, as a slice does.
    #[inline]
    fn index(&self, position: usize) -> &Frame {
        &self.frames()[position]
    }
}

impl fmt::Debug for Message {
    /// A single frame as itself, several as a list.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Parts::One(frame) => frame.fmt(f),
            Parts::Many(frames) => frames.fmt(f),
        }
    }
}

impl<'a> IntoIterator for &'a Message {
    type Item = &'a Frame;
    type IntoIter = slice::Iter<'a, Frame>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Message {
    type Item = Frame;
    type IntoIter = IntoFrames;

    /// The frames by value, without an allocation.
    #[inline]
    fn into_iter(self) -> IntoFrames {
        match self.0 {
            Parts::One(frame) => IntoFrames {
                only: Some(frame),
                many: Vec::new().into_iter(),
            },
            Parts::Many(frames) => IntoFrames {
                only: None,
                many: frames.into_iter(),
            },
        }
    }
}

/// The frames of a message by value; see [`Message::into_iter`](IntoIterator::into_iter).
#[derive(Clone, Debug)]
pub struct IntoFrames {
    only: Option<Frame>,
    many: vec::IntoIter<Frame>,
}

impl Iterator for IntoFrames {
    type Item = Frame;

    #[inline]
    fn next(&mut self) -> Option<Frame> {
        self.only.take().or_else(|| self.many.next())
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.only.is_some()) + self.many.len();
        (left, Some(left))
    }
}

impl DoubleEndedIterator for IntoFrames {
    #[inline]
    fn next_back(&mut self) -> Option<Frame> {
        self.many.next_back().or_else(|| self.only.take())
    }
}

impl ExactSizeIterator for IntoFrames {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn a_message_is_no_wider_than_a_frame() {
        assert_eq!(size_of::<Message>(), 72);
        assert_eq!(size_of::<Option<Message>>(), 72);
    }

    #[test]
    fn no_frames_make_one_empty_frame() {
        let none: [Frame; 0] = [];
        let messages = [
            Message::new(),
            Message::default(),
            Message::from_frames(none),
            Message::from(Vec::<Frame>::new()),
        ];
        for message in messages {
            assert_eq!(message.frame_count(), 1);
            assert!(!message.is_multipart());
            assert_eq!(message, "");
        }
    }

    #[test]
    fn one_frame_in_a_vector_is_the_same_as_one_frame() {
        let message = Message::from(vec![Frame::from("a")]);
        assert!(!message.is_multipart());
        assert_eq!(message, Message::from("a"));
        assert_eq!(message, Message::from_frames(["a"]));
    }

    #[test]
    fn frames_keep_their_order_and_are_counted() {
        let mut message = Message::from("body");
        message.push_front("");
        message.push_front("id");
        message.push_back("tail");
        assert_eq!(message.frames(), ["id", "", "body", "tail"]);
        assert_eq!(message.frame_count(), 4);
        assert_eq!(message.byte_len(), 10);
        assert_eq!(message.first(), "id");
        assert_eq!(message.last(), "tail");
        assert_eq!(message[2], "body");
        assert_eq!(message.to_vec(), b"idbodytail");
    }

    #[test]
    fn an_envelope_goes_on_and_comes_off_without_copying_the_body() {
        let body = vec![5; 1000];
        let at = body.as_ptr();
        let mut message = Message::from(body);
        message.push_front("id");
        let (id, rest) = message.split_first();
        assert_eq!(id, "id");
        let rest = rest.expect("a body behind the id");
        assert!(!rest.is_multipart());
        assert_eq!(rest.into_first().as_ptr(), at);
    }

    #[test]
    fn the_last_frame_cannot_be_popped() {
        let mut message = Message::from_frames(["a", "b"]);
        assert_eq!(message.pop_front(), Some(Frame::from("a")));
        assert_eq!(message.pop_front(), None);
        assert_eq!(message, "b");
        assert_eq!(message.split_first(), (Frame::from("b"), None));
    }

    #[test]
    fn into_first_takes_the_first_of_several() {
        assert_eq!(Message::from_frames(["a", "b", "c"]).into_first(), "a");
    }

    #[test]
    fn text_is_the_first_frame_or_an_error() {
        assert_eq!(Message::from_frames(["text", "x"]).as_str(), Ok("text"));
        assert!(Message::from(b"\xff").as_str().is_err());
    }

    #[test]
    fn debug_shows_one_frame_plain_and_several_as_a_list() {
        assert_eq!(format!("{:?}", Message::from("a")), "b\"a\"");
        let two = Message::from_frames(["a", "b"]);
        assert_eq!(format!("{two:?}"), "[b\"a\", b\"b\"]");
    }

    #[test]
    fn frames_by_value_come_from_both_ends() {
        let mut single = Message::from("a").into_iter();
        assert_eq!(single.len(), 1);
        assert_eq!(single.next_back(), Some(Frame::from("a")));
        assert_eq!(single.next(), None);
        let several = Message::from_frames(["a", "b", "c"]).into_iter();
        assert_eq!(several.rev().collect::<Message>().frames(), ["c", "b", "a"]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Front(Vec<u8>),
        Back(Vec<u8>),
        Pop,
        Split,
    }

    fn step() -> impl Strategy<Value = Step> {
        let payload = || prop::collection::vec(any::<u8>(), 0..90);
        prop_oneof![
            payload().prop_map(Step::Front),
            payload().prop_map(Step::Back),
            Just(Step::Pop),
            Just(Step::Split),
        ]
    }

    proptest! {
        /// The oracle is a queue of vectors that never gets empty.
        #[test]
        fn a_message_behaves_as_a_queue(steps in prop::collection::vec(step(), 0..40)) {
            let mut message = Message::new();
            let mut oracle = VecDeque::from([Vec::new()]);
            for step in steps {
                match step {
                    Step::Front(payload) => {
                        message.push_front(&payload);
                        oracle.push_front(payload);
                    }
                    Step::Back(payload) => {
                        message.push_back(&payload);
                        oracle.push_back(payload);
                    }
                    Step::Pop => {
                        let expected = if oracle.len() > 1 { oracle.pop_front() } else { None };
                        prop_assert_eq!(message.pop_front().map(Vec::from), expected);
                    }
                    Step::Split => {
                        let (first, rest) = message.clone().split_first();
                        prop_assert_eq!(&first, &oracle[0]);
                        prop_assert_eq!(rest.map_or(0, |rest| rest.frame_count()), oracle.len() - 1);
                    }
                }
                let frames: Vec<Vec<u8>> = message.iter().map(|frame| frame.to_vec()).collect();
                prop_assert_eq!(&frames, &oracle.iter().cloned().collect::<Vec<_>>());
                prop_assert_eq!(message.byte_len(), oracle.iter().map(Vec::len).sum::<usize>());
                prop_assert_eq!(message.is_multipart(), oracle.len() > 1);
                prop_assert_eq!(&Message::from(message.clone().into_frames()), &message);
                prop_assert_eq!(&message.clone().into_iter().collect::<Message>(), &message);
            }
        }
    }
}

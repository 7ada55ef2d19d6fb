//! What a lane carries: whole messages, and the subscriptions that travel the other way.

use bytes::Bytes;

use crate::message::Message;

/// One item on a lane. Multipart is atomic by construction: a lane never sees half a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Packet {
    /// A message of the user's.
    Message(Message),
    /// What a subscriber wants.
    Subscription(Subscription),
}

/// What a subscriber wants, or does not want any more. Never refused by a watermark: losing one loses every later
/// message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subscription {
    /// Messages whose first frame begins with this topic.
    Add(Bytes),
    /// One such subscription is taken back.
    Cancel(Bytes),
}

impl Subscription {
    /// What it is about.
    #[inline]
    pub(crate) fn topic(&self) -> &Bytes {
        match self {
            Subscription::Add(topic) | Subscription::Cancel(topic) => topic,
        }
    }
}

impl Packet {
    /// Payload bytes, for byte watermarks and counters.
    #[inline]
    pub(crate) fn byte_len(&self) -> usize {
        match self {
            Packet::Message(message) => message.byte_len(),
            Packet::Subscription(subscription) => subscription.topic().len(),
        }
    }

    /// Whether it is a subscription.
    #[inline]
    pub(crate) fn is_control(&self) -> bool {
        !matches!(self, Packet::Message(_))
    }
}

/// What was received.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Got {
    /// A message, which is in the place that was given for it.
    Message {
        /// Whether there seems to be more to receive already.
        more: bool,
    },
    /// What the peer wants.
    Subscription(Subscription),
}

impl From<Message> for Packet {
    #[inline]
    fn from(message: Message) -> Self {
        Packet::Message(message)
    }
}

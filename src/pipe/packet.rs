//! What a lane carries: whole messages, and the subscriptions that travel the other way.

use bytes::Bytes;

use crate::message::Message;

/// One item on a lane. Multipart is atomic by construction: a lane never sees half a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Packet {
    /// A message of the user's.
    Message(Message),
    /// The peer wants messages whose first frame begins with this topic.
    Subscribe(Bytes),
    /// The peer takes one such subscription back.
    Cancel(Bytes),
}

impl Packet {
    /// Payload bytes, for byte watermarks and counters.
    #[inline]
    pub(crate) fn byte_len(&self) -> usize {
        match self {
            Packet::Message(message) => message.byte_len(),
            Packet::Subscribe(topic) | Packet::Cancel(topic) => topic.len(),
        }
    }

    /// Subscriptions are never refused by a watermark: losing one loses every later message.
    #[inline]
    pub(crate) fn is_control(&self) -> bool {
        !matches!(self, Packet::Message(_))
    }
}

impl From<Message> for Packet {
    #[inline]
    fn from(message: Message) -> Self {
        Packet::Message(message)
    }
}

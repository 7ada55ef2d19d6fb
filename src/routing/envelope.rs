//! The envelope of a request: the frames that say where a reply must go, closed by an empty one.
//!
//! What it is: taking the envelope off a request and putting it around the reply. It is not a check of what is inside:
//! the addresses mean something only to the peers that put them there.
//!
//! Invariant: the delimiter is never stored, so the usual envelope, which has no address, allocates nothing.
//!
//! ```text
//!   [address]* [empty] [body]+   --split-->   Envelope + [body]+   --wrap-->   [address]* [empty] [reply]+
//! ```

use crate::message::{Frame, Message};

/// The addresses in front of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    addresses: Vec<Frame>,
}

impl Envelope {
    /// Takes the envelope off: the frames up to and including the first empty one. Without an empty frame, or with
    /// nothing behind it, the message comes back.
    pub(crate) fn split(mut message: Message) -> Result<(Envelope, Message), Message> {
        let frames = message.frames();
        let Some(delimiter) = frames.iter().position(|frame| frame.is_empty()) else {
            return Err(message);
        };
        if delimiter + 1 == frames.len() {
            return Err(message);
        }
        if delimiter == 0 {
            message.pop_front();
            return Ok((Envelope::default(), message));
        }
        let mut addresses = message.into_frames();
        let body = addresses.split_off(delimiter + 1);
        addresses.truncate(delimiter);
        Ok((Envelope { addresses }, Message::from(body)))
    }

    /// Puts the envelope in front of a message.
    pub(crate) fn wrap(self, mut body: Message) -> Message {
        if self.addresses.is_empty() {
            body.push_front(Frame::new());
            return body;
        }
        let mut frames = self.addresses;
        frames.reserve_exact(1 + body.frame_count());
        frames.push(Frame::new());
        frames.extend(body);
        Message::from(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(frames: &[&'static str]) -> Message {
        Message::from_frames(frames.iter().copied())
    }

    #[test]
    fn the_envelope_ends_at_the_first_empty_frame() {
        let (envelope, body) = Envelope::split(message(&["a", "b", "", "x", "", "y"])).unwrap();
        assert_eq!(envelope.addresses, ["a", "b"].map(Frame::from));
        assert_eq!(body, message(&["x", "", "y"]));
        assert_eq!(
            envelope.wrap(message(&["r", "s"])),
            message(&["a", "b", "", "r", "s"])
        );
    }

    #[test]
    fn without_addresses_only_the_delimiter_comes_back() {
        let (envelope, body) = Envelope::split(message(&["", "x"])).unwrap();
        assert_eq!((&envelope, body), (&Envelope::default(), message(&["x"])));
        assert_eq!(envelope.wrap(message(&["r"])), message(&["", "r"]));
    }

    #[test]
    fn an_empty_body_frame_is_a_body() {
        let (envelope, body) = Envelope::split(message(&["", ""])).unwrap();
        assert_eq!((envelope, body), (Envelope::default(), message(&[""])));
    }

    #[test]
    fn without_delimiter_or_body_there_is_no_envelope() {
        for bad in [&["a", "b"][..], &["a", ""], &[""]] {
            assert_eq!(Envelope::split(message(bad)).unwrap_err(), message(bad));
        }
    }
}

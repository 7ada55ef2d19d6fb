//! The envelope of a request: the frames that say where a reply must go, up to and including an empty one.
//!
//! What it is: taking the envelope off a request and putting one around a message. It is not a check of what is inside:
//! the addresses mean something only to the peers that put them there.
//!
//! ```text
//!   [address]* [empty] [body]+        split: ([address]* [empty], [body]+)        join: the way back
//! ```

use crate::message::{Frame, Message};

/// Takes the envelope off: the frames up to and including the first empty one, and the body behind it. Without an empty
/// frame, or with nothing behind it, the message comes back.
pub(crate) fn split_envelope(message: Message) -> Result<(Vec<Frame>, Message), Message> {
    let frames = message.frames();
    let Some(delimiter) = frames.iter().position(|frame| frame.is_empty()) else {
        return Err(message);
    };
    if delimiter + 1 == frames.len() {
        return Err(message);
    }
    let mut envelope = message.into_frames();
    let body = envelope.split_off(delimiter + 1);
    Ok((envelope, Message::from(body)))
}

/// Puts an envelope in front of a message.
pub(crate) fn join_envelope(mut envelope: Vec<Frame>, body: Message) -> Message {
    envelope.reserve_exact(body.frame_count());
    envelope.extend(body);
    Message::from(envelope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(frames: &[&'static str]) -> Message {
        Message::from_frames(frames.iter().copied())
    }

    #[test]
    fn the_envelope_ends_at_the_first_empty_frame() {
        let (envelope, body) = split_envelope(message(&["a", "b", "", "x", "", "y"])).unwrap();
        assert_eq!(envelope, ["a", "b", ""].map(Frame::from));
        assert_eq!(body, message(&["x", "", "y"]));
        assert_eq!(
            join_envelope(envelope, body),
            message(&["a", "b", "", "x", "", "y"])
        );
    }

    #[test]
    fn an_empty_body_frame_is_a_body() {
        let (envelope, body) = split_envelope(message(&["", ""])).unwrap();
        assert_eq!((envelope.len(), body), (1, message(&[""])));
    }

    #[test]
    fn without_delimiter_or_body_there_is_no_envelope() {
        for bad in [&["a", "b"][..], &["a", ""], &[""]] {
            assert_eq!(split_envelope(message(bad)).unwrap_err(), message(bad));
        }
    }
}

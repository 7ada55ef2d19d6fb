//! What is in a message, and how it is read: the same for everybody.
//!
//! Every byte of message `n` is its tag, written anew for each message by its sender. The reader adds up all bytes in
//! steps of eight and compares: a message that is lost, doubled, out of order or changed fails the run. Where several
//! ends send, or several share what is sent, order says nothing: there content and number are compared.

use crate::Outcome;

const WORD: usize = size_of::<u64>();

/// Messages have tags from 1 to this, so that no two messages that could be mixed up are alike.
const TAGS: usize = 251;

/// The tag of a message that says that the warm-up is over.
pub const WARM: u8 = 252;
/// The tag of a message that says that everything was sent.
pub const END: u8 = 253;

/// What was received: the first byte, the length, and the sum over all bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Got {
    pub tag: u8,
    pub len: usize,
    pub sum: u64,
}

/// What message `index` is filled with.
#[inline]
pub fn tag(index: usize) -> u8 {
    (index % TAGS) as u8 + 1
}

/// Reads a message: whole words first, then the rest.
#[inline]
pub fn read(bytes: &[u8]) -> Got {
    let words = bytes.chunks_exact(WORD);
    let rest = words.remainder().iter().map(|byte| u64::from(*byte));
    let rest = rest.fold(0, u64::wrapping_add);
    let sum = words
        .map(|word| u64::from_le_bytes(word.try_into().expect("a whole word")))
        .fold(rest, u64::wrapping_add);
    Got {
        tag: bytes.first().copied().unwrap_or(0),
        len: bytes.len(),
        sum,
    }
}

/// What [`read`] gives for `len` bytes of `tag`.
#[inline]
fn expected(len: usize, tag: u8) -> Got {
    let word = u64::from_le_bytes([tag; WORD]);
    let rest = u64::from(tag) * (len % WORD) as u64;
    let sum = word.wrapping_mul((len / WORD) as u64).wrapping_add(rest);
    Got { tag, len, sum }
}

/// Whether what was read is message `index` of `len` bytes.
///
/// # Errors
/// If not: then the peer, or this program, is broken.
#[inline]
pub fn check(index: usize, len: usize, got: Got) -> Outcome<()> {
    if got == expected(len, tag(index)) {
        return Ok(());
    }
    Err(format!("message {index} is not what was sent: {got:?}").into())
}

/// Whether what was read is any message of `len` bytes that could have been sent.
///
/// # Errors
/// If not, as [`check`].
#[inline]
pub fn check_any(len: usize, got: Got) -> Outcome<()> {
    if got == expected(len, got.tag) && got.tag != 0 {
        return Ok(());
    }
    Err(format!("not a message that was sent: {got:?}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_expected_one_at_every_length() {
        for len in 1..100 {
            for index in [0, 7, 250, 251] {
                let message = vec![tag(index); len];
                assert!(check(index, len, read(&message)).is_ok());
                assert!(check_any(len, read(&message)).is_ok());
            }
        }
    }

    #[test]
    fn a_neighbour_is_found_out() {
        let message = vec![tag(5); 64];
        assert!(check(4, 64, read(&message)).is_err());
        assert!(check(5, 63, read(&message)).is_err());
    }

    #[test]
    fn a_changed_byte_is_found_out() {
        let mut message = vec![tag(5); 64];
        message[40] = 9;
        assert!(check_any(64, read(&message)).is_err());
    }
}

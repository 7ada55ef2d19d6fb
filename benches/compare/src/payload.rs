//! What is in a message, and how it is read: the same for everybody.
//!
//! Every byte of message `n` is its tag, written anew for each message by its sender. The reader adds up all bytes in
//! steps of eight and compares: a message that is lost, doubled, out of order or changed fails the run.

use crate::Outcome;

const WORD: usize = size_of::<u64>();

/// What message `index` is filled with: 1 to 251, so that no two messages that could be mixed up are alike.
#[inline]
pub fn tag(index: usize) -> u8 {
    (index % 251) as u8 + 1
}

/// The sum over all bytes: whole words first, then the rest.
#[inline]
pub fn read(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(WORD);
    let rest = words.remainder().iter().map(|byte| u64::from(*byte));
    let rest = rest.fold(0, u64::wrapping_add);
    words
        .map(|word| u64::from_le_bytes(word.try_into().expect("a whole word")))
        .fold(rest, u64::wrapping_add)
}

/// What [`read`] gives for `len` bytes of `tag`.
#[inline]
fn expected(len: usize, tag: u8) -> u64 {
    let word = u64::from_le_bytes([tag; WORD]);
    let rest = u64::from(tag) * (len % WORD) as u64;
    word.wrapping_mul((len / WORD) as u64).wrapping_add(rest)
}

/// Whether what was read is message `index` of `len` bytes.
///
/// # Errors
/// If not: then the peer, or this program, is broken.
#[inline]
pub fn check(index: usize, len: usize, got: (usize, u64)) -> Outcome<()> {
    if got == (len, expected(len, tag(index))) {
        return Ok(());
    }
    Err(format!(
        "message {index}: {} bytes, sum {:#x}; not what was sent",
        got.0, got.1
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_expected_one_at_every_length() {
        for len in 0..100 {
            for index in [0, 7, 250, 251] {
                let message = vec![tag(index); len];
                assert!(check(index, len, (len, read(&message))).is_ok());
            }
        }
    }

    #[test]
    fn a_neighbour_is_found_out() {
        let message = vec![tag(5); 64];
        assert!(check(4, 64, (64, read(&message))).is_err());
        assert!(check(5, 63, (64, read(&message))).is_err());
    }
}

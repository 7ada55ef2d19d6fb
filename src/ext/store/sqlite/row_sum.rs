//! A sum over each row, because SQLite keeps none: a bit that flips within a value is found by nothing else.

/// Bijective in each word for given others, so that a change within one word of eight bytes is always found.
fn mix(sum: u64, word: u64) -> u64 {
    (sum ^ word)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left(29)
}

/// Four lanes, because one alone waits for its own multiplications: 20 GB/s instead of 6 for large values, where measured.
fn feed(sum: u64, bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut lanes = [sum, !sum, sum.rotate_left(16), !sum.rotate_left(16)];
    for block in blocks {
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
            *lane = mix(*lane, u64::from_le_bytes(*word));
        }
    }
    let mut padded = [0; 32];
    padded[..rest.len()].copy_from_slice(rest);
    let tail = padded.as_chunks::<8>().0.iter();
    let tail = tail.map(|word| u64::from_le_bytes(*word));
    let len = bytes.len() as u64;
    lanes.into_iter().chain(tail).chain([len]).fold(sum, mix)
}

/// The sum of a row. Part of the format of the file: it never changes without the version.
pub(super) fn row_sum(key: &[u8], value: &[u8]) -> i64 {
    feed(feed(0x7461_6970_616E_0001, key), value).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::row_sum;

    #[test]
    fn every_bit_counts() {
        let value: Vec<u8> = (0..107).collect();
        let sum = row_sum(b"key", &value);
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(row_sum(b"key", &flipped), sum, "bit {bit}");
        }
    }

    #[test]
    fn the_border_between_key_and_value_counts() {
        assert_ne!(row_sum(b"ab", b"c"), row_sum(b"a", b"bc"));
        assert_ne!(row_sum(b"a", b""), row_sum(b"a", b"\0"));
    }

    #[test]
    fn the_sum_is_what_it_was() {
        assert_eq!(row_sum(b"", b""), EMPTY);
        assert_eq!(row_sum(b"key", &[7; 75]), LONGER);
    }

    const EMPTY: i64 = -2_375_073_747_358_332_534;
    const LONGER: i64 = -8_157_567_386_329_737_986;
}

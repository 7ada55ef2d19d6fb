//! What is sent in these tests: for each stream and number a message that both ends can make for themselves.
//!
//! Its first frame begins with the stream and the number, so that loss, doubling and mixing show; the rest is noise
//! from a table whose length has nothing in common with a ring's, so that misplaced bytes show.

use std::sync::LazyLock;

use taipan::{Frame, Message, Sends, Socket};

/// A prime number of bytes.
const TABLE: usize = 262_139;

static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut random = Random::new(7);
    let words = (0..TABLE / 8 + 1).flat_map(|_| random.next().to_le_bytes());
    words.take(TABLE).collect()
});

/// A small generator (splitmix64): the same numbers for the same seed, everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// The seed of this run, printed.
pub fn seed() -> u64 {
    let given = std::env::var("TAIPAN_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let fresh = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| now.as_nanos() as u64)
    };
    let seed: u64 = given.unwrap_or_else(fresh);
    eprintln!("TAIPAN_SEED={seed}");
    seed
}

/// Compares bytes with the noise from some place of the table on.
fn is_noise(mut bytes: &[u8], at: usize) -> bool {
    let mut at = at % TABLE;
    while !bytes.is_empty() {
        let count = bytes.len().min(TABLE - at);
        if bytes[..count] != NOISE[at..at + count] {
            return false;
        }
        bytes = &bytes[count..];
        at = 0;
    }
    true
}

/// Fills bytes with the noise from some place of the table on.
pub fn fill_noise(mut bytes: &mut [u8], at: usize) {
    let mut at = at % TABLE;
    while !bytes.is_empty() {
        let count = bytes.len().min(TABLE - at);
        bytes[..count].copy_from_slice(&NOISE[at..at + count]);
        bytes = &mut bytes[count..];
        at = 0;
    }
}

/// What the messages of a stream look like.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub seed: u64,
    /// The longest frame.
    pub most: usize,
}

/// The bytes in front of the first frame: stream and number.
pub const TAG: usize = 16;

impl Script {
    /// The lengths of a message's frames, without the tag, and where in the table its noise begins.
    fn shape(&self, stream: u64, number: u64) -> (Vec<usize>, usize) {
        let mixed = self.seed ^ stream.wrapping_mul(0x1234_5677) ^ number.wrapping_mul(0x9e37_79b9);
        let mut random = Random::new(mixed);
        let count = if random.one_in(6) {
            2 + random.below(5)
        } else {
            1
        };
        let lengths = (0..count).map(|_| {
            let bound = match random.below(16) {
                0 => 1,
                1..=5 => 100,
                6..=9 => 5_000,
                10..=12 => 40_000,
                13..=14 => 300_000,
                _ => self.most + 1,
            };
            random.below(bound.min(self.most + 1))
        });
        let lengths = lengths.collect();
        (lengths, random.below(TABLE))
    }

    fn tag(stream: u64, number: u64) -> [u8; TAG] {
        let mut tag = [0; TAG];
        tag[..8].copy_from_slice(&stream.to_le_bytes());
        tag[8..].copy_from_slice(&number.to_le_bytes());
        tag
    }

    /// The message, in ordinary memory.
    pub fn message(&self, stream: u64, number: u64) -> Message {
        self.write(stream, number, |len, write| {
            let mut bytes = vec![0; len];
            write(&mut bytes);
            bytes.into()
        })
    }

    /// The message, its large frames in loans of the socket as far as those are to be had.
    pub fn loaned<K: Sends>(&self, socket: &Socket<K>, stream: u64, number: u64) -> Message {
        self.write(stream, number, |len, write| match socket.loan(len) {
            Ok(mut loan) => {
                write(&mut loan);
                loan.into()
            }
            Err(_) => {
                let mut bytes = vec![0; len];
                write(&mut bytes);
                bytes.into()
            }
        })
    }

    fn write(
        &self,
        stream: u64,
        number: u64,
        make: impl Fn(usize, &dyn Fn(&mut [u8])) -> Frame,
    ) -> Message {
        let (lengths, noise) = self.shape(stream, number);
        let frames = lengths.iter().enumerate().map(|(at, len)| {
            let front = if at == 0 { TAG } else { 0 };
            make(front + len, &|bytes: &mut [u8]| {
                bytes[..front].copy_from_slice(&Self::tag(stream, number)[..front]);
                fill_noise(&mut bytes[front..], noise + at);
            })
        });
        Message::from_frames(frames)
    }

    /// Checks that a message is this one, bit by bit.
    #[track_caller]
    pub fn check(&self, stream: u64, number: u64, message: &Message) {
        assert_eq!(
            tag_of(message),
            (stream, number),
            "stream and number, {self:?}"
        );
        let (lengths, noise) = self.shape(stream, number);
        assert_eq!(
            message.frame_count(),
            lengths.len(),
            "{stream}/{number}, {self:?}"
        );
        for (at, (frame, len)) in message.iter().zip(lengths).enumerate() {
            let front = if at == 0 { TAG } else { 0 };
            assert_eq!(
                frame.len(),
                front + len,
                "{stream}/{number}, frame {at}, {self:?}"
            );
            let whole = is_noise(&frame[front..], noise + at);
            assert!(
                whole,
                "{stream}/{number}, frame {at} of {len} bytes is damaged, {self:?}"
            );
        }
    }
}

/// The stream and the number of a message.
#[track_caller]
pub fn tag_of(message: &Message) -> (u64, u64) {
    let word = |at: usize| {
        let bytes = message.first().get(at..at + 8).expect("a tag");
        u64::from_le_bytes(bytes.try_into().expect("eight"))
    };
    (word(0), word(8))
}

/// Bytes of noise, of one's own.
pub fn noise(len: usize, at: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fill_noise(&mut bytes, at);
    bytes
}

/// Whether bytes are [`noise`].
pub fn same(bytes: &[u8], at: usize) -> bool {
    is_noise(bytes, at)
}

/// Whether no chunk of a sender's pool of `bytes` bytes is in use: only then can all of it be borrowed. For sockets
/// with `PoolExhausted::Wait`.
pub fn pool_is_free<K: Sends>(socket: &Socket<K>, bytes: usize) -> bool {
    socket.loan(bytes).is_ok_and(|loan| loan.is_shared())
}

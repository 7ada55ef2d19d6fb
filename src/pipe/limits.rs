//! Watermarks: how much may wait on one side of a pipe.

/// A limit in messages and one in payload bytes; 0 means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    /// Whole messages, not frames.
    pub(crate) messages: usize,
    /// Payload bytes; one message is always let in, so that a large one cannot block for ever.
    pub(crate) bytes: usize,
}

impl Limits {
    /// Whether one more message may join `messages` messages of `bytes` bytes in all.
    #[inline]
    pub(crate) fn admit(&self, messages: usize, bytes: usize) -> bool {
        (self.messages == 0 || messages < self.messages) && (self.bytes == 0 || bytes < self.bytes)
    }

    /// The limits of a queue that both ends share (in-process): the sum, and none if either has none.
    pub(crate) fn joined(self, other: Limits) -> Limits {
        let join = |a: usize, b: usize| {
            if a == 0 || b == 0 {
                0
            } else {
                a.saturating_add(b)
            }
        };
        Limits {
            messages: join(self.messages, other.messages),
            bytes: join(self.bytes, other.bytes),
        }
    }

    /// Messages a reader takes before it tells a stalled writer (the low watermark): half, rounded up.
    #[inline]
    pub(crate) fn low_water(&self) -> usize {
        if self.messages == 0 {
            1024
        } else {
            self.messages.div_ceil(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_no_limit_on_either_side() {
        let some = Limits {
            messages: 5,
            bytes: 0,
        };
        assert_eq!(
            some.joined(Limits {
                messages: 5,
                bytes: 7
            }),
            Limits {
                messages: 10,
                bytes: 0
            }
        );
        assert_eq!(some.joined(Limits::default()).messages, 0);
        assert!(Limits::default().admit(usize::MAX, usize::MAX));
        assert!(some.admit(4, usize::MAX) && !some.admit(5, 0));
    }

    #[test]
    fn low_water_is_half_rounded_up() {
        assert_eq!(
            Limits {
                messages: 1,
                bytes: 0
            }
            .low_water(),
            1
        );
        assert_eq!(
            Limits {
                messages: 5,
                bytes: 0
            }
            .low_water(),
            3
        );
        assert_eq!(
            Limits {
                messages: 10,
                bytes: 0
            }
            .low_water(),
            5
        );
    }
}

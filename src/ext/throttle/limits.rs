//! What a budget allows: plain numbers, and which of them make sense.

use std::error::Error;
use std::fmt;
use std::time::Instant;

use super::bucket::Bucket;

/// The part of a second that a burst holds unless it is given: 50 ms of the rate. Less than the 2 % of ten seconds
/// that rates are promised to, and more than any timer is late.
const BURSTS_A_SECOND: u64 = 20;

/// How much may pass in a second, and how much at once.
///
/// ```
/// use taipan::throttle::Limits;
///
/// let mut limits = Limits::bytes(10_000_000);
/// limits.messages_per_second = Some(5_000);
/// assert!(limits.validate().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Limits {
    /// Payload bytes a second, without framing; `None` for no limit. Default `None`.
    pub bytes_per_second: Option<u64>,
    /// Whole messages a second; `None` for no limit. Default `None`.
    pub messages_per_second: Option<u64>,
    /// The most bytes that pass at once after a pause. A message larger than this still goes, when all of it has been
    /// saved, and is paid off before the next one. Default `None`: 50 ms of the rate.
    pub burst_bytes: Option<u64>,
    /// The most messages that pass at once after a pause. Default `None`: 50 ms of the rate, and at least one.
    pub burst_messages: Option<u64>,
}

/// Why limits were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitError {
    /// A rate of 0 would never let anything pass.
    ZeroRate,
    /// A burst of 0 would never let anything pass.
    ZeroBurst,
    /// A burst without a rate limits nothing.
    BurstWithoutRate,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LimitError::ZeroRate => "a rate of 0 lets nothing pass",
            LimitError::ZeroBurst => "a burst of 0 lets nothing pass",
            LimitError::BurstWithoutRate => "a burst needs a rate",
        })
    }
}

impl Error for LimitError {}

impl Limits {
    /// No limit.
    pub fn none() -> Limits {
        Limits::default()
    }

    /// So many payload bytes a second.
    pub fn bytes(per_second: u64) -> Limits {
        Limits {
            bytes_per_second: Some(per_second),
            ..Limits::default()
        }
    }

    /// So many messages a second.
    pub fn messages(per_second: u64) -> Limits {
        Limits {
            messages_per_second: Some(per_second),
            ..Limits::default()
        }
    }

    /// Whether the numbers make sense.
    ///
    /// # Errors
    /// See [`LimitError`].
    pub fn validate(&self) -> Result<(), LimitError> {
        for (rate, burst) in [
            (self.bytes_per_second, self.burst_bytes),
            (self.messages_per_second, self.burst_messages),
        ] {
            match (rate, burst) {
                (Some(0), _) => return Err(LimitError::ZeroRate),
                (Some(_), Some(0)) => return Err(LimitError::ZeroBurst),
                (None, Some(_)) => return Err(LimitError::BurstWithoutRate),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes the two buckets obey, from now on.
    pub(super) fn apply(
        &self,
        bytes: &mut Option<Bucket>,
        messages: &mut Option<Bucket>,
        now: Instant,
    ) {
        fill(bytes, self.bytes_per_second, self.burst_bytes, now);
        fill(messages, self.messages_per_second, self.burst_messages, now);
    }
}

fn fill(bucket: &mut Option<Bucket>, rate: Option<u64>, burst: Option<u64>, now: Instant) {
    let Some(rate) = rate else {
        *bucket = None;
        return;
    };
    let burst = burst.unwrap_or((rate / BURSTS_A_SECOND).max(1));
    match bucket {
        Some(bucket) => bucket.set(rate, burst, now),
        None => *bucket = Some(Bucket::new(rate, burst, now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_has_a_name() {
        assert_eq!(Limits::none().validate(), Ok(()));
        assert_eq!(Limits::bytes(1).validate(), Ok(()));
        assert_eq!(Limits::bytes(0).validate(), Err(LimitError::ZeroRate));
        assert_eq!(Limits::messages(0).validate(), Err(LimitError::ZeroRate));
        let mut limits = Limits::messages(5);
        limits.burst_messages = Some(0);
        assert_eq!(limits.validate(), Err(LimitError::ZeroBurst));
        limits.burst_messages = None;
        limits.burst_bytes = Some(1);
        assert_eq!(limits.validate(), Err(LimitError::BurstWithoutRate));
    }
}

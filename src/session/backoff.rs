//! How long to wait before the next attempt: pure, randomness passed in.
//!
//! Without a maximum the pause is the interval plus a random part of up to one interval, so that a
//! thousand clients of a restarted server do not return in one instant. With a maximum it doubles from
//! the interval to the maximum, less a random part of up to a quarter for the same reason.

use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// A link was up: start over.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next pause. `random` is uniform in 0..1.
    pub(super) fn next(
        &mut self,
        interval: Duration,
        max: Option<Duration>,
        random: f64,
    ) -> Duration {
        let factor = 1u32.checked_shl(self.failures.min(20)).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        match max {
            Some(max) if max > interval => {
                let grown = interval.saturating_mul(factor).min(max);
                grown - grown.mul_f64(random * 0.25)
            }
            _ => interval + interval.mul_f64(random),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn without_a_maximum_the_pause_is_one_to_two_intervals() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(100 * MS, None, 0.0), 100 * MS);
        assert_eq!(backoff.next(100 * MS, None, 0.5), 150 * MS);
        assert_eq!(backoff.next(100 * MS, Some(50 * MS), 0.0), 100 * MS);
    }

    #[test]
    fn with_a_maximum_it_doubles_up_to_it_and_starts_over_after_a_link() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..5)
            .map(|_| backoff.next(100 * MS, Some(1000 * MS), 0.0))
            .collect();
        assert_eq!(pauses, [100 * MS, 200 * MS, 400 * MS, 800 * MS, 1000 * MS]);
        backoff.reset();
        assert_eq!(backoff.next(100 * MS, Some(1000 * MS), 1.0), 75 * MS);
    }

    #[test]
    fn never_overflows() {
        let mut backoff = Backoff { failures: u32::MAX };
        assert_eq!(
            backoff.next(Duration::MAX / 4, Some(Duration::MAX / 2), 0.0),
            Duration::MAX / 2
        );
    }
}

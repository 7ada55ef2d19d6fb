//! The token bucket: pure arithmetic, the time passed in.
//!
//! ```text
//!   level   burst ───────────────╮ full: nothing is added
//!                  ╲  a message ╱ rate a second
//!               0 ──╲──────────╱──────
//!                    ╲________╱  in debt, after a message larger than the burst
//! ```
//!
//! Invariants: a token is 10^9 units, so the clock's nanoseconds make whole units and nothing is ever rounded; the
//! level is never above the burst; a message passes when the bucket has its tokens, or is full.

use std::time::{Duration, Instant};

/// Units of one token.
const TOKEN: i128 = 1_000_000_000;

/// Where a wait has no end that a clock could tell.
const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// See the file's text.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    /// Tokens a second.
    rate: i128,
    /// Units.
    burst: i128,
    /// Units, when last looked at.
    level: i128,
    at: Instant,
}

fn units(tokens: u64) -> i128 {
    i128::from(tokens) * TOKEN
}

impl Bucket {
    /// A full bucket. A rate or a burst of 0 counts as 1.
    pub(super) fn new(rate: u64, burst: u64, now: Instant) -> Bucket {
        let burst = units(burst.max(1));
        Bucket {
            rate: i128::from(rate.max(1)),
            burst,
            level: burst,
            at: now,
        }
    }

    /// Another rate and burst from now on; what was saved (or is owed) stays.
    pub(super) fn set(&mut self, rate: u64, burst: u64, now: Instant) {
        self.advance(now);
        self.rate = i128::from(rate.max(1));
        self.burst = units(burst.max(1));
        self.level = self.level.min(self.burst);
    }

    /// Lets time pass; a clock that goes back stands still.
    fn advance(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_nanos();
        let passed = i128::try_from(passed).unwrap_or(i128::MAX);
        let gained = passed.saturating_mul(self.rate);
        self.level = self.level.saturating_add(gained).min(self.burst);
        self.at = self.at.max(now);
    }

    /// When a message of so many tokens may pass: `None` is now.
    pub(super) fn ready(&mut self, tokens: u64, now: Instant) -> Option<Instant> {
        self.advance(now);
        let missing = units(tokens).min(self.burst) - self.level;
        (missing > 0).then(|| now + self.time_for(missing))
    }

    /// How long the bucket goes on to fill after it has enough for a message of so many tokens: a wait may end later
    /// by as much without anything being lost.
    pub(super) fn slack(&self, tokens: u64) -> Duration {
        self.time_for((self.burst - units(tokens)).max(0))
    }

    /// Whoever takes has asked whether it may.
    pub(super) fn take(&mut self, tokens: u64) {
        self.level -= units(tokens);
    }

    /// What was taken and not used.
    pub(super) fn give_back(&mut self, tokens: u64) {
        self.level = (self.level + units(tokens)).min(self.burst);
    }

    /// Rounded up, so that waiting so long is enough.
    fn time_for(&self, missing: i128) -> Duration {
        let nanos = (missing + self.rate - 1) / self.rate;
        u64::try_from(nanos).map_or(FAR, |nanos| Duration::from_nanos(nanos).min(FAR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sends messages whenever they may pass, each at the first possible moment and `late` after it. Returns when
    /// each one passed, and its tokens.
    fn send(
        bucket: &mut Bucket,
        start: Instant,
        messages: impl IntoIterator<Item = (u64, Duration)>,
    ) -> Vec<(Duration, u64)> {
        let mut now = start;
        let passed = messages.into_iter().map(|(tokens, late)| {
            if let Some(at) = bucket.ready(tokens, now) {
                now = at + late;
            }
            assert_eq!(bucket.ready(tokens, now), None, "waiting was enough");
            bucket.take(tokens);
            (now - start, tokens)
        });
        passed.collect()
    }

    /// The most that passed in any window beyond `rate * window`.
    fn excess(passed: &[(Duration, u64)], rate: u64) -> i128 {
        // What a bucket without a bottom would have lacked at each moment; the deepest fall is the excess.
        let (mut most, mut owed) = (0, 0);
        let mut last = Duration::ZERO;
        for (at, tokens) in passed {
            let gained = (*at - last).as_nanos() as i128 * i128::from(rate);
            owed = (owed - gained).max(0) + units(*tokens);
            most = most.max(owed);
            last = *at;
        }
        most
    }

    #[test]
    fn rates_are_held_from_10_kb_to_1_gb_and_from_1_byte_to_64_mib() {
        for rate in [10_000, 1_000_000, 123_456_789, 1_000_000_000] {
            for size in [1, 100, 1024, 65_536, 1 << 20, 64 << 20] {
                let start = Instant::now();
                let burst = rate / 20;
                // Ten seconds, or as many messages as can be counted off in a test.
                let count = (10 * rate / size).clamp(200, 200_000);
                let messages = (0..count).map(|_| (size, Duration::ZERO));
                // What was saved before comes on top of the rate once, and is small against ten seconds.
                assert!(burst * 100 <= 2 * 10 * rate);
                let mut bucket = Bucket::new(rate, burst, start);
                let passed = send(
                    &mut bucket,
                    start,
                    [(burst, Duration::ZERO)].into_iter().chain(messages),
                );
                assert!(excess(&passed, rate) <= units(burst.max(size)));
                // A message larger than the burst leaves first and is paid off later: the last one is still owed.
                let time = passed.last().expect("messages").0.as_secs_f64();
                let owed = size.saturating_sub(burst);
                let held = (count * size - owed) as f64 / time;
                let error = (held / rate as f64 - 1.0).abs();
                assert!(error <= 0.02, "{size} B at {rate} B/s: {held}");
            }
        }
    }

    #[test]
    fn nothing_goes_in_lumps_of_0_4_seconds() {
        let start = Instant::now();
        let mut bucket = Bucket::new(100_000, 5_000, start);
        let messages = (0..1000).map(|_| (1000, Duration::ZERO));
        let passed = send(&mut bucket, start, messages);
        // After the burst, one every hundredth of a second.
        let gaps = passed[5..].windows(2).map(|pair| pair[1].0 - pair[0].0);
        assert_eq!(gaps.max(), Some(Duration::from_millis(10)));
    }

    #[test]
    fn a_message_of_one_byte_a_nanosecond_is_not_rounded_away() {
        let start = Instant::now();
        let mut bucket = Bucket::new(3_000_000_000, 1000, start);
        let messages = (0..3_000_000).map(|_| (1, Duration::ZERO));
        let time = send(&mut bucket, start, messages).last().expect("some").0;
        // 3,000,000 less the burst take 0.999,666 ms; the last nanosecond of each wait may bring three tokens.
        assert!((999_000..=1_000_000).contains(&time.as_nanos()), "{time:?}");
    }

    #[test]
    fn a_message_larger_than_the_burst_goes_and_is_paid_off() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1000, 100, start);
        assert_eq!(bucket.ready(5000, start), None);
        bucket.take(5000);
        // 4,900 are owed, and the next one needs a single token.
        let next = bucket.ready(1, start).expect("a wait");
        assert_eq!(next - start, Duration::from_millis(4901));
        // A large one needs a full bucket.
        let next = bucket.ready(5000, start).expect("a wait");
        assert_eq!(next - start, Duration::from_millis(5000));
    }

    #[test]
    fn who_idles_saves_no_more_than_the_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 5, start);
        let later = start + Duration::from_secs(1_000_000);
        assert_eq!(bucket.ready(5, later), None);
        bucket.take(5);
        assert_eq!(
            bucket.ready(1, later),
            Some(later + Duration::from_millis(100))
        );
    }

    #[test]
    fn what_is_given_back_may_be_taken_again_but_not_saved() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 5, start);
        bucket.take(3);
        bucket.give_back(3);
        bucket.give_back(3);
        assert_eq!(bucket.ready(5, start), None);
        bucket.take(5);
        assert!(bucket.ready(1, start).is_some());
    }

    #[test]
    fn a_new_rate_counts_from_now_on() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 10, start);
        bucket.take(10);
        let half = start + Duration::from_millis(500);
        bucket.set(1000, 10, half);
        // Five were there, one more takes a millisecond.
        assert_eq!(bucket.ready(5, half), None);
        assert_eq!(bucket.ready(6, half), Some(half + Duration::from_millis(1)));
        bucket.set(1000, 2, half);
        bucket.take(2);
        assert!(bucket.ready(1, half).is_some(), "a smaller burst caps it");
    }

    #[test]
    fn no_number_is_too_large() {
        let start = Instant::now();
        for (rate, burst) in [(u64::MAX, u64::MAX), (1, u64::MAX), (u64::MAX, 1), (0, 0)] {
            let mut bucket = Bucket::new(rate, burst, start);
            for seconds in [0, 1, 1 << 30] {
                let now = start + Duration::from_secs(seconds);
                bucket.ready(u64::MAX, now);
                bucket.take(u64::MAX);
                let _ = bucket.ready(1, now).map(|at| at.duration_since(now));
            }
        }
    }

    proptest! {
        /// Whatever is sent and however late the waits end: in no window more than `rate * window` and the burst (or the
        /// largest message, if that is more), and never slower than the rate and the lateness explain.
        #[test]
        fn never_above_the_rate_and_the_burst_in_any_window(
            rate in 1_000u64..1_000_000_000,
            burst_ms in 1u64..1_000,
            messages in prop::collection::vec((1u64..200_000, 0u64..2_000_000), 1..300),
        ) {
            let burst = (rate * burst_ms / 1000).max(1);
            let start = Instant::now();
            let mut bucket = Bucket::new(rate, burst, start);
            let timed = messages.iter().map(|(size, late)| (*size, Duration::from_nanos(*late)));
            let passed = send(&mut bucket, start, timed);
            let largest = messages.iter().map(|(size, _)| *size).max().unwrap_or(0);
            prop_assert!(excess(&passed, rate) <= units(burst.max(largest)));
            let total: u64 = messages.iter().map(|(size, _)| *size).sum();
            let late: u64 = messages.iter().map(|(_, late)| *late).sum();
            let time = passed.last().map_or(0, |(at, _)| at.as_nanos());
            let fair = u128::from(total) * 1_000_000_000 / u128::from(rate);
            prop_assert!(time <= fair + u128::from(late) + messages.len() as u128);
        }
    }
}

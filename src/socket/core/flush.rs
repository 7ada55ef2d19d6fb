//! When collected bytes are written: pure, time passed in.
//!
//! ```text
//!              first send since the caller last waited          a send follows a send
//!   quiet ───────────────────── write at once ───► streaming ─────────── collect ───► scheduled
//!     ▲                                                ▲                                  │
//!     └── the caller waits: write ──┘                  └─── somebody's turn came: write ──┘
//! ```
//!
//! Whoever waits for an answer has written the question; whoever streams, or answers several messages that came
//! together, pays one system call for many messages. A full outbox is written by the lane itself, whatever the state.
//! There is no timer.

use std::time::{Duration, Instant};

/// A stream with longer gaps than this gains nothing from collecting. About twice what it takes another
/// thread to wake up and write.
const GAP: Duration = Duration::from_micros(50);
/// What writing to one peer takes, about, as long as what is written lies in the cache. A stream to so many that this
/// adds up to more than a gap collects for as long as writing takes: sending to a thousand takes 0.1 ms, and writing to
/// them 5.
const WRITE: Duration = Duration::from_micros(5);
/// From so many peers on it takes twice as long. A thousand get a quarter more by it; collecting longer for 64 would lose
/// a third.
const MANY: u32 = 256;
/// What is collected is late by this at most.
const GAP_AT_MOST: Duration = Duration::from_millis(10);

/// What to do with what was just collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    /// Write now, in this thread.
    Write,
    /// Collect; somebody will write.
    Collect,
    /// Collect, and see to it that somebody writes.
    Schedule,
}

#[derive(Debug, Default)]
pub(super) struct FlushPolicy {
    streaming: bool,
    scheduled: bool,
    last: Option<Instant>,
    /// Peers that were written to at once, the last time.
    peers: u32,
}

impl FlushPolicy {
    /// A message was collected. `more` says that the caller has more to receive at hand, and so probably to send.
    #[inline]
    pub(super) fn on_send(&mut self, more: bool, now: impl FnOnce() -> Instant) -> Advice {
        if self.scheduled {
            return Advice::Collect;
        }
        if !self.streaming {
            self.streaming = true;
            self.last = None;
            if !more {
                return Advice::Write;
            }
            self.scheduled = true;
            return Advice::Schedule;
        }
        let now = now();
        let alone = self
            .last
            .is_some_and(|last| now.duration_since(last) > self.gap());
        self.last = Some(now);
        if alone {
            return Advice::Write;
        }
        self.scheduled = true;
        Advice::Schedule
    }

    /// What `on_send` told to write is written, which may have taken long with many peers.
    #[inline]
    pub(super) fn wrote(&mut self, peers: u32, now: impl FnOnce() -> Instant) {
        self.peers = peers;
        if let Some(last) = &mut self.last {
            *last = now();
        }
    }

    /// The caller is about to wait, or found nothing to receive: everything was written.
    #[inline]
    pub(super) fn on_wait(&mut self) {
        self.streaming = false;
    }

    /// The scheduled write was done.
    pub(super) fn on_turn(&mut self, peers: u32, now: Instant) {
        self.peers = peers;
        self.scheduled = false;
        self.last = Some(now);
    }

    /// How long a stream may pause and still gain from collecting.
    #[inline]
    pub(super) fn gap(&self) -> Duration {
        let write = match self.peers {
            MANY.. => 2 * WRITE,
            _ => WRITE,
        };
        (write * self.peers).clamp(GAP, GAP_AT_MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_and_answer_always_write_at_once() {
        let mut policy = FlushPolicy::default();
        for _ in 0..3 {
            assert_eq!(
                policy.on_send(false, || panic!("no clock is read")),
                Advice::Write
            );
            policy.on_wait();
        }
    }

    #[test]
    fn answers_to_what_came_together_leave_together() {
        let mut policy = FlushPolicy::default();
        let clock = || panic!("no clock is read");
        assert_eq!(policy.on_send(true, clock), Advice::Schedule);
        assert_eq!(policy.on_send(true, clock), Advice::Collect);
        assert_eq!(policy.on_send(false, clock), Advice::Collect);
        policy.on_wait();
        policy.on_turn(1, Instant::now());
        assert_eq!(policy.on_send(false, clock), Advice::Write);
    }

    #[test]
    fn a_stream_is_collected_and_scheduled_once_a_turn() {
        let start = Instant::now();
        let mut policy = FlushPolicy::default();
        assert_eq!(policy.on_send(false, || start), Advice::Write);
        assert_eq!(policy.on_send(false, || start), Advice::Schedule);
        assert_eq!(policy.on_send(false, || start), Advice::Collect);
        policy.on_turn(1, start);
        assert_eq!(policy.on_send(false, || start), Advice::Schedule);
    }

    #[test]
    fn the_time_that_writing_takes_is_no_gap() {
        let start = Instant::now();
        let mut policy = FlushPolicy::default();
        policy.on_send(false, || start);
        policy.on_turn(1, start);
        policy.on_send(false, || start);
        policy.on_turn(1, start);
        let (sent, written) = (start + 2 * GAP, start + 5 * GAP);
        assert_eq!(policy.on_send(false, || sent), Advice::Write);
        policy.wrote(1, || written);
        assert_eq!(policy.on_send(false, || written), Advice::Schedule);
    }

    #[test]
    fn what_sending_to_many_takes_is_no_gap() {
        let start = Instant::now();
        let mut policy = FlushPolicy::default();
        policy.on_send(false, || start);
        policy.on_turn(1000, start);
        assert_eq!(policy.on_send(false, || start + 3 * GAP), Advice::Schedule);
        policy.on_turn(1, start);
        assert_eq!(policy.on_send(false, || start + 3 * GAP), Advice::Write);
    }

    #[test]
    fn sends_with_long_gaps_are_written_one_by_one() {
        let start = Instant::now();
        let mut policy = FlushPolicy::default();
        policy.on_send(false, || start);
        policy.on_send(false, || start);
        policy.on_turn(1, start);
        assert_eq!(policy.on_send(false, || start + 2 * GAP), Advice::Write);
        assert_eq!(policy.on_send(false, || start + 4 * GAP), Advice::Write);
        assert_eq!(policy.on_send(false, || start + 4 * GAP), Advice::Schedule);
    }
}

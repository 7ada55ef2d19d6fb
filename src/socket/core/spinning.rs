//! Looking for a while before sleeping, on links over shared memory.
//!
//! A blocking call looks in a loop and gives the processor away in between, in case the peer waits for it. An async
//! call looks for a moment and lets its runtime run other tasks in between.

use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use super::base::Core;
use super::state::State;
use crate::config::Spin;

/// Looks between two glances at the clock, which costs as much as several of them.
const LOOKS: u32 = 16;
/// After so long a look the peer may be waiting for our processor.
const YIELD_AFTER: Duration = Duration::from_nanos(500);

/// How far one async call is with looking.
#[derive(Debug, Default)]
pub(crate) enum Looking {
    #[default]
    NotYet,
    /// Since the first time, until the second.
    Between(Instant, Instant),
    /// Enough was looked.
    Over,
}

/// How one round of looking ended.
enum Round {
    Found,
    Nothing,
}

impl State {
    /// How long this wait may begin with looking; zero for not at all.
    fn may_spin(&mut self) -> Duration {
        if !self.pipes.anyone_awake() {
            return Duration::ZERO;
        }
        match self.options.spin {
            Spin::Auto if self.spinner.is_worthwhile() => self.auto_spin,
            Spin::UpTo(most) => most,
            _ => Duration::ZERO,
        }
    }
}

impl Core {
    /// Looks for as long as it seems worthwhile, in this thread; `true` if something turned up.
    pub(super) fn spin(&self, deadline: Option<Instant>) -> bool {
        let budget = self.lock().may_spin();
        if budget.is_zero() {
            return false;
        }
        let start = Instant::now();
        let end = deadline.map_or(start + budget, |deadline| deadline.min(start + budget));
        loop {
            if matches!(self.look_some(), Round::Found) {
                return true;
            }
            let now = Instant::now();
            if now >= end {
                self.lock().spinner.miss();
                return false;
            }
            if now - start > YIELD_AFTER {
                thread::yield_now();
            }
        }
    }

    /// As [`spin`](Self::spin) for a task, which is polled again at once while it is `Pending`.
    pub(super) fn poll_spin(&self, cx: &mut Context<'_>, looking: &mut Looking) -> Poll<bool> {
        let (start, end) = match looking {
            Looking::Over => return Poll::Ready(false),
            Looking::Between(start, end) => (*start, *end),
            Looking::NotYet => {
                let budget = self.lock().may_spin();
                let start = Instant::now();
                (start, start + budget)
            }
        };
        if start == end {
            *looking = Looking::Over;
            return Poll::Ready(false);
        }
        *looking = Looking::Between(start, end);
        if matches!(self.look_some(), Round::Found) {
            *looking = Looking::NotYet;
            return Poll::Ready(true);
        }
        let now = Instant::now();
        if now >= end {
            self.lock().spinner.miss();
            *looking = Looking::Over;
            return Poll::Ready(false);
        }
        if now - start > YIELD_AFTER {
            thread::yield_now();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn look_some(&self) -> Round {
        for _ in 0..LOOKS {
            let mut state = self.lock();
            if state.closed || self.signal.has_inbox() || state.glance(&self.signal, false) {
                state.spinner.hit();
                self.finish(state);
                return Round::Found;
            }
            drop(state);
            std::hint::spin_loop();
        }
        Round::Nothing
    }
}

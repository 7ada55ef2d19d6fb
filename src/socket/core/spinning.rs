//! Looking for a while before sleeping.
//!
//! ```text
//!   shared memory    a glance at what the peer has written          some nanoseconds
//!   in process       a flag that the peer raises                    some nanoseconds
//!   byte streams     the kernel is asked                            a system call, some tenths of a microsecond
//! ```
//!
//! A blocking call looks in a loop and gives the processor away in between, in case the peer waits for it. An async
//! call looks for a moment and lets its runtime run other tasks in between; in a runtime with several threads it looks in
//! one go, because a task that yields there wakes another thread to take it over.

use std::mem;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::base::Core;
use super::signal::Direction;
use super::spin::{Leave, auto_budget};
use super::state::State;
use crate::config::Spin;

/// Looks between two glances at the clock, which costs as much as several of them.
const LOOKS: u32 = 16;
/// After so long a look the peer may be waiting for our processor.
const YIELD_AFTER: Duration = Duration::from_micros(2);

/// How far one async call is with looking.
#[derive(Debug, Default)]
pub(crate) enum Looking {
    #[default]
    NotYet,
    /// Other tasks had their turn, which may be all that was missing.
    Yielded(Leave),
    /// For some time already.
    For(Search, Leave),
    /// Enough was looked.
    Over,
}

/// How far one who looks is.
#[derive(Debug)]
pub(crate) struct Search {
    start: Instant,
    /// How often the processor was given away.
    given_away: u32,
}

impl Search {
    fn begin(leave: Leave) -> Search {
        let mut search = Search {
            start: Instant::now(),
            given_away: 0,
        };
        if leave.way_first {
            search.give_way();
        }
        search
    }

    fn give_way(&mut self) {
        self.given_away += 1;
        thread::yield_now();
    }

    /// Between two rounds; `false` if the time is over.
    fn goes_on(&mut self, budget: Duration) -> bool {
        let looked = self.start.elapsed();
        if looked >= budget {
            return false;
        }
        if looked > YIELD_AFTER {
            self.give_way();
        }
        true
    }
}

impl State {
    /// Whether this wait may begin with looking.
    fn may_spin(&mut self, direction: Direction) -> Option<Leave> {
        // Room in a stream is worth a sleep: the kernel tells of it when much of it is free.
        let hopeful = match direction {
            Direction::Recv => self.pipes.len() > 0,
            Direction::Send => self.pipes.anyone_awake() || !self.streams,
        };
        let budget = match self.options.spin {
            Spin::Auto if hopeful && self.spinner.is_worthwhile() => auto_budget(),
            Spin::UpTo(most) if hopeful => most,
            _ => Duration::ZERO,
        };
        (!budget.is_zero()).then(|| Leave {
            budget,
            way_first: self.spinner.gives_way_first(),
        })
    }
}

impl Core {
    /// Looks for as long as it seems worthwhile, in this thread; `true` if something turned up.
    pub(super) fn spin(&self, direction: Direction, deadline: Option<Instant>) -> bool {
        let mut state = self.lock();
        state.before_wait(&self.signal);
        let leave = state.may_spin(direction);
        if leave.is_some() {
            self.lease(&mut state);
            if let Some(watch) = &mut state.watch {
                watch.by_thread();
            }
        }
        self.finish(state);
        let Some(mut leave) = leave else { return false };
        if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            leave.budget = leave.budget.min(left);
        }
        self.look_while(leave, direction)
    }

    fn look_while(&self, leave: Leave, direction: Direction) -> bool {
        let mut search = Search::begin(leave);
        loop {
            if self.look_some(direction, LOOKS, search.given_away) {
                return true;
            }
            if !search.goes_on(leave.budget) {
                self.lock().spinner.miss();
                return false;
            }
        }
    }

    /// As [`spin`](Self::spin) for a task, which is polled again at once while it is `Pending`.
    pub(super) fn poll_spin(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        looking: &mut Looking,
    ) -> Poll<bool> {
        let (mut search, leave) = match mem::replace(looking, Looking::Over) {
            Looking::Over => return Poll::Ready(false),
            Looking::NotYet => {
                let in_one_go = on_several_threads();
                let Some(leave) = self.begin_looking(direction, in_one_go) else {
                    return Poll::Ready(false);
                };
                if in_one_go {
                    return Poll::Ready(self.look_while(leave, direction));
                }
                *looking = Looking::Yielded(leave);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Looking::Yielded(leave) => {
                if !leave.way_first && self.look_some(direction, 1, 0) {
                    *looking = Looking::NotYet;
                    return Poll::Ready(true);
                }
                (Search::begin(leave), leave)
            }
            Looking::For(search, leave) => (search, leave),
        };
        if self.look_some(direction, LOOKS, search.given_away) {
            *looking = Looking::NotYet;
            return Poll::Ready(true);
        }
        if !search.goes_on(leave.budget) {
            self.lock().spinner.miss();
            return Poll::Ready(false);
        }
        *looking = Looking::For(search, leave);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Leave for a task to look, if it may.
    fn begin_looking(&self, direction: Direction, in_one_go: bool) -> Option<Leave> {
        let mut state = self.lock();
        state.before_wait(&self.signal);
        let leave = state.may_spin(direction);
        if leave.is_some() {
            self.lease(&mut state);
            match &mut state.watch {
                // Another thread of the runtime would be woken by what this one finds.
                Some(watch) if in_one_go => watch.by_thread(),
                Some(watch) => watch.leave_background(),
                None => {}
            }
        }
        self.finish(state);
        leave
    }

    /// One round of looking; `true` if something turned up.
    fn look_some(&self, direction: Direction, looks: u32, given_away: u32) -> bool {
        for look in 0..looks {
            let mut state = self.lock();
            let mut found =
                state.closed || self.signal.has_inbox() || state.glance(&self.signal, false);
            // A system call takes as long as the other looks together.
            let streams = state.streams && direction == Direction::Recv;
            let last = look + 1 == looks || streams && !state.pipes.anyone_awake();
            if !found && streams && last {
                found = state.probe(&self.signal);
            }
            if found {
                state.spinner.hit(given_away);
                self.finish(state);
                return true;
            }
            drop(state);
            if last {
                break;
            }
            std::hint::spin_loop();
        }
        false
    }
}

fn on_several_threads() -> bool {
    Handle::try_current()
        .is_ok_and(|runtime| runtime.runtime_flavor() != RuntimeFlavor::CurrentThread)
}

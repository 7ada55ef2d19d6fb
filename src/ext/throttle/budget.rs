//! A budget: buckets, whoever waits for them, and counters, behind one lock.
//!
//! ```text
//!   try_take ── nobody waits, and there is enough ──► passed
//!   Claim ──► queue: [first | second | third ...]     the first has the time when it may look again
//!                      └─ passes ──► the second is told that it is the first
//! ```
//!
//! Not here: how a wait is waited (`claim.rs`). Invariants: who comes later never passes before who waits; whoever
//! becomes the first, or could go earlier than it was told, is woken; wakers are woken and dropped outside of the lock.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::bucket::Bucket;
use super::limits::{LimitError, Limits};
use crate::message::Message;

/// The shortest wait, where the burst has room for what is saved meanwhile: nobody is woken more often than a
/// thousand times a second, however small the messages are.
const SHORTEST: Duration = Duration::from_millis(1);

/// Lets so much pass and no more; shared by all its clones, and by all sockets and links that were given one.
///
/// ```
/// use taipan::throttle::{Budget, Limits, Throttled};
/// use taipan::{Context, Pull, Push};
///
/// let context = Context::new();
/// let pull = Pull::new(&context);
/// let push = Push::new(&context);
/// push.connect(pull.bind("inproc://work")?)?;
///
/// let budget = Budget::new(Limits::messages(1000))?;
/// let slow = Throttled::new(&push).sending(&budget);
/// for _ in 0..100 {
///     slow.blocking_send("hello")?; // 50 at once, then one every millisecond
/// }
/// assert_eq!(budget.stats().messages, 100);
/// assert!(budget.stats().delayed >= 1);
/// budget.set(Limits::none())?; // whoever waits goes at once
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Budget {
    state: Arc<Mutex<State>>,
}

/// What a budget has done up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ThrottleStats {
    /// Messages that passed.
    pub messages: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Those of them that had to wait for the budget.
    pub delayed: u64,
    /// How long they waited for it, in sum.
    pub delay: Duration,
    /// Who waits now.
    pub waiting: usize,
}

/// What one message takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    bytes: u64,
}

impl Cost {
    pub(super) fn of(message: &Message) -> Cost {
        Cost::bytes(message.byte_len())
    }

    pub(super) fn bytes(bytes: usize) -> Cost {
        Cost {
            bytes: bytes as u64,
        }
    }
}

/// Names one who waits.
pub(super) type Ticket = u64;

struct Waiter {
    ticket: Ticket,
    since: Instant,
    waker: Waker,
}

struct State {
    limits: Limits,
    bytes: Option<Bucket>,
    messages: Option<Bucket>,
    queue: VecDeque<Waiter>,
    next: Ticket,
    stats: ThrottleStats,
}

/// What a look at the budget says to who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// Look again then, or when woken.
    Until(Instant),
    /// Others are first; who becomes the first is woken.
    Behind,
}

impl State {
    /// When a message may pass: `None` is now.
    fn ready(&mut self, cost: Cost, now: Instant) -> Option<Instant> {
        let tokens = [(&mut self.bytes, cost.bytes), (&mut self.messages, 1)];
        let (mut at, mut slack) = (None, Duration::MAX);
        for (bucket, tokens) in tokens {
            if let Some(bucket) = bucket {
                at = at.max(bucket.ready(tokens, now));
                slack = slack.min(bucket.slack(tokens));
            }
        }
        // What is saved while somebody sleeps on must find room, twice as long because sleepers wake late.
        at.map(|at| at.max(now + SHORTEST.min(slack / 2)))
    }

    fn take(&mut self, cost: Cost) {
        if let Some(bucket) = &mut self.bytes {
            bucket.take(cost.bytes);
        }
        if let Some(bucket) = &mut self.messages {
            bucket.take(1);
        }
        self.stats.messages += 1;
        self.stats.bytes += cost.bytes;
    }

    fn first(&self) -> Option<Waker> {
        self.queue.front().map(|first| first.waker.clone())
    }

    /// The place in the queue; mostly the first one.
    fn place(&self, ticket: Ticket) -> Option<usize> {
        self.queue.iter().position(|known| known.ticket == ticket)
    }
}

/// Outside of the lock.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("limits", &self.limits())
            .field("stats", &self.stats())
            .finish()
    }
}

impl Budget {
    /// A budget that begins with its burst saved.
    ///
    /// # Errors
    /// If the limits make no sense.
    pub fn new(limits: Limits) -> Result<Budget, LimitError> {
        limits.validate()?;
        let (mut bytes, mut messages) = (None, None);
        limits.apply(&mut bytes, &mut messages, Instant::now());
        let state = State {
            limits,
            bytes,
            messages,
            queue: VecDeque::new(),
            next: 0,
            stats: ThrottleStats::default(),
        };
        Ok(Budget {
            state: Arc::new(Mutex::new(state)),
        })
    }

    /// Changes the limits for all who use the budget, from now on. Who waits waits as the new ones say; what was saved
    /// or is owed stays.
    ///
    /// # Errors
    /// If the limits make no sense; nothing is changed then.
    pub fn set(&self, limits: Limits) -> Result<(), LimitError> {
        limits.validate()?;
        let first = {
            let mut state = self.state.lock();
            let State {
                bytes, messages, ..
            } = &mut *state;
            limits.apply(bytes, messages, Instant::now());
            state.limits = limits;
            state.first()
        };
        wake(first);
        Ok(())
    }

    /// The limits as they are now.
    pub fn limits(&self) -> Limits {
        self.state.lock().limits
    }

    /// What passed, and what was delayed by how much.
    pub fn stats(&self) -> ThrottleStats {
        let state = self.state.lock();
        ThrottleStats {
            waiting: state.queue.len(),
            ..state.stats
        }
    }

    /// Lets one message pass now, or not.
    pub(super) fn try_take(&self, cost: Cost, now: Instant) -> bool {
        let mut state = self.state.lock();
        let passes = state.queue.is_empty() && state.ready(cost, now).is_none();
        if passes {
            state.take(cost);
        }
        passes
    }

    /// What was taken for a message that did not pass after all.
    pub(super) fn give_back(&self, cost: Cost) {
        let first = {
            let mut state = self.state.lock();
            if let Some(bucket) = &mut state.bytes {
                bucket.give_back(cost.bytes);
            }
            if let Some(bucket) = &mut state.messages {
                bucket.give_back(1);
            }
            state.stats.messages -= 1;
            state.stats.bytes -= cost.bytes;
            state.first()
        };
        wake(first);
    }

    /// Takes for a message that has passed already, even into debt.
    pub(super) fn charge(&self, cost: Cost) {
        self.state.lock().take(cost);
    }

    /// Asks for a message, as who holds the ticket or gets one.
    pub(super) fn look(
        &self,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
        cost: Cost,
        now: Instant,
    ) -> Verdict {
        let mut state = self.state.lock();
        let place = ticket.and_then(|ticket| state.place(ticket));
        let verdict = match place {
            None if !state.queue.is_empty() => Verdict::Behind,
            Some(place) if place > 0 => Verdict::Behind,
            _ => state.ready(cost, now).map_or(Verdict::Pass, Verdict::Until),
        };
        let (old, next) = match (verdict, place) {
            (Verdict::Pass, None) => (None, None),
            (Verdict::Pass, Some(_)) => {
                let passed = state.queue.pop_front();
                if let Some(passed) = &passed {
                    state.stats.delayed += 1;
                    state.stats.delay += now.saturating_duration_since(passed.since);
                }
                (passed.map(|passed| passed.waker), state.first())
            }
            (_, Some(place)) => {
                let known = &mut state.queue[place].waker;
                let changed = !known.will_wake(waker);
                let old = changed.then(|| std::mem::replace(known, waker.clone()));
                (old, None)
            }
            (_, None) => {
                let own = state.next;
                state.next += 1;
                *ticket = Some(own);
                state.queue.push_back(Waiter {
                    ticket: own,
                    since: now,
                    waker: waker.clone(),
                });
                (None, None)
            }
        };
        if verdict == Verdict::Pass {
            *ticket = None;
            state.take(cost);
        }
        drop(state);
        drop(old);
        wake(next);
        verdict
    }

    /// Gives a ticket up: nothing was taken with it.
    pub(super) fn leave(&self, ticket: Ticket) {
        let mut state = self.state.lock();
        let Some(place) = state.place(ticket) else {
            return;
        };
        let left = state.queue.remove(place);
        let first = if place == 0 { state.first() } else { None };
        drop(state);
        drop(left);
        wake(first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One who waits, and how often it was woken.
    #[derive(Default)]
    struct One {
        ticket: Option<Ticket>,
        woken: Arc<Woken>,
    }

    impl One {
        fn look(&mut self, budget: &Budget, bytes: usize, now: Instant) -> Verdict {
            let waker = Waker::from(self.woken.clone());
            budget.look(&mut self.ticket, &waker, Cost::bytes(bytes), now)
        }

        fn woken(&self) -> usize {
            self.woken.0.load(Ordering::Relaxed)
        }
    }

    /// 1000 B/s with a burst of 100 B, used up; and a moment well after its making.
    fn empty() -> (Budget, Instant) {
        let mut limits = Limits::bytes(1000);
        limits.burst_bytes = Some(100);
        let budget = Budget::new(limits).expect("limits");
        let now = Instant::now() + Duration::from_secs(1);
        assert!(budget.try_take(Cost::bytes(100), now));
        (budget, now)
    }

    #[test]
    fn who_waits_goes_in_turn_and_nobody_overtakes() {
        let (budget, now) = empty();
        let (mut a, mut b) = (One::default(), One::default());
        let at = match a.look(&budget, 50, now) {
            Verdict::Until(at) => at,
            other => panic!("{other:?}"),
        };
        assert_eq!(at, now + Duration::from_millis(50));
        assert_eq!(b.look(&budget, 1, now), Verdict::Behind);
        assert!(!budget.try_take(Cost::bytes(1), at), "others wait");
        assert_eq!(b.look(&budget, 1, at), Verdict::Behind);
        assert_eq!((a.woken(), b.woken()), (0, 0));
        assert_eq!(a.look(&budget, 50, at), Verdict::Pass);
        assert_eq!((a.woken(), b.woken()), (0, 1));
        let at = at + Duration::from_millis(1);
        assert_eq!(b.look(&budget, 1, at), Verdict::Pass);
        let stats = budget.stats();
        assert_eq!((stats.messages, stats.bytes), (3, 151));
        assert_eq!((stats.delayed, stats.waiting), (2, 0));
        assert_eq!(stats.delay, Duration::from_millis(50 + 51));
    }

    #[test]
    fn a_wait_that_is_given_up_took_nothing_and_lets_the_next_one_go() {
        let (budget, now) = empty();
        let (mut a, mut b) = (One::default(), One::default());
        assert!(matches!(a.look(&budget, 100, now), Verdict::Until(_)));
        assert_eq!(b.look(&budget, 10, now), Verdict::Behind);
        budget.leave(a.ticket.expect("it waits"));
        assert_eq!(b.woken(), 1);
        let at = now + Duration::from_millis(10);
        assert_eq!(b.look(&budget, 10, at), Verdict::Pass);
        assert_eq!(budget.stats().messages, 2);
    }

    #[test]
    fn what_is_given_back_wakes_the_first_one() {
        let (budget, now) = empty();
        let mut a = One::default();
        assert!(matches!(a.look(&budget, 100, now), Verdict::Until(_)));
        budget.give_back(Cost::bytes(100));
        assert_eq!(a.woken(), 1);
        assert_eq!(a.look(&budget, 100, now), Verdict::Pass);
        assert_eq!(budget.stats().bytes, 100);
    }

    #[test]
    fn a_new_rate_re_times_those_who_wait() {
        let (budget, now) = empty();
        let mut a = One::default();
        assert!(matches!(a.look(&budget, 100, now), Verdict::Until(_)));
        budget.set(Limits::none()).expect("limits");
        assert_eq!(a.woken(), 1);
        assert_eq!(a.look(&budget, 100, now), Verdict::Pass);
        assert_eq!(
            budget.set(Limits::bytes(0)),
            Err(LimitError::ZeroRate),
            "and nothing changes"
        );
        assert_eq!(budget.limits(), Limits::none());
    }

    #[test]
    fn both_limits_hold_at_once() {
        let mut limits = Limits::bytes(1000);
        limits.burst_bytes = Some(100);
        limits.messages_per_second = Some(10);
        limits.burst_messages = Some(2);
        let budget = Budget::new(limits).expect("limits");
        let now = Instant::now();
        let mut one = One::default();
        // Two messages at once whatever their size, the third when the slower bucket has it.
        assert_eq!(one.look(&budget, 0, now), Verdict::Pass);
        assert_eq!(one.look(&budget, 10, now), Verdict::Pass);
        let hundredth = now + Duration::from_millis(100);
        assert_eq!(one.look(&budget, 10, now), Verdict::Until(hundredth));
        assert_eq!(one.look(&budget, 100, hundredth), Verdict::Pass);
        let later = hundredth + Duration::from_millis(100);
        assert_eq!(one.look(&budget, 100, hundredth), Verdict::Until(later));
    }

    #[test]
    fn small_messages_wake_nobody_more_than_a_thousand_times_a_second() {
        let budget = Budget::new(Limits::bytes(1_000_000_000)).expect("limits");
        let mut now = Instant::now();
        assert!(budget.try_take(Cost::bytes(50_000_000), now));
        let (end, mut waits, mut one) = (now + Duration::from_secs(1), 0, One::default());
        while now < end {
            if let Verdict::Until(at) = one.look(&budget, 1000, now) {
                waits += 1;
                now = at;
            }
        }
        assert!((900..=1000).contains(&waits), "{waits}");
        let passed = budget.stats().bytes;
        assert!(
            (1_040_000_000..=1_050_000_000).contains(&passed),
            "{passed}"
        );
    }
}

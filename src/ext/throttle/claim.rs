//! One who waits for a budget: a place in its queue and an alarm, and nothing else.
//!
//! A claim is polled like a future, with the message's cost passed in at each poll. Dropped while it waits, it has
//! taken nothing.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::alarm::Alarm;
use super::budget::{Budget, Cost, Ticket, Verdict};

/// See the file's text.
#[derive(Debug)]
pub(super) struct Claim {
    budget: Budget,
    ticket: Option<Ticket>,
    alarm: Option<Alarm>,
}

impl Claim {
    pub(super) fn new(budget: Budget) -> Claim {
        Claim {
            budget,
            ticket: None,
            alarm: None,
        }
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Ready once the tokens of one message were taken; after that it asks for the next one.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, cost: Cost) -> Poll<()> {
        let verdict = self
            .budget
            .look(&mut self.ticket, cx.waker(), cost, Instant::now());
        self.alarm = match verdict {
            Verdict::Pass => {
                self.alarm = None;
                return Poll::Ready(());
            }
            Verdict::Until(at) => Some(Alarm::set(at, cx.waker().clone())),
            Verdict::Behind => None,
        };
        Poll::Pending
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.budget.leave(ticket);
        }
    }
}

/// Waits for the tokens of one message; `false` if `end` came first.
pub(super) async fn take(budget: &Budget, cost: Cost, end: impl Future<Output = ()>) -> bool {
    let mut claim = Claim::new(budget.clone());
    let mut end = pin!(end);
    std::future::poll_fn(|cx| {
        if claim.poll(cx, cost).is_ready() {
            return Poll::Ready(true);
        }
        end.as_mut().poll(cx).map(|()| false)
    })
    .await
}

/// Ends after a time; never for `None`.
pub(super) struct Until {
    at: Option<Instant>,
    alarm: Option<Alarm>,
}

impl Until {
    pub(super) fn after(timeout: Option<Duration>) -> Until {
        // What no clock can tell is for ever.
        let at = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Until { at, alarm: None }
    }
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else {
            return Poll::Pending;
        };
        if Instant::now() >= at {
            return Poll::Ready(());
        }
        self.alarm = Some(Alarm::set(at, cx.waker().clone()));
        Poll::Pending
    }
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs one wait in this thread, which sleeps meanwhile.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Parked(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

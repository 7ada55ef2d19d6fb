//! Which trace a call belongs to: W3C trace context, carried in the header of a call.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

thread_local! {
    static CURRENT: Cell<Option<TraceContext>> = const { Cell::new(None) };
}

/// A W3C `traceparent`: the trace, and the call that others belong to.
///
/// While a method runs, [`TraceContext::current`] is that of the call that runs it, and calls it makes from there (in the
/// same task) carry it on with an id of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: u128,
    /// The caller's part of it.
    pub parent_id: u64,
    /// Whether somebody records it, and what else the flags say.
    pub flags: u8,
}

impl TraceContext {
    /// The beginning of a new trace that is recorded.
    pub fn new() -> Self {
        TraceContext {
            trace_id: rand::random(),
            parent_id: rand::random(),
            flags: 1,
        }
    }

    /// That of the method that runs in this task.
    pub fn current() -> Option<Self> {
        CURRENT.get()
    }

    /// The next one in the same trace.
    #[must_use]
    pub fn child(self) -> Self {
        TraceContext {
            parent_id: rand::random(),
            ..self
        }
    }

    /// Runs a future in it: calls that are made there carry it on.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        let mut future = Box::pin(future);
        std::future::poll_fn(move |task| enter(Some(self), || future.as_mut().poll(task)))
    }

    /// Reads a `traceparent` of version 00; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, parent, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sizes = (version.len(), trace.len(), parent.len(), flags.len());
        if version != "00" || sizes != (2, 32, 16, 2) || parts.next().is_some() {
            return None;
        }
        Some(TraceContext {
            trace_id: u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?,
            parent_id: u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?,
            flags: u8::from_str_radix(flags, 16).ok()?,
        })
    }
}

impl Default for TraceContext {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id, self.parent_id, self.flags
        )
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn enter<T>(context: Option<TraceContext>, run: impl FnOnce() -> T) -> T {
    struct Leave(Option<TraceContext>);
    impl Drop for Leave {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let _leave = Leave(CURRENT.replace(context));
    run()
}

/// A boxed future that runs in a trace, if there is one.
pub(in crate::ext::rpc) struct Traced<F>(pub F, pub Option<TraceContext>);

impl<F: Future + Unpin> Future for Traced<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let context = self.1;
        enter(context, || Pin::new(&mut self.0).poll(task))
    }
}

//! The side that is called: finds the method, runs it once, answers.
//!
//! ```text
//!   call ─► seen before? ─► too many? ─► service ─► polled in place ─ done ──────────► answer
//!                                                        └─ not yet ─► task ─ done ──┘
//!                                                    deadline, cancel: dropped ──┘
//! ```

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use parking_lot::Mutex;

use super::outgoing::Outgoing;
use super::remembered::{Known, Remembered};
use super::running::{Counters, Running, ServerStats, count};
use super::streams::{Streams, Table};
use crate::ext::rpc::model::{Payload, Reply, Request, RpcError, Service, TraceContext, Traced};
use crate::ext::rpc::wire::{Envelope, Header};
use crate::message::{Frame, Message};
use crate::socket::SendErrorKind;

type Outcome = Result<Payload, RpcError>;

/// Services and the calls to them, on one socket.
pub(in crate::ext::rpc) struct Serving {
    services: HashMap<String, Arc<dyn Service>>,
    /// Calls that may run at a time, and answers that may wait.
    limit: usize,
    counters: Arc<Counters>,
    remembered: Mutex<Remembered>,
    running: Running,
    streams: Arc<Table>,
}

/// A call that arrived, apart from its arguments.
struct Arrived {
    way: Outgoing,
    caller: Frame,
    id: u64,
    deadline: Option<Instant>,
    trace: Option<TraceContext>,
}

impl Serving {
    pub(in crate::ext::rpc) fn new(
        services: HashMap<String, Arc<dyn Service>>,
        limit: usize,
    ) -> Arc<Self> {
        Arc::new(Serving {
            services,
            limit,
            counters: Arc::default(),
            remembered: Mutex::default(),
            running: Running::default(),
            streams: Arc::default(),
        })
    }

    pub(in crate::ext::rpc) fn stats(&self) -> ServerStats {
        self.counters.look()
    }

    pub(super) fn call(
        self: &Arc<Self>,
        way: Outgoing,
        id: u64,
        method: &str,
        header: &Header<'_>,
        params: Payload,
    ) {
        let now = Instant::now();
        let caller = way.to.clone().unwrap_or_default();
        let known = self
            .remembered
            .lock()
            .begin(&caller, id, header.answered.unwrap_or(0), now);
        let arrived = Arrived {
            way,
            caller,
            id,
            deadline: header
                .remaining
                .and_then(|remaining| now.checked_add(remaining)),
            trace: header.trace.and_then(TraceContext::parse),
        };
        match known {
            Known::New => count(&self.counters.calls),
            Known::Running => return count(&self.counters.repeated),
            Known::Answered(message) => {
                count(&self.counters.repeated);
                return self.post(&arrived.way, message);
            }
            Known::Forgotten => {
                count(&self.counters.repeated);
                let failure = RpcError::Forgotten.to_failure();
                let envelope = Envelope::write_answer(id, Err(&failure));
                return self.post(&arrived.way, arrived.way.message(envelope, &[]));
            }
        }
        let Some(slot) = self.slot() else {
            count(&self.counters.overloaded);
            return self.answer(&arrived, Err(RpcError::Overloaded));
        };
        let window = header.window.unwrap_or(0);
        match self.begin(&arrived, method, header.codec, window, params) {
            Err(outcome) => self.answer(&arrived, outcome),
            Ok(reply) => self.go_on(arrived, reply, slot),
        }
    }

    /// Polls the method once; `Ok` if it goes on.
    fn begin(
        self: &Arc<Self>,
        arrived: &Arrived,
        method: &str,
        codec: Option<&str>,
        window: u32,
        params: Payload,
    ) -> Result<Guarded, Outcome> {
        let service = self.find(method).map_err(Err)?;
        let request = Request {
            method: method.to_owned(),
            params,
            codec: codec.map(str::to_owned),
            deadline: arrived.deadline,
            trace: arrived.trace,
            caller: arrived.caller.clone(),
            streams: Streams {
                table: self.streams.clone(),
                way: arrived.way.clone(),
                id: arrived.id,
                window,
            },
        };
        let reply = catch_unwind(AssertUnwindSafe(|| service.call(request)))
            .map_err(|panic| Err(RpcError::Panicked(words(&*panic))))?;
        let mut reply = Guarded {
            reply: Traced(reply, arrived.trace),
            #[cfg(feature = "tracing")]
            span: tracing::debug_span!("rpc.serve", method, trace = ?arrived.trace),
        };
        // Most methods are done at once and need no task.
        match Pin::new(&mut reply).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Err(outcome),
            Poll::Pending => Ok(reply),
        }
    }

    fn find(&self, method: &str) -> Result<Arc<dyn Service>, RpcError> {
        let service = method.rsplit_once('.').map_or("", |(service, _)| service);
        self.services
            .get(service)
            .or_else(|| self.services.get("*"))
            .cloned()
            .ok_or_else(|| RpcError::NoSuchService(service.to_owned()))
    }

    fn go_on(self: &Arc<Self>, arrived: Arrived, reply: Guarded, slot: Slot) {
        let key = (arrived.caller.to_vec(), arrived.id);
        let (serving, own) = (self.clone(), key.clone());
        self.running.start(key, || {
            let task = tokio::spawn(async move {
                let outcome = match arrived.deadline {
                    None => reply.await,
                    Some(deadline) => tokio::time::timeout_at(deadline.into(), reply)
                        .await
                        .unwrap_or(Err(RpcError::Timeout { may_have_run: true })),
                };
                serving.running.remove(&own);
                serving.answer(&arrived, outcome);
                drop(slot);
            });
            task.abort_handle()
        });
    }

    fn answer(&self, arrived: &Arrived, outcome: Outcome) {
        let (way, id) = (&arrived.way, arrived.id);
        if !self.streams.is_empty() {
            let key = (arrived.caller.to_vec(), id);
            self.streams.close(&key, outcome.as_ref().err().cloned());
        }
        let message = match &outcome {
            Ok(result) => way.payload(Envelope::write_answer(id, Ok(&result.body)), result),
            Err(error) => {
                count(&self.counters.failed);
                way.message(Envelope::write_answer(id, Err(&error.to_failure())), &[])
            }
        };
        self.remembered.lock().finish(&arrived.caller, id, &message);
        self.post(way, message);
    }

    /// Sends an answer; waits for room in a task of its own, as long as not too many do.
    fn post(&self, way: &Outgoing, message: Message) {
        let Err(refused) = way.try_send(message) else {
            return;
        };
        let waits = refused.kind() == SendErrorKind::WouldBlock
            && self.counters.waiting.load(Ordering::Relaxed) < self.limit;
        let (counters, way) = (self.counters.clone(), way.clone());
        if !waits {
            return count(&counters.answers_dropped);
        }
        counters.waiting.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            if way.socket.send(refused.into_message()).await.is_err() {
                count(&counters.answers_dropped);
            }
            counters.waiting.fetch_sub(1, Ordering::Relaxed);
        });
    }

    pub(super) fn signal(
        self: &Arc<Self>,
        way: Outgoing,
        method: &str,
        header: &Header<'_>,
        params: Payload,
    ) {
        let late = header
            .remaining
            .is_some_and(|remaining| remaining.is_zero());
        let Some(slot) = self.slot().filter(|_| !late) else {
            return count(&self.counters.signals_dropped);
        };
        count(&self.counters.signals);
        let arrived = Arrived {
            caller: way.to.clone().unwrap_or_default(),
            way,
            id: u64::MAX,
            deadline: None,
            trace: header.trace.and_then(TraceContext::parse),
        };
        // There is nobody to tell of an error, so it is counted.
        match self.begin(&arrived, method, header.codec, 0, params) {
            Err(Ok(_)) => {}
            Err(Err(_)) => count(&self.counters.failed),
            Ok(reply) => {
                let counters = self.counters.clone();
                tokio::spawn(async move {
                    if reply.await.is_err() {
                        count(&counters.failed);
                    }
                    drop(slot);
                });
            }
        }
    }

    pub(super) fn cancel(&self, way: &Outgoing, caller: &Frame, id: u64) {
        let key = (caller.to_vec(), id);
        if let Some(task) = self.running.remove(&key) {
            task.abort();
            count(&self.counters.cancelled);
            self.streams.close(&key, Some(RpcError::Cancelled));
            let failure = RpcError::Cancelled.to_failure();
            let message = way.message(Envelope::write_answer(id, Err(&failure)), &[]);
            self.remembered.lock().finish(caller, id, &message);
        }
    }

    pub(super) fn item(&self, caller: &Frame, id: u64, payload: Payload) {
        self.streams.item(&(caller.to_vec(), id), payload);
    }

    pub(super) fn end(&self, caller: &Frame, id: u64, complete: bool) {
        let why = (!complete).then_some(RpcError::Cancelled);
        self.streams.end(&(caller.to_vec(), id), why);
    }

    pub(super) fn credit(&self, caller: &Frame, id: u64, count: u32) {
        self.streams.credit(&(caller.to_vec(), id), count);
    }

    /// A caller says who it is. Another one of the same name has nothing to do with the calls of the one before.
    pub(super) fn hello(&self, caller: &Frame, instance: [u8; 16]) {
        let other = self
            .remembered
            .lock()
            .hello(caller, instance, Instant::now());
        if other {
            self.running.abort_peer(caller);
        }
    }

    /// A caller's link ended: its streams do too. Its calls go on and wait for it, if it can come back.
    pub(super) fn gone(&self, caller: &Frame) {
        let for_good = self.remembered.lock().gone(caller, Instant::now());
        if for_good {
            self.running.abort_peer(caller);
        }
        self.streams
            .close_peer(caller, &RpcError::Disconnected { may_have_run: true });
    }

    pub(super) fn malformed(&self) {
        count(&self.counters.malformed);
    }

    pub(super) fn close(&self) {
        self.running.abort_all();
    }

    fn slot(&self) -> Option<Slot> {
        let running = &self.counters.running;
        if running.fetch_add(1, Ordering::Relaxed) < self.limit {
            return Some(Slot(self.counters.clone()));
        }
        running.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

/// One of the calls that may run at a time.
struct Slot(Arc<Counters>);

impl Drop for Slot {
    fn drop(&mut self) {
        let running: &AtomicUsize = &self.0.running;
        running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A method that runs; its panic is an outcome.
struct Guarded {
    reply: Traced<Reply>,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Future for Guarded {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Outcome> {
        #[cfg(feature = "tracing")]
        let span = self.span.clone();
        #[cfg(feature = "tracing")]
        let _inside = span.enter();
        let inner = Pin::new(&mut self.reply);
        catch_unwind(AssertUnwindSafe(|| inner.poll(task)))
            .unwrap_or_else(|panic| Poll::Ready(Err(RpcError::Panicked(words(&*panic)))))
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no words").to_owned()
}

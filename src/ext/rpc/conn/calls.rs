//! The caller's side of one link: calls under way, and what becomes of them when the link ends.
//!
//! ```text
//!   start ─ id, message kept ─► server ─ answer ─► the caller's oneshot
//!              │ link lost                  ▲
//!              └── the link is back: hello ─┴─ same process: sent again, and run once (`remembered.rs`)
//!                                            └─ another one:  Disconnected, may have run
//! ```
//! A call is sent only while the link is up, so one that was not sent has not run, for certain.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::outgoing::Outgoing;
use super::streams::{ItemSink, ItemStream, Table, WINDOW};
use crate::ext::rpc::model::{Payload, RpcError, TraceContext};
use crate::ext::rpc::wire::{Envelope, Header, Side};
use crate::message::Message;

/// What may be said of one call.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CallOptions {
    /// How long the caller waits. Default: that of the client, 30 s.
    pub deadline: Option<Duration>,
    /// Whether it may run again: it is tried elsewhere when a server goes away. Default: what the method's definition says.
    pub idempotent: bool,
    /// The trace it belongs to. Default: a child of [`TraceContext::current`], if there is one.
    pub trace: Option<TraceContext>,
}

impl CallOptions {
    /// The defaults.
    pub fn new() -> Self {
        CallOptions {
            deadline: None,
            idempotent: false,
            trace: None,
        }
    }

    /// With a deadline from now on.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// May be run again on another server.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// As part of a trace.
    #[must_use]
    pub fn trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace);
        self
    }
}

impl Default for CallOptions {
    fn default() -> Self {
        Self::new()
    }
}

type Outcome = Result<Payload, RpcError>;

struct Pending {
    answer: oneshot::Sender<Outcome>,
    /// What to send again; calls with streams cannot be.
    message: Option<Message>,
    /// Fails with the link instead of waiting for it to come back.
    hasty: bool,
    /// The link it was sent on.
    epoch: u32,
}

struct State {
    /// The number of the first in `pending`; those before are answered.
    first: u64,
    pending: VecDeque<Option<Pending>>,
    up: bool,
    epoch: u32,
    instance: Option<[u8; 16]>,
    closed: bool,
}

/// Calls of one link.
pub(in crate::ext::rpc) struct Calls {
    state: Mutex<State>,
    way: Outgoing,
    streams: Arc<Table>,
    in_flight: AtomicUsize,
    /// Messages that were no envelopes.
    malformed: AtomicU64,
    /// Calls that were sent again.
    resent: AtomicU64,
    /// Told when the link is up or this end is closed.
    changed: Arc<Notify>,
}

/// A call under way.
pub(in crate::ext::rpc) struct Started {
    pub(in crate::ext::rpc) answer: oneshot::Receiver<Outcome>,
    pub(in crate::ext::rpc) arguments: Option<ItemSink>,
    pub(in crate::ext::rpc) results: Option<ItemStream>,
    /// Sent already, or what is to be sent when there is room.
    pub(in crate::ext::rpc) unsent: Option<Message>,
    id: u64,
    calls: Arc<Calls>,
    over: bool,
}

/// A call before it has a number.
pub(in crate::ext::rpc) struct Plan<'a> {
    pub(in crate::ext::rpc) method: &'a str,
    pub(in crate::ext::rpc) params: &'a Payload,
    pub(in crate::ext::rpc) codec: Option<&'a str>,
    /// From now on; `None` is for ever.
    pub(in crate::ext::rpc) remaining: Option<Duration>,
    pub(in crate::ext::rpc) trace: Option<TraceContext>,
    pub(in crate::ext::rpc) idempotent: bool,
    pub(in crate::ext::rpc) arguments: bool,
    pub(in crate::ext::rpc) results: bool,
}

impl Calls {
    pub(in crate::ext::rpc) fn new(way: Outgoing, changed: Arc<Notify>) -> Arc<Self> {
        Arc::new(Calls {
            state: Mutex::new(State {
                first: 0,
                pending: VecDeque::new(),
                up: false,
                epoch: 0,
                instance: None,
                closed: false,
            }),
            way,
            streams: Arc::default(),
            in_flight: AtomicUsize::new(0),
            malformed: AtomicU64::new(0),
            resent: AtomicU64::new(0),
            changed,
        })
    }

    pub(in crate::ext::rpc) fn way(&self) -> &Outgoing {
        &self.way
    }

    pub(in crate::ext::rpc) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls started, calls sent again, messages not understood.
    pub(in crate::ext::rpc) fn counts(&self) -> [u64; 3] {
        let state = self.state.lock();
        let started = state.first + state.pending.len() as u64;
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [started, of(&self.resent), of(&self.malformed)]
    }

    pub(in crate::ext::rpc) fn is_up(&self) -> bool {
        self.state.lock().up
    }

    pub(in crate::ext::rpc) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Starts a call if the link is up; `None` if not.
    pub(in crate::ext::rpc) fn start(self: &Arc<Self>, plan: &Plan<'_>) -> Option<Started> {
        let (sender, answer) = oneshot::channel();
        let trace = plan.trace.map(|trace| trace.to_string());
        let mut state = self.state.lock();
        if !state.up || state.closed {
            return None;
        }
        let id = state.first + state.pending.len() as u64;
        let header = Header {
            remaining: plan.remaining,
            answered: (state.first > 0).then_some(state.first),
            window: plan.results.then_some(WINDOW),
            trace: trace.as_deref(),
            codec: plan.codec,
        };
        let envelope = Envelope::write_call(id, plan.method, &plan.params.body, &header);
        let message = self.way.payload(envelope, plan.params);
        let streams = plan.arguments || plan.results;
        let epoch = state.epoch;
        state.pending.push_back(Some(Pending {
            answer: sender,
            message: (!streams && !plan.idempotent).then(|| message.clone()),
            hasty: plan.idempotent,
            epoch,
        }));
        let key = (Vec::new(), id);
        let arguments = plan
            .arguments
            .then(|| self.streams.sender(&key, self.way.clone(), Side::Callee, 0));
        let results = plan
            .results
            .then(|| self.streams.receiver(&key, self.way.clone(), Side::Callee));
        // Under the lock: whoever takes the call away counts back, and calls leave in the order of their numbers, so that
        // none is overtaken by so many that the server gives up waiting for it.
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let sent = self.way.try_send(message);
        drop(state);
        Some(Started {
            answer,
            arguments,
            results,
            unsent: sent.err().map(|refused| refused.into_message()),
            id,
            calls: self.clone(),
            over: false,
        })
    }

    /// A signal, if the link is up; `None` if not. What does not fit is handed back.
    pub(in crate::ext::rpc) fn signal(&self, plan: &Plan<'_>) -> Option<Result<(), Message>> {
        if !self.is_up() {
            return None;
        }
        let trace = plan.trace.map(|trace| trace.to_string());
        let header = Header {
            remaining: plan.remaining,
            trace: trace.as_deref(),
            codec: plan.codec,
            ..Header::default()
        };
        let envelope = Envelope::write_signal(plan.method, &plan.params.body, &header);
        let message = self.way.payload(envelope, plan.params);
        Some(
            self.way
                .try_send(message)
                .map_err(|refused| refused.into_message()),
        )
    }

    pub(super) fn answered(&self, id: u64, outcome: Outcome) {
        if let Some(pending) = self.take(id) {
            if !self.streams.is_empty() {
                self.streams
                    .close(&(Vec::new(), id), outcome.as_ref().err().cloned());
            }
            // Nobody may be waiting any more.
            let _ = pending.answer.send(outcome);
        }
    }

    fn take(&self, id: u64) -> Option<Pending> {
        let mut state = self.state.lock();
        let place = usize::try_from(id.checked_sub(state.first)?).ok()?;
        let pending = state.pending.get_mut(place)?.take()?;
        while let Some(None) = state.pending.front() {
            state.pending.pop_front();
            state.first += 1;
        }
        drop(state);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        Some(pending)
    }

    pub(super) fn item(&self, id: u64, payload: Payload) {
        self.streams.item(&(Vec::new(), id), payload);
    }

    pub(super) fn credit(&self, id: u64, count: u32) {
        self.streams.credit(&(Vec::new(), id), count);
    }

    pub(super) fn link_up(&self) {
        self.state.lock().up = true;
        self.changed.notify_waiters();
    }

    /// The link ended. Calls wait for it to come back, if the server remembers calls at all.
    pub(super) fn link_down(&self) {
        let mut state = self.state.lock();
        state.up = false;
        state.epoch += 1;
        let remembers = state.instance.is_some();
        let lost = state.ids(|pending| !remembers || pending.hasty || pending.message.is_none());
        drop(state);
        self.lose(lost);
    }

    /// The server says who it is; what to send again.
    pub(super) fn hello(&self, instance: [u8; 16]) -> Vec<Message> {
        let mut state = self.state.lock();
        let epoch = state.epoch;
        let same = state
            .instance
            .replace(instance)
            .is_none_or(|before| before == instance);
        if same {
            let before = state.pending.iter_mut().flatten();
            let again = before
                .filter(|pending| pending.epoch < epoch)
                .filter_map(|pending| {
                    pending.epoch = epoch;
                    pending.message.clone()
                });
            let again: Vec<_> = again.collect();
            self.resent.fetch_add(again.len() as u64, Ordering::Relaxed);
            return again;
        }
        let lost = state.ids(|pending| pending.epoch < epoch);
        drop(state);
        self.lose(lost);
        Vec::new()
    }

    /// Nothing will come any more.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.up = false;
        let all = state.ids(|_| true);
        drop(state);
        for id in all {
            self.answered(id, Err(RpcError::Closed { may_have_run: true }));
        }
        self.changed.notify_waiters();
    }

    fn lose(&self, lost: Vec<u64>) {
        for id in lost {
            self.answered(id, Err(RpcError::Disconnected { may_have_run: true }));
        }
    }
}

impl State {
    fn ids(&self, which: impl Fn(&Pending) -> bool) -> Vec<u64> {
        let pending = self.pending.iter().zip(self.first..);
        pending
            .filter_map(|(pending, id)| pending.as_ref().is_some_and(&which).then_some(id))
            .collect()
    }
}

impl Started {
    /// The answer; sends first what had no room. Dropped before, the call is cancelled on the server.
    pub(in crate::ext::rpc) async fn answer(mut self, deadline: Instant) -> Outcome {
        let outcome = tokio::time::timeout_at(deadline.into(), self.wait()).await;
        outcome.unwrap_or(Err(RpcError::Timeout { may_have_run: true }))
    }

    /// The same without a deadline of its own.
    pub(in crate::ext::rpc) async fn wait(&mut self) -> Outcome {
        self.send_now().await?;
        let outcome = (&mut self.answer).await;
        self.over = true;
        outcome.unwrap_or(Err(RpcError::Closed { may_have_run: true }))
    }

    /// Sends what had no room when the call was started.
    pub(in crate::ext::rpc) async fn send_now(&mut self) -> Result<(), RpcError> {
        if let Some(message) = self.unsent.take() {
            let sent = self.calls.way.send(message).await;
            sent.map_err(|_| RpcError::Closed {
                may_have_run: false,
            })?;
        }
        Ok(())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.over && self.calls.take(self.id).is_some() {
            self.calls
                .streams
                .close(&(Vec::new(), self.id), Some(RpcError::Cancelled));
            if self.unsent.is_none() {
                self.calls.way.send_soon(Envelope::write_cancel(self.id));
            }
        }
    }
}

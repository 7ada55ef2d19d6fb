//! The end that calls: one link to each server, and which of them a call takes.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::setup::SetupError;
use crate::config::Options;
use crate::config::SocketKind;
use crate::ext::rpc::conn::{CallOptions, Calls, Conn, Outgoing, Plan, Started, socket_options};
use crate::ext::rpc::model::{Payload, RpcError, TraceContext};
use crate::socket::{AnySocket, Context};

/// How long a caller waits unless it says otherwise.
const DEADLINE: Duration = Duration::from_secs(30);

/// Calls methods on one server or several.
///
/// Each address has a link of its own that reconnects by itself. A call takes the link that is up and has the fewest calls
/// under way, and waits for one (as long as its deadline) when none is. Clones share the links; when the last one is
/// dropped, they close. Needs the tokio runtime it was built in.
///
/// A call whose future is dropped is cancelled on the server. One that was sent when its link broke is sent again when the
/// link is back, and runs once; when another process answers there, it fails with [`RpcError::Disconnected`]. Idempotent
/// calls move to another server at once.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

pub(in crate::ext::rpc) struct Inner {
    pub(in crate::ext::rpc) links: Vec<Arc<Calls>>,
    changed: Arc<Notify>,
    deadline: Duration,
}

impl Drop for Inner {
    fn drop(&mut self) {
        for link in &self.links {
            link.way().socket.close();
        }
    }
}

/// What a [`Client`] has done since it began, and does now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStats {
    /// Calls that were sent to a server; one that moved on to another counts for each.
    pub calls: u64,
    /// Calls that were sent again because their link broke.
    pub resent: u64,
    /// Messages of servers that were no envelopes, and were dropped.
    pub malformed: u64,
    /// Links that are up.
    pub connected: usize,
    /// Calls under way.
    pub in_flight: usize,
}

/// Says where the servers of a [`Client`] are.
#[must_use]
pub struct ClientBuilder {
    context: Context,
    addresses: Vec<String>,
    deadline: Duration,
    change: Box<dyn Fn(&mut Options) + Send>,
}

/// What is to be called, whatever link it takes.
#[derive(Clone, Copy)]
pub(in crate::ext::rpc) struct What<'a> {
    pub(in crate::ext::rpc) method: &'a str,
    pub(in crate::ext::rpc) params: &'a Payload,
    pub(in crate::ext::rpc) codec: Option<&'a str>,
    pub(in crate::ext::rpc) options: CallOptions,
    pub(in crate::ext::rpc) arguments: bool,
    pub(in crate::ext::rpc) results: bool,
}

impl<'a> What<'a> {
    /// Without streams.
    fn plain(
        method: &'a str,
        params: &'a Payload,
        codec: Option<&'a str>,
        options: CallOptions,
    ) -> Self {
        What {
            method,
            params,
            codec,
            options,
            arguments: false,
            results: false,
        }
    }
}

impl Client {
    /// Starts with no address.
    pub fn builder(context: &Context) -> ClientBuilder {
        ClientBuilder {
            context: context.clone(),
            addresses: Vec::new(),
            deadline: DEADLINE,
            change: Box::new(|_| {}),
        }
    }

    /// A client of one server with the defaults.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::build`].
    pub fn connect(context: &Context, address: impl Into<String>) -> Result<Self, SetupError> {
        Self::builder(context).connect(address).build()
    }

    pub(in crate::ext::rpc) fn of_link(
        link: Arc<Calls>,
        changed: Arc<Notify>,
        deadline: Duration,
    ) -> Self {
        Client(Arc::new(Inner {
            links: vec![link],
            changed,
            deadline,
        }))
    }

    /// Links that are up now.
    pub fn connected(&self) -> usize {
        self.0.links.iter().filter(|link| link.is_up()).count()
    }

    fn is_closed(&self) -> bool {
        self.0.links.iter().all(|link| link.is_closed())
    }

    /// Waits until so many links are up, or the context is closed. Cancel safe.
    pub async fn wait_connected(&self, count: usize) {
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            if self.connected() >= count.min(self.0.links.len()) || self.is_closed() {
                return;
            }
            changed.await;
        }
    }

    /// Calls under way.
    pub fn in_flight(&self) -> usize {
        self.0.links.iter().map(|link| link.in_flight()).sum()
    }

    /// What it has done.
    pub fn stats(&self) -> ClientStats {
        let mut stats = ClientStats {
            connected: self.connected(),
            in_flight: self.in_flight(),
            ..ClientStats::default()
        };
        for link in &self.0.links {
            let [calls, resent, malformed] = link.counts();
            stats.calls += calls;
            stats.resent += resent;
            stats.malformed += malformed;
        }
        stats
    }

    /// Calls a method with encoded arguments.
    ///
    /// # Errors
    ///
    /// Whatever became of it, see [`RpcError`]. Dropping the future cancels the call.
    pub async fn invoke(
        &self,
        method: &str,
        params: &Payload,
        codec: Option<&str>,
        options: CallOptions,
    ) -> Result<Payload, RpcError> {
        let what = What::plain(method, params, codec, options);
        let call = self.call_until_answered(what);
        #[cfg(feature = "tracing")]
        let call = tracing::Instrument::instrument(call, tracing::debug_span!("rpc.call", method));
        call.await
    }

    async fn call_until_answered(&self, what: What<'_>) -> Result<Payload, RpcError> {
        let deadline = self.deadline(what.options);
        loop {
            let outcome = self
                .start(what, Some(deadline))
                .await?
                .answer(deadline)
                .await;
            match outcome {
                Err(RpcError::Disconnected { .. }) if what.options.idempotent => {}
                outcome => return outcome,
            }
        }
    }

    pub(in crate::ext::rpc) fn deadline(&self, options: CallOptions) -> Instant {
        let now = Instant::now();
        let longest = Duration::from_secs(365 * 24 * 3600);
        now + options.deadline.unwrap_or(self.0.deadline).min(longest)
    }

    /// Starts a call on the best link, waiting for one until the deadline (or for ever).
    pub(in crate::ext::rpc) async fn start(
        &self,
        what: What<'_>,
        deadline: Option<Instant>,
    ) -> Result<Started, RpcError> {
        self.on_a_link(deadline, |link, plan| link.start(plan), what)
            .await
    }

    /// Sends a signal: a call that nobody answers, dropped if it is not sent or taken up within `ttl`.
    ///
    /// # Errors
    ///
    /// [`RpcError::Timeout`] when no server was there in time, and it was not sent.
    pub async fn signal(
        &self,
        method: &str,
        params: &Payload,
        codec: Option<&str>,
        options: CallOptions,
    ) -> Result<(), RpcError> {
        let what = What::plain(method, params, codec, options);
        let deadline = self.deadline(options);
        let sent = |link: &Arc<Calls>, plan: &Plan<'_>| Some((link.clone(), link.signal(plan)?));
        let (link, unsent) = self.on_a_link(Some(deadline), sent, what).await?;
        if let Err(message) = unsent {
            let sent = tokio::time::timeout_at(deadline.into(), link.way().send(message)).await;
            sent.map_err(|_| RpcError::Timeout {
                may_have_run: false,
            })?
            .map_err(|_| RpcError::Closed {
                may_have_run: false,
            })?;
        }
        Ok(())
    }

    async fn on_a_link<T>(
        &self,
        deadline: Option<Instant>,
        attempt: impl Fn(&Arc<Calls>, &Plan<'_>) -> Option<T>,
        what: What<'_>,
    ) -> Result<T, RpcError> {
        let own = what.options.trace;
        let trace = own.or_else(|| TraceContext::current().map(TraceContext::child));
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            let plan = Plan {
                method: what.method,
                params: what.params,
                codec: what.codec,
                remaining: deadline.map(|at| at.saturating_duration_since(Instant::now())),
                trace,
                idempotent: what.options.idempotent,
                arguments: what.arguments,
                results: what.results,
            };
            if let Some(done) = self.try_links(&plan, &attempt) {
                return Ok(done);
            }
            changed.as_mut().enable();
            if let Some(done) = self.try_links(&plan, &attempt) {
                return Ok(done);
            }
            if self.is_closed() {
                return Err(RpcError::Closed {
                    may_have_run: false,
                });
            }
            match deadline {
                None => changed.await,
                Some(deadline) => tokio::time::timeout_at(deadline.into(), changed)
                    .await
                    .map_err(|_| RpcError::Timeout {
                        may_have_run: false,
                    })?,
            }
        }
    }

    fn try_links<T>(
        &self,
        plan: &Plan<'_>,
        attempt: &impl Fn(&Arc<Calls>, &Plan<'_>) -> Option<T>,
    ) -> Option<T> {
        if let [link] = &self.0.links[..] {
            return attempt(link, plan);
        }
        let up = self.0.links.iter().filter(|link| link.is_up());
        let best = up.min_by_key(|link| link.in_flight())?;
        attempt(best, plan)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("connected", &self.connected())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Adds a server.
    pub fn connect(mut self, address: impl Into<String>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// How long calls wait that say nothing else. Default: 30 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Changes the options of the sockets: reconnection, heartbeats, security, watermarks.
    pub fn options(mut self, change: impl Fn(&mut Options) + Send + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    /// Opens the links, which connect in the background.
    ///
    /// # Errors
    ///
    /// When an address or option is wrong, there is none, or no runtime.
    pub fn build(self) -> Result<Client, SetupError> {
        let runtime = Handle::try_current().map_err(|_| SetupError::NoRuntime)?;
        if self.addresses.is_empty() {
            return Err(SetupError::NoAddress);
        }
        let (changed, instance) = (Arc::new(Notify::new()), rand::random());
        let mut client = Inner {
            links: Vec::new(),
            changed,
            deadline: self.deadline,
        };
        for address in self.addresses {
            let options = socket_options(false, &instance, &self.change);
            let socket = AnySocket::of(&self.context, SocketKind::Dealer, options)?;
            let way = Outgoing {
                socket: socket.clone(),
                to: None,
            };
            let calls = Calls::new(way, client.changed.clone());
            client.links.push(calls.clone());
            socket.connect(address)?;
            let conn = Conn {
                socket,
                routed: false,
                calls: Some(calls),
                serving: None,
                instance,
            };
            runtime.spawn(conn.run());
        }
        Ok(Client(Arc::new(client)))
    }
}

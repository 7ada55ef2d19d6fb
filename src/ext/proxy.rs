//! A proxy, or device: forwards whole messages between two sockets, both ways where their kinds allow it.
//!
//! ```text
//!               ┌──────── forward ────────►┐
//!    frontend ──┤                          ├── backend           XSUB/XPUB   ROUTER/DEALER   PULL/PUSH
//!               └◄─────── backward ────────┘                     SUB/PUB     PAIR/PAIR       XPUB/XSUB ...
//!                     │            │
//!                     └─► capture ◄┘  a copy of everything forwarded
//! ```
//!
//! Subscriptions are messages of an XPUB, so they flow upstream like any other. Each direction holds at most
//! one message that its target had no room for, and takes no further one from its source until it is out:
//! back-pressure reaches the senders through the proxy. What it held when it ended is in its report.
//!
//! Not here: routing of its own, and lock-step (REQ and REP take turns with one peer; use DEALER and ROUTER).
//!
//! Invariant: orders are given between two turns of the proxy, never within one. So what a handle said holds
//! for every message from then on.

mod control;
mod pump;
mod report;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

pub use control::{ProxyCounters, ProxyHandle, ProxyStatistics};
pub use report::{ProxyEnd, ProxyError, ProxyReport, ProxySide};

use self::control::Control;
use self::pump::Pump;
use crate::config::SocketKind;
use crate::socket::{AnySocket, Kind, Socket};

/// Forwards messages between a frontend and a backend.
///
/// ```
/// # let context = taipan::Context::new();
/// use taipan::{Proxy, ProxyEnd, Pull, Push};
///
/// let (frontend, backend) = (Pull::new(&context), Push::new(&context));
/// frontend.bind("inproc://work")?;
/// backend.bind("inproc://workers")?;
/// let proxy = Proxy::new(&frontend, &backend);
/// let handle = proxy.handle();
/// let thread = std::thread::spawn(move || proxy.run_blocking());
///
/// let (source, worker) = (Push::new(&context), Pull::new(&context));
/// source.connect("inproc://work")?;
/// worker.connect("inproc://workers")?;
/// source.blocking_send("hello")?;
/// assert_eq!(worker.blocking_recv()?, "hello");
///
/// handle.terminate();
/// let report = thread.join().unwrap()?;
/// assert_eq!(report.end, ProxyEnd::Terminated);
/// assert_eq!(report.statistics.backend.messages_sent, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Proxy {
    frontend: AnySocket,
    backend: AnySocket,
    capture: Option<AnySocket>,
    control: Arc<Control>,
}

impl Proxy {
    /// A proxy between two sockets, bound and connected as you like. It keeps clones of the handles; it
    /// forwards nothing before it is run.
    pub fn new<F: Kind, B: Kind>(frontend: &Socket<F>, backend: &Socket<B>) -> Proxy {
        Proxy {
            frontend: frontend.clone().into_any(),
            backend: backend.clone().into_any(),
            capture: None,
            control: Arc::default(),
        }
    }

    /// Sends a copy of every forwarded message, of both directions, to this socket as well.
    ///
    /// Its kind decides what happens when nobody keeps up with the copies: a PUB drops, all others (PUSH,
    /// PAIR, DEALER) hold up the proxy.
    pub fn capture<C: Kind>(mut self, capture: &Socket<C>) -> Proxy {
        self.capture = Some(capture.clone().into_any());
        self
    }

    /// A handle to steer and to observe the proxy, from any thread, before and while it runs.
    pub fn handle(&self) -> ProxyHandle {
        ProxyHandle::new(self.control.clone())
    }

    /// Forwards until a handle says [`terminate`](ProxyHandle::terminate) or one of the sockets is closed.
    ///
    /// A reply to a peer that has left (on a ROUTER with `router_mandatory`) is dropped and counted; it does
    /// not end the proxy. Dropping the future ends the proxy too, and loses what [`ProxyReport::unsent`]
    /// would have told.
    ///
    /// # Errors
    /// At once if the kinds of the sockets do not fit.
    pub async fn run(self) -> Result<ProxyReport, ProxyError> {
        let (forth, back) = self.directions()?;
        let Proxy {
            frontend,
            backend,
            capture,
            control,
        } = &self;
        let (frontend, backend) = (
            (ProxySide::Frontend, frontend),
            (ProxySide::Backend, backend),
        );
        let mut forward = Pump::new(frontend, backend, capture.as_ref(), control);
        let mut backward = Pump::new(backend, frontend, capture.as_ref(), control);
        let result = {
            let mut forward = pin!(forward.run());
            let mut backward = pin!(backward.run());
            poll_fn(|cx| {
                let _turn = control.turn();
                if forth && let Poll::Ready(end) = forward.as_mut().poll(cx) {
                    return Poll::Ready(end);
                }
                if back {
                    backward.as_mut().poll(cx)
                } else {
                    Poll::Pending
                }
            })
            .await
        };
        let unsent = [forward.into_unsent(), backward.into_unsent()]
            .into_iter()
            .flatten()
            .collect();
        Ok(ProxyReport {
            end: result?,
            statistics: control.statistics(),
            unsent,
        })
    }

    /// As [`Proxy::run`] in this thread, which needs no runtime.
    ///
    /// # Errors
    /// As [`Proxy::run`], and [`ProxyError::Io`].
    pub fn run_blocking(self) -> Result<ProxyReport, ProxyError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(ProxyError::Io)?;
        if tokio::runtime::Handle::try_current().is_err() {
            return runtime.block_on(self.run());
        }
        // A thread that belongs to a runtime may not drive another one.
        let run = move || runtime.block_on(self.run());
        std::thread::scope(|scope| match scope.spawn(run).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// Which ways there is something to forward: from the frontend, from the backend.
    fn directions(&self) -> Result<(bool, bool), ProxyError> {
        if let Some(capture) = self
            .capture
            .as_ref()
            .filter(|capture| !flows(capture.kind()) || !capture.kind().can_send())
        {
            return Err(ProxyError::Capture(capture.kind()));
        }
        let (frontend, backend) = (self.frontend.kind(), self.backend.kind());
        let free = flows(frontend) && flows(backend);
        let forth = free && frontend.can_recv() && backend.can_send();
        let back = free && backend.can_recv() && frontend.can_send();
        if forth || back {
            Ok((forth, back))
        } else {
            Err(ProxyError::Mismatch { frontend, backend })
        }
    }
}

/// Whether a socket of this kind sends and receives whenever it likes.
fn flows(kind: SocketKind) -> bool {
    !matches!(kind, SocketKind::Req | SocketKind::Rep)
}

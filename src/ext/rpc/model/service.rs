//! What can be called: a name, its methods, and somebody who runs them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use super::error::RpcError;
use super::payload::Payload;
use super::trace::TraceContext;
use crate::ext::rpc::conn::Streams;
use crate::message::Frame;

/// What comes of a call: a result, or an error for the caller.
pub type Reply = Pin<Box<dyn Future<Output = Result<Payload, RpcError>> + Send>>;

/// A service as a server sees it. `#[service]` writes this; by hand it is for gateways.
pub trait Service: Send + Sync + 'static {
    /// The part of a method's full name before the last dot; `*` is asked for whatever no other service has.
    fn name(&self) -> &str;

    /// What it has, for those who ask.
    fn methods(&self) -> Vec<Method>;

    /// Runs a method. What it returns is polled in place first and, if that was not enough, in a task of its own, so
    /// it must not block. Dropped when the caller cancels or the deadline passes.
    fn call(self: Arc<Self>, request: Request) -> Reply;
}

/// What a method is and how it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// Its name within the service.
    pub name: String,
    /// Its arguments and result, as in Rust.
    pub signature: String,
    /// What kind it is.
    pub kind: MethodKind,
}

/// What a caller may do with a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodKind {
    /// Runs once at most for each call.
    Call,
    /// May run again, and so be tried again elsewhere.
    Idempotent,
    /// Is not answered.
    Signal,
    /// Has a stream of arguments, of results, or both.
    Stream,
}

impl MethodKind {
    /// As it is listed.
    pub fn as_str(self) -> &'static str {
        match self {
            MethodKind::Call => "call",
            MethodKind::Idempotent => "idempotent",
            MethodKind::Signal => "signal",
            MethodKind::Stream => "stream",
        }
    }
}

/// A call that arrived.
pub struct Request {
    /// `Service.method`.
    pub method: String,
    /// The arguments.
    pub params: Payload,
    /// How they are encoded.
    pub codec: Option<String>,
    /// When nobody waits any more.
    pub deadline: Option<Instant>,
    /// The trace it belongs to.
    pub trace: Option<TraceContext>,
    /// The routing id of the caller's link; empty on links with one peer.
    pub caller: Frame,
    /// The ends of its streams.
    pub streams: Streams,
}

impl Request {
    /// The part of the name behind the last dot.
    pub fn method_name(&self) -> &str {
        self.method.rsplit('.').next().unwrap_or_default()
    }

    /// The part of the name before the last dot.
    pub fn service_name(&self) -> &str {
        self.method
            .rsplit_once('.')
            .map_or("", |(service, _)| service)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

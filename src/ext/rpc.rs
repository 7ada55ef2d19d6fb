//! Calls: typed services over any transport, with deadlines, cancellation, streams, and at most one run of each call.
//!
//! ```
//! use taipan::Context;
//! use taipan::rpc::{Client, Fault, Server, service};
//!
//! #[service]
//! trait Calculator {
//!     async fn add(a: i64, b: i64) -> i64;
//! }
//!
//! struct Sums;
//!
//! impl Calculator for Sums {
//!     async fn add(&self, a: i64, b: i64) -> Result<i64, Fault> {
//!         a.checked_add(b).ok_or_else(|| Fault::new("Overflow", "too large"))
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let context = Context::new();
//! let server = Server::builder(&context)
//!     .service(CalculatorServer::new(Sums))
//!     .bind("tcp://127.0.0.1:*")
//!     .start()?;
//!
//! let client = Client::connect(&context, server.endpoint().to_string())?;
//! let calculator = CalculatorClient::new(client);
//! assert_eq!(calculator.add(2, 3).await?, 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ```text
//!   ends/   Client · Server · Peer · what #[service] writes      what users hold
//!   conn/   one socket: calls of the caller, calls that run, streams, what has run before
//!   model/  values, codecs, errors, services                     plain data
//!   wire/   envelopes as bytes                                   pure
//! ```
//!
//! What crosses the wire is in `docs/rpc-wire.md`: MessagePack-RPC's messages with a header, so that a program with a
//! ZeroMQ socket and MessagePack can be either end.

mod conn;
mod ends;
mod model;
#[doc(hidden)]
pub mod wire;

pub use conn::{CallOptions, ItemSink, ItemStream, ServerStats, Streams, WINDOW};
#[doc(hidden)]
pub use ends::support;
pub use ends::{
    Answer, BUILT_IN, Client, ClientBuilder, ClientService, ClientStats, DynamicService, Handler,
    Invocation, Layered, Listed, ListedMethod, Peer, PeerBuilder, Server, ServerBuilder,
    SetupError, Sink, Stream, Value,
};
pub use model::{
    Codec, CodecError, Fault, Method, MethodKind, MsgPack, Payload, Raw, Reply, Request, RpcError,
    Service, TraceContext,
};
pub use taipan_macros::service;

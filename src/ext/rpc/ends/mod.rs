//! What users hold: clients, servers, and ends that are both.

mod builtin;
mod client;
mod dynamic;
mod peer;
mod server;
mod setup;
mod tower;
mod typed;

pub use builtin::{Listed, ListedMethod, SERVICE as BUILT_IN};
pub use client::{Client, ClientBuilder, ClientStats};
pub use dynamic::{DynamicService, Value};
pub use peer::{Peer, PeerBuilder};
pub use server::{Server, ServerBuilder};
pub use setup::SetupError;
pub use tower::{ClientService, Handler, Invocation, Layered};
pub use typed::{Answer, Sink, Stream, support};

//! Sockets: the floor where patterns and transports meet, and the public API.

mod aliases;
mod background;
mod context;
mod core;
mod error;
mod handle;
mod hosted;
mod kinds;
mod links;
mod loan;
mod poller;
mod ready;
mod receive;
mod send;
mod streams;
mod subscribe;

pub use self::core::{Interest, PeerStats, SocketStats};
pub use aliases::{AnySocket, Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub, XPub, XSub};
pub use context::Context;
pub use error::{
    BindError, ConnectError, EndpointNotFound, RecvError, SendError, SendErrorKind, SubscribeError,
};
pub use handle::Socket;
pub use hosted::LingerReport;
pub use kinds::{Kind, Publishes, Receives, Sends, Subscribes, kind};
pub use poller::{Poller, Ready};
pub use streams::{MessageSink, MessageStream};

pub use crate::transport::{LinkGate, LinkGates, NewLink};

//! The kinds of sockets as types, so that the compiler knows what each can do.

use super::handle::Socket;
use crate::config::SocketKind;

mod sealed {
    pub trait Sealed {}
}

/// A kind of socket. Implemented by the types in [`kind`] alone.
pub trait Kind: sealed::Sealed + Send + Sync + Unpin + 'static {
    /// The kind, if the type fixes it.
    const KIND: Option<SocketKind>;
}

/// Kinds that can send.
pub trait Sends: Kind {}
/// Kinds that can receive.
pub trait Receives: Kind {}
/// Kinds that say what they want to receive (and XPUB, which in manual mode says it for its peers).
pub trait Subscribes: Kind {}
/// Kinds that have subscribers.
pub trait Publishes: Kind {}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $kind:expr => $($ability:ident)*;)*) => {
        /// Markers of the kinds of sockets.
        pub mod kind {
            $($(#[$doc])* #[derive(Debug, Clone, Copy)] pub struct $name;)*
        }
        $(
            impl sealed::Sealed for kind::$name {}
            impl Kind for kind::$name {
                const KIND: Option<SocketKind> = $kind;
            }
            $(impl $ability for kind::$name {})*
        )*
    };
}

kinds! {
    /// One peer, both ways.
    Pair = Some(SocketKind::Pair) => Sends Receives;
    /// Publishes to subscribers.
    Pub = Some(SocketKind::Pub) => Sends Publishes;
    /// Subscribes to publishers.
    Sub = Some(SocketKind::Sub) => Receives Subscribes;
    /// Asks, one question at a time.
    Req = Some(SocketKind::Req) => Sends Receives;
    /// Answers, one question at a time.
    Rep = Some(SocketKind::Rep) => Sends Receives;
    /// Asks and answers freely, taking turns among its peers.
    Dealer = Some(SocketKind::Dealer) => Sends Receives;
    /// Sends to the peer that it names.
    Router = Some(SocketKind::Router) => Sends Receives;
    /// Takes work.
    Pull = Some(SocketKind::Pull) => Receives;
    /// Hands work out.
    Push = Some(SocketKind::Push) => Sends;
    /// Publishes, and sees the subscriptions.
    XPub = Some(SocketKind::XPub) => Sends Receives Subscribes Publishes;
    /// Subscribes with messages of its own.
    XSub = Some(SocketKind::XSub) => Sends Receives Subscribes;
    /// A kind chosen while the program runs.
    Any = None => Sends Receives Subscribes Publishes;
}

/// One peer, both ways: a second one is turned away.
pub type Pair = Socket<kind::Pair>;
/// Sends every message to all subscribers of its topic; those who are slow miss some, nobody is waited for.
pub type Pub = Socket<kind::Pub>;
/// Receives what it has subscribed to.
pub type Sub = Socket<kind::Sub>;
/// Sends a request, receives its reply, and so on.
pub type Req = Socket<kind::Req>;
/// Receives a request, sends its reply, and so on.
pub type Rep = Socket<kind::Rep>;
/// Sends to its peers in turn, receives from all.
pub type Dealer = Socket<kind::Dealer>;
/// Receives with the sender's routing id in front; sends to the peer that the first frame names.
pub type Router = Socket<kind::Router>;
/// Receives from all its peers in turn.
pub type Pull = Socket<kind::Pull>;
/// Sends each message to one of its peers, in turn.
pub type Push = Socket<kind::Push>;
/// A [`Pub`] that receives the subscriptions of its peers.
pub type XPub = Socket<kind::XPub>;
/// A [`Sub`] that subscribes by sending messages, and forwards everything it gets.
pub type XSub = Socket<kind::XSub>;
/// A socket whose kind is chosen while the program runs. What the kind cannot do is an error then.
pub type AnySocket = Socket<kind::Any>;

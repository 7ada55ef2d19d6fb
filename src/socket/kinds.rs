//! The kinds of sockets as types, so that the compiler knows what each can do.

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

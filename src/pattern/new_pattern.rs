//! Which pattern a kind of socket has.
//!
//! The only place that knows all of them, and the only one that draws random numbers: the ids that `REQ` and `ROUTER`
//! count up from.

use super::Pattern;
use super::pair::Pair;
use super::pipeline::{Pull, Push};
use super::pubsub::{Publisher, Subscriber};
use super::reqrep::{Dealer, Rep, Req, Router};
use crate::config::{Options, SocketKind};

/// The pattern of a new socket.
pub(crate) fn new_pattern(kind: SocketKind, options: &Options) -> Box<dyn Pattern> {
    match kind {
        SocketKind::Pair => Box::new(Pair::default()),
        SocketKind::Pub => Box::new(Publisher::publ(options)),
        SocketKind::Sub => Box::new(Subscriber::sub(options)),
        SocketKind::Req => Box::new(Req::new(options, rand::random())),
        SocketKind::Rep => Box::new(Rep::default()),
        SocketKind::Dealer => Box::new(Dealer::new(options)),
        SocketKind::Router => Box::new(Router::new(options, rand::random())),
        SocketKind::Pull => Box::new(Pull::default()),
        SocketKind::Push => Box::new(Push::default()),
        SocketKind::XPub => Box::new(Publisher::xpub(options)),
        SocketKind::XSub => Box::new(Subscriber::xsub(options)),
    }
}

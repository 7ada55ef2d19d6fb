//! The sockets by name: what users write.

use super::handle::Socket;
use super::kinds::kind;

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

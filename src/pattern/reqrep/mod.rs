//! Requests and replies: `REQ` and `REP` in strict turns, `DEALER` and `ROUTER` without.

mod dealer;
mod rep;
mod req;
mod router;

pub(super) use dealer::Dealer;
pub(super) use rep::Rep;
pub(super) use req::Req;
pub(super) use router::Router;

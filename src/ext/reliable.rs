//! Reliable messages: you only send.

mod engine;
mod ledger;
mod model;
mod wire;

pub use model::{
    Amount, DropReason, Dropped, Event, Ident, IdentError, Letter, MessageId, Overflow, PeerStatus,
    Properties, Refusal, SendError, SendFault, Settings,
};

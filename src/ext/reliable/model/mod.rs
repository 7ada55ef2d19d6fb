//! Plain data: names, letters, outcomes, events, bounds.

mod event;
mod ident;
mod letter;
mod outcome;
mod settings;

pub use event::{Event, Refusal};
pub use ident::{Ident, IdentError, MessageId};
pub use letter::{Letter, Properties};
pub use outcome::{DropReason, Dropped, SendError, SendFault};
pub use settings::{Amount, Overflow, PeerStatus, Settings};

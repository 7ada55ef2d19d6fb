//! What travels: [`Frame`] (one run of bytes) and [`Message`] (one frame or more, sent and received as a whole).
//!
//! Not here: how a message is framed on a wire (`zmtp`), who gets it (`pattern`), or any queue. This room knows
//! only the `bytes` crate.
//!
//! ```text
//!   Message (72 bytes) -+- one frame, held in place          no allocation up to 64 bytes of payload
//!                       '- two frames or more, in a Vec
//!   Frame   (72 bytes) -+- up to 64 bytes, held in place
//!                       '- more: a counted reference (Bytes), shared between clones
//! ```

mod convert;
mod frame;
#[allow(clippy::module_inception)]
// the room is named after its main type, and so is the type's file
mod message;

pub use frame::Frame;
pub use message::{IntoFrames, Message};

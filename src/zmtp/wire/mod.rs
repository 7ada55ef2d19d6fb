//! The layouts on the wire: greeting, frame header, command, metadata. Bytes to valid types and back, no state.

mod command;
mod greeting;
mod header;
mod metadata;
mod version;

pub use command::{Command, printable, push_error, push_named};
pub use greeting::{
    GREETING_LEN, Greeting, Greeting3, SIGNATURE_LEN, push_greeting_rest, push_signature,
};
pub use header::{COMMAND, FrameHeader, LONG, MAX_HEADER, MORE, header_len, push_header};
pub use metadata::{Metadata, push_property};
pub use version::Version;

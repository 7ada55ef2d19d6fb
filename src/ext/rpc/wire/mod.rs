//! The wire format of calls: pure, no I/O, no clock. `docs/rpc-wire.md` gives every byte.

mod envelope;
mod failure;
mod header;
mod reader;

pub use envelope::{Envelope, Side, VERSION};
pub use failure::{Code, Failure};
pub use header::Header;
pub use reader::WireError;

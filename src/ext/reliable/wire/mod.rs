//! Frames and stored records as bytes. Pure; `docs/reliable-wire.md` is the description.

mod packet;
mod reader;
mod record;

pub use packet::{Ack, Data, Flaw, Held, Hello, Packet, Range, Refuse};
pub(in crate::ext::reliable) use packet::{PROPERTIES, write_data};
pub(in crate::ext::reliable) use reader::{Reader, put_varint};
pub(in crate::ext::reliable) use record::{Record, write_record};

//! One socket that calls travel on, for the caller, the one who is called, or both.

mod calls;
mod driver;
mod outgoing;
mod remembered;
mod running;
mod serving;
mod streams;

pub use running::ServerStats;
pub use streams::{ItemSink, ItemStream, Streams, WINDOW};

pub use calls::CallOptions;
pub(super) use calls::{Calls, Plan, Started};
pub(super) use driver::{Conn, socket_options};
pub(super) use outgoing::Outgoing;
pub(super) use serving::Serving;

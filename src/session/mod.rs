//! Sessions: what keeps a link alive while nobody is looking. Dialing and redialing, accepting, and the
//! events that tell about it. Runs on the context's own thread; messages never pass through here.

mod acceptor;
mod backoff;
mod dialer;
mod line;
mod monitor;
mod owner;

pub(crate) use acceptor::accept;
pub(crate) use dialer::dial;
pub(crate) use line::Line;
pub(crate) use monitor::MonitorHub;
pub use monitor::{HandshakeFault, Monitor, MonitorError, MonitorEvent, MonitorKind};
pub(crate) use owner::{Arrival, LinkOwner};

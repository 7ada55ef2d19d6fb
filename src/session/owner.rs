//! What a session needs of the socket it works for. The socket's core implements it.

use std::sync::Arc;

use super::{Line, MonitorEvent};
use crate::config::{Options, SocketKind};
use crate::transport::{Link, Memory};

/// How a link came about.
#[derive(Clone)]
pub(crate) enum Arrival {
    /// This side connected; the line knows the pipe that waits for it.
    Dialed(Arc<Line>),
    /// A peer connected to this endpoint of ours.
    Accepted(String),
}

/// The socket, as sessions see it. Calls are short and never block for long.
pub(crate) trait LinkOwner: Send + Sync {
    fn kind(&self) -> SocketKind;

    /// The options as they are now; read anew at every attempt.
    fn options(&self) -> Options;

    /// What the socket shares with its local peers.
    fn memory(&self) -> Memory;

    /// A link is ready. `false` if it is not wanted (the endpoint or the socket was closed meanwhile).
    fn link_up(&self, arrival: &Arrival, link: Link) -> bool;

    /// A line will not be dialed again.
    fn gave_up(&self, line: &Line);

    /// Something to tell those who watch.
    fn event(&self, event: MonitorEvent);

    /// A lane needs to be told that time passes.
    fn wants_ticks(&self);
}

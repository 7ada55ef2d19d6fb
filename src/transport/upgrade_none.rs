//! Takes the place of `upgrade_io.rs` on systems without shared memory: nothing is ever agreed on.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use tokio::io::unix::AsyncFd;

use super::{ByteStream, HandshakeFailure, Memory, UpgradeRefusal};
use crate::config::{Options, PeerCredentials, SocketKind};
use crate::pipe::Lane;
use crate::zmtp::Heartbeat;

/// As on Linux.
#[allow(dead_code)]
pub(super) struct Side<'a> {
    pub(super) kind: SocketKind,
    pub(super) options: &'a Options,
    pub(super) memory: &'a Memory,
}

/// As on Linux, but for the first case, which does not happen.
pub(super) enum Upgraded {
    #[allow(dead_code)]
    Agreed(Box<Agreed>),
    Stays {
        refusal: UpgradeRefusal,
        leftover: Vec<u8>,
    },
}

/// Does not happen.
pub(super) struct Agreed(Infallible);

impl Agreed {
    /// As on Linux.
    pub(super) fn lane(
        self,
        _side: &Side<'_>,
        _stream: Box<dyn ByteStream>,
        _peer: Option<PeerCredentials>,
        _heartbeat: Option<Heartbeat>,
        _wants_ticks: Box<dyn Fn() + Send>,
    ) -> io::Result<Box<dyn Lane>> {
        match self.0 {}
    }
}

/// Not called: nothing was announced.
pub(super) async fn upgrade<S: AsFd + AsRawFd>(
    _stream: &AsyncFd<S>,
    _side: &Side<'_>,
    _peer_kind: Option<SocketKind>,
    leftover: Vec<u8>,
) -> Result<Upgraded, HandshakeFailure> {
    Ok(Upgraded::Stays {
        refusal: UpgradeRefusal::Disabled,
        leftover,
    })
}

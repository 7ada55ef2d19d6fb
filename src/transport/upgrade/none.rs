//! Takes the place of `drive.rs` on systems without shared memory: nothing is ever agreed on.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use tokio::io::unix::AsyncFd;

use super::refusal::UpgradeRefusal;
use crate::config::{Options, PeerCredentials, SocketKind};
use crate::pipe::Lane;
use crate::transport::{ByteStream, HandshakeFailure, Memory};
use crate::zmtp::Heartbeat;

/// As on Linux.
#[allow(dead_code)]
pub(in crate::transport) struct Side<'a> {
    pub(in crate::transport) kind: SocketKind,
    pub(in crate::transport) options: &'a Options,
    pub(in crate::transport) memory: &'a Memory,
    pub(in crate::transport) peer: Option<PeerCredentials>,
}

/// As on Linux, but for the first case, which does not happen.
pub(in crate::transport) enum Upgraded {
    #[allow(dead_code)]
    Agreed(Box<Agreed>),
    Stays {
        refusal: UpgradeRefusal,
        leftover: Vec<u8>,
    },
}

/// Does not happen.
pub(in crate::transport) struct Agreed(Infallible);

impl Agreed {
    /// As on Linux.
    pub(in crate::transport) fn lane(
        self,
        _side: &Side<'_>,
        _stream: Box<dyn ByteStream>,
        _heartbeat: Option<Heartbeat>,
        _wants_ticks: Box<dyn Fn() + Send>,
    ) -> io::Result<Box<dyn Lane>> {
        match self.0 {}
    }
}

/// Not called: nothing was announced.
pub(in crate::transport) async fn upgrade<S: AsFd + AsRawFd>(
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

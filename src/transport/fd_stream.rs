//! A byte stream over any connected stream socket of the operating system.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};

use super::{ByteStream, UnixPeer};

/// A peer that is gone is an error, not a signal. Where there is no such flag Rust's runtime ignores the signal.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: SendFlags = SendFlags::empty();

/// A non-blocking stream socket (tcp or Unix).
#[derive(Debug)]
pub struct FdStream {
    fd: OwnedFd,
    peer_address: String,
    unix: Option<UnixPeer>,
}

impl FdStream {
    /// Takes a connected socket; it must be in non-blocking mode.
    pub fn new(fd: impl Into<OwnedFd>, peer_address: impl Into<String>) -> Self {
        FdStream {
            fd: fd.into(),
            peer_address: peer_address.into(),
            unix: None,
        }
    }

    /// As [`new`](Self::new), for a Unix stream socket: its peer may be refused for who it is, and asked to use
    /// shared memory.
    pub fn local(fd: impl Into<OwnedFd>, peer_address: impl Into<String>, peer: UnixPeer) -> Self {
        FdStream {
            unix: Some(peer),
            ..FdStream::new(fd, peer_address)
        }
    }
}

impl AsFd for FdStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl ByteStream for FdStream {
    #[inline]
    fn read(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            match rustix::net::recv(&self.fd, spare_capacity(buffer), RecvFlags::empty()) {
                Ok((_, count)) => return Ok(count),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    #[inline]
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            let result = match slices {
                [one] => rustix::net::send(&self.fd, one, NO_SIGNAL),
                _ => rustix::net::sendmsg(
                    &self.fd,
                    slices,
                    &mut SendAncillaryBuffer::default(),
                    NO_SIGNAL,
                ),
            };
            match result {
                Ok(count) => return Ok(count),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn finish(&self) -> io::Result<()> {
        Ok(rustix::net::shutdown(&self.fd, Shutdown::Write)?)
    }

    fn peer_address(&self) -> String {
        self.peer_address.clone()
    }

    fn unix(&self) -> Option<&UnixPeer> {
        self.unix.as_ref()
    }

    fn into_fd(self: Box<Self>) -> Option<OwnedFd> {
        self.unix.is_some().then_some(self.fd)
    }
}

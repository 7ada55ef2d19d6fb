//! The bell of a link: single bytes on the Unix socket that the link began on.
//!
//! A full socket buffer means that the peer has bytes to wake up for already, so a byte that does not fit is not
//! missed. The socket also tells when the peer is gone, however it went.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::error::Violation;

/// What one byte says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Signal {
    /// Look at the memory.
    Bell = 1,
    /// Give a sign of life.
    Ping = 2,
    /// The sign of life.
    Pong = 3,
}

/// What was heard since the last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Anything at all.
    pub(crate) anything: bool,
    /// There may be more to hear.
    pub(crate) more: bool,
    pub(crate) ping: bool,
    /// The peer's end is closed: it has ended or let go of everything.
    pub(crate) end: bool,
}

/// Our end of the socket.
#[derive(Debug)]
pub(crate) struct Bell {
    socket: OwnedFd,
}

impl Bell {
    /// Takes a connected, non-blocking Unix stream socket.
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Bell { socket }
    }

    /// Sends a byte, unless the peer has more than enough to hear already, or is gone.
    pub(crate) fn send(&self, signal: Signal) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        while let Err(Errno::INTR) = rustix::net::send(&self.socket, &[signal as u8], flags) {}
    }

    /// Takes in what has arrived, at most 4 KiB of it.
    ///
    /// # Errors
    /// A byte that means nothing.
    pub(crate) fn hear(&self) -> Result<Heard, Violation> {
        let mut heard = Heard::default();
        let mut bytes = [0_u8; 4096];
        let count = loop {
            match rustix::net::recv(&self.socket, &mut bytes[..], RecvFlags::DONTWAIT) {
                Ok((_, count)) => break count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(heard),
                Err(_) => break 0,
            }
        };
        heard.anything = count > 0;
        heard.more = count == bytes.len();
        heard.end = count == 0;
        for byte in &bytes[..count] {
            match byte {
                1 | 3 => {}
                2 => heard.ping = true,
                _ => return Err(Violation("an unknown byte on the bell")),
            }
        }
        Ok(heard)
    }

    /// Whether the peer has closed its end, which it keeps open for as long as it lives and borrows anything.
    pub(crate) fn is_abandoned(&self) -> bool {
        let mut watched = [PollFd::new(&self.socket, PollFlags::empty())];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        rustix::event::poll(&mut watched, Some(&now)).is_ok()
            && watched[0]
                .revents()
                .intersects(PollFlags::HUP | PollFlags::ERR)
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

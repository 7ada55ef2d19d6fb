//! A thread that sleeps in poll(2), and how to wake it.
//!
//! Every thread that waits has a bell of its own: a pair of connected Unix sockets, made at its first wait and
//! kept for the next ones. It polls its end of the pair beside the sockets' descriptors. A shared bell would
//! not do: whoever looks first takes the event away, and the other sleeps on.

use std::cell::OnceCell;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};

thread_local! {
    static OWN: OnceCell<Arc<Sleeper>> = const { OnceCell::new() };
}

/// See the file's text.
pub(crate) struct Sleeper {
    thread: ThreadId,
    /// Rung by its own thread, while it looked after a socket: no byte needs to be sent for that.
    rung: AtomicBool,
    near: UnixStream,
    far: UnixStream,
}

impl Sleeper {
    /// The bell of this thread.
    ///
    /// # Errors
    /// If the system has no more descriptors.
    pub(crate) fn current() -> io::Result<Arc<Sleeper>> {
        OWN.with(|own| {
            if let Some(known) = own.get() {
                return Ok(known.clone());
            }
            let (near, far) = UnixStream::pair()?;
            near.set_nonblocking(true)?;
            far.set_nonblocking(true)?;
            let made = Arc::new(Sleeper {
                thread: thread::current().id(),
                rung: AtomicBool::new(false),
                near,
                far,
            });
            Ok(own.get_or_init(|| made).clone())
        })
    }

    /// Wakes the thread, or keeps it from falling asleep.
    pub(super) fn ring(&self) {
        if thread::current().id() == self.thread {
            self.rung.store(true, Ordering::Relaxed);
        } else {
            // A full buffer means that it is being woken already.
            let _ = (&self.far).write(&[1]);
        }
    }

    /// Whether the thread was rung since it last asked, by itself or (after poll(2)) by others.
    pub(crate) fn take_rung(&self) -> bool {
        self.rung.swap(false, Ordering::Relaxed)
    }

    /// Takes away what others have rung. To be called between waking and looking.
    pub(crate) fn hush(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.near).read(&mut bytes), Ok(count) if count == bytes.len()) {}
    }
}

impl AsFd for Sleeper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.near.as_fd()
    }
}

//! Waiting for several sockets in one thread, without a runtime. Async code uses `select!` instead.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::{Core, Interest, Sleeper, WaitError, sleep};
use super::handle::Socket;
use super::kinds::Kind;

/// Waits until one of several sockets can send or receive. Level-triggered: what is not acted upon is
/// reported again.
///
/// ```
/// # use taipan::*;
/// # let context = Context::new();
/// # let (a, b) = (Pull::new(&context), Pull::new(&context));
/// # a.bind("inproc://a")?;
/// # let push = Push::new(&context);
/// # push.connect("inproc://a")?;
/// # push.blocking_send("hello")?;
/// let mut poller = Poller::new();
/// poller.add(&a, 1, Interest::READABLE)?;
/// poller.add(&b, 2, Interest::READABLE)?;
/// let ready = poller.wait(None)?;
/// assert_eq!(ready[0].token, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Poller {
    entries: Vec<Entry>,
}

struct Entry {
    core: Arc<Core>,
    descriptor: Arc<mio::Registry>,
    token: usize,
    interest: Interest,
}

/// What a socket of a [`Poller`] can do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The number the socket was added with.
    pub token: usize,
    /// Never empty.
    pub ready: Interest,
}

impl Poller {
    /// A poller without sockets.
    pub fn new() -> Poller {
        Poller::default()
    }

    /// Adds a socket under a number of your choice, or changes what is waited for on it.
    ///
    /// # Errors
    /// If the system has no more descriptors.
    pub fn add<K: Kind>(
        &mut self,
        socket: &Socket<K>,
        token: usize,
        interest: Interest,
    ) -> io::Result<()> {
        let core = socket.core_arc().clone();
        let descriptor = core.descriptor()?;
        self.remove(socket);
        self.entries.push(Entry {
            core,
            descriptor,
            token,
            interest,
        });
        Ok(())
    }

    /// Takes a socket out; `false` if it was not in.
    pub fn remove<K: Kind>(&mut self, socket: &Socket<K>) -> bool {
        let before = self.entries.len();
        self.entries
            .retain(|entry| !Arc::ptr_eq(&entry.core, socket.core_arc()));
        before != self.entries.len()
    }

    /// Waits until at least one socket is ready or the time is over (the result is then empty); `None`
    /// waits for ever. A closed socket counts as ready for all that was asked, so that the call that follows
    /// can say so.
    ///
    /// # Errors
    /// What the system says, but for interruptions, which end nothing.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Vec<Ready>> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let ready = self.look();
        if !ready.is_empty() {
            return Ok(ready);
        }
        let sleeper = Sleeper::current()?;
        let entries = &self.entries;
        let _guards: Vec<_> = entries
            .iter()
            .map(|entry| entry.core.poll_guard(&sleeper))
            .collect();
        let descriptors: Vec<_> = entries.iter().map(|entry| &*entry.descriptor).collect();
        // Whatever it was rung for earlier, the look below finds.
        sleeper.take_rung();
        loop {
            let ready = self.look();
            if !ready.is_empty() {
                return Ok(ready);
            }
            match sleep(&sleeper, &descriptors, deadline) {
                Ok(true) => {}
                Ok(false) | Err(WaitError::TimedOut) => return Ok(Vec::new()),
                Err(WaitError::Exhausted) => return Err(io::ErrorKind::OutOfMemory.into()),
            }
        }
    }

    fn look(&self) -> Vec<Ready> {
        let entries = self.entries.iter();
        let ready = entries.map(|entry| Ready {
            token: entry.token,
            ready: entry.core.poll_ready(entry.interest),
        });
        ready.filter(|ready| !ready.ready.is_empty()).collect()
    }
}

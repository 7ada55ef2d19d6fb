//! Who watches the socket's descriptor.
//!
//! All links of a socket live in one epoll instance of the socket's own, whose descriptor exactly one
//! party watches: the runtime of the caller who waits, a thread in poll(2), or the context's thread when
//! no caller was here lately. Handing over costs two system calls however many links there are.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Registry, Token};
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Handle, Id};

use super::signal::Signal;
use crate::pipe::PipeId;

/// The token of the eventfd that interrupts poll(2).
const WAKER: Token = Token(usize::MAX);
/// Events taken by one look.
const EVENTS: usize = 256;

/// What a look at the descriptor found out about one pipe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    pub(super) pipe: PipeId,
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) hangup: bool,
}

/// Who is told when the descriptor is ready.
enum Watcher {
    Nobody,
    /// A thread in poll(2); there is nothing to register.
    Thread,
    Runtime(Id, AsyncFd<Registry>),
}

/// The socket's descriptor and its watcher.
pub(super) struct Watch {
    // Dropped before `poll`, whose descriptor it shares.
    watcher: Watcher,
    poll: mio::Poll,
    /// For threads that wait in poll(2), outside the lock.
    shared: Arc<Registry>,
    events: Events,
    waker: Waker,
    background: Handle,
    /// A runtime that cannot watch descriptors (built without I/O).
    blind: Option<Id>,
}

impl Watch {
    pub(super) fn new(signal: &Arc<Signal>, background: Handle) -> io::Result<Watch> {
        let poll = mio::Poll::new()?;
        signal.set_waker(mio::Waker::new(poll.registry(), WAKER)?);
        Ok(Watch {
            watcher: Watcher::Nobody,
            shared: Arc::new(poll.registry().try_clone()?),
            poll,
            events: Events::with_capacity(EVENTS),
            waker: Waker::from(signal.clone()),
            background,
            blind: None,
        })
    }

    pub(super) fn descriptor(&self) -> Arc<Registry> {
        self.shared.clone()
    }

    pub(super) fn add(&self, fd: i32, pipe: PipeId) -> io::Result<()> {
        self.poll.registry().register(
            &mut SourceFd(&fd),
            Token(pipe),
            Interest::READABLE | Interest::WRITABLE,
        )
    }

    /// Forgets a descriptor that may stay open although its link has ended.
    pub(super) fn remove(&self, fd: i32) {
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
    }

    /// Asks the kernel what is ready; `true` if there may be more to ask for.
    pub(super) fn look(&mut self, ready: &mut Vec<Ready>) -> bool {
        while let Err(error) = self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            if error.kind() != io::ErrorKind::Interrupted {
                return false;
            }
        }
        let mut count = 0;
        for event in &self.events {
            count += 1;
            if event.token() != WAKER {
                ready.push(Ready {
                    pipe: event.token().0,
                    readable: event.is_readable(),
                    writable: event.is_writable(),
                    hangup: event.is_read_closed() || event.is_error(),
                });
            }
        }
        count == EVENTS
    }

    /// Lets the caller's runtime watch (the context's where the caller has none that can). Returns `false`
    /// if the descriptor was ready meanwhile, so that the caller must look again.
    pub(super) fn by_caller(&mut self) -> bool {
        match Handle::try_current() {
            Ok(handle) if self.blind != Some(handle.id()) => self.by_runtime(&handle),
            _ => self.by_background(),
        }
    }

    /// As [`by_caller`](Self::by_caller), if the context's thread is woken by each event so far.
    pub(super) fn leave_background(&mut self) {
        let background = self.background.id();
        if matches!(&self.watcher, Watcher::Runtime(id, _) if *id == background) {
            self.by_caller();
        }
    }

    /// Lets the context's thread watch.
    pub(super) fn by_background(&mut self) -> bool {
        let handle = self.background.clone();
        self.by_runtime(&handle)
    }

    /// A thread is about to look, or to wait in poll(2): nobody else shall be woken.
    pub(super) fn by_thread(&mut self) {
        if !matches!(self.watcher, Watcher::Thread) {
            self.watcher = Watcher::Thread;
        }
    }

    fn by_runtime(&mut self, handle: &Handle) -> bool {
        let id = handle.id();
        if !matches!(&self.watcher, Watcher::Runtime(known, _) if *known == id) {
            self.watcher = Watcher::Nobody;
            match self.register(handle) {
                Some(fd) => self.watcher = Watcher::Runtime(id, fd),
                None if id != self.background.id() => {
                    self.blind = Some(id);
                    return self.by_background();
                }
                // Without a watcher the lease's tick still serves the socket.
                None => return true,
            }
        }
        let Watcher::Runtime(_, fd) = &self.watcher else {
            return true;
        };
        match fd.poll_read_ready(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(Ok(mut guard)) => {
                guard.clear_ready();
                false
            }
            Poll::Ready(Err(_)) => {
                // That runtime is shutting down.
                self.watcher = Watcher::Nobody;
                if id == self.background.id() {
                    true
                } else {
                    self.by_background()
                }
            }
            Poll::Pending => true,
        }
    }

    /// tokio panics when the runtime was built without I/O, which is the user's good right.
    fn register(&self, handle: &Handle) -> Option<AsyncFd<Registry>> {
        let registry = self.poll.registry().try_clone().ok()?;
        let _context = handle.enter();
        // Sound as it asks for: the registry owns its descriptor, which stays open as long as it lives.
        #[allow(deprecated)]
        let register = || AsyncFd::with_interest(registry, tokio::io::Interest::READABLE);
        catch_unwind(AssertUnwindSafe(register)).ok()?.ok()
    }
}

//! How the waiting are woken.
//!
//! ```text
//!   descriptor ready ─┐                       ┌─► async callers (event listeners)
//!   in-process peer  ─┼─► Signal ─────────────┼─► threads in poll(2)  (each has a bell of its own)
//!   close            ─┘                       └─► the context's thread, when no caller is there
//! ```
//!
//! A signal never takes the socket's lock, so it may be rung from anywhere, even under another socket's.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::task::Wake;

use event_listener::{Event, EventListener};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::sleeper::Sleeper;
use crate::pipe::{Doorbell, PipeId};

/// What an in-process peer did to a pipe of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ring {
    Readable,
    Writable,
}

/// Which way a caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Send,
    Recv,
}

/// See the file's text.
#[derive(Default)]
pub(crate) struct Signal {
    readable: Event,
    writable: Event,
    /// Peers or subscribers came or went.
    changed: Event,
    inbox: Mutex<Vec<(PipeId, Ring)>>,
    has_inbox: AtomicBool,
    /// Async callers that wait.
    waiting: AtomicUsize,
    /// Threads that wait on the descriptor, and how many they are.
    sleepers: Mutex<Vec<Arc<Sleeper>>>,
    polling: AtomicUsize,
    /// Somebody outside watches the descriptor, so in-process peers must show there.
    watched: AtomicBool,
    /// A caller was here lately, so the context's thread stays away.
    pub(super) leased: AtomicBool,
    /// The descriptor was ready: what it has to tell was not asked for yet.
    look_due: AtomicBool,
    /// An in-process peer is to get more when it has room, whether a caller is here or not.
    owes: AtomicBool,
    waker: OnceLock<mio::Waker>,
    /// Asks the context's thread to look after the socket.
    pub(super) service: Notify,
    /// The context's thread has looked after it.
    pub(super) served: Notify,
}

/// One waiting async caller; counts itself out when dropped.
pub(crate) struct Waiting<'a> {
    signal: &'a Signal,
    pub(crate) listener: EventListener,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.signal.waiting.fetch_sub(1, Ordering::Release);
        self.signal.leave_to_service();
    }
}

/// One thread that waits on the descriptor and on its own bell.
pub(crate) struct Polling<'a> {
    signal: &'a Signal,
    sleeper: Arc<Sleeper>,
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        let mut sleepers = self.signal.sleepers.lock();
        if let Some(at) = sleepers
            .iter()
            .position(|known| Arc::ptr_eq(known, &self.sleeper))
        {
            sleepers.swap_remove(at);
        }
        self.signal.polling.fetch_sub(1, Ordering::Release);
        drop(sleepers);
        self.signal.leave_to_service();
    }
}

impl Signal {
    pub(super) fn set_waker(&self, waker: mio::Waker) {
        let _ = self.waker.set(waker);
    }

    pub(crate) fn wait(&self, direction: Direction) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        // Pairs with the fence in `post`: either the bell sees us wait, or we see what it posted.
        fence(Ordering::SeqCst);
        let listener = match direction {
            Direction::Send => self.writable.listen(),
            Direction::Recv => self.readable.listen(),
        };
        Waiting {
            signal: self,
            listener,
        }
    }

    /// Waits for peers or subscribers to change.
    pub(crate) fn wait_change(&self) -> EventListener {
        self.changed.listen()
    }

    /// Announces that the thread of this bell will sleep on the descriptor.
    pub(crate) fn poll_descriptor(&self, sleeper: &Arc<Sleeper>) -> Polling<'_> {
        self.sleepers.lock().push(sleeper.clone());
        self.polling.fetch_add(1, Ordering::SeqCst);
        // Pairs with the fence in `post`.
        fence(Ordering::SeqCst);
        Polling {
            signal: self,
            sleeper: sleeper.clone(),
        }
    }

    /// From now on in-process peers show on the descriptor too.
    pub(super) fn show_on_descriptor(&self) {
        self.watched.store(true, Ordering::SeqCst);
    }

    /// The descriptor has something to tell.
    pub(super) fn want_look(&self) {
        self.look_due.store(true, Ordering::Release);
    }

    /// Whether the descriptor has something to tell; asking is taking it on.
    pub(super) fn take_look_due(&self) -> bool {
        self.look_due.load(Ordering::Relaxed) && self.look_due.swap(false, Ordering::Acquire)
    }

    pub(super) fn anyone_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    pub(super) fn anyone_polling(&self) -> bool {
        self.polling.load(Ordering::Acquire) > 0
    }

    /// Something may be received: wakes one receiver.
    pub(super) fn wake_readable(&self) {
        if self.anyone_waiting() {
            self.readable.notify_additional(1);
        }
        self.wake_polling();
    }

    /// There may be room: wakes one sender.
    pub(super) fn wake_writable(&self) {
        self.wake_sender();
    }

    /// Wakes one async sender and all threads; `false` if there was none.
    fn wake_sender(&self) -> bool {
        let woken = self.anyone_waiting() && self.writable.notify_additional(1) > 0;
        self.wake_polling();
        woken || self.anyone_polling()
    }

    /// From now on the context's thread sees to it if an in-process peer has room and no caller is here.
    pub(super) fn owe(&self) {
        self.owes.store(true, Ordering::SeqCst);
        // Pairs with the fence in `post`: either the bell sees that we owe, or we see what it posted.
        fence(Ordering::SeqCst);
        self.leave_to_service();
    }

    /// Whether something may be left to hand over.
    pub(super) fn owes(&self) -> bool {
        self.owes.load(Ordering::SeqCst)
    }

    /// Everything owed was handed over.
    pub(super) fn owe_nothing(&self) {
        self.owes.store(false, Ordering::SeqCst);
    }

    /// Whoever was to act on what a peer did is gone, maybe before he could.
    fn leave_to_service(&self) {
        if self.owes() && self.has_inbox() {
            self.service.notify_one();
        }
    }

    /// Peers or subscribers came or went.
    pub(super) fn wake_changed(&self) {
        self.changed.notify(usize::MAX);
    }

    /// Wakes every thread that sleeps: what one of them takes may be what another waits for.
    fn wake_polling(&self) {
        if self.anyone_polling() {
            self.sleepers
                .lock()
                .iter()
                .for_each(|sleeper| sleeper.ring());
        }
        if self.watched.load(Ordering::Relaxed)
            && let Some(waker) = self.waker.get()
        {
            // Fails only if the descriptor is gone, and then nobody watches it.
            let _ = waker.wake();
        }
    }

    /// Wakes everybody: the socket is closed.
    pub(super) fn wake_all(&self) {
        self.readable.notify(usize::MAX);
        self.writable.notify(usize::MAX);
        self.wake_changed();
        self.wake_polling();
        self.service.notify_one();
    }

    #[inline]
    pub(super) fn has_inbox(&self) -> bool {
        self.has_inbox.load(Ordering::Relaxed)
    }

    pub(super) fn take_inbox(&self, into: &mut Vec<(PipeId, Ring)>) {
        if self.has_inbox.swap(false, Ordering::AcqRel) {
            into.append(&mut self.inbox.lock());
        }
    }

    /// A gate in front of a pipe has opened: what waits there goes on in the context's thread, as nobody may be here.
    pub(super) fn gate_opens(&self, pipe: PipeId, ring: Ring) {
        self.post(pipe, ring);
        self.service.notify_one();
    }

    fn post(&self, pipe: PipeId, ring: Ring) {
        self.inbox.lock().push((pipe, ring));
        self.has_inbox.store(true, Ordering::Release);
        // Pairs with the fences in `wait`, `poll_descriptor` and `owe`.
        fence(Ordering::SeqCst);
    }
}

impl Doorbell for Signal {
    fn readable(&self, pipe: PipeId) {
        self.post(pipe, Ring::Readable);
        self.wake_readable();
        self.wake_changed();
    }

    fn writable(&self, pipe: PipeId) {
        self.post(pipe, Ring::Writable);
        if !self.wake_sender() {
            self.leave_to_service();
        }
    }
}

/// The socket's descriptor is ready.
impl Wake for Signal {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.want_look();
        if self.anyone_waiting() {
            self.readable.notify_additional(1);
            self.writable.notify_additional(1);
        } else if !self.leased.load(Ordering::Acquire) {
            self.service.notify_one();
        }
    }
}

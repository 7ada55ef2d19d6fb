//! Sending and receiving: the three ways to call, over one set of tries.
//!
//! A try takes the lock, does the work in the caller's thread and lets go. Waiting happens outside the
//! lock and always in this order: announce that we wait, try once more, make sure that somebody watches
//! the descriptor, sleep. Whatever changes after the announcement wakes us.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::base::Core;
use super::signal::{Direction, Waiting};
use super::sleeper::Sleeper;
use super::spinning::Looking;
use super::state::State;
use crate::message::Message;
use crate::pattern::{RecvRefusal, Refusal};
use crate::socket::error::{RecvError, SendErrorKind};

/// What a poller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    pub(crate) recv: bool,
    pub(crate) send: bool,
}

impl Interest {
    /// A message can be received.
    pub const READABLE: Interest = Interest {
        recv: true,
        send: false,
    };
    /// A message can be sent.
    pub const WRITABLE: Interest = Interest {
        recv: false,
        send: true,
    };
    /// Either.
    pub const BOTH: Interest = Interest {
        recv: true,
        send: true,
    };

    /// Whether receiving is possible (asked for, in a result).
    pub fn is_readable(self) -> bool {
        self.recv
    }

    /// Whether sending is possible (asked for, in a result).
    pub fn is_writable(self) -> bool {
        self.send
    }

    /// Neither.
    pub fn is_empty(self) -> bool {
        !self.recv && !self.send
    }
}

/// How one async call waits.
#[derive(Default)]
pub(crate) struct Slot<'a> {
    waiting: Option<Waiting<'a>>,
    looking: Looking,
}

fn refused(refusal: Refusal) -> SendErrorKind {
    match refusal {
        Refusal::WouldBlock => SendErrorKind::WouldBlock,
        Refusal::State => SendErrorKind::State,
        Refusal::Unroutable => SendErrorKind::Unroutable,
        Refusal::Invalid(why) => SendErrorKind::Invalid(why),
    }
}

fn not_received(refusal: RecvRefusal) -> RecvError {
    match refusal {
        RecvRefusal::Empty => RecvError::WouldBlock,
        RecvRefusal::State => RecvError::State,
    }
}

impl Core {
    /// Takes the message and leaves anything in its place, or refuses it, and it stays; does not wait.
    #[inline]
    pub(crate) fn try_send(&self, message: &mut Message) -> Result<(), SendErrorKind> {
        let mut state = self.lock();
        if state.closed {
            return Err(SendErrorKind::Closed);
        }
        match state.send(&self.signal, message) {
            Ok(()) => {
                self.memory.forget_copies();
                let schedule = state.after_send(&self.signal);
                self.finish(state);
                if schedule {
                    self.schedule_flush();
                }
                Ok(())
            }
            Err(refusal) => self.send_again(state, message, refusal),
        }
    }

    /// A refusal stands only after the kernel and the peers were asked for room.
    #[cold]
    fn send_again(
        &self,
        mut state: parking_lot::MutexGuard<'_, State>,
        message: &mut Message,
        refusal: Refusal,
    ) -> Result<(), SendErrorKind> {
        if refusal != Refusal::WouldBlock {
            self.finish(state);
            return Err(refused(refusal));
        }
        state.flush_dirty(&self.signal);
        state.look_around(&self.signal);
        let result = state.send(&self.signal, message);
        self.memory.forget_copies();
        state.before_wait(&self.signal);
        self.finish(state);
        result.map_err(refused)
    }

    /// Puts the next message that is known of into `into`; asks the kernel only if none is.
    #[inline]
    pub(crate) fn try_recv(&self, into: &mut Message) -> Result<(), RecvError> {
        match self.recv_known(into) {
            Err(RecvError::WouldBlock) => self.recv_again(self.lock(), into),
            done => done,
        }
    }

    /// Puts the next message that is known of into `into`: the first try of one who is going to wait.
    #[inline]
    pub(crate) fn recv_known(&self, into: &mut Message) -> Result<(), RecvError> {
        let mut state = self.lock();
        if state.closed {
            return Err(RecvError::Closed);
        }
        match state.recv_known(&self.signal, into) {
            Ok(()) => {
                self.used_up(&mut state);
                self.finish(state);
                Ok(())
            }
            Err(refusal) => {
                self.finish(state);
                Err(not_received(refusal))
            }
        }
    }

    fn recv_again(
        &self,
        mut state: parking_lot::MutexGuard<'_, State>,
        into: &mut Message,
    ) -> Result<(), RecvError> {
        if state.closed {
            return Err(RecvError::Closed);
        }
        state.before_wait(&self.signal);
        let result = state.recv_looking(&self.signal, into);
        if result.is_ok() {
            self.used_up(&mut state);
        }
        self.finish(state);
        result.map_err(not_received)
    }

    /// What was read ahead has been received. Behind it may be the end of a link, which the kernel has
    /// announced already: whoever takes over after us looks for it.
    #[inline]
    fn used_up(&self, state: &mut State) {
        if !state.attended {
            self.lease(state);
        }
    }

    /// Unlocks, after seeing to pipes that have ended and to shared memory that nobody else would look at.
    #[inline]
    pub(super) fn finish(&self, mut state: parking_lot::MutexGuard<'_, State>) {
        if !state.attended && state.pipes.anyone_awake() {
            state.ask_to_tell(&self.signal);
        }
        if state.pipes.has_business() {
            self.settle(state);
        }
    }

    /// Up to `max` messages that are there, under one lock.
    pub(crate) fn try_recv_many(
        &self,
        into: &mut Vec<Message>,
        max: usize,
    ) -> Result<usize, RecvError> {
        let mut state = self.lock();
        if state.closed {
            return Err(RecvError::Closed);
        }
        let mut count = 0;
        let mut last = RecvRefusal::Empty;
        while count < max {
            let mut message = Message::new();
            match state.recv_known(&self.signal, &mut message) {
                Ok(()) => into.push(message),
                Err(refusal) => {
                    last = refusal;
                    break;
                }
            }
            count += 1;
        }
        if count > 0 || max == 0 {
            // Who gets several at a time has several to answer.
            state.pipes.more |= count > 1;
            self.used_up(&mut state);
            self.finish(state);
            return Ok(count);
        }
        if last == RecvRefusal::State {
            return Err(RecvError::State);
        }
        let mut first = Message::new();
        self.recv_again(state, &mut first)?;
        into.push(first);
        Ok(1)
    }

    /// As many of the messages as there is room for, under one lock; the iterator is not advanced past
    /// one that was refused, which is in `at_hand`.
    pub(crate) fn try_send_many(
        &self,
        messages: &mut dyn Iterator<Item = Message>,
        at_hand: &mut Message,
    ) -> (usize, Result<(), SendErrorKind>) {
        let mut count = 0;
        let mut state = self.lock();
        let result = loop {
            match messages.next() {
                Some(message) => *at_hand = message,
                None => break Ok(()),
            }
            if state.closed {
                break Err(SendErrorKind::Closed);
            }
            match state.send(&self.signal, at_hand) {
                Ok(()) => count += 1,
                Err(Refusal::WouldBlock) => {
                    state.flush_dirty(&self.signal);
                    state.look_around(&self.signal);
                    match state.send(&self.signal, at_hand) {
                        Ok(()) => count += 1,
                        Err(refusal) => break Err(refused(refusal)),
                    }
                }
                Err(refusal) => break Err(refused(refusal)),
            }
        };
        self.memory.forget_copies();
        let schedule = count > 0 && state.after_send(&self.signal);
        self.finish(state);
        if schedule {
            self.schedule_flush();
        }
        (count, result)
    }

    /// Writes what was collected; what the kernel does not take goes out by itself later.
    pub(crate) fn flush(&self) -> usize {
        let mut state = self.lock();
        state.before_wait(&self.signal);
        let left = state.unsent().0;
        self.finish(state);
        left
    }

    /// Whether sending and receiving are possible now.
    pub(crate) fn poll_ready(&self, interest: Interest) -> Interest {
        let mut state = self.lock();
        if state.closed {
            return interest;
        }
        state.used = true;
        state.before_wait(&self.signal);
        state.look(&self.signal);
        let State { pattern, pipes, .. } = &mut *state;
        let ready = Interest {
            recv: interest.recv && pattern.can_recv(pipes),
            send: interest.send && pattern.can_send(pipes),
        };
        if ready.is_empty() && state.glance(&self.signal, true) {
            // Something turned up in the last moment: the caller is not to sleep, and looks again.
            self.signal.wake_readable();
            self.signal.wake_writable();
        }
        self.finish(state);
        ready
    }

    /// Arranges for the waker behind `waiting` to be woken; `false` if something happened meanwhile.
    fn arm(&self) -> bool {
        let mut state = self.lock();
        self.lease(&mut state);
        let armed = !state.glance(&self.signal, true)
            && state.watch.as_mut().is_none_or(|watch| watch.by_caller());
        if !armed {
            self.signal.want_look();
        }
        self.finish(state);
        armed
    }

    /// Receives, or registers the task, for one who has just tried. `slot` lives as long as the caller's future.
    pub(crate) fn poll_recv<'a>(
        &'a self,
        cx: &mut Context<'_>,
        slot: &mut Slot<'a>,
        into: &mut Message,
    ) -> Poll<Result<(), RecvError>> {
        loop {
            ready!(self.poll_wait(cx, slot, Direction::Recv));
            match self.try_recv(into) {
                Err(RecvError::WouldBlock) => {}
                done => {
                    slot.waiting = None;
                    self.pass_on(Interest::READABLE);
                    return Poll::Ready(done);
                }
            }
        }
    }

    /// Sends the message, or registers the task, for one who has just tried.
    pub(crate) fn poll_send<'a>(
        &'a self,
        cx: &mut Context<'_>,
        slot: &mut Slot<'a>,
        message: &mut Message,
    ) -> Poll<Result<(), SendErrorKind>> {
        loop {
            ready!(self.poll_wait(cx, slot, Direction::Send));
            match self.try_send(message) {
                Err(SendErrorKind::WouldBlock) => {}
                done => {
                    slot.waiting = None;
                    self.pass_on(Interest::WRITABLE);
                    return Poll::Ready(done);
                }
            }
        }
    }

    /// Counts calls; `true` once in so many.
    #[inline]
    pub(crate) fn breath(&self, every: u32) -> bool {
        // Lost counts do not matter, so a load and a store will do.
        let count = self
            .calls
            .load(std::sync::atomic::Ordering::Relaxed)
            .wrapping_add(1);
        self.calls
            .store(count, std::sync::atomic::Ordering::Relaxed);
        count.is_multiple_of(every)
    }

    /// Peers or subscribers came or went.
    pub(crate) fn wait_change(&self) -> event_listener::EventListener {
        self.signal.wait_change()
    }

    /// One step of waiting: look for a while, announce, or arm and sleep. `Ready` means: try again.
    pub(crate) fn poll_wait<'a>(
        &'a self,
        cx: &mut Context<'_>,
        slot: &mut Slot<'a>,
        direction: Direction,
    ) -> Poll<()> {
        let Some(waiting) = &mut slot.waiting else {
            if !ready!(self.poll_spin(cx, direction, &mut slot.looking)) {
                slot.waiting = Some(self.signal.wait(direction));
            }
            return Poll::Ready(());
        };
        if !self.arm() {
            return Poll::Ready(());
        }
        ready!(Pin::new(&mut waiting.listener).poll(cx));
        slot.waiting = None;
        Poll::Ready(())
    }

    /// Waits in this thread until `attempt`, which has just failed, has an answer or the time is over. `None` is for
    /// ever.
    pub(crate) fn block_on<T>(
        &self,
        direction: Direction,
        deadline: Option<Instant>,
        mut attempt: impl FnMut() -> Option<T>,
    ) -> Result<T, WaitError> {
        let interest = match direction {
            Direction::Recv => Interest::READABLE,
            Direction::Send => Interest::WRITABLE,
        };
        while self.spin(direction, deadline) {
            if let Some(done) = attempt() {
                self.pass_on(interest);
                return Ok(done);
            }
        }
        let sleeper = Sleeper::current().map_err(|_| WaitError::Exhausted)?;
        let polling = self.signal.poll_descriptor(&sleeper);
        let descriptor = self.descriptor().map_err(|_| WaitError::Exhausted)?;
        // Whatever it was rung for earlier, the attempt below finds.
        sleeper.take_rung();
        loop {
            if let Some(done) = attempt() {
                drop(polling);
                self.pass_on(interest);
                return Ok(done);
            }
            self.watch_by_thread();
            if !sleep(&sleeper, &[&*descriptor], deadline)? {
                return Err(WaitError::TimedOut);
            }
            self.signal.want_look();
        }
    }

    fn watch_by_thread(&self) {
        let mut state = self.lock();
        self.lease(&mut state);
        if let Some(watch) = &mut state.watch {
            watch.by_thread();
        }
        if state.glance(&self.signal, true) {
            // Rings this thread's own bell among others, so that it does not sleep.
            self.signal.wake_readable();
            self.signal.wake_writable();
        }
        self.finish(state);
    }

    /// Those who wait beside us slept on when we took the event that was for all of them: if there is more to
    /// be had, the next one is woken.
    pub(crate) fn pass_on(&self, interest: Interest) {
        if !self.signal.anyone_polling() && !self.signal.anyone_waiting() {
            return;
        }
        let mut state = self.lock();
        let State { pattern, pipes, .. } = &mut *state;
        if interest.recv && pattern.can_recv(pipes) {
            self.signal.wake_readable();
        }
        if interest.send && pattern.can_send(pipes) {
            self.signal.wake_writable();
        }
        self.finish(state);
    }

    /// The descriptor that becomes readable when something may have changed.
    pub(crate) fn descriptor(&self) -> std::io::Result<Arc<mio::Registry>> {
        let mut state = self.lock();
        self.ensure_watch(&mut state)?;
        match &state.watch {
            Some(watch) => Ok(watch.descriptor()),
            None => Err(std::io::ErrorKind::NotConnected.into()),
        }
    }

    /// As [`Core::descriptor`], for watchers outside: in-process peers show there too from now on.
    pub(crate) fn public_descriptor(&self) -> std::io::Result<Arc<mio::Registry>> {
        let descriptor = self.descriptor()?;
        self.signal.show_on_descriptor();
        Ok(descriptor)
    }

    /// Announces a thread that waits with [`sleep`], and keeps others away from the descriptor.
    pub(crate) fn poll_guard(&self, sleeper: &Arc<Sleeper>) -> super::signal::Polling<'_> {
        let guard = self.signal.poll_descriptor(sleeper);
        self.watch_by_thread();
        guard
    }
}

/// Sleeps until the thread's bell rings or a descriptor is ready; `false` when the time is over. Does not sleep if
/// the thread has rung its own bell since it last did.
pub(crate) fn sleep(
    sleeper: &Sleeper,
    descriptors: &[&mio::Registry],
    deadline: Option<Instant>,
) -> Result<bool, WaitError> {
    if sleeper.take_rung() {
        return Ok(true);
    }
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left == Some(Duration::ZERO) {
        return Ok(false);
    }
    let own = PollFd::new(sleeper, PollFlags::IN);
    let others = descriptors
        .iter()
        .map(|descriptor| PollFd::new(*descriptor, PollFlags::IN));
    let mut all: Vec<_> = std::iter::once(own).chain(others).collect();
    match rustix::event::poll(&mut all, left.map(timespec).as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(_) => return Err(WaitError::Exhausted),
    }
    if all[0].revents().contains(PollFlags::IN) {
        sleeper.hush();
    }
    Ok(true)
}

/// Why a blocking wait ended without an answer.
pub(crate) enum WaitError {
    TimedOut,
    /// The system has no descriptor or memory left to wait with.
    Exhausted,
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

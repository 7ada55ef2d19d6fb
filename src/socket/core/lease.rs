//! The lease: who looks after a socket.
//!
//! While callers come and go they do the I/O themselves and the context's thread is not even woken. When
//! none has been here for a while it takes over: it answers heartbeats, applies subscriptions, reads ahead
//! up to a bound and notices peers that leave. The next caller takes the socket back.
//!
//! ```text
//!              a caller waits                      10 ms without a call, none waiting
//!   unattended ───────────────► attended (leased) ─────────────────────────────────► unattended
//!                                                  100 ms, tasks waiting but nothing happened
//! ```
//!
//! The clock ticks only while a socket is leased or a flush is left to a runtime, so an idle context uses no CPU.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::base::Core;
use super::signal::Signal;
use super::state::State;
use super::watch::Watch;

/// Ticks (of 10 ms) that a lease outlives while tasks wait and nothing happens.
const PATIENCE: u32 = 10;

impl Core {
    /// Makes sure that the socket has a descriptor to wait on, and a task that serves it.
    pub(super) fn ensure_watch(&self, state: &mut State) -> std::io::Result<()> {
        if state.watch.is_some() {
            return Ok(());
        }
        let background = self.background()?;
        let mut watch = Watch::new(&self.signal, background.handle().clone())?;
        while !watch.by_background() {}
        state.watch = Some(watch);
        let task = background
            .handle()
            .spawn(serve(self.me.clone(), self.signal.clone()));
        *self.server.lock() = Some(task.abort_handle());
        Ok(())
    }

    /// Notes that a caller looks after the socket now.
    pub(super) fn lease(&self, state: &mut State) {
        state.used = true;
        if !state.attended && state.watch.is_some() {
            state.attended = true;
            state.idle_ticks = 0;
            self.signal.leased.store(true, Ordering::Release);
            self.context.add_lease(self.me.clone());
        }
    }

    /// An in-process peer shall have what it had no room for, also if no caller is here when it has.
    pub(super) fn owe(&self, state: &mut State) {
        // Without a descriptor the next caller sees to it.
        if self.ensure_watch(state).is_ok() {
            self.signal.owe();
        }
    }

    /// One tick of the lease; `false` ends it.
    pub(crate) fn check_lease(&self) -> bool {
        // Locked means that a caller is at work.
        let Some(mut state) = self.state.try_lock() else {
            return true;
        };
        if state.closed {
            return false;
        }
        if std::mem::take(&mut state.used) {
            state.idle_ticks = 0;
            return true;
        }
        state.idle_ticks += 1;
        if state.idle_ticks < PATIENCE
            && (self.signal.anyone_waiting() || self.signal.anyone_polling())
        {
            return true;
        }
        state.attended = false;
        self.signal.leased.store(false, Ordering::Release);
        if self.signal.anyone_polling() {
            // A thread in poll(2) is woken by the kernel itself; it takes a new lease when it is.
            return false;
        }
        state.take_over(&self.signal);
        self.rearm(&mut state);
        self.finish(state);
        false
    }

    /// Has the context's thread watch the descriptor.
    fn rearm(&self, state: &mut State) {
        state.ask_to_tell(&self.signal);
        while state
            .watch
            .as_mut()
            .is_some_and(|watch| !watch.by_background())
        {
            state.look(&self.signal);
            state.flush_dirty(&self.signal);
            state.ask_to_tell(&self.signal);
        }
    }

    /// Writes what a stream of sends has collected, in its turn; how long it may collect until the next one.
    pub(crate) fn flush_turn(&self) -> Duration {
        let mut state = self.lock();
        let peers = state.flush_dirty(&self.signal);
        state.flush.on_turn(peers, Instant::now());
        let gap = state.flush.gap();
        self.finish(state);
        gap
    }

    /// As `flush_turn`, should the runtime that was asked not have come to it.
    pub(crate) fn flush_guarded(&self) {
        self.guarded.store(false, Ordering::Release);
        self.flush_turn();
    }

    /// Has somebody write soon: a task of the caller's runtime, which runs when the caller yields, or else
    /// the context's thread.
    #[cold]
    pub(super) fn schedule_flush(&self) {
        let Some(core) = self.strong() else { return };
        match Handle::try_current() {
            Ok(handle) => {
                drop(handle.spawn(FlushTurn(core).run()));
                if !self.guarded.swap(true, Ordering::AcqRel) {
                    self.context.guard_flush(self.me.clone());
                }
            }
            Err(_) => self.context.flush_soon(core),
        }
    }
}

/// A flush that happens even if the runtime drops the task unrun.
struct FlushTurn(Arc<Core>);

impl FlushTurn {
    async fn run(self) {}
}

impl Drop for FlushTurn {
    fn drop(&mut self) {
        self.0.flush_turn();
    }
}

/// Serves one socket on the context's thread whenever its signal asks.
pub(super) async fn serve(core: Weak<Core>, signal: Arc<Signal>) {
    loop {
        signal.service.notified().await;
        let Some(core) = core.upgrade() else { return };
        let mut state = core.lock();
        state.look(&signal);
        state.flush_dirty(&signal);
        // Asking all pipes each time is what accepting thousands of peers would spend its time on.
        if signal.owes() && !state.pipes.any_stalled() {
            signal.owe_nothing();
        }
        if !state.attended {
            core.rearm(&mut state);
        }
        core.finish(state);
        signal.served.notify_one();
    }
}

/// Lets time pass for the lanes of one socket: heartbeats.
pub(super) async fn tick(core: Weak<Core>, period: Duration) {
    let mut clock = tokio::time::interval(period);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let Some(core) = core.upgrade() else { return };
        let mut state = core.lock();
        state.tick(Instant::now(), &core.signal);
        state.flush_dirty(&core.signal);
        core.finish(state);
    }
}

//! Closing: what was accepted still goes out, within the linger time; what does not is counted and told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::base::Core;
use super::state::State;
use crate::config::SocketKind;
use crate::message::Message;
use crate::pipe::{DropReason, LaneEvent};
use crate::socket::hosted::LingerReport;

/// How long a finished link waits for the peer to finish too, so that what it had sent meanwhile does not
/// make the system reset the connection under the last messages.
const FAREWELL: Duration = Duration::from_secs(1);

impl Core {
    /// Closes the socket: every waiting call returns, nothing new is accepted, the rest goes out in the
    /// background. Does nothing the second time.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.closed, true) {
            return;
        }
        // Under the lock, so that nobody finds the socket closed and nothing to wait for.
        self.context.closing();
        let bound = std::mem::take(&mut state.bound);
        drop(state);
        bound
            .into_iter()
            .for_each(|bound| self.stop_listening(bound));
        let mut state = self.lock();
        state.before_wait(&self.signal);
        let linger = state.linger();
        let nothing_left = state.unsent().0 == 0 && !state.has_streams();
        let lingering = match (self.strong(), self.background()) {
            _ if nothing_left || linger == Some(Duration::ZERO) => None,
            (Some(core), Ok(background)) => Some((core, background)),
            _ => None,
        };
        match lingering {
            Some((core, background)) => {
                self.signal
                    .leased
                    .store(false, std::sync::atomic::Ordering::Release);
                state.attended = false;
                drop(state);
                let deadline = linger.map(|linger| Instant::now() + linger);
                background.handle().spawn(linger_task(core, deadline));
            }
            None => {
                let report = self.tear_down(&mut state);
                drop(state);
                self.context.closed(&self.me, report);
            }
        }
        self.signal.wake_all();
    }

    fn tear_down(&self, state: &mut State) -> LingerReport {
        let (messages, bytes) = state.unsent();
        for connected in std::mem::take(&mut state.connected) {
            if let Some(task) = connected.task {
                task.abort();
            }
            if let Some(id) = connected.pipe {
                self.context.inproc_forget(&self.me, id);
            }
        }
        for id in state.pipes.ids() {
            if let Some(pipe) = state.pipes.get_mut(id) {
                let left = pipe.depth().messages as u64;
                pipe.counters.drops.add(DropReason::Linger, left);
                state.past.merge(&pipe.counted());
            }
            state.pipes.remove(id);
        }
        state.lines.clear();
        state.watch = None;
        if let Some(task) = self.server.lock().take() {
            task.abort();
        }
        self.monitor.stop();
        LingerReport {
            unsent_messages: messages as u64,
            unsent_bytes: bytes as u64,
        }
    }
}

impl State {
    /// SUB and XSUB have nothing to say that matters to a socket that is closed.
    fn linger(&self) -> Option<Duration> {
        match self.kind {
            SocketKind::Sub | SocketKind::XSub => Some(Duration::ZERO),
            _ => self.options.linger,
        }
    }

    fn has_streams(&self) -> bool {
        self.pipes
            .iter()
            .any(|(_, pipe)| pipe.collects() && pipe.has_lane())
    }

    /// Reads and throws away what arrives, so that ends are noticed; `true` while a stream is open.
    fn discard(&mut self, signal: &super::signal::Signal) -> bool {
        self.look(signal);
        for id in self.pipes.ids() {
            while self.pipes.try_recv(id, &mut Message::new()).is_some() {}
        }
        self.glance(signal, true);
        while let Some((id, _)) = self.next_closed() {
            self.detach_lane(id);
        }
        self.has_streams()
    }
}

/// Sees the rest out, then the links.
async fn linger_task(core: Arc<Core>, deadline: Option<Instant>) {
    let mut idle = Duration::from_millis(1);
    loop {
        if core.linger_step() == 0 || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            break;
        }
        pause(&core, deadline, &mut idle).await;
    }
    // Also where nothing can be received: a heartbeat or a subscription that finds the connection closed
    // makes the system reset it, and with it whatever the peer has not read yet.
    let end = Instant::now() + FAREWELL;
    let end = deadline.map_or(end, |deadline| deadline.min(end));
    core.finish_streams();
    let mut idle = Duration::from_millis(1);
    while core.discard_step() && Instant::now() < end {
        pause(&core, Some(end), &mut idle).await;
    }
    let report = {
        let mut state = core.lock();
        core.tear_down(&mut state)
    };
    core.context.closed(&core.me, report);
    core.signal.wake_all();
}

/// Until the socket was served, but at most for a growing pause.
async fn pause(core: &Core, deadline: Option<Instant>, idle: &mut Duration) {
    let mut limit = *idle;
    if let Some(deadline) = deadline {
        limit = limit
            .min(deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1));
    }
    *idle = (*idle * 2).min(Duration::from_millis(100));
    let _ = tokio::time::timeout(limit, core.signal.served.notified()).await;
}

impl Core {
    /// Pushes on; says how many messages are left.
    fn linger_step(&self) -> usize {
        let mut state = self.lock();
        state.look(&self.signal);
        for id in state.pipes.ids() {
            state.flush_pipe(id, &self.signal);
        }
        let left = state.unsent().0;
        self.finish(state);
        left
    }

    fn finish_streams(&self) {
        let mut state = self.lock();
        for (_, pipe) in state.pipes.iter_mut() {
            if let Some(lane) = pipe.lane_mut() {
                let _ = lane.on_event(LaneEvent::Finish);
            }
        }
    }

    fn discard_step(&self) -> bool {
        self.lock().discard(&self.signal)
    }
}

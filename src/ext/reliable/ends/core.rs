//! What the handles, the links and the store of one messenger share: the engine behind a lock, and whoever waits for it.
//!
//! ```text
//!   Messenger ─┐                    ┌─► frames, sent under the lock, so in order
//!   links ─────┼─► lock ─► engine ──┼─► signals: something to take, room, events, work for the store, a nearer deadline
//!   keeper ────┘
//! ```

use std::collections::HashMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use event_listener::Event as Signal;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::ext::reliable::engine::{Engine, LinkId, Time};
use crate::message::{Frame, Message};
use crate::socket::{Socket, kind};

/// The way to the other end of a link.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) socket: Socket<kind::Any>,
    /// The routing id, on a socket with several peers.
    pub(super) to: Option<Frame>,
}

/// Under the lock.
pub(super) struct State {
    pub(super) engine: Engine,
    pub(super) routes: HashMap<LinkId, Route>,
    pub(super) links: u64,
    /// When the timer will look.
    pub(super) armed: Option<Time>,
    /// Whether the keeper sleeps, and until when.
    keeper: Option<Option<Time>>,
    /// The keeper has ended.
    pub(super) kept: bool,
    /// It shall.
    pub(super) ending: bool,
    pub(super) sockets: Vec<Socket<kind::Any>>,
}

/// The clock: that of the system when the process began, and on from there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    began: Instant,
    at: u64,
}

/// The time of the system in microseconds since 1970.
pub(super) fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}

impl Clock {
    /// Never before `last`.
    pub(super) fn new(last: Time) -> Self {
        Clock {
            began: Instant::now(),
            at: wall().max(last.0),
        }
    }

    pub(super) fn now(&self) -> Time {
        Time(self.at + self.began.elapsed().as_micros() as u64)
    }

    /// The same time for the runtime.
    pub(super) fn instant(&self, at: Time) -> Instant {
        self.began + std::time::Duration::from_micros(at.0.saturating_sub(self.at))
    }
}

pub(super) struct Core {
    state: Mutex<State>,
    pub(super) clock: Clock,
    /// There is something to take.
    pub(super) ready: Signal,
    /// There is room, or less to do.
    pub(super) room: Signal,
    pub(super) events: Signal,
    pub(super) timer: Notify,
    pub(super) work: Condvar,
}

impl Core {
    pub(super) fn new(engine: Engine, clock: Clock) -> Self {
        Core {
            state: Mutex::new(State {
                engine,
                routes: HashMap::new(),
                links: 0,
                armed: None,
                keeper: None,
                kept: true,
                ending: false,
                sockets: Vec::new(),
            }),
            clock,
            ready: Signal::new(),
            room: Signal::new(),
            events: Signal::new(),
            timer: Notify::new(),
            work: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Does something with the engine, and then what follows from it.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State, Time) -> T) -> T {
        let now = self.now();
        let mut state = self.lock();
        let done = act(&mut state, now);
        self.follow(&mut state, now);
        done
    }

    /// Sends what is to be sent, and wakes whoever waits for what has come.
    pub(super) fn follow(&self, state: &mut State, now: Time) {
        if !state.engine.frames().is_empty() {
            let mut frames = std::mem::take(state.engine.frames());
            for (link, mut frame) in frames.drain(..) {
                if let Some(route) = state.routes.get(&link) {
                    if let Some(to) = &route.to {
                        frame.push_front(to.clone());
                    }
                    // Fails when the link is gone, of which the link's task will hear; what was on it is sent again.
                    let _ = route.socket.try_send(frame);
                }
            }
            // The room for the next ones.
            *state.engine.frames() = frames;
        }
        if state.engine.has_ready() {
            self.ready.notify(usize::MAX);
        }
        if state.engine.freed() {
            self.room.notify(usize::MAX);
        }
        if state.engine.has_events() {
            self.events.notify(usize::MAX);
        }
        let deadline = state.engine.deadline();
        if deadline.is_some_and(|at| state.armed.is_none_or(|armed| at < armed)) {
            state.armed = deadline;
            self.timer.notify_one();
        }
        if let Some(until) = state.keeper
            && state
                .engine
                .work_due()
                .is_some_and(|due| until.is_none_or(|until| due < until) || due <= now)
        {
            state.keeper = None;
            self.work.notify_one();
        }
    }

    /// The keeper sleeps until there may be work.
    pub(super) fn wait_for_work(&self, state: &mut MutexGuard<'_, State>, until: Option<Time>) {
        state.keeper = Some(until);
        match until {
            None => self.work.wait(state),
            Some(until) => {
                self.work.wait_until(state, self.clock.instant(until));
            }
        }
        state.keeper = None;
    }

    /// A message came in on a socket with several peers; from whom.
    pub(super) fn split(message: Message) -> (Frame, Option<Message>) {
        message.split_first()
    }
}

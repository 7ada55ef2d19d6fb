//! When to send a PING, and when a silent peer counts as dead.
//!
//! What it is not: a timer. The caller says what time it is and asks again at [`Heartbeat::next_deadline`].
//!
//! ```text
//!   interval passes --> SendPing, and the answer timer starts if it does not run
//!   any traffic     --> both timers off
//!   PING with a ttl --> the ttl timer starts if it does not run
//!   a timer ends    --> Dead
//! ```
//! Only for peers of ZMTP 3.1 ([`Version::has_heartbeat`](super::Version::has_heartbeat)).

use std::time::{Duration, Instant};

use super::error::ProtocolError;

/// Longest time to live we announce: libzmq reads longer ones wrong (65,536 ms times ten in 16 bits).
const MAX_TTL: Duration = Duration::from_secs(655);

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing.
    Idle,
    /// Send a PING with [`Heartbeat::ttl`], then ask again.
    SendPing,
    /// Give the connection up, for this reason.
    Dead(ProtocolError),
}

/// The heartbeat of one connection.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    interval: Option<Duration>,
    ttl: Duration,
    timeout: Duration,
    next_ping: Option<Instant>,
    answer_due: Option<Instant>,
    traffic_due: Option<Instant>,
}

impl Heartbeat {
    /// A heartbeat that sends a PING every `interval` (`None`: never, peers are answered and watched all the same),
    /// announces `ttl` (`None`: no promise) and waits `timeout` for an answer (`None`: as long as the interval).
    pub fn new(
        interval: Option<Duration>,
        ttl: Option<Duration>,
        timeout: Option<Duration>,
        now: Instant,
    ) -> Self {
        let interval = interval.filter(|interval| !interval.is_zero());
        Heartbeat {
            interval,
            ttl: ttl.unwrap_or_default().min(MAX_TTL),
            timeout: timeout.or(interval).unwrap_or_default(),
            next_ping: interval.and_then(|interval| now.checked_add(interval)),
            answer_due: None,
            traffic_due: None,
        }
    }

    /// The promise to send with each PING; zero for none.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Something came from the peer, whatever it was.
    #[inline]
    pub fn on_traffic(&mut self, _now: Instant) {
        self.answer_due = None;
        self.traffic_due = None;
    }

    /// A PING came, after [`Heartbeat::on_traffic`] for it; zero `ttl` promises nothing.
    pub fn on_ping(&mut self, ttl: Duration, now: Instant) {
        if self.traffic_due.is_none() && !ttl.is_zero() {
            self.traffic_due = now.checked_add(ttl);
        }
    }

    /// What is to be done at `now`.
    pub fn poll(&mut self, now: Instant) -> Beat {
        let over = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        if over(self.answer_due) {
            return Beat::Dead(ProtocolError::HeartbeatTimeout);
        }
        if over(self.traffic_due) {
            return Beat::Dead(ProtocolError::TtlExpired);
        }
        if !over(self.next_ping) {
            return Beat::Idle;
        }
        self.next_ping = self.interval.and_then(|interval| now.checked_add(interval));
        if self.answer_due.is_none() && !self.timeout.is_zero() {
            self.answer_due = now.checked_add(self.timeout);
        }
        Beat::SendPing
    }

    /// When to poll next; `None` for not before the next traffic.
    pub fn next_deadline(&self) -> Option<Instant> {
        let dues = [self.next_ping, self.answer_due, self.traffic_due];
        dues.into_iter().flatten().min()
    }
}

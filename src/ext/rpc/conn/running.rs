//! What a server counts, and the calls that run.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::task::AbortHandle;

use super::streams::Key;

/// What a server has done since it began, and does now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Calls that arrived, those sent twice not counted.
    pub calls: u64,
    /// Calls that came again and were not run again.
    pub repeated: u64,
    /// Calls that were answered with an error, and signals that ended with one.
    pub failed: u64,
    /// Calls that were refused because too many ran.
    pub overloaded: u64,
    /// Calls that were dropped because the caller cancelled.
    pub cancelled: u64,
    /// Signals that arrived in time.
    pub signals: u64,
    /// Signals that came too late, or when too many calls ran, and were dropped.
    pub signals_dropped: u64,
    /// Messages that were no envelopes.
    pub malformed: u64,
    /// Answers that nobody could be given: the caller is gone, or takes none while others wait.
    pub answers_dropped: u64,
    /// Calls that run now.
    pub running: usize,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) calls: AtomicU64,
    pub(super) repeated: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) overloaded: AtomicU64,
    pub(super) cancelled: AtomicU64,
    pub(super) signals: AtomicU64,
    pub(super) signals_dropped: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) answers_dropped: AtomicU64,
    pub(super) running: AtomicUsize,
    /// Answers that wait for room.
    pub(super) waiting: AtomicUsize,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn look(&self) -> ServerStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ServerStats {
            calls: of(&self.calls),
            repeated: of(&self.repeated),
            failed: of(&self.failed),
            overloaded: of(&self.overloaded),
            cancelled: of(&self.cancelled),
            signals: of(&self.signals),
            signals_dropped: of(&self.signals_dropped),
            malformed: of(&self.malformed),
            answers_dropped: of(&self.answers_dropped),
            running: self.running.load(Ordering::Relaxed),
        }
    }
}

/// The tasks of calls that were not done at once.
#[derive(Default)]
pub(super) struct Running(Mutex<HashMap<Key, AbortHandle>>);

impl Running {
    /// Starts a task, which removes itself when it is over.
    pub(super) fn start(&self, key: Key, spawn: impl FnOnce() -> AbortHandle) {
        // Under the lock, so that the task does not look for itself before it is here.
        let mut tasks = self.0.lock();
        tasks.insert(key, spawn());
    }

    pub(super) fn remove(&self, key: &Key) -> Option<AbortHandle> {
        self.0.lock().remove(key)
    }

    /// The calls of a caller that will not come back.
    pub(super) fn abort_peer(&self, peer: &[u8]) {
        for (_, task) in self.0.lock().extract_if(|key, _| key.0 == peer) {
            task.abort();
        }
    }

    pub(super) fn abort_all(&self) {
        for (_, task) in self.0.lock().drain() {
            task.abort();
        }
    }
}

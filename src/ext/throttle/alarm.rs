//! Alarms: wakes a task at a point in time, in any runtime or in none.
//!
//! ```text
//!   Alarm::set(at, waker) ──► pending, by time ──► one thread sleeps until the first ──► waker.wake()
//!   drop ──► taken out
//! ```
//!
//! One thread for the whole process, which is there while alarms are pending and a second longer. A runtime's own
//! timer would do for its tasks, but not every runtime has one, blocking callers and links have none, and tokio's
//! counts in whole milliseconds, which is a long time at a gigabyte a second.
//!
//! Invariant: wakers are woken and dropped outside of the lock, because that may run code of others.

use std::collections::BTreeMap;
use std::io;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How long the thread stays without an alarm. Starting one takes some 50 us.
const STAY: Duration = Duration::from_secs(1);
/// Between two looks where no thread is to be had.
const NAP: Duration = Duration::from_millis(1);

/// When, and which of those at the same time.
type Key = (Instant, u64);

struct Pending {
    alarms: BTreeMap<Key, Waker>,
    next: u64,
    /// The thread is there.
    running: bool,
}

static PENDING: Mutex<Pending> = Mutex::new(Pending {
    alarms: BTreeMap::new(),
    next: 0,
    running: false,
});
static CHANGED: Condvar = Condvar::new();

/// A waker that will be woken; not any more once this is dropped.
#[derive(Debug)]
pub(super) struct Alarm(Key);

impl Alarm {
    pub(super) fn set(at: Instant, waker: Waker) -> Alarm {
        let mut pending = PENDING.lock();
        let key = (at, pending.next);
        pending.next += 1;
        let first = pending
            .alarms
            .first_key_value()
            .is_none_or(|(first, _)| key < *first);
        pending.alarms.insert(key, waker);
        if pending.running {
            if first {
                CHANGED.notify_one();
            }
            return Alarm(key);
        }
        pending.running = true;
        drop(pending);
        if start().is_err() {
            nap();
        }
        Alarm(key)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let waker = PENDING.lock().alarms.remove(&self.0);
        drop(waker);
    }
}

fn start() -> io::Result<()> {
    let thread = thread::Builder::new().name("taipan-throttle".into());
    thread.spawn(run).map(|_| ())
}

/// The system gives no thread: the caller sleeps a little in its own, and all who wait are woken to look again. Slow,
/// but it goes on.
#[cold]
fn nap() {
    thread::sleep(NAP);
    let alarms = {
        let mut pending = PENDING.lock();
        pending.running = false;
        std::mem::take(&mut pending.alarms)
    };
    alarms.into_values().for_each(Waker::wake);
}

fn run() {
    let mut due = Vec::new();
    loop {
        {
            let mut pending = PENDING.lock();
            let now = Instant::now();
            while let Some(alarm) = pending.alarms.first_entry()
                && alarm.key().0 <= now
            {
                due.push(alarm.remove());
            }
            if due.is_empty() {
                let until = match pending.alarms.first_key_value() {
                    Some((key, _)) => key.0,
                    None => now + STAY,
                };
                let idle = pending.alarms.is_empty();
                let timed_out = CHANGED.wait_until(&mut pending, until).timed_out();
                if idle && timed_out && pending.alarms.is_empty() {
                    pending.running = false;
                    return;
                }
            }
        }
        due.drain(..).for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::{Sender, channel};
    use std::task::Wake;

    struct Told(u32, Sender<u32>);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            let _ = self.1.send(self.0);
        }
    }

    #[test]
    fn alarms_ring_in_the_order_of_their_times_and_not_when_dropped() {
        let (tell, told) = channel();
        let now = Instant::now();
        let set = |number, ms| {
            let waker = Waker::from(Arc::new(Told(number, tell.clone())));
            Alarm::set(now + Duration::from_millis(ms), waker)
        };
        let kept = [set(3, 30), set(1, 10), set(2, 20)];
        drop(set(4, 15));
        let far = set(5, 1_000_000);
        let rung: Vec<u32> = (0..3).map(|_| told.recv().expect("an alarm")).collect();
        assert_eq!(rung, [1, 2, 3]);
        assert!(now.elapsed() >= Duration::from_millis(30));
        drop((kept, far, set));
        drop(tell);
        assert!(told.recv().is_err(), "no other one");
    }
}

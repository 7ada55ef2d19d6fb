//! The context's own threads: one that does what must go on while no caller is there, and one that writes
//! what streaming callers have collected. Messages never pass through either.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::hosted::Hosted;

/// The thread with the runtime of accepting, dialing, heartbeats and lingering.
pub(crate) struct Background {
    handle: Handle,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    id: ThreadId,
}

impl Background {
    pub(crate) fn start() -> io::Result<Background> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("taipan".into())
            .spawn(move || {
                // Ends when the sender is used or dropped.
                let _ = runtime.block_on(stopped);
            })?;
        let id = thread.thread().id();
        Ok(Background {
            handle,
            stop: Mutex::new(Some(stop)),
            thread: Mutex::new(Some(thread)),
            id,
        })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn is_current_thread(&self) -> bool {
        thread::current().id() == self.id
    }

    /// Ends the thread, and with it every task that is left.
    pub(crate) fn stop(&self) {
        drop(self.stop.lock().take());
        if let Some(thread) = self.thread.lock().take()
            && !self.is_current_thread()
        {
            // A panic in there was reported by the thread itself.
            let _ = thread.join();
        }
    }
}

/// How long the flusher lets a stream collect at least. Waking it at once for every batch costs more than the
/// batch saves (measured: half the throughput); a tenth of a millisecond costs nothing.
const COLLECT: Duration = Duration::from_micros(100);

/// Writes what streams have collected, a moment after they were asked for.
#[derive(Default)]
pub(crate) struct Flusher {
    asked: Mutex<Vec<Arc<dyn Hosted>>>,
    wake: Condvar,
    stopped: AtomicBool,
}

impl Flusher {
    pub(crate) fn start() -> io::Result<Arc<Flusher>> {
        let flusher = Arc::new(Flusher::default());
        let own = flusher.clone();
        thread::Builder::new()
            .name("taipan-flush".into())
            .spawn(move || own.run())?;
        Ok(flusher)
    }

    pub(crate) fn ask(&self, core: Arc<dyn Hosted>) {
        let mut asked = self.asked.lock();
        asked.push(core);
        if asked.len() == 1 {
            self.wake.notify_one();
        }
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        let _asked = self.asked.lock();
        self.wake.notify_one();
    }

    fn run(&self) {
        let mut collect = COLLECT;
        loop {
            {
                let mut asked = self.asked.lock();
                while asked.is_empty() && !self.stopped.load(Ordering::Acquire) {
                    self.wake.wait(&mut asked);
                }
            }
            if self.stopped.load(Ordering::Acquire) {
                return;
            }
            thread::sleep(collect);
            let cores = std::mem::take(&mut *self.asked.lock());
            let gaps = cores.into_iter().map(|core| core.flush_turn());
            collect = gaps.fold(COLLECT, Duration::max);
        }
    }
}

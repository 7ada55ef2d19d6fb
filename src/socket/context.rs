//! The context: what sockets share. Transports by scheme, in-process names, the background threads, and
//! an orderly end.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Condvar, Mutex};

use super::background::{Background, Flusher};
use super::error::BindError;
use super::hosted::{Hosted, LingerReport, TICK};
use crate::config::Endpoint;
use crate::pipe::PipeId;
use crate::transport::{Ipc, Tcp, Transport};

/// Sockets that belong together: they share in-process names and background threads, and end together.
///
/// Cheap to clone. Creating one starts nothing; the first endpoint that needs it starts one thread.
///
/// # The end
/// Dropping the last handle of a context *and* of all its sockets waits until everything that was
/// accepted for sending is out, at most as long as each socket's [`linger`](crate::Options::linger): a
/// program that sends and returns from `main` loses nothing to a peer that is reading.
/// [`Context::terminate`] does the same at once and reports what was left.
pub struct Context {
    inner: Arc<Inner>,
}

/// A connected pipe whose name nobody has bound yet.
type Waiting = (Weak<dyn Hosted>, PipeId);

#[derive(Default)]
struct Name {
    bound: Option<Weak<dyn Hosted>>,
    /// Tells this bind from every other one of the context.
    binding: u64,
    waiting: Vec<Waiting>,
}

#[derive(Default)]
struct Lingering {
    sockets: usize,
    report: LingerReport,
}

#[derive(Default)]
struct Leases {
    cores: Vec<Weak<dyn Hosted>>,
    /// Whose flush was left to a runtime, which may not run for a while.
    unflushed: Vec<Weak<dyn Hosted>>,
    ticking: bool,
}

/// See [`Context`].
pub(crate) struct Inner {
    /// Handles of users: of the context and of its sockets.
    users: AtomicUsize,
    transports: Mutex<HashMap<String, Arc<dyn Transport>>>,
    names: Mutex<HashMap<String, Name>>,
    bindings: AtomicU64,
    sockets: Mutex<Vec<Weak<dyn Hosted>>>,
    leases: Mutex<Leases>,
    background: Mutex<Option<Arc<Background>>>,
    flusher: Mutex<Option<Arc<Flusher>>>,
    lingering: Mutex<Lingering>,
    linger_done: Condvar,
    linger_changed: event_listener::Event,
    closed: std::sync::atomic::AtomicBool,
}

impl Default for Context {
    fn default() -> Self {
        Context::new()
    }
}

impl Clone for Context {
    fn clone(&self) -> Self {
        self.inner.users.fetch_add(1, Ordering::Relaxed);
        Context {
            inner: self.inner.clone(),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("sockets", &self.inner.sockets.lock().len())
            .finish()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.inner.user_gone();
    }
}

impl Context {
    /// A context with the built-in transports: `tcp`, `ipc` and `inproc`.
    pub fn new() -> Context {
        let mut transports: HashMap<String, Arc<dyn Transport>> = HashMap::new();
        transports.insert("tcp".into(), Arc::new(Tcp));
        transports.insert("ipc".into(), Arc::new(Ipc));
        Context {
            inner: Arc::new(Inner {
                users: AtomicUsize::new(1),
                transports: Mutex::new(transports),
                names: Mutex::default(),
                bindings: AtomicU64::new(0),
                sockets: Mutex::default(),
                leases: Mutex::default(),
                background: Mutex::new(None),
                flusher: Mutex::new(None),
                lingering: Mutex::default(),
                linger_done: Condvar::new(),
                linger_changed: event_listener::Event::new(),
                closed: std::sync::atomic::AtomicBool::new(false),
            }),
        }
    }

    /// Adds a transport, or replaces one, for addresses that begin with `scheme://`.
    pub fn register_transport(&self, scheme: impl Into<String>, transport: Arc<dyn Transport>) {
        self.inner
            .transports
            .lock()
            .insert(scheme.into(), transport);
    }

    /// Closes every socket: calls that wait, in any thread, return `Closed`, and so does every later one.
    /// What was accepted for sending still goes out within the linger time; does not wait for that.
    pub fn shutdown(&self) {
        self.inner.shutdown();
    }

    /// Closes every socket and waits until everything is out or the linger times are over. Says what was
    /// left. Blocks this thread; inside a runtime use [`Context::terminate_async`].
    pub fn terminate(self) -> LingerReport {
        self.inner.shutdown();
        self.inner.wait_for_linger()
    }

    /// As [`Context::terminate`], without blocking the thread. Cancel safe: what is left goes on in the
    /// background.
    pub async fn terminate_async(self) -> LingerReport {
        self.inner.shutdown();
        loop {
            let changed = self.inner.linger_changed.listen();
            if let Some(report) = self.inner.lingered() {
                return report;
            }
            changed.await;
        }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl Inner {
    pub(crate) fn user_added(&self) {
        self.users.fetch_add(1, Ordering::Relaxed);
    }

    /// The last one waits for what lingers, and switches off the light.
    pub(crate) fn user_gone(&self) {
        if self.users.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let background = self.background.lock().clone();
        if background
            .as_ref()
            .is_some_and(|background| background.is_current_thread())
        {
            return;
        }
        self.wait_for_linger();
        if let Some(background) = background {
            background.stop();
        }
        if let Some(flusher) = self.flusher.lock().take() {
            flusher.stop();
        }
    }

    fn shutdown(&self) {
        self.closed.store(true, Ordering::Release);
        let sockets: Vec<_> = self
            .sockets
            .lock()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for socket in sockets {
            socket.close();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn add_socket(&self, core: Weak<dyn Hosted>) {
        let mut sockets = self.sockets.lock();
        if sockets.len() == sockets.capacity() {
            sockets.retain(|socket| socket.strong_count() > 0);
        }
        sockets.push(core);
    }

    /// The background thread, started at the first call.
    pub(crate) fn background(&self) -> io::Result<Arc<Background>> {
        let mut background = self.background.lock();
        if let Some(background) = &*background {
            return Ok(background.clone());
        }
        let started = Arc::new(Background::start()?);
        *background = Some(started.clone());
        Ok(started)
    }

    pub(crate) fn flush_soon(&self, core: Arc<dyn Hosted>) {
        let mut flusher = self.flusher.lock();
        if flusher.is_none() {
            *flusher = Flusher::start().ok();
        }
        match &*flusher {
            Some(flusher) => flusher.ask(core),
            // No thread to be had: write in the caller's.
            None => {
                core.flush_turn();
            }
        }
    }

    pub(crate) fn transport(&self, endpoint: &Endpoint) -> Option<Arc<dyn Transport>> {
        self.transports.lock().get(endpoint.scheme()).cloned()
    }

    /// A socket was taken over by its callers: the clock ticks until they are gone.
    pub(crate) fn add_lease(self: &Arc<Self>, core: Weak<dyn Hosted>) {
        self.tick_for(|leases| leases.cores.push(core));
    }

    /// A flush was left to a runtime: should its thread be blocked, the clock sees to it.
    pub(crate) fn guard_flush(self: &Arc<Self>, core: Weak<dyn Hosted>) {
        self.tick_for(|leases| leases.unflushed.push(core));
    }

    fn tick_for(self: &Arc<Self>, note: impl FnOnce(&mut Leases)) {
        let mut leases = self.leases.lock();
        note(&mut leases);
        if std::mem::replace(&mut leases.ticking, true) {
            return;
        }
        drop(leases);
        if let Ok(background) = self.background() {
            background.handle().spawn(clock(Arc::downgrade(self)));
        }
    }

    /// One tick; `false` when no lease is left.
    fn tick(&self) -> bool {
        let Leases {
            cores, unflushed, ..
        } = std::mem::replace(
            &mut *self.leases.lock(),
            Leases {
                ticking: true,
                ..Leases::default()
            },
        );
        unflushed
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|core| core.flush_guarded());
        let kept = cores
            .into_iter()
            .filter(|core| core.upgrade().is_some_and(|core| core.check_lease()));
        let kept: Vec<_> = kept.collect();
        let mut leases = self.leases.lock();
        leases.cores.extend(kept);
        leases.ticking = !leases.cores.is_empty() || !leases.unflushed.is_empty();
        leases.ticking
    }
}

/// Whether both are the same socket.
fn same(one: &Weak<dyn Hosted>, other: &Weak<impl Hosted + 'static>) -> bool {
    std::ptr::addr_eq(one.as_ptr(), other.as_ptr())
}

/// Ticks while any socket is leased.
async fn clock(context: Weak<Inner>) {
    loop {
        tokio::time::sleep(TICK).await;
        if !context.upgrade().is_some_and(|context| context.tick()) {
            return;
        }
    }
}

impl Inner {
    /// Binds an in-process name; returns who waited for it, and the number of the bind (never 0).
    pub(crate) fn inproc_bind(
        &self,
        name: &str,
        core: &Arc<dyn Hosted>,
    ) -> Result<(Vec<Waiting>, u64), BindError> {
        let mut names = self.names.lock();
        let entry = names.entry(name.to_owned()).or_default();
        if entry
            .bound
            .as_ref()
            .is_some_and(|bound| bound.strong_count() > 0)
        {
            return Err(BindError::AddressInUse);
        }
        entry.bound = Some(Arc::downgrade(core));
        entry.binding = self.bindings.fetch_add(1, Ordering::Relaxed) + 1;
        Ok((std::mem::take(&mut entry.waiting), entry.binding))
    }

    /// Connects a pipe to an in-process endpoint, now or when somebody binds it.
    pub(crate) fn inproc_wait(&self, endpoint: &str, core: Weak<dyn Hosted>, pipe: PipeId) {
        let name = endpoint.strip_prefix("inproc://").unwrap_or(endpoint);
        let Some(strong) = core.upgrade() else { return };
        loop {
            // The lock order is socket, then names: no socket is asked while the names are held.
            let (binder, binding) = {
                let mut names = self.names.lock();
                let entry = names.entry(name.to_owned()).or_default();
                match entry.bound.as_ref().and_then(Weak::upgrade) {
                    Some(binder) => (binder, entry.binding),
                    // Under the same lock, or a bind in between would not see us wait.
                    None => return entry.waiting.push((core, pipe)),
                }
            };
            if binder.is_closed() {
                // It is about to give the name up.
                std::thread::yield_now();
            } else if strong.marry(pipe, &binder, endpoint, binding) {
                return;
            }
        }
    }

    pub(crate) fn inproc_unbind(&self, endpoint: &Endpoint) {
        if let Endpoint::Inproc(name) = endpoint {
            let mut names = self.names.lock();
            if let Some(entry) = names.get_mut(name) {
                entry.bound = None;
                if entry.waiting.is_empty() {
                    names.remove(name);
                }
            }
        }
    }

    /// A pipe no longer waits for a name.
    pub(crate) fn inproc_forget(&self, core: &Weak<impl Hosted + 'static>, pipe: PipeId) {
        let mut names = self.names.lock();
        names.retain(|_, entry| {
            entry
                .waiting
                .retain(|(waiting, id)| *id != pipe || !same(waiting, core));
            entry.bound.is_some() || !entry.waiting.is_empty()
        });
    }

    /// A socket begins to close; `closed` follows.
    pub(crate) fn closing(&self) {
        self.lingering.lock().sockets += 1;
    }

    /// A socket is closed for good.
    pub(crate) fn closed(&self, core: &Weak<impl Hosted + 'static>, report: LingerReport) {
        self.sockets
            .lock()
            .retain(|socket| !same(socket, core) && socket.strong_count() > 0);
        let mut lingering = self.lingering.lock();
        lingering.report.add(report);
        lingering.sockets -= 1;
        drop(lingering);
        self.linger_done.notify_all();
        self.linger_changed.notify(usize::MAX);
    }

    fn lingered(&self) -> Option<LingerReport> {
        let lingering = self.lingering.lock();
        (lingering.sockets == 0).then_some(lingering.report)
    }

    fn wait_for_linger(&self) -> LingerReport {
        let mut lingering = self.lingering.lock();
        while lingering.sockets > 0 {
            self.linger_done.wait(&mut lingering);
        }
        lingering.report
    }
}

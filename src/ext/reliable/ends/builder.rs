//! How a messenger comes to be.

use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle};

use super::core::{Clock, Core};
use super::failure::StartError;
use super::keeper::keep;
use super::links::timer;
use super::messenger::{Acknowledge, Inner, Messenger};
use crate::config::Options;
use crate::ext::reliable::engine::{Engine, Identity, Time, last_time};
use crate::ext::reliable::model::{Ident, Settings};
use crate::ext::store::{Progress, Store};
use crate::socket::Context;

/// The largest that [`Settings::max_message`] may be.
const MAX_MESSAGE: u64 = 256 * 1024 * 1024;

/// Says what a [`Messenger`] is like.
#[must_use]
pub struct MessengerBuilder {
    context: Context,
    ident: String,
    listen: Vec<String>,
    connect: Vec<String>,
    store: Option<Box<dyn Store>>,
    acknowledge: Acknowledge,
    settings: Settings,
    change: Box<dyn Fn(&mut Options) + Send + Sync>,
    progress: Box<dyn FnMut(Progress) + Send>,
}

impl MessengerBuilder {
    pub(super) fn new(context: &Context, ident: &str) -> Self {
        MessengerBuilder {
            context: context.clone(),
            ident: ident.to_owned(),
            listen: Vec::new(),
            connect: Vec::new(),
            store: None,
            acknowledge: Acknowledge::default(),
            settings: Settings::default(),
            change: Box::new(|_| {}),
            progress: Box::new(|_| {}),
        }
    }

    /// An address where others find it.
    pub fn listen(mut self, endpoint: impl Into<String>) -> Self {
        self.listen.push(endpoint.into());
        self
    }

    /// An address of another, whoever it is. The link comes up and comes back by itself.
    pub fn connect(mut self, endpoint: impl Into<String>) -> Self {
        self.connect.push(endpoint.into());
        self
    }

    /// Where persistent messages are kept. Default: nowhere, and they are refused.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Box::new(store));
        self
    }

    /// The same for a store in a box.
    pub fn boxed_store(mut self, store: Box<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// When a received message is done with. Default: when it is received.
    pub fn acknowledge(mut self, acknowledge: Acknowledge) -> Self {
        self.acknowledge = acknowledge;
        self
    }

    /// Changes bounds and times.
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Changes the options of the sockets: security, heartbeats (every 2 s, given up after 4 s), reconnection.
    pub fn options(mut self, change: impl Fn(&mut Options) + Send + Sync + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    /// Is told how far reading the store has come: rows of received messages.
    pub fn on_recovery(mut self, progress: impl FnMut(Progress) + Send + 'static) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Reads what the store has, listens and connects. The work is done by tasks of the runtime that this is called in, or, if
    /// there is none, by a thread of its own. Reading a large inbox takes a moment, and blocks.
    ///
    /// # Errors
    ///
    /// When a name, address, option or setting is wrong, or the store fails.
    pub fn start(self) -> Result<Messenger, StartError> {
        let ident = Ident::new(&self.ident).map_err(StartError::Ident)?;
        check(&self.settings)?;
        let run: [u8; 16] = rand::random();
        let mut store = self.store;
        let mut progress = self.progress;
        let (engine, clock) = match &mut store {
            None => {
                let me = Identity {
                    ident,
                    instance: run,
                    run,
                };
                let engine = Engine::new(me, self.settings, false, 1);
                (engine, Clock::new(Time(0)))
            }
            Some(store) => {
                let last = last_time(&mut **store)?;
                let clock = Clock::new(last);
                let now = clock.now();
                let engine =
                    Engine::recover(&ident, run, self.settings, &mut **store, now, &mut progress)?;
                (engine, clock)
            }
        };
        let core = Arc::new(Core::new(engine, clock));
        if let Some(store) = store {
            core.lock().kept = false;
            let keeper = core.clone();
            let name = thread::Builder::new().name("taipan-store".into());
            let started = name.spawn(move || keep(&keeper, store));
            started.map_err(StartError::Thread)?;
        }
        let handle = match Handle::try_current() {
            Ok(handle) => handle,
            Err(_) => own_runtime(&core)?,
        };
        handle.spawn(timer(Arc::downgrade(&core), clock));
        let messenger = Messenger(Arc::new(Inner {
            core,
            context: self.context,
            handle,
            acknowledge: self.acknowledge,
            change: self.change,
        }));
        for endpoint in self.listen {
            messenger.listen(endpoint)?;
        }
        for endpoint in self.connect {
            messenger.connect(endpoint)?;
        }
        Ok(messenger)
    }
}

impl Messenger {
    /// Begins with a name. Two messengers that can reach each other's peers must not have the same.
    pub fn builder(context: &Context, ident: &str) -> MessengerBuilder {
        MessengerBuilder::new(context, ident)
    }
}

/// A runtime in a thread of its own, as long as the messenger lives.
fn own_runtime(core: &Arc<Core>) -> Result<Handle, StartError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(StartError::Thread)?;
    let handle = runtime.handle().clone();
    let core = Arc::downgrade(core);
    let name = thread::Builder::new().name("taipan-msg".into());
    let started = name.spawn(move || {
        runtime.block_on(async {
            loop {
                let Some(core) = core.upgrade() else { return };
                let room = core.room.listen();
                let closed = {
                    let state = core.lock();
                    state.engine.is_closed() && state.kept
                };
                drop(core);
                if closed {
                    return;
                }
                room.await;
            }
        });
    });
    started.map_err(StartError::Thread)?;
    Ok(handle)
}

fn check(settings: &Settings) -> Result<(), StartError> {
    let amounts = [
        ("queue", settings.queue),
        ("total", settings.total),
        ("window", settings.window),
        ("in_flight", settings.in_flight),
        ("inbox", settings.inbox),
        ("inbox_total", settings.inbox_total),
    ];
    for (name, amount) in amounts {
        if amount.messages == 0 || amount.bytes == 0 {
            return Err(StartError::Setting(name));
        }
    }
    if settings.max_message == 0 || settings.max_message > MAX_MESSAGE {
        return Err(StartError::Setting("max_message"));
    }
    if settings.max_peers == 0 {
        return Err(StartError::Setting("max_peers"));
    }
    if settings.retry.is_zero() {
        return Err(StartError::Setting("retry"));
    }
    Ok(())
}

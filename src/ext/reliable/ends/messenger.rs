//! What users hold.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::core::Core;
use super::delivery::Delivery;
use super::failure::StartError;
use super::links::{connect, listen, socket_options};
use super::receipt::{Receipt, Undelivered};
use crate::config::{Endpoint, Options, SocketKind};
use crate::ext::reliable::engine::Waiting;
use crate::ext::reliable::model::{
    Amount, Dropped, Event, Ident, Letter, MessageId, PeerStatus, SendError, SendFault,
};
use crate::socket::{AnySocket, Context};

/// When a received message is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acknowledge {
    /// When `recv` returns it.
    #[default]
    Auto,
    /// When the application calls [`Delivery::ack`].
    Manual,
}

/// The messenger was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the messenger is closed")
    }
}

impl std::error::Error for Closed {}

/// What was left when a messenger was closed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Left {
    /// Messages that were dropped, because nothing keeps them.
    pub dropped: Vec<Dropped>,
    /// What is in the store for the next messenger, by receiver.
    pub kept: Vec<(Ident, Amount)>,
}

/// Sends messages to others by name, and receives theirs.
///
/// `send` never needs the receiver to be there. Every message ends as delivered or as dropped with a reason, which its
/// [`Receipt`] and the [events](Self::event) tell. Clones are the same messenger; when the last one is dropped, it closes as
/// by [`close`](Self::close) without waiting.
#[derive(Clone)]
pub struct Messenger(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) core: Arc<Core>,
    pub(super) context: Context,
    pub(super) handle: Handle,
    pub(super) acknowledge: Acknowledge,
    pub(super) change: Box<dyn Fn(&mut Options) + Send + Sync>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shut();
    }
}

impl Inner {
    /// Nothing is sent or received from now on. What was dropped.
    fn shut(&self) -> Vec<Dropped> {
        let (dropped, sockets) = self.core.with(|state, now| {
            let dropped = state.engine.close(now);
            state.ending = true;
            (dropped, std::mem::take(&mut state.sockets))
        });
        // After what was to be sent last.
        for socket in sockets {
            socket.close();
        }
        self.core.work.notify_all();
        self.core.timer.notify_one();
        self.core.ready.notify(usize::MAX);
        self.core.events.notify(usize::MAX);
        self.core.room.notify(usize::MAX);
        dropped
    }
}

impl Messenger {
    /// Its name.
    pub fn ident(&self) -> Ident {
        self.0.core.lock().engine.identity().ident.clone()
    }

    /// Listens at one more address; where that is.
    ///
    /// # Errors
    ///
    /// When the address or an option is wrong.
    pub fn listen(&self, endpoint: impl Into<String>) -> Result<Endpoint, StartError> {
        let options = socket_options(true, &*self.0.change);
        let socket = AnySocket::of(&self.0.context, SocketKind::Router, options)?;
        let endpoint = socket.bind(endpoint.into())?;
        self.0.core.lock().sockets.push(socket.clone());
        let core = Arc::downgrade(&self.0.core);
        self.0.handle.spawn(listen(core, socket));
        Ok(endpoint)
    }

    /// Connects to one more address, in the background.
    ///
    /// # Errors
    ///
    /// When the address or an option is wrong.
    pub fn connect(&self, endpoint: impl Into<String>) -> Result<(), StartError> {
        let options = socket_options(false, &*self.0.change);
        let socket = AnySocket::of(&self.0.context, SocketKind::Dealer, options)?;
        socket.connect(endpoint.into())?;
        self.0.core.lock().sockets.push(socket.clone());
        let core = Arc::downgrade(&self.0.core);
        self.0.handle.spawn(connect(core, socket));
        Ok(())
    }

    /// Where it listens.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let state = self.0.core.lock();
        let sockets = state.sockets.iter();
        let sockets = sockets.filter(|socket| socket.kind() == SocketKind::Router);
        sockets
            .filter_map(|socket| socket.last_endpoint())
            .collect()
    }

    /// Takes a letter without waiting, neither for room nor for the store.
    ///
    /// # Errors
    ///
    /// When it was not taken; the letter comes back.
    pub fn try_send(&self, to: &str, letter: impl Into<Letter>) -> Result<Receipt, SendError> {
        let letter = letter.into();
        let (tell_outcome, outcome) = oneshot::channel();
        let (tell_stored, stored) = match letter.persistent {
            true => {
                let (tell, stored) = oneshot::channel();
                (Some(tell), Some(stored))
            }
            false => (None, None),
        };
        let waiting = Waiting {
            stored: tell_stored,
            outcome: Some(tell_outcome),
        };
        self.0.core.with(|state, now| {
            let number = state.engine.send(to, letter, waiting, now)?;
            let instance = state.engine.identity().instance;
            Ok(Receipt {
                id: MessageId { instance, number },
                stored,
                outcome,
            })
        })
    }

    /// Takes a letter: waits for room, and if it is persistent, until it is stored.
    ///
    /// Cancel safe in that a letter is sent or not; if the future is dropped while it is being stored, it is.
    ///
    /// # Errors
    ///
    /// When it was not taken; the letter comes back.
    pub async fn send(&self, to: &str, letter: impl Into<Letter>) -> Result<Receipt, SendError> {
        let mut letter = letter.into();
        loop {
            match self.try_send(to, letter) {
                Err(error) if matches!(error.reason, SendFault::QueueFull) => {
                    let room = self.0.core.room.listen();
                    // Room may have been made before we listened.
                    match self.try_send(to, *error.letter) {
                        Err(error) if matches!(error.reason, SendFault::QueueFull) => {
                            letter = *error.letter;
                            room.await;
                        }
                        sent => return stored(sent?).await,
                    }
                }
                sent => return stored(sent?).await,
            }
        }
    }

    /// The same for a thread.
    ///
    /// # Errors
    ///
    /// When it was not taken; the letter comes back.
    ///
    /// # Panics
    ///
    /// In a task of a runtime, if the letter is persistent.
    pub fn blocking_send(&self, to: &str, letter: impl Into<Letter>) -> Result<Receipt, SendError> {
        let mut letter = letter.into();
        loop {
            let room = self.0.core.room.listen();
            match self.try_send(to, letter) {
                Err(error) if matches!(error.reason, SendFault::QueueFull) => {
                    letter = *error.letter;
                    event_listener::Listener::wait(room);
                }
                sent => {
                    let mut receipt = sent?;
                    return match receipt.blocking_stored() {
                        Ok(()) => Ok(receipt),
                        Err(error) => Err(not_stored(receipt.blocking_wait(), error)),
                    };
                }
            }
        }
    }

    /// Sends the same letter to several. Each has a message, and an answer, of its own.
    pub async fn send_each(
        &self,
        to: &[&str],
        letter: impl Into<Letter>,
    ) -> Vec<Result<Receipt, SendError>> {
        let letter = letter.into();
        let mut all = Vec::with_capacity(to.len());
        // Taken first, so that one commit stores them all.
        for to in to {
            all.push(match self.try_send(to, letter.clone()) {
                Err(error) if matches!(error.reason, SendFault::QueueFull) => {
                    self.send(to, *error.letter).await
                }
                taken => taken,
            });
        }
        let mut stored_all = Vec::with_capacity(all.len());
        for taken in all {
            stored_all.push(match taken {
                Ok(receipt) => stored(receipt).await,
                Err(error) => Err(error),
            });
        }
        stored_all
    }

    fn take(&self) -> Option<Delivery> {
        let manual = self.0.acknowledge == Acknowledge::Manual;
        let now = self.0.core.now();
        let mut state = self.0.core.lock();
        let received = state.engine.take()?;
        if manual {
            drop(state);
            return Some(Delivery::new(received, Some(self.0.core.clone())));
        }
        state.engine.finished(received.token, now);
        if state.engine.has_more() {
            self.0.core.follow(&mut state, now);
        }
        Some(Delivery::new(received, None))
    }

    /// A message, if one is there: the highest priority first.
    ///
    /// # Errors
    ///
    /// When the messenger is closed and nothing is left.
    pub fn try_recv(&self) -> Result<Option<Delivery>, Closed> {
        match self.take() {
            Some(delivery) => Ok(Some(delivery)),
            None if self.0.core.lock().engine.is_closed() => Err(Closed),
            None => Ok(None),
        }
    }

    /// The next message: the highest priority first. Cancel safe: a message is received or stays.
    ///
    /// # Errors
    ///
    /// When the messenger is closed and nothing is left.
    pub async fn recv(&self) -> Result<Delivery, Closed> {
        loop {
            if let Some(delivery) = self.take() {
                tokio::task::coop::consume_budget().await;
                return Ok(delivery);
            }
            let ready = self.0.core.ready.listen();
            if let Some(delivery) = self.try_recv()? {
                return Ok(delivery);
            }
            ready.await;
        }
    }

    /// The same for a thread.
    ///
    /// # Errors
    ///
    /// When the messenger is closed and nothing is left.
    pub fn blocking_recv(&self) -> Result<Delivery, Closed> {
        loop {
            if let Some(delivery) = self.take() {
                return Ok(delivery);
            }
            let ready = self.0.core.ready.listen();
            if let Some(delivery) = self.try_recv()? {
                return Ok(delivery);
            }
            event_listener::Listener::wait(ready);
        }
    }

    /// Collects events from now on. Before the first call nothing is collected, and nothing is spent on it.
    pub fn watch(&self) {
        self.0.core.lock().engine.watch(true);
    }

    /// The next event, since [`watch`](Self::watch). 65,536 are kept for whoever is slow; what does not fit is counted in
    /// [`Event::Missed`]. Each event goes to one caller. Cancel safe.
    ///
    /// # Errors
    ///
    /// When the messenger is closed and nothing is left.
    pub async fn event(&self) -> Result<Event, Closed> {
        self.watch();
        loop {
            let come = self.0.core.events.listen();
            {
                let mut state = self.0.core.lock();
                if let Some(event) = state.engine.event() {
                    return Ok(event);
                }
                if state.engine.is_closed() {
                    return Err(Closed);
                }
            }
            come.await;
        }
    }

    /// The next event, if there is one.
    pub fn try_event(&self) -> Option<Event> {
        self.0.core.lock().engine.event()
    }

    /// All peers that it knows: connected, with something queued, or remembered.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let now = self.0.core.now();
        self.0.core.lock().engine.statuses(now)
    }

    /// One peer.
    pub fn peer(&self, ident: &str) -> Option<PeerStatus> {
        let now = self.0.core.now();
        self.0.core.lock().engine.status(ident, now)
    }

    /// What waits for all peers together.
    pub fn queued(&self) -> Amount {
        self.0.core.lock().engine.queued()
    }

    /// Waits until everything that was sent is delivered or dropped, or the time is over; whether it is.
    pub async fn flush(&self, time: Duration) -> bool {
        let until = tokio::time::Instant::now() + time;
        loop {
            let room = self.0.core.room.listen();
            if self.queued().messages == 0 {
                return true;
            }
            if tokio::time::timeout_at(until, room).await.is_err() {
                return self.queued().messages == 0;
            }
        }
    }

    /// Waits as long as `linger` for what was sent, then closes, and waits until the store is closed. What was left.
    pub async fn close(self, linger: Duration) -> Left {
        self.flush(linger).await;
        let dropped = self.0.shut();
        loop {
            let room = self.0.core.room.listen();
            if self.0.core.lock().kept {
                break;
            }
            room.await;
        }
        self.left(dropped)
    }

    /// The same for a thread.
    pub fn blocking_close(self, linger: Duration) -> Left {
        use event_listener::Listener;
        let until = Instant::now() + linger;
        loop {
            let room = self.0.core.room.listen();
            if self.queued().messages == 0 || room.wait_deadline(until).is_none() {
                break;
            }
        }
        let dropped = self.0.shut();
        loop {
            let room = self.0.core.room.listen();
            if self.0.core.lock().kept {
                break;
            }
            room.wait();
        }
        self.left(dropped)
    }

    fn left(&self, dropped: Vec<Dropped>) -> Left {
        let kept = self.peers().into_iter();
        let kept = kept.filter(|peer| peer.queued.messages > 0);
        Left {
            dropped,
            kept: kept.map(|peer| (peer.ident, peer.queued)).collect(),
        }
    }
}

/// Waits until it is stored.
async fn stored(mut receipt: Receipt) -> Result<Receipt, SendError> {
    match receipt.stored().await {
        Ok(()) => Ok(receipt),
        Err(error) => Err(not_stored(receipt.await, error)),
    }
}

fn not_stored(
    outcome: Result<(), Undelivered>,
    error: Arc<crate::ext::store::StoreError>,
) -> SendError {
    let letter = match outcome {
        Err(Undelivered::Dropped(dropped)) => dropped.letter,
        _ => Letter::default(),
    };
    SendError::new(letter, SendFault::Store(error))
}

impl fmt::Debug for Messenger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messenger")
            .field("ident", &self.ident())
            .finish_non_exhaustive()
    }
}

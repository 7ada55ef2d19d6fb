//! A socket whose calls wait for a budget.
//!
//! ```text
//!   send ─► tokens ─► try_send ─► sent                 no room: tokens back, wait for room, begin again
//!   recv ─► a message (or one that was given back) ─► tokens ─► the user
//! ```
//!
//! A message that was received and whose wait was given up goes to the next receive: one for each call that waits is
//! all that is ever held here, so the watermarks bound the memory as they do without a budget.
//!
//! Not here: everything that is not sending or receiving ([`Throttled::socket`] has it). Invariant: tokens are taken
//! and the message handed over without a wait in between, so no tokens are held by a call that waits.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_listener::Event;
use parking_lot::Mutex;

use super::budget::{Budget, Cost};
use super::claim::{Until, block_on, take};
use crate::message::Message;
use crate::socket::{Interest, Kind, Receives, RecvError, SendError, SendErrorKind, Sends, Socket};

/// A socket with a budget for what it sends, for what it receives, or for both: the same calls, which wait for the
/// budget before they wait for a peer (or, receiving, after that).
///
/// Clones share the budgets. What is called on the socket itself passes by them. A [`Poller`](crate::Poller) waits for
/// peers alone: to throttle a socket that is polled, or used through its `Stream` and `Sink`, use
/// [`throttle_links`](super::throttle_links).
///
/// ```
/// use taipan::throttle::{Budget, Limits, Throttled};
/// use taipan::{Context, Pull, Push, SendErrorKind};
///
/// let context = Context::new();
/// let pull = Pull::new(&context);
/// let push = Push::new(&context);
/// push.connect(pull.bind("inproc://work")?)?;
///
/// let mut limits = Limits::bytes(10);
/// limits.burst_bytes = Some(10);
/// let push = Throttled::new(&push).sending(&Budget::new(limits)?);
/// push.try_send("0123456789")?;
/// let refused = push.try_send("x").unwrap_err();
/// assert_eq!(refused.kind(), SendErrorKind::WouldBlock);
/// push.blocking_send(refused.into_message())?; // a tenth of a second later
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Throttled<K: Kind> {
    socket: Socket<K>,
    sending: Option<Budget>,
    receiving: Option<Arc<Receiving>>,
}

struct Receiving {
    budget: Budget,
    /// Received, and given back by calls that did not wait for its tokens.
    back: Mutex<VecDeque<Message>>,
    /// Something was given back.
    returned: Event,
}

/// A message on its way to the user; given back when dropped.
struct Held<'a> {
    message: Option<Message>,
    to: &'a Receiving,
}

impl Held<'_> {
    fn cost(&self) -> Cost {
        self.message.as_ref().map_or(Cost::bytes(0), Cost::of)
    }

    fn into_message(mut self) -> Message {
        self.message.take().unwrap_or_default()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            self.to.back.lock().push_front(message);
            self.to.returned.notify_additional(1);
        }
    }
}

impl Receiving {
    fn hold(&self, message: Message) -> Held<'_> {
        Held {
            message: Some(message),
            to: self,
        }
    }

    fn given_back(&self) -> Option<Message> {
        self.back.lock().pop_front()
    }
}

impl<K: Kind> Clone for Throttled<K> {
    fn clone(&self) -> Self {
        Throttled {
            socket: self.socket.clone(),
            sending: self.sending.clone(),
            receiving: self.receiving.clone(),
        }
    }
}

impl<K: Kind> fmt::Debug for Throttled<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let receiving = self.receiving.as_ref().map(|receiving| &receiving.budget);
        f.debug_struct("Throttled")
            .field("socket", &self.socket)
            .field("sending", &self.sending)
            .field("receiving", &receiving)
            .finish()
    }
}

impl<K: Kind> Throttled<K> {
    /// Wraps a socket; without a budget its calls are the socket's own.
    pub fn new(socket: &Socket<K>) -> Throttled<K> {
        Throttled {
            socket: socket.clone(),
            sending: None,
            receiving: None,
        }
    }

    /// What it receives takes from this budget.
    pub fn receiving(mut self, budget: &Budget) -> Throttled<K> {
        self.receiving = Some(Arc::new(Receiving {
            budget: budget.clone(),
            back: Mutex::default(),
            returned: Event::new(),
        }));
        self
    }

    /// What it sends takes from this budget.
    pub fn sending(mut self, budget: &Budget) -> Throttled<K> {
        self.sending = Some(budget.clone());
        self
    }

    /// The socket itself.
    pub fn socket(&self) -> &Socket<K> {
        &self.socket
    }

    /// Waits for the end of the socket.
    async fn closed(&self) {
        // There are never so many peers; it returns when the socket is closed.
        self.socket.wait_for_peers(usize::MAX).await;
    }
}

impl<K: Sends> Throttled<K> {
    /// As [`Socket::send`], waiting for the budget too. Cancel safe: a call that is dropped has sent nothing and taken
    /// nothing from the budget.
    ///
    /// # Errors
    /// As [`Socket::send`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        match &self.sending {
            None => self.socket.send(message).await,
            Some(budget) => self.send_from(budget, &mut Some(message.into())).await,
        }
    }

    /// As [`Socket::try_send`].
    ///
    /// # Errors
    /// As [`Socket::try_send`]; `WouldBlock` also when the budget does not let the message pass now.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let Some(budget) = &self.sending else {
            return self.socket.try_send(message);
        };
        let message = message.into();
        let cost = Cost::of(&message);
        match budget.try_take(cost, Instant::now()) {
            true => self.hand_over(budget, cost, message),
            false => Err(SendError::new(SendErrorKind::WouldBlock, message)),
        }
    }

    /// As [`Socket::blocking_send`], waiting for the budget too: at most for
    /// [`send_timeout`](crate::Options::send_timeout) in all.
    ///
    /// # Errors
    /// As [`Socket::blocking_send`].
    pub fn blocking_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let Some(budget) = &self.sending else {
            return self.socket.blocking_send(message);
        };
        match self.try_send(message) {
            Err(error) if error.kind() == SendErrorKind::WouldBlock => {
                let timeout = self.socket.options().send_timeout;
                self.block_sending(budget, error.into_message(), timeout)
            }
            done => done,
        }
    }

    /// As [`Throttled::blocking_send`] with a timeout of its own.
    ///
    /// # Errors
    /// As [`Socket::blocking_send_timeout`].
    pub fn blocking_send_timeout(
        &self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<(), SendError> {
        match &self.sending {
            None => self.socket.blocking_send_timeout(message, timeout),
            Some(budget) => self.block_sending(budget, message.into(), Some(timeout)),
        }
    }

    fn block_sending(
        &self,
        budget: &Budget,
        message: Message,
        timeout: Option<Duration>,
    ) -> Result<(), SendError> {
        let mut left = Some(message);
        let sent = block_on(async {
            tokio::select! {
                biased;
                sent = self.send_from(budget, &mut left) => Some(sent),
                () = Until::after(timeout) => None,
            }
        });
        sent.unwrap_or_else(|| {
            let message = left.unwrap_or_default();
            Err(SendError::new(SendErrorKind::TimedOut, message))
        })
    }

    /// Sends what is in `left`, where it stays until it is sent.
    async fn send_from(
        &self,
        budget: &Budget,
        left: &mut Option<Message>,
    ) -> Result<(), SendError> {
        let cost = left.as_ref().map_or(Cost::bytes(0), Cost::of);
        loop {
            let passes =
                budget.try_take(cost, Instant::now()) || take(budget, cost, self.closed()).await;
            let message = left.take().unwrap_or_default();
            if !passes {
                // The socket is closed, and says so.
                return self.socket.try_send(message);
            }
            match self.hand_over(budget, cost, message) {
                Err(error) if error.kind() == SendErrorKind::WouldBlock => {
                    *left = Some(error.into_message());
                }
                done => return done,
            }
            if self.socket.ready(Interest::WRITABLE).is_writable() {
                // There is room just now, or a ROUTER has some for others, and only trying tells which. A send that is
                // dropped has sent nothing, but it has the message: it gets a copy, which is cheap.
                let copy = left.clone().unwrap_or_default();
                let sent = self.socket.send(copy).await;
                return sent.inspect(|()| budget.charge(cost));
            }
            self.socket.wait_ready(Interest::WRITABLE).await;
        }
    }

    /// With the tokens taken: they are given back with a message that is not sent.
    fn hand_over(&self, budget: &Budget, cost: Cost, message: Message) -> Result<(), SendError> {
        let sent = self.socket.try_send(message);
        sent.inspect_err(|_| budget.give_back(cost))
    }
}

impl<K: Receives> Throttled<K> {
    /// As [`Socket::recv`], and then waits until the budget lets the message pass. Cancel safe: what a call that is
    /// dropped had received goes to the next one, and nothing was taken from the budget.
    ///
    /// # Errors
    /// As [`Socket::recv`].
    pub async fn recv(&self) -> Result<Message, RecvError> {
        let Some(receiving) = &self.receiving else {
            return self.socket.recv().await;
        };
        let held = receiving.hold(self.next(receiving).await?);
        let (budget, cost) = (&receiving.budget, held.cost());
        if budget.try_take(cost, Instant::now()) || take(budget, cost, self.closed()).await {
            return Ok(held.into_message());
        }
        Err(RecvError::Closed)
    }

    /// As [`Socket::try_recv`].
    ///
    /// # Errors
    /// As [`Socket::try_recv`]; `WouldBlock` also when the budget does not let the next message pass now.
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        let Some(receiving) = &self.receiving else {
            return self.socket.try_recv();
        };
        let message = match receiving.given_back() {
            Some(message) => message,
            None => self.socket.try_recv()?,
        };
        let held = receiving.hold(message);
        match receiving.budget.try_take(held.cost(), Instant::now()) {
            true => Ok(held.into_message()),
            false => Err(RecvError::WouldBlock),
        }
    }

    /// As [`Socket::blocking_recv`], waiting for the budget too: at most for
    /// [`recv_timeout`](crate::Options::recv_timeout) in all.
    ///
    /// # Errors
    /// As [`Socket::blocking_recv`].
    pub fn blocking_recv(&self) -> Result<Message, RecvError> {
        if self.receiving.is_none() {
            return self.socket.blocking_recv();
        }
        match self.try_recv() {
            Err(RecvError::WouldBlock) => self.block_receiving(self.socket.options().recv_timeout),
            done => done,
        }
    }

    /// As [`Throttled::blocking_recv`] with a timeout of its own.
    ///
    /// # Errors
    /// As [`Socket::blocking_recv_timeout`].
    pub fn blocking_recv_timeout(&self, timeout: Duration) -> Result<Message, RecvError> {
        match &self.receiving {
            None => self.socket.blocking_recv_timeout(timeout),
            Some(_) => self.block_receiving(Some(timeout)),
        }
    }

    fn block_receiving(&self, timeout: Option<Duration>) -> Result<Message, RecvError> {
        block_on(async {
            tokio::select! {
                biased;
                received = self.recv() => received,
                () = Until::after(timeout) => Err(RecvError::TimedOut),
            }
        })
    }

    /// The next message: one that was given back, or else from the socket.
    async fn next(&self, receiving: &Receiving) -> Result<Message, RecvError> {
        loop {
            let returned = receiving.returned.listen();
            if let Some(message) = receiving.given_back() {
                return Ok(message);
            }
            tokio::select! {
                biased;
                received = self.socket.recv() => return received,
                () = returned => {}
            }
        }
    }
}

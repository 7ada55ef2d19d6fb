//! Receiving: async, at once, and blocking.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use super::core::{Interest, Slot, WaitError};
use super::error::RecvError;
use super::handle::Socket;
use super::kinds::Receives;
use super::send::breathe;
use crate::message::Message;

impl<K: Receives> Socket<K> {
    /// Receives the next message, waiting for one. Cancel safe: a call that is dropped has taken nothing.
    ///
    /// # Errors
    /// [`Closed`](RecvError::Closed), [`State`](RecvError::State).
    pub async fn recv(&self) -> Result<Message, RecvError> {
        let core = self.core();
        breathe(core).await;
        match core.try_recv() {
            Err(RecvError::WouldBlock) => {}
            done => return done,
        }
        let mut slot = Slot::default();
        poll_fn(|cx| core.poll_recv(cx, &mut slot)).await
    }

    /// Receives a message if one has arrived.
    ///
    /// # Errors
    /// As [`Socket::recv`], and [`WouldBlock`](RecvError::WouldBlock).
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        self.core().try_recv()
    }

    /// Receives the next message, blocking this thread, at most for
    /// [`recv_timeout`](crate::Options::recv_timeout).
    ///
    /// # Errors
    /// As [`Socket::recv`], and [`TimedOut`](RecvError::TimedOut).
    pub fn blocking_recv(&self) -> Result<Message, RecvError> {
        match self.core().try_recv() {
            Err(RecvError::WouldBlock) => self.block_receiving(self.core().timeouts().1),
            done => done,
        }
    }

    /// As [`Socket::blocking_recv`] with a timeout of its own.
    pub fn blocking_recv_timeout(&self, timeout: Duration) -> Result<Message, RecvError> {
        self.block_receiving(Some(timeout))
    }

    fn block_receiving(&self, timeout: Option<Duration>) -> Result<Message, RecvError> {
        let core = self.core();
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let result = core.block_on(Interest::READABLE, deadline, || match core.try_recv() {
            Err(RecvError::WouldBlock) => None,
            done => Some(done),
        });
        match result {
            Ok(done) => done,
            Err(WaitError::TimedOut) => Err(RecvError::TimedOut),
            Err(WaitError::Exhausted) => Err(RecvError::Exhausted),
        }
    }

    /// Appends up to `max` messages to `into`, waiting for the first. Returns how many. Cancel safe.
    ///
    /// # Errors
    /// As [`Socket::recv`].
    pub async fn recv_many(&self, into: &mut Vec<Message>, max: usize) -> Result<usize, RecvError> {
        let core = self.core();
        breathe(core).await;
        match core.try_recv_many(into, max) {
            Err(RecvError::WouldBlock) => {}
            done => return done,
        }
        into.push(self.recv().await?);
        match core.try_recv_many(into, max - 1) {
            Ok(more) => Ok(more + 1),
            Err(_) => Ok(1),
        }
    }

    /// As [`Socket::recv_many`], blocking this thread as [`Socket::blocking_recv`] does.
    pub fn blocking_recv_many(
        &self,
        into: &mut Vec<Message>,
        max: usize,
    ) -> Result<usize, RecvError> {
        match self.core().try_recv_many(into, max) {
            Err(RecvError::WouldBlock) => {}
            done => return done,
        }
        into.push(self.blocking_recv()?);
        match self.core().try_recv_many(into, max - 1) {
            Ok(more) => Ok(more + 1),
            Err(_) => Ok(1),
        }
    }
}

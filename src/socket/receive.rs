//! Receiving: async, at once, and blocking.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use super::core::{Direction, Slot, WaitError};
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
        let mut message = Message::new();
        match core.recv_known(&mut message) {
            Err(RecvError::WouldBlock) => {
                let mut slot = Slot::default();
                poll_fn(|cx| core.poll_recv(cx, &mut slot, &mut message)).await?;
            }
            done => done?,
        }
        Ok(message)
    }

    /// Receives a message if one has arrived.
    ///
    /// # Errors
    /// As [`Socket::recv`], and [`WouldBlock`](RecvError::WouldBlock).
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        let mut message = Message::new();
        self.core().try_recv(&mut message)?;
        Ok(message)
    }

    /// Receives the next message, blocking this thread, at most for
    /// [`recv_timeout`](crate::Options::recv_timeout).
    ///
    /// # Errors
    /// As [`Socket::recv`], and [`TimedOut`](RecvError::TimedOut).
    pub fn blocking_recv(&self) -> Result<Message, RecvError> {
        let mut message = Message::new();
        match self.core().recv_known(&mut message) {
            Err(RecvError::WouldBlock) => {
                self.block_receiving(&mut message, self.core().timeouts().1)?;
            }
            done => done?,
        }
        Ok(message)
    }

    /// As [`Socket::blocking_recv`] with a timeout of its own.
    pub fn blocking_recv_timeout(&self, timeout: Duration) -> Result<Message, RecvError> {
        let mut message = Message::new();
        match self.core().try_recv(&mut message) {
            Err(RecvError::WouldBlock) => self.block_receiving(&mut message, Some(timeout))?,
            done => done?,
        }
        Ok(message)
    }

    fn block_receiving(
        &self,
        into: &mut Message,
        timeout: Option<Duration>,
    ) -> Result<(), RecvError> {
        let core = self.core();
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let result = core.block_on(Direction::Recv, deadline, || match core.try_recv(into) {
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

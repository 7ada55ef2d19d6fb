//! Sending: async, at once, and blocking.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use super::core::{Core, Direction, Slot, WaitError};
use super::error::{SendError, SendErrorKind};
use super::handle::Socket;
use super::kinds::Sends;
use crate::message::Message;

/// Sends between two looks at the runtime's cooperative budget. A look for every message would make the
/// runtime interrupt a stream every 128 messages, which halves its throughput.
const BUDGET_EVERY: u32 = 16;

impl<K: Sends> Socket<K> {
    /// Sends a message, waiting while no peer has room.
    ///
    /// When it returns, the message has been accepted within the watermark and will go out without further
    /// ado. Cancel safe: a call that is dropped has sent nothing.
    ///
    /// # Errors
    /// [`Closed`](SendErrorKind::Closed), [`State`](SendErrorKind::State),
    /// [`Unroutable`](SendErrorKind::Unroutable), [`Invalid`](SendErrorKind::Invalid). The message is in the error.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let core = self.core();
        breathe(core).await;
        let mut message = message.into();
        let sent = match core.try_send(&mut message) {
            Err(SendErrorKind::WouldBlock) => {
                let mut slot = Slot::default();
                poll_fn(|cx| core.poll_send(cx, &mut slot, &mut message)).await
            }
            done => done,
        };
        sent.map_err(|kind| SendError::new(kind, message))
    }

    /// Sends a message if a peer has room now.
    ///
    /// # Errors
    /// As [`Socket::send`], and [`WouldBlock`](SendErrorKind::WouldBlock).
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let mut message = message.into();
        let sent = self.core().try_send(&mut message);
        sent.map_err(|kind| SendError::new(kind, message))
    }

    /// Sends a message, blocking this thread while no peer has room, at most for
    /// [`send_timeout`](crate::Options::send_timeout).
    ///
    /// # Errors
    /// As [`Socket::send`], and [`TimedOut`](SendErrorKind::TimedOut).
    pub fn blocking_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let mut message = message.into();
        let sent = match self.core().try_send(&mut message) {
            Err(SendErrorKind::WouldBlock) => {
                self.block_sending(&mut message, self.core().timeouts().0)
            }
            done => done,
        };
        sent.map_err(|kind| SendError::new(kind, message))
    }

    /// As [`Socket::blocking_send`] with a timeout of its own.
    pub fn blocking_send_timeout(
        &self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<(), SendError> {
        let mut message = message.into();
        let sent = match self.core().try_send(&mut message) {
            Err(SendErrorKind::WouldBlock) => self.block_sending(&mut message, Some(timeout)),
            done => done,
        };
        sent.map_err(|kind| SendError::new(kind, message))
    }

    fn block_sending(
        &self,
        message: &mut Message,
        timeout: Option<Duration>,
    ) -> Result<(), SendErrorKind> {
        let core = self.core();
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let result = core.block_on(Direction::Send, deadline, || match core.try_send(message) {
            Err(SendErrorKind::WouldBlock) => None,
            done => Some(done),
        });
        match result {
            Ok(done) => done,
            Err(WaitError::TimedOut) => Err(SendErrorKind::TimedOut),
            Err(WaitError::Exhausted) => Err(SendErrorKind::Exhausted),
        }
    }

    /// Sends messages one after the other, taking the socket's lock once for as many as there is room for.
    /// Returns how many were sent. Cancel safe in that every message was either sent or not taken from the
    /// iterator, but for the one being waited for.
    ///
    /// # Errors
    /// As [`Socket::send`]; the messages before the one in the error were sent.
    pub async fn send_many<I>(&self, messages: I) -> Result<usize, SendError>
    where
        I: IntoIterator,
        I::Item: Into<Message>,
    {
        let core = self.core();
        let mut messages = messages.into_iter().map(Into::into);
        let mut sent = 0;
        loop {
            breathe(core).await;
            let mut message = Message::new();
            let (count, result) = core.try_send_many(&mut messages, &mut message);
            sent += count;
            match result {
                Ok(()) => return Ok(sent),
                Err(SendErrorKind::WouldBlock) => {
                    self.send(message).await?;
                    sent += 1;
                }
                Err(kind) => return Err(SendError::new(kind, message)),
            }
        }
    }

    /// Sends messages one after the other, blocking this thread as [`Socket::blocking_send`] does.
    pub fn blocking_send_many<I>(&self, messages: I) -> Result<usize, SendError>
    where
        I: IntoIterator,
        I::Item: Into<Message>,
    {
        let mut messages = messages.into_iter().map(Into::into);
        let mut sent = 0;
        loop {
            let mut message = Message::new();
            let (count, result) = self.core().try_send_many(&mut messages, &mut message);
            sent += count;
            match result {
                Ok(()) => return Ok(sent),
                Err(SendErrorKind::WouldBlock) => {
                    self.blocking_send(message)?;
                    sent += 1;
                }
                Err(kind) => return Err(SendError::new(kind, message)),
            }
        }
    }

    /// Writes at once what was collected for sending, and returns how many messages the kernel (or an absent
    /// peer) has not taken. Never needed for messages to go out, only to know when they have.
    pub fn flush(&self) -> usize {
        self.core().flush()
    }
}

/// Lets the runtime interrupt a stream of ready calls now and then.
#[inline]
pub(super) async fn breathe(core: &Core) {
    if core.breath(BUDGET_EVERY) {
        tokio::task::consume_budget().await;
    }
}

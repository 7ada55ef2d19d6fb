//! What became of a message, and why sending or receiving failed.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::ident::{Ident, IdentError, MessageId};
use super::letter::Letter;
use crate::ext::store::StoreError;

/// Why a message was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// Its time was over.
    Expired {
        /// It had been sent, and its link was lost before an answer came: whether it arrived is not known.
        sent: bool,
    },
    /// The queue was full, and `Overflow::Drop` was chosen.
    QueueFull,
    /// It is larger than the receiver takes.
    Refused,
    /// It could not be stored, and was never sent.
    NotStored,
    /// The messenger was closed before it was delivered, and nothing kept it.
    Closed {
        /// It had been sent: whether it arrived is not known.
        sent: bool,
    },
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropReason::Expired { sent: false } => "expired",
            DropReason::Expired { sent: true } => "expired, after it was sent",
            DropReason::QueueFull => "the queue was full",
            DropReason::Refused => "larger than the receiver takes",
            DropReason::NotStored => "it could not be stored",
            DropReason::Closed { sent: false } => "closed",
            DropReason::Closed { sent: true } => "closed, after it was sent",
        })
    }
}

/// A message that will not be delivered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Dropped {
    /// For whom it was.
    pub to: Ident,
    /// Which it was.
    pub id: MessageId,
    /// What it said.
    pub letter: Letter,
    /// Why.
    pub reason: DropReason,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} to {}: {}", self.id, self.to, self.reason)
    }
}

impl Error for Dropped {}

/// Why a letter was not taken. It comes back with the error, and was not and will not be sent.
#[derive(Debug)]
pub struct SendError {
    /// The letter.
    pub letter: Box<Letter>,
    /// Why.
    pub reason: SendFault,
}

/// Why a letter was not taken.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SendFault {
    /// The receiver's name is none.
    Ident(IdentError),
    /// It is addressed to this messenger itself.
    OwnIdent,
    /// It is larger than this messenger may send (`max_message`), or its properties exceed 64 KiB.
    TooLarge,
    /// No room in the receiver's queue or in all queues together.
    QueueFull,
    /// There are queues for as many receivers as there may be.
    TooManyPeers,
    /// It is persistent, and the messenger has no store.
    NoStore,
    /// The store failed.
    Store(Arc<StoreError>),
    /// The messenger is closed.
    Closed,
}

impl fmt::Display for SendFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendFault::Ident(error) => error.fmt(f),
            SendFault::OwnIdent => f.write_str("the receiver is the sender"),
            SendFault::TooLarge => f.write_str("the message is too large"),
            SendFault::QueueFull => f.write_str("the queue is full"),
            SendFault::TooManyPeers => f.write_str("too many receivers"),
            SendFault::NoStore => {
                f.write_str("persistent messages need a store, and there is none")
            }
            SendFault::Store(error) => write!(f, "the store: {error}"),
            SendFault::Closed => f.write_str("the messenger is closed"),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.reason {
            SendFault::Store(error) => Some(&**error),
            SendFault::Ident(error) => Some(error),
            _ => None,
        }
    }
}

impl SendError {
    pub(in crate::ext::reliable) fn new(letter: Letter, reason: SendFault) -> Self {
        SendError {
            letter: Box::new(letter),
            reason,
        }
    }
}

//! What is heard of a message that was sent.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::ext::reliable::model::{Dropped, MessageId};
use crate::ext::store::StoreError;

/// What becomes of a message: a future of its outcome, which may be dropped without harm.
///
/// `Ok` says that the receiver's messenger has it, in its store if it is persistent (and the receiver has one).
#[derive(Debug)]
#[must_use = "it tells what becomes of the message"]
pub struct Receipt {
    pub(super) id: MessageId,
    pub(super) stored: Option<oneshot::Receiver<Result<(), Arc<StoreError>>>>,
    pub(super) outcome: oneshot::Receiver<Result<(), Dropped>>,
}

/// Why a message was not delivered.
#[derive(Debug)]
pub enum Undelivered {
    /// It was dropped, and why.
    Dropped(Box<Dropped>),
    /// The messenger was closed; the message is in its store, for the next one.
    Kept,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undelivered::Dropped(dropped) => dropped.fmt(f),
            Undelivered::Kept => f.write_str("the messenger was closed; the message is stored"),
        }
    }
}

impl Error for Undelivered {}

fn undelivered(dropped: Dropped) -> Undelivered {
    Undelivered::Dropped(Box::new(dropped))
}

impl Receipt {
    /// The message's id.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// Waits until the message is in this messenger's store; at once if it is not persistent. What that guarantees is said
    /// by the store. Cancel safe.
    ///
    /// # Errors
    ///
    /// When the store failed; the message was then dropped, which is its outcome.
    pub async fn stored(&mut self) -> Result<(), Arc<StoreError>> {
        match &mut self.stored {
            None => Ok(()),
            Some(stored) => {
                let stored = stored.await;
                self.stored = None;
                // Not told: it was settled first.
                stored.unwrap_or(Ok(()))
            }
        }
    }

    /// The same for a thread.
    ///
    /// # Errors
    ///
    /// As [`stored`](Self::stored).
    ///
    /// # Panics
    ///
    /// In a task of a runtime.
    pub fn blocking_stored(&mut self) -> Result<(), Arc<StoreError>> {
        match self.stored.take() {
            None => Ok(()),
            Some(stored) => stored.blocking_recv().unwrap_or(Ok(())),
        }
    }

    /// Waits for the outcome in a thread.
    ///
    /// # Errors
    ///
    /// When it was not delivered.
    ///
    /// # Panics
    ///
    /// In a task of a runtime.
    pub fn blocking_wait(self) -> Result<(), Undelivered> {
        match self.outcome.blocking_recv() {
            Ok(outcome) => outcome.map_err(undelivered),
            Err(_) => Err(Undelivered::Kept),
        }
    }

    /// The outcome, if it is known.
    ///
    /// # Errors
    ///
    /// When it was not delivered.
    pub fn try_wait(&mut self) -> Option<Result<(), Undelivered>> {
        match self.outcome.try_recv() {
            Ok(outcome) => Some(outcome.map_err(undelivered)),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(Undelivered::Kept)),
        }
    }
}

impl Future for Receipt {
    type Output = Result<(), Undelivered>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.outcome).poll(task).map(|outcome| {
            outcome.map_or(Err(Undelivered::Kept), |outcome| {
                outcome.map_err(undelivered)
            })
        })
    }
}

//! A message that arrived.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::core::Core;
use crate::ext::reliable::engine::Received;
use crate::ext::reliable::model::{Ident, Letter, MessageId};

/// A message that arrived, and says what it was sent with (apart from times).
///
/// With [`Acknowledge::Manual`](super::Acknowledge) the message stays the messenger's until [`ack`](Self::ack): one that is
/// dropped without it, or given back with [`nack`](Self::nack), is received again, and one that was stored also after a
/// crash.
pub struct Delivery {
    received: Option<Received>,
    core: Option<Arc<Core>>,
}

impl Delivery {
    pub(super) fn new(received: Received, core: Option<Arc<Core>>) -> Self {
        Delivery {
            received: Some(received),
            core,
        }
    }

    fn received(&self) -> &Received {
        self.received
            .as_ref()
            .expect("taken by consuming calls alone")
    }

    /// Who sent it.
    pub fn from(&self) -> &Ident {
        &self.received().from
    }

    /// Its id.
    pub fn id(&self) -> MessageId {
        self.received().id
    }

    /// How often it may have been received before: given back, or received by a process that ended before it acknowledged
    /// it, or may have. An application that keeps a record of what it has done looks into it when this is not 0.
    pub fn redelivered(&self) -> u32 {
        self.received().redelivered
    }

    /// The letter.
    pub fn letter(&self) -> &Letter {
        &self.received().letter
    }

    /// The application has done with it what it should, and it will not come again. Without effect if messages are
    /// acknowledged automatically.
    pub fn ack(mut self) {
        if let (Some(core), Some(received)) = (self.core.take(), self.received.take()) {
            core.with(|state, now| state.engine.finished(received.token, now));
        }
    }

    /// Gives it back: it is the next one of its priority to be received. Without effect if messages are acknowledged
    /// automatically.
    pub fn nack(self) {}

    /// Takes the letter out. The message is acknowledged by that.
    pub fn into_letter(mut self) -> Letter {
        let received = self
            .received
            .take()
            .expect("taken by consuming calls alone");
        if let Some(core) = self.core.take() {
            core.with(|state, now| state.engine.finished(received.token, now));
        }
        received.letter
    }
}

impl Deref for Delivery {
    type Target = Letter;

    fn deref(&self) -> &Letter {
        self.letter()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let (Some(core), Some(received)) = (self.core.take(), self.received.take()) {
            core.with(|state, _| state.engine.put_back(received));
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("from", self.from())
            .field("id", &self.id())
            .field("redelivered", &self.redelivered())
            .field("letter", self.letter())
            .finish()
    }
}

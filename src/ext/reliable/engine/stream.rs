//! What came from one instance of a sender.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::ledger::OpenChunk;
use super::super::model::Amount;
use super::super::wire::Data;
use super::parts::Received;

/// One priority of it.
#[derive(Debug, Default)]
pub(super) struct Class {
    /// Everything below was received.
    pub(super) next: u64,
    /// Everything below was received for good, and acknowledged.
    pub(super) acked: u64,
    /// Came before what has to come first.
    pub(super) early: BTreeMap<u64, Data>,
    /// Received, and not yet stored, or behind one that is not: with the batch it waits for.
    pub(super) pending: VecDeque<(u64, Received)>,
    pub(super) open: OpenChunk,
    /// First and last numbers of chunks in the store.
    pub(super) chunks: VecDeque<(u64, u64)>,
    /// Stored messages that the application has not finished.
    pub(super) unfinished: BTreeSet<u64>,
    /// Stored messages that it has finished, beyond the first that it has not.
    pub(super) finished: BTreeSet<u64>,
    pub(super) done_dirty: bool,
}

impl Class {
    /// Everything below is finished.
    pub(super) fn done_below(&self) -> u64 {
        self.unfinished.first().copied().unwrap_or(self.next)
    }
}

/// All priorities.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) instance: [u8; 16],
    pub(super) classes: Vec<(u8, Class)>,
    pub(super) early: Amount,
    /// When its sender was last seen, in microseconds.
    pub(super) at: u64,
    pub(super) dirty: bool,
    pub(super) stored: bool,
}

impl Stream {
    pub(super) fn new(instance: [u8; 16]) -> Self {
        Stream {
            instance,
            classes: Vec::new(),
            early: Amount::default(),
            at: 0,
            dirty: false,
            stored: false,
        }
    }

    pub(super) fn class(&mut self, priority: u8) -> &mut Class {
        let at = self
            .classes
            .iter()
            .position(|(other, _)| *other == priority);
        let at = at.unwrap_or_else(|| {
            self.classes.push((priority, Class::default()));
            self.classes.len() - 1
        });
        &mut self.classes[at].1
    }

    pub(super) fn is_idle(&self) -> bool {
        let idle = |(_, class): &(u8, Class)| {
            class.pending.is_empty() && class.unfinished.is_empty() && class.open.is_empty()
        };
        self.classes.iter().all(idle)
    }
}

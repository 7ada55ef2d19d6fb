//! Collects what has to be written, and cuts it into batches: while one is committed, the next one grows.
//!
//! ```text
//!   messages to be sent ─┐ tell their sender when they are stored, or that they are not
//!                        ├─► open batch ─► running ─► committed
//!   all else ────────────┘                   └ failed: goes into the next one, until it works
//! ```
//! Who waits for a batch remembers its number, and waits until `committed` reaches it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::work::{Question, Work};
use crate::ext::store::{Changes, StoreError};

/// How long after a failure what nobody waits for is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Batches, and questions to the store.
#[derive(Debug)]
pub(in crate::ext::reliable) struct Ledger {
    /// Whether there is a store.
    pub(in crate::ext::reliable) stores: bool,
    open: u64,
    committed: u64,
    messages: Changes,
    state: Changes,
    running: Option<Changes>,
    /// A sender waits for the open batch.
    asked: bool,
    /// A peer waits for it.
    urgent: bool,
    /// When the first thing that nobody waits for was put into the open batch.
    lazy: Option<u64>,
    questions: VecDeque<(Question, Vec<u8>, Vec<u8>)>,
    /// When to try again, in microseconds.
    again: Option<u64>,
    failing: bool,
    lazy_commit: u64,
}

/// A batch that was not committed.
#[derive(Debug)]
pub(in crate::ext::reliable) struct Failed {
    pub(in crate::ext::reliable) batch: u64,
    pub(in crate::ext::reliable) error: Arc<StoreError>,
    /// Whether it worked before.
    pub(in crate::ext::reliable) first: bool,
}

impl Ledger {
    pub(in crate::ext::reliable) fn new(stores: bool, lazy_commit: Duration) -> Self {
        Ledger {
            stores,
            open: 1,
            committed: 0,
            messages: Changes::new(),
            state: Changes::new(),
            running: None,
            asked: false,
            urgent: false,
            lazy: None,
            questions: VecDeque::new(),
            again: None,
            failing: false,
            lazy_commit: lazy_commit.as_micros() as u64,
        }
    }

    /// The number of the batch that what is written now belongs to.
    pub(in crate::ext::reliable) fn open(&self) -> u64 {
        self.open
    }

    /// All batches up to this are committed.
    pub(in crate::ext::reliable) fn committed(&self) -> u64 {
        self.committed
    }

    /// Messages to be sent, which are refused if they cannot be stored.
    pub(in crate::ext::reliable) fn messages(&mut self) -> &mut Changes {
        self.asked = true;
        &mut self.messages
    }

    /// What has to be stored, as soon as possible.
    pub(in crate::ext::reliable) fn state(&mut self) -> &mut Changes {
        self.urgent = true;
        &mut self.state
    }

    /// Messages will be put into the open batch before it is cut.
    pub(in crate::ext::reliable) fn expect_messages(&mut self) {
        self.asked = true;
    }

    /// State will be put into the open batch before it is cut, which should be soon.
    pub(in crate::ext::reliable) fn expect_state(&mut self) {
        self.urgent = true;
    }

    /// State will be put into the open batch before it is cut, which may be some time.
    pub(in crate::ext::reliable) fn expect_later(&mut self, now: u64) {
        self.lazy.get_or_insert(now);
    }

    /// What has to be stored some time.
    pub(in crate::ext::reliable) fn later(&mut self, now: u64) -> &mut Changes {
        self.lazy.get_or_insert(now);
        &mut self.state
    }

    /// What may be committed some time is committed soon.
    pub(in crate::ext::reliable) fn hurry(&mut self) {
        self.urgent |= self.lazy.is_some();
    }

    /// Whether the last commit failed.
    pub(in crate::ext::reliable) fn fails(&self) -> bool {
        self.failing
    }

    pub(in crate::ext::reliable) fn ask(&mut self, question: Question, from: Vec<u8>, to: Vec<u8>) {
        self.questions.push_back((question, from, to));
    }

    /// When there will be work, if not now.
    pub(in crate::ext::reliable) fn due(&self) -> Option<u64> {
        if self.running.is_some() {
            return None;
        }
        if !self.questions.is_empty() || self.asked {
            return Some(0);
        }
        match self.lazy {
            _ if self.failing => self.again,
            _ if self.urgent => Some(0),
            since => since.map(|since| since + self.lazy_commit),
        }
    }

    /// Whether a commit comes next: whoever has something to put into it does so now.
    pub(in crate::ext::reliable) fn is_due(&self, now: u64) -> bool {
        self.questions.is_empty() && self.due().is_some_and(|at| at <= now)
    }

    /// The next thing to do. Call it when nothing is running.
    pub(in crate::ext::reliable) fn next(&mut self, now: u64) -> Option<Work> {
        if self.running.is_some() {
            return None;
        }
        if let Some((question, from, to)) = self.questions.pop_front() {
            return Some(Work::Ask { question, from, to });
        }
        if !self.is_due(now) {
            return None;
        }
        (self.asked, self.urgent, self.lazy) = (false, false, None);
        let mut changes = self.state.clone();
        changes.merge(std::mem::take(&mut self.messages));
        self.running = Some(std::mem::take(&mut self.state));
        let batch = self.open;
        self.open += 1;
        Some(Work::Commit { batch, changes })
    }

    /// The batch was committed, or not. `Ok(true)`: it works again.
    pub(in crate::ext::reliable) fn done(
        &mut self,
        batch: u64,
        result: Result<(), StoreError>,
        now: u64,
    ) -> Result<bool, Failed> {
        let state = self.running.take().unwrap_or_default();
        match result {
            Ok(()) => {
                self.committed = batch;
                self.again = None;
                Ok(std::mem::replace(&mut self.failing, false))
            }
            Err(error) => {
                let later = std::mem::replace(&mut self.state, state);
                self.state.merge(later);
                self.again = Some(now + AGAIN.as_micros() as u64);
                let first = !std::mem::replace(&mut self.failing, true);
                Err(Failed {
                    batch,
                    error: Arc::new(error),
                    first,
                })
            }
        }
    }
}

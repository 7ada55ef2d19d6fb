//! Messages of one priority that wait for one peer, in the order of their numbers.
//!
//! ```text
//!     acknowledged │ entries                                │ in the store alone │ behind
//!                  │ flying, held ... cursor │ to be sent   │ spill.from ─────── │ not stored (yet)
//! ```
//! `behind` may have numbers between those in the store; a page that is read is merged with it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::ledger::{OpenChunk, Settled};
use super::super::model::{Amount, Dropped, Letter};
use super::super::wire::Range;
use super::time::Time;
use crate::ext::store::StoreError;

/// Who waits for what becomes of a message.
#[derive(Debug, Default)]
pub(in crate::ext::reliable) struct Waiting {
    /// Until it is stored.
    pub(in crate::ext::reliable) stored: Option<oneshot::Sender<Result<(), Arc<StoreError>>>>,
    /// Until it is delivered or dropped.
    pub(in crate::ext::reliable) outcome: Option<oneshot::Sender<Result<(), Dropped>>>,
}

/// How a message relates to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Not at all.
    No,
    /// It is to be stored with this batch; its sender is told if that fails.
    New(u64),
    /// It is stored already, and moves to another place with this batch.
    Moved(u64),
    /// It is stored.
    Yes,
}

impl Kept {
    pub(super) fn is_pending(self, committed: u64) -> bool {
        match self {
            Kept::New(batch) | Kept::Moved(batch) => batch > committed,
            Kept::No | Kept::Yes => false,
        }
    }
}

/// A message that waits.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) id: u64,
    pub(super) letter: Letter,
    pub(super) size: usize,
    pub(super) pushed: Time,
    pub(super) expires: Option<Time>,
    pub(super) kept: Kept,
    pub(super) waiting: Waiting,
    /// It was sent, on whatever link, or may have been by an earlier process.
    pub(super) sent: bool,
    /// It may have been sent to another process of the receiver.
    pub(super) again: bool,
    /// It is on its way on the present link.
    pub(super) flying: bool,
    /// The receiver holds it, but has not acknowledged it.
    pub(super) held: bool,
    /// It was dropped, and only keeps its place.
    pub(super) settled: bool,
}

/// Messages that are in the store alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spill {
    /// The number of the first, or less.
    pub(super) from: u64,
    pub(super) messages: u64,
}

/// Where a chunk is in the store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) first: u64,
    pub(super) last: u64,
    /// The batch that it comes with; 0 if it is there.
    pub(super) batch: u64,
}

/// All of one priority.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) entries: VecDeque<Entry>,
    pub(super) cursor: usize,
    /// The entry before the cursor that the next one has to come after.
    pub(super) prev: Option<u64>,
    /// The largest number that was sent by this process.
    pub(super) high: u64,
    /// The receiver has everything below.
    pub(super) acked: u64,
    pub(super) behind: VecDeque<Entry>,
    pub(super) spill: Option<Spill>,
    pub(super) loading: bool,
    /// Bytes of the letters in `entries`.
    pub(super) held_bytes: u64,
    /// Chunks in the store, as far as they are known.
    pub(super) chunks: VecDeque<Place>,
    pub(super) open: OpenChunk,
    /// All that was ever put into the store for this queue.
    pub(super) put: Amount,
    pub(super) done: Settled,
    /// What lies below in the store was settled by an earlier process.
    pub(super) skip: u64,
    pub(super) done_dirty: bool,
    /// It has something for the open batch.
    pub(super) dirty: bool,
}

impl Queue {
    pub(super) fn push(&mut self, entry: Entry) {
        if self.spill.is_some() {
            self.behind.push_back(entry);
        } else {
            self.held_bytes += entry.size as u64;
            self.entries.push_back(entry);
        }
    }

    /// The entry with this number, if it is in memory.
    pub(super) fn find(&mut self, number: u64) -> Option<&mut Entry> {
        for entries in [&mut self.entries, &mut self.behind] {
            if let Ok(at) = entries.binary_search_by_key(&number, |entry| entry.number) {
                return entries.get_mut(at);
            }
        }
        None
    }

    /// Moves the cursor to the next entry that can be sent; `None` if there is none now.
    pub(super) fn advance(&mut self, committed: u64) -> Option<&mut Entry> {
        loop {
            let entry = self.entries.get(self.cursor)?;
            if !entry.settled && !entry.held && !entry.flying {
                if entry.kept.is_pending(committed) {
                    return None;
                }
                return self.entries.get_mut(self.cursor);
            }
            if !entry.settled {
                self.prev = Some(entry.number);
            }
            self.cursor += 1;
        }
    }

    /// The entry at the cursor was sent, or is passed over.
    pub(super) fn step(&mut self) {
        if let Some(entry) = self.entries.get(self.cursor) {
            if !entry.settled {
                self.prev = Some(entry.number);
            }
            self.cursor += 1;
        }
    }

    /// Starts from the first again.
    pub(super) fn rewind(&mut self) {
        (self.cursor, self.prev) = (0, None);
        for entry in &mut self.entries {
            entry.flying = false;
            entry.held = false;
        }
    }

    /// The entry with this number is not sent after all: those that the receiver holds until it comes are sent again.
    pub(super) fn pass_over(&mut self, number: u64) {
        let at = self.entries.partition_point(|entry| entry.number <= number);
        if at < self.cursor {
            for entry in self.entries.range_mut(at..self.cursor) {
                entry.held = false;
            }
            (self.cursor, self.prev) = (0, None);
        }
    }

    /// A chunk is in the store, or will be with a batch.
    pub(super) fn know(&mut self, first: u64, last: u64, batch: u64) {
        let place = Place { first, last, batch };
        let at = self.chunks.partition_point(|known| known.first < first);
        if self.chunks.get(at).is_none_or(|known| known.first != first) {
            self.chunks.insert(at, place);
        }
    }

    /// Forgets chunks that are read again before they are needed.
    pub(super) fn forget_chunks(&mut self, committed: u64) {
        if let Some(spill) = self.spill {
            self.chunks
                .retain(|known| known.first <= spill.from || known.batch > committed);
        }
    }

    /// The receiver holds these. One that waits for a message that was dropped since is sent again, with what it has to wait
    /// for now.
    pub(super) fn hold(&mut self, range: &Range) {
        let start = self
            .entries
            .partition_point(|entry| entry.number < range.first);
        let before = self.entries.range(..start).rev();
        let mut before = before
            .filter(|entry| !entry.settled)
            .map(|entry| entry.number);
        let after = range.first - range.back;
        let waits = range.back > 0 && after >= self.acked;
        if waits && before.next() != Some(after) {
            return;
        }
        let below = range.first.saturating_add(range.count);
        for entry in self.entries.range_mut(start..) {
            if entry.number >= below {
                break;
            }
            entry.held = !entry.settled;
        }
    }

    /// Takes the first entry if its number is below.
    pub(super) fn pop_below(&mut self, next: u64) -> Option<Entry> {
        if self.entries.front()?.number >= next {
            return None;
        }
        let entry = self.entries.pop_front()?;
        self.held_bytes -= entry.size as u64;
        self.cursor = self.cursor.saturating_sub(1);
        Some(entry)
    }

    /// Lets go of stored messages at the end, beyond the window, that are not on their way.
    pub(super) fn trim(&mut self, window: Amount, committed: u64) -> Vec<Entry> {
        let mut gone = Vec::new();
        let over = |queue: &Queue| {
            let held = Amount::new(queue.entries.len() as u64, queue.held_bytes);
            !held.within(window)
        };
        if self.spill.is_none() && !over(self) {
            return gone;
        }
        // Behind what is in the store alone nothing stored is kept.
        if self.spill.is_some() {
            let mut kept = VecDeque::with_capacity(self.behind.len());
            for entry in self.behind.drain(..) {
                if matches!(entry.kept, Kept::No) || entry.kept.is_pending(committed) {
                    kept.push_back(entry);
                } else {
                    gone.push(entry);
                }
            }
            self.behind = kept;
        }
        // While a page is read, where it begins must not move.
        while over(self) && !self.loading && self.entries.len() > self.cursor + 1 {
            let Some(entry) = self.entries.pop_back() else {
                break;
            };
            self.held_bytes -= entry.size as u64;
            if entry.settled {
                continue;
            }
            if matches!(entry.kept, Kept::No) || entry.kept.is_pending(committed) {
                if self.spill.is_none() {
                    // Nothing stored lies before it, so it would only change places.
                    let stored = self.entries.range(self.cursor + 1..);
                    let mut stored = stored.filter(|entry| {
                        !matches!(entry.kept, Kept::No) && !entry.kept.is_pending(committed)
                    });
                    if stored.next().is_none() {
                        self.held_bytes += entry.size as u64;
                        self.entries.push_back(entry);
                        break;
                    }
                }
                self.behind.push_front(entry);
            } else {
                let spill = self.spill.get_or_insert(Spill {
                    from: entry.number,
                    messages: 0,
                });
                spill.from = entry.number;
                gone.push(entry);
            }
        }
        if let Some(spill) = &mut self.spill {
            spill.messages += gone.len() as u64;
        } else {
            // Only others were moved: they come back.
            for entry in self.behind.drain(..) {
                self.held_bytes += entry.size as u64;
                self.entries.push_back(entry);
            }
        }
        gone
    }

    /// What was in the store alone is here: merges it with what waited behind. `end`: there is no more.
    pub(super) fn merge(&mut self, page: Vec<Entry>, end: bool) {
        let last = page.last().map(|entry| entry.number);
        let limit = match (end, last) {
            (true, _) => u64::MAX,
            (false, Some(last)) => last,
            (false, None) => return,
        };
        let taken = page.len() as u64;
        let mut page = page.into_iter().peekable();
        loop {
            let behind = self.behind.front().map(|entry| entry.number);
            let behind = behind.filter(|number| *number <= limit);
            let next = match (page.peek().map(|entry| entry.number), behind) {
                (None, None) => break,
                (Some(stored), Some(behind)) if behind < stored => self.behind.pop_front(),
                (Some(_), _) => page.next(),
                (None, Some(_)) => self.behind.pop_front(),
            };
            let Some(entry) = next else { break };
            self.held_bytes += entry.size as u64;
            self.entries.push_back(entry);
        }
        if end {
            self.spill = None;
        } else if let Some(spill) = &mut self.spill {
            spill.from = limit + 1;
            spill.messages = spill.messages.saturating_sub(taken);
        }
    }

    /// Whether more should be read from the store.
    pub(super) fn is_low(&self, window: Amount) -> bool {
        let waiting = (self.entries.len() - self.cursor) as u64;
        self.spill.is_some() && !self.loading && waiting <= window.messages / 4
    }

    pub(super) fn is_idle(&self) -> bool {
        self.entries.is_empty() && self.behind.is_empty() && self.spill.is_none()
    }
}

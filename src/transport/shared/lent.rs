//! Chunks that a peer borrows, and what becomes of them when its link ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use bytes::Bytes;

use crate::shm::{Bell, Orphan, Place, RETURNS, Returns, Ticket, Violation, ticket};

/// What one peer borrows. Holding the bytes keeps the chunk they lie in.
pub(super) struct Lent {
    returns: Returns,
    held: HashMap<Ticket, (Bytes, u32)>,
    /// Loans, one chunk lent twice counting twice.
    count: u64,
}

impl Lent {
    pub(super) fn new(returns: Returns) -> Self {
        Lent {
            returns,
            held: HashMap::new(),
            count: 0,
        }
    }

    /// Whether one more may be lent: the peer's return ring has an entry for each.
    pub(super) fn has_room(&self) -> bool {
        self.count < RETURNS
    }

    /// Notes that the peer borrows the chunk that `bytes` lies in.
    pub(super) fn lend(&mut self, place: Place, bytes: Bytes) {
        self.count += 1;
        let ticket = ticket(place.chunk, place.generation);
        self.held.entry(ticket).or_insert((bytes, 0)).1 += 1;
    }

    /// Takes in what was given back.
    ///
    /// # Errors
    /// The peer gave back what it did not hold.
    pub(super) fn take_back(&mut self) -> Result<(), Violation> {
        while self.count > 0 {
            let Some(ticket) = self.returns.next()? else {
                return Ok(());
            };
            let Entry::Occupied(mut held) = self.held.entry(ticket) else {
                return Err(Violation("a chunk given back that it did not hold"));
            };
            self.count -= 1;
            held.get_mut().1 -= 1;
            if held.get().1 == 0 {
                held.remove();
            }
        }
        Ok(())
    }

    /// Loans that were not given back.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Loans whose link has ended while the peer still reads them. The chunks are not used again before the peer has
/// given them back, or has closed its end of the socket: it keeps that open for as long as it borrows anything.
pub(super) struct LentOrphan {
    pub(super) lent: Lent,
    pub(super) bell: Arc<Bell>,
}

impl Orphan for LentOrphan {
    fn settle(&mut self) -> bool {
        // Asked first: what was given back before the end is then seen too, and what was not is free.
        let abandoned = self.bell.is_abandoned();
        // A peer that gives back what it does not hold gets no chunk freed by it.
        let honest = self.lent.take_back().is_ok();
        abandoned || (honest && self.lent.is_empty())
    }
}

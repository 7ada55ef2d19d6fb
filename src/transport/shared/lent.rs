//! Chunks that a peer borrows, and what becomes of them when its link ends.
//!
//! The lane lends; what is given back is taken in by the lane too, or by whoever finds the pool exhausted. Hence the
//! lock, which is held for bookkeeping only: dropping a chunk comes back to the pool, so it happens outside.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::shm::{Bell, Borrower, Place, Pool, RETURNS, Returns, Ticket, Violation, ticket};

/// What one peer borrows.
pub(super) struct Lent {
    pool: Arc<Pool>,
    ledger: Arc<Mutex<Ledger>>,
}

/// Holding the bytes keeps the chunk they lie in.
struct Ledger {
    returns: Returns,
    held: HashMap<Ticket, (Bytes, u32)>,
    /// Loans, one chunk lent twice counting twice.
    count: u64,
    /// What the peer did wrong.
    fault: Option<Violation>,
    /// The link has ended. The chunks are not used again before the peer has given them back, or has closed its end of
    /// the socket: it keeps that open for as long as it borrows anything.
    over: Option<Arc<Bell>>,
}

impl Lent {
    pub(super) fn new(pool: Arc<Pool>, returns: Returns) -> Self {
        let ledger = Arc::new(Mutex::new(Ledger {
            returns,
            held: HashMap::new(),
            count: 0,
            fault: None,
            over: None,
        }));
        pool.add_borrower(Box::new(LinkBorrower(ledger.clone())));
        Lent { pool, ledger }
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Whether one more may be lent beside so many others: the peer's return ring has an entry for each.
    pub(super) fn has_room_beside(&self, others: u64) -> bool {
        self.count() + others < RETURNS
    }

    /// Notes that the peer borrows the chunk that `bytes` lies in.
    pub(super) fn lend(&self, place: Place, bytes: Bytes) {
        let mut ledger = self.ledger.lock();
        ledger.count += 1;
        let ticket = ticket(place.chunk, place.generation);
        ledger.held.entry(ticket).or_insert((bytes, 0)).1 += 1;
    }

    /// Takes in what was given back.
    ///
    /// # Errors
    /// The peer gave back what it did not hold, now or when somebody else looked.
    pub(super) fn take_back(&self) -> Result<(), Violation> {
        take_back(&self.ledger);
        match self.ledger.lock().fault {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    /// Loans that were not given back.
    pub(super) fn count(&self) -> u64 {
        self.ledger.lock().count
    }

    /// The link has ended: once this is dropped, the pool alone looks after what is still borrowed.
    pub(super) fn end(&self, bell: Arc<Bell>) {
        self.ledger.lock().over = Some(bell);
        self.pool.settle();
    }
}

/// Takes in all that was given back, and frees it.
fn take_back(ledger: &Mutex<Ledger>) {
    loop {
        // In a statement of its own, behind which the lock is free again: for what is dropped, and for a fault.
        let taken = ledger.lock().take_one();
        match taken {
            Ok(Some(_freed)) => {}
            Ok(None) => return,
            Err(fault) => {
                ledger.lock().fault.get_or_insert(fault);
                return;
            }
        }
    }
}

impl Ledger {
    /// Takes in one chunk; the bytes are to be dropped if this was its last loan here.
    fn take_one(&mut self) -> Result<Option<Option<Bytes>>, Violation> {
        if self.count == 0 || self.fault.is_some() {
            return Ok(None);
        }
        let Some(ticket) = self.returns.next()? else {
            return Ok(None);
        };
        let Entry::Occupied(mut held) = self.held.entry(ticket) else {
            return Err(Violation("a chunk given back that it did not hold"));
        };
        self.count -= 1;
        held.get_mut().1 -= 1;
        let last = held.get().1 == 0;
        Ok(Some(last.then(|| held.remove().0)))
    }
}

/// The peer of one link, as the pool knows it.
struct LinkBorrower(Arc<Mutex<Ledger>>);

impl Borrower for LinkBorrower {
    fn settle(&mut self) -> bool {
        // Asked before the returns: what was given back before the end is then seen too, and what was not is free.
        let over = self.0.lock().over.clone();
        let abandoned = over.as_ref().map(|bell| bell.is_abandoned());
        take_back(&self.0);
        let ledger = self.0.lock();
        match abandoned {
            None => false,
            // A peer that gives back what it does not hold frees nothing by it.
            Some(abandoned) => abandoned || (ledger.count == 0 && ledger.fault.is_none()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::shm::{Channel, PeerSegment, SEGMENT_HEAD, Segment};

    fn segment() -> (Segment, PeerSegment) {
        let len = SEGMENT_HEAD + 64 * 1024;
        let segment = Segment::create("taipan-lent", len, Some(SEGMENT_HEAD)).expect("a segment");
        let fd = segment.fd().expect("still open").try_clone_to_owned();
        let fd: OwnedFd = fd.expect("a second descriptor");
        let peer = PeerSegment::adopt(fd, len as u64, len as u64, Some(SEGMENT_HEAD));
        (segment, peer.expect("a good segment"))
    }

    /// Found by fuzzing: the fault was noted under the lock that was held already.
    #[test]
    fn a_chunk_given_back_that_was_not_lent_is_a_fault_and_no_deadlock() {
        let ((ours, ours_there), (theirs, theirs_here)) = (segment(), segment());
        let (bell, bell_there) = UnixStream::pair().expect("a pair");
        let channel = Channel::new(ours.map(), theirs_here.map(), Bell::new(bell.into()));
        let peer = Channel::new(theirs.map(), ours_there.map(), Bell::new(bell_there.into()));
        let pool = Pool::create(64 * 1024).expect("a pool");
        let lent = Lent::new(pool.clone(), channel.returns);
        let bytes = Bytes::from_owner(pool.take(10).expect("room"));
        let place = pool.place_of(&bytes).expect("its place");
        lent.lend(place, bytes);
        peer.returner
            .give_back(ticket(place.chunk, place.generation + 1));
        let fault = Violation("a chunk given back that it did not hold");
        assert_eq!(lent.take_back(), Err(fault));
        assert_eq!(lent.take_back(), Err(fault), "also the next time");
        assert_eq!((lent.count(), pool.live_chunks()), (1, 1), "nothing freed");
        lent.end(channel.bell);
        drop(lent);
        assert_eq!(pool.live_chunks(), 1, "the peer may still read it");
        drop(peer);
        pool.settle();
        assert_eq!(pool.live_chunks(), 0);
    }
}

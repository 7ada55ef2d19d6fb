//! Fair queueing: whose message is read next.
//!
//! What it is: one whole message a turn from each peer that has some, so that a busy peer cannot starve a quiet one.
//! It is not a queue: messages stay in the pipes, and the caller reads them through a closure.
//!
//! Invariants: as [`RoundRobin`](super::RoundRobin): active prefix, passive tail, O(1) changes. A peer found empty is
//! passive until [`activate`](FairQueue::activate).
//!
//! ```text
//!   A: a1 a2 a3 a4 a5      poll() x 7:  a1 b1 a2 b2 a3 a4 a5
//!   B: b1 b2
//! ```

use super::ring::Ring;
use crate::routing::key::Key;

/// Which peer is read next.
#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    ring: Ring,
}

impl FairQueue {
    /// No peers.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A new peer; it joins at the end of the active ones. A known key is activated.
    pub(crate) fn attach(&mut self, key: Key) {
        self.ring.attach(key);
    }

    /// The peer is gone. Unknown keys are ignored.
    pub(crate) fn detach(&mut self, key: Key) {
        self.ring.detach(key);
    }

    /// The peer may have messages again. Unknown and active keys are ignored.
    pub(crate) fn activate(&mut self, key: Key) {
        self.ring.activate(key);
    }

    /// The active peer whose turn it is to be read. Follow with [`taken`](Self::taken) or [`empty`](Self::empty).
    #[inline]
    pub(crate) fn turn(&self) -> Option<Key> {
        self.ring.current()
    }

    /// A message of the peer whose turn it was has been taken: the next one is on.
    #[inline]
    pub(crate) fn taken(&mut self) {
        self.ring.advance();
    }

    /// The peer whose turn it was has nothing: it becomes passive and another active one is on.
    pub(crate) fn empty(&mut self) {
        self.ring.retire_current();
    }

    /// Asks the active peers in turn until one yields something. A peer that has nothing becomes passive.
    #[inline]
    pub(crate) fn poll<T>(
        &mut self,
        mut try_one: impl FnMut(Key) -> Option<T>,
    ) -> Option<(Key, T)> {
        while let Some(key) = self.turn() {
            if let Some(item) = try_one(key) {
                self.taken();
                return Some((key, item));
            }
            self.empty();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    fn drain(fq: &mut FairQueue, queues: &mut [VecDeque<u32>]) -> Vec<(Key, u32)> {
        std::iter::from_fn(|| fq.poll(|key| queues[key].pop_front())).collect()
    }

    #[test]
    fn five_on_one_and_two_on_the_other_alternate_while_both_have_some() {
        let mut fq = FairQueue::new();
        fq.attach(0);
        fq.attach(1);
        let mut queues = [VecDeque::from([1, 2, 3, 4, 5]), VecDeque::from([10, 20])];
        let got = drain(&mut fq, &mut queues);
        assert_eq!(
            got,
            [(0, 1), (1, 10), (0, 2), (1, 20), (0, 3), (0, 4), (0, 5)]
        );
    }

    #[test]
    fn an_empty_peer_is_not_asked_again_until_activated() {
        let mut fq = FairQueue::new();
        fq.attach(0);
        let mut asked = 0;
        for _ in 0..3 {
            assert_eq!(
                fq.poll(|_| {
                    asked += 1;
                    None::<()>
                }),
                None
            );
        }
        assert_eq!(asked, 1);
        fq.activate(0);
        assert_eq!(fq.poll(|_| Some("x")), Some((0, "x")));
    }

    #[test]
    fn many_peers_with_plenty_get_equal_shares() {
        let mut fq = FairQueue::new();
        let mut count = [0; 8];
        for key in 0..8 {
            fq.attach(key);
        }
        for _ in 0..80 {
            let (key, ()) = fq.poll(|_| Some(())).unwrap();
            count[key] += 1;
        }
        assert_eq!(count, [10; 8]);
    }

    #[test]
    fn a_detached_peer_is_never_asked() {
        let mut fq = FairQueue::new();
        for key in 0..3 {
            fq.attach(key);
        }
        fq.detach(1);
        let mut queues = [
            VecDeque::from([1]),
            VecDeque::from([2]),
            VecDeque::from([3]),
        ];
        let mut got = drain(&mut fq, &mut queues);
        got.sort_unstable();
        assert_eq!(got, [(0, 1), (2, 3)]);
    }
}

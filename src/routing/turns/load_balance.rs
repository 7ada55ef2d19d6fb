//! Round-robin load balancing over the peers that can take a message now.
//!
//! What it is: the order in which a `PUSH`, `DEALER` or `REQ` offers its messages to its peers. It is not a queue and
//! it knows nothing of pipes: the caller offers the message to the peer whose turn it is and reports what became of it.
//!
//! Invariants: `keys[..active]` are the peers believed writable, `keys[active..]` the passive tail; `current` is inside
//! the active prefix, or 0; `place[key]` is the position of `key` in `keys`, so every change costs the same whatever
//! the number of peers.
//!
//! ```text
//!   keys:  [ C  A  D | B  E ]        turn() is keys[current], one whole message a turn
//!            ^current ^active         refused() -> swapped behind the active prefix; activate() -> swapped back in at its end
//! ```

use super::ring::Ring;
use crate::routing::key::Key;

/// Which peer gets the next message.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    ring: Ring,
}

impl RoundRobin {
    /// A new peer; it joins at the end of the active ones. A known key is activated.
    pub(crate) fn attach(&mut self, key: Key) {
        self.ring.attach(key);
    }

    /// The peer is gone. Unknown keys are ignored.
    pub(crate) fn detach(&mut self, key: Key) {
        self.ring.detach(key);
    }

    /// The peer can take messages again; it joins at the end of the active ones. Unknown and active keys are ignored.
    pub(crate) fn activate(&mut self, key: Key) {
        self.ring.activate(key);
    }

    /// Whether at least one peer is believed writable.
    pub(crate) fn has_active(&self) -> bool {
        self.ring.has_active()
    }

    /// The active peer whose turn it is. Follow with [`taken`](Self::taken) or [`refused`](Self::refused).
    #[inline]
    pub(crate) fn turn(&self) -> Option<Key> {
        self.ring.current()
    }

    /// The peer whose turn it was took the message: the next one is on.
    #[inline]
    pub(crate) fn taken(&mut self) {
        self.ring.advance();
    }

    /// The peer whose turn it was has no room: it becomes passive and another active one is on.
    pub(crate) fn refused(&mut self) {
        self.ring.retire_current();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offers one message; `takes` says who has room.
    fn offer(lb: &mut RoundRobin, mut takes: impl FnMut(Key) -> bool) -> Option<Key> {
        while let Some(key) = lb.turn() {
            if takes(key) {
                lb.taken();
                return Some(key);
            }
            lb.refused();
        }
        None
    }

    fn turns(lb: &mut RoundRobin, n: usize) -> Vec<Key> {
        (0..n).filter_map(|_| offer(lb, |_| true)).collect()
    }

    #[test]
    fn the_first_attached_peer_gets_the_first_message_and_then_they_alternate() {
        let mut lb = RoundRobin::default();
        lb.attach(7);
        lb.attach(3);
        assert_eq!(turns(&mut lb, 6), [7, 3, 7, 3, 7, 3]);
    }

    #[test]
    fn nobody_there_takes_nothing() {
        let mut lb = RoundRobin::default();
        assert_eq!(offer(&mut lb, |_| true), None);
    }

    #[test]
    fn a_refusing_peer_is_asked_once_and_then_left_alone() {
        let mut lb = RoundRobin::default();
        for key in 0..3 {
            lb.attach(key);
        }
        let mut asked = Vec::new();
        for _ in 0..4 {
            offer(&mut lb, |key| {
                asked.push(key);
                key != 1
            });
        }
        // 0, then 1 refuses and 2 (swapped into its place) takes it, then round again without 1.
        assert_eq!(asked, [0, 1, 2, 0, 2]);
    }

    #[test]
    fn an_activated_peer_returns_at_the_end_of_the_active_ones() {
        let mut lb = RoundRobin::default();
        for key in 0..3 {
            lb.attach(key);
        }
        offer(&mut lb, |key| key != 0);
        assert_eq!(turns(&mut lb, 2).len(), 2);
        lb.activate(0);
        let mut seen = turns(&mut lb, 3);
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2]);
    }

    #[test]
    fn all_refusing_leaves_none_active_and_activation_is_idempotent() {
        let mut lb = RoundRobin::default();
        lb.attach(0);
        lb.attach(1);
        assert_eq!(offer(&mut lb, |_| false), None);
        assert!(!lb.has_active());
        lb.activate(1);
        lb.activate(1);
        lb.activate(99);
        assert_eq!(turns(&mut lb, 3), [1, 1, 1]);
    }

    #[test]
    fn detaching_the_current_peer_keeps_the_turns_fair() {
        let mut lb = RoundRobin::default();
        for key in 0..4 {
            lb.attach(key);
        }
        assert_eq!(turns(&mut lb, 2), [0, 1]);
        lb.detach(2);
        let mut seen = turns(&mut lb, 3);
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 3]);
        lb.detach(0);
        lb.detach(1);
        lb.detach(3);
        lb.detach(3);
        assert_eq!(offer(&mut lb, |_| true), None);
    }
}

//! The ring of keys under the policies of taking turns: an active prefix, a passive tail and a current position.
//!
//! What it is: the bookkeeping shared by [`RoundRobin`](super::RoundRobin) and [`FairQueue`](super::FairQueue). It is
//! not a policy: when a key is offered a message, or asked for one, is decided there.
//!
//! Invariants: `place[key]` is the position of `key` in `keys`, or `NOWHERE`; `current < active`, or both tell that
//! nobody is active. Keys are small (slab indices), so `place` is a plain table; every operation is O(1).

use crate::routing::key::Key;

const NOWHERE: usize = usize::MAX;

#[derive(Debug, Default)]
pub(in crate::routing) struct Ring {
    keys: Vec<Key>,
    place: Vec<usize>,
    active: usize,
    current: usize,
}

impl Ring {
    pub(in crate::routing) fn has_active(&self) -> bool {
        self.active > 0
    }

    pub(in crate::routing) fn contains(&self, key: Key) -> bool {
        self.place.get(key).is_some_and(|&place| place != NOWHERE)
    }

    /// All keys, active ones first.
    pub(in crate::routing) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The active key whose turn it is.
    #[inline]
    pub(in crate::routing) fn current(&self) -> Option<Key> {
        if self.current < self.active {
            self.keys.get(self.current).copied()
        } else {
            None
        }
    }

    /// The turn passes to the next active key.
    #[inline]
    pub(in crate::routing) fn advance(&mut self) {
        self.current += 1;
        if self.current >= self.active {
            self.current = 0;
        }
    }

    /// The current key becomes passive; the last active one takes its place in the order.
    pub(in crate::routing) fn retire_current(&mut self) {
        if self.current >= self.active {
            return;
        }
        self.active -= 1;
        self.swap(self.current, self.active);
        if self.current >= self.active {
            self.current = 0;
        }
    }

    pub(in crate::routing) fn attach(&mut self, key: Key) {
        if !self.contains(key) {
            if self.place.len() <= key {
                self.place.resize(key + 1, NOWHERE);
            }
            self.place[key] = self.keys.len();
            self.keys.push(key);
        }
        self.activate(key);
    }

    pub(in crate::routing) fn activate(&mut self, key: Key) {
        let Some(&place) = self.place.get(key) else {
            return;
        };
        if place == NOWHERE || place < self.active {
            return;
        }
        self.swap(place, self.active);
        self.active += 1;
    }

    pub(in crate::routing) fn detach(&mut self, key: Key) {
        let Some(&place) = self.place.get(key) else {
            return;
        };
        if place == NOWHERE {
            return;
        }
        let mut place = place;
        if place < self.active {
            self.active -= 1;
            self.swap(place, self.active);
            place = self.active;
            if self.current >= self.active {
                self.current = 0;
            }
        }
        self.swap(place, self.keys.len() - 1);
        self.keys.pop();
        self.place[key] = NOWHERE;
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.keys.swap(a, b);
        self.place[self.keys[a]] = a;
        self.place[self.keys[b]] = b;
    }
}

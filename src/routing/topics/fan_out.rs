//! The peers of a socket that sends to many at once.
//!
//! What it is: a set of keys with a fixed order of walking, and its complement. It is not the choice of receivers: that
//! is [`TopicIndex`](super::TopicIndex)'s, or everybody.

use crate::routing::key::Key;
use crate::routing::turns::Ring;

/// All peers of a publisher or a subscriber.
#[derive(Debug, Default)]
pub(crate) struct FanOut {
    ring: Ring,
    marks: Vec<bool>,
}

impl FanOut {
    /// No peers.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A new peer. Known keys are ignored.
    pub(crate) fn attach(&mut self, key: Key) {
        self.ring.attach(key);
        if self.marks.len() <= key {
            self.marks.resize(key + 1, false);
        }
    }

    /// The peer is gone. Unknown keys are ignored.
    pub(crate) fn detach(&mut self, key: Key) {
        self.ring.detach(key);
    }

    /// All peers.
    pub(crate) fn keys(&self) -> &[Key] {
        self.ring.keys()
    }

    /// Replaces `chosen` by the peers that are not in it.
    pub(crate) fn complement(&mut self, chosen: &mut Vec<Key>) {
        for &key in chosen.iter() {
            if let Some(mark) = self.marks.get_mut(key) {
                *mark = true;
            }
        }
        let others: Vec<Key> = self
            .ring
            .keys()
            .iter()
            .copied()
            .filter(|&key| !self.marks[key])
            .collect();
        for key in std::mem::replace(chosen, others) {
            if let Some(mark) = self.marks.get_mut(key) {
                *mark = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_complement_is_everybody_else_and_leaves_no_trace() {
        let mut all = FanOut::new();
        for key in [4, 2, 9] {
            all.attach(key);
        }
        let mut chosen = vec![2, 77];
        all.complement(&mut chosen);
        assert_eq!(chosen, [4, 9]);
        all.complement(&mut chosen);
        assert_eq!(chosen, [2]);
        all.detach(2);
        let mut none = Vec::new();
        all.complement(&mut none);
        assert_eq!(none, [4, 9]);
        assert_eq!(all.keys().len(), 2);
    }
}

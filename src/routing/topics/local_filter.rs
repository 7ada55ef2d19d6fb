//! A subscriber's own list of topics: what it asked for, how often, and whether a message is wanted.
//!
//! What it is: counted subscriptions of one socket, used to filter what arrives and to tell every new publisher what
//! is wanted. It is not [`TopicIndex`](super::TopicIndex), which is the publisher's side and knows peers.
//!
//! Invariant: every stored count is at least 1.

use super::prefix_map::PrefixMap;

/// Counted subscriptions.
#[derive(Debug, Default)]
pub(crate) struct LocalFilter {
    topics: PrefixMap<u32>,
}

impl LocalFilter {
    /// No subscriptions: nothing matches.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// How many different topics are subscribed to.
    pub(crate) fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// Counts one more subscription; true if it is the first of this topic.
    pub(crate) fn subscribe(&mut self, topic: &[u8]) -> bool {
        if let Some(count) = self
            .topics
            .find(topic)
            .and_then(|id| self.topics.get_mut(id))
        {
            *count = count.saturating_add(1);
            return false;
        }
        self.topics.insert(topic, 1);
        true
    }

    /// Takes one subscription back. `None`: there was none; `Some(true)`: it was the last of this topic.
    pub(crate) fn unsubscribe(&mut self, topic: &[u8]) -> Option<bool> {
        let id = self.topics.find(topic)?;
        let count = self.topics.get_mut(id)?;
        *count -= 1;
        let last = *count == 0;
        if last {
            self.topics.remove(id);
        }
        Some(last)
    }

    /// Whether some subscription is a prefix of `topic`.
    #[inline]
    pub(crate) fn matches(&self, topic: &[u8]) -> bool {
        self.topics.any_prefix(topic, |_| true)
    }

    /// Calls `visit` with every topic, each once.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&[u8])) {
        for id in self.topics.ids() {
            visit(self.topics.topic(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_counted() {
        let mut filter = LocalFilter::new();
        assert!(filter.subscribe(b"a"));
        assert!(!filter.subscribe(b"a"));
        assert_eq!(filter.unsubscribe(b"a"), Some(false));
        assert!(filter.matches(b"abc"));
        assert_eq!(filter.unsubscribe(b"a"), Some(true));
        assert!(!filter.matches(b"abc"));
        assert_eq!(filter.unsubscribe(b"a"), None);
    }

    #[test]
    fn nothing_matches_without_subscriptions_and_all_with_the_empty_one() {
        let mut filter = LocalFilter::new();
        assert!(!filter.matches(b""));
        filter.subscribe(b"");
        assert!(filter.matches(b"") && filter.matches(b"x"));
    }

    #[test]
    fn every_topic_is_visited_once_whatever_its_count() {
        let mut filter = LocalFilter::new();
        for topic in ["", "a", "ab", "ab", "\u{1}"] {
            filter.subscribe(topic.as_bytes());
        }
        let mut seen = Vec::new();
        filter.for_each(|topic| seen.push(topic.to_vec()));
        seen.sort();
        assert_eq!(seen, [&b""[..], b"\x01", b"a", b"ab"]);
        assert_eq!(filter.topic_count(), 4);
    }
}

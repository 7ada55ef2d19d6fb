//! What is sent: content and how it is to be treated.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::message::Frame;

/// Names and values beside the content. At most 64 KiB in all.
pub type Properties = BTreeMap<String, Bytes>;

/// A message before it is sent: content, and how it is to be treated. Cheap to clone: the content is shared.
///
/// ```
/// use std::time::Duration;
/// use taipan::reliable::Letter;
///
/// let letter = Letter::new("open the gate")
///     .persistent()
///     .ttl(Duration::from_secs(60))
///     .priority(5)
///     .property("trace", "4711");
/// assert_eq!(letter.content, b"open the gate");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Letter {
    /// What is said.
    pub content: Frame,
    /// Names and values beside it. Default: none.
    pub properties: Properties,
    /// How long it is worth being delivered, from being sent on. Default: for ever.
    pub ttl: Option<Duration>,
    /// Higher goes first; within one priority messages keep their order. Default: 0.
    pub priority: u8,
    /// How long it is held back first. Default: not at all.
    pub delay: Duration,
    /// Whether it outlives the processes of both ends, in their stores. Default: no.
    pub persistent: bool,
}

impl Letter {
    /// A letter with defaults.
    pub fn new(content: impl Into<Frame>) -> Self {
        Letter {
            content: content.into(),
            ..Self::default()
        }
    }

    /// Worth being delivered for so long.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Higher goes first.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    /// Held back for so long first.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Outlives the processes of both ends.
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    /// With a property.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }

    /// Bytes of the properties.
    pub(in crate::ext::reliable) fn properties_len(&self) -> usize {
        let each = |(name, value): (&String, &Bytes)| name.len() + value.len();
        self.properties.iter().map(each).sum()
    }

    /// What it counts in queues: bytes of content and properties.
    pub fn byte_len(&self) -> usize {
        self.content.len() + self.properties_len()
    }
}

impl<T: Into<Frame>> From<T> for Letter {
    fn from(content: T) -> Self {
        Letter::new(content)
    }
}

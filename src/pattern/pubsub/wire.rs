//! How a subscription looks as a message: one byte that says what it is, then the topic.

/// First byte of a message that is a subscription.
pub(super) const SUBSCRIBE: u8 = 1;
/// First byte of a message that takes one back.
pub(super) const CANCEL: u8 = 0;

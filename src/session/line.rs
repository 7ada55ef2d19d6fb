//! A connect endpoint, as its dialer and its owner share it.

use tokio::sync::Notify;

use crate::config::Endpoint;
use crate::pipe::PipeId;

/// One connect endpoint. The pipe is the owner's; absent with `immediate`, where it lives as long as a link.
pub(crate) struct Line {
    pub(crate) endpoint: Endpoint,
    /// The routing id the user gave the peer, if any.
    pub(crate) assigned_id: Option<bytes::Bytes>,
    pub(crate) pipe: parking_lot::Mutex<Option<PipeId>>,
    /// The owner tells the dialer here that the link is gone.
    pub(crate) lost: Notify,
}

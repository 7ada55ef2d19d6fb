//! Both directions of a link, put together from two segments.

use std::sync::Arc;

use super::area::{OwnArea, PeerArea};
use super::bell::Bell;
use super::live::Live;
use super::map::Mapping;
use super::ring::{Consumer, Producer};
use super::view::{Returner, Returns};

/// What a link over shared memory is made of.
pub(crate) struct Channel {
    pub(crate) tx: Producer,
    pub(crate) rx: Consumer,
    /// Chunks of ours that the peer gives back.
    pub(crate) returns: Returns,
    /// Gives chunks of the peer's back.
    pub(crate) returner: Arc<Returner>,
    pub(crate) bell: Arc<Bell>,
}

impl Channel {
    /// The channel over our ring segment and the peer's.
    pub(crate) fn new(own: &Arc<Mapping>, peer: &Arc<Mapping>, bell: Bell) -> Self {
        let bell = Arc::new(bell);
        let (ours, theirs) = (Live::new(own), Live::new(peer));
        Channel {
            tx: Producer::new(OwnArea::new(own), ours.clone(), theirs.clone()),
            rx: Consumer::new(PeerArea::new(peer), ours.clone(), theirs.clone()),
            returns: Returns::new(theirs.clone()),
            returner: Arc::new(Returner::new(bell.clone(), ours, theirs)),
            bell,
        }
    }
}

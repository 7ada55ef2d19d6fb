//! Subscriptions, seen from both ends.

use std::time::Duration;

use bytes::Bytes;

use super::error::SubscribeError;
use super::handle::Socket;
use super::kinds::{Publishes, Subscribes};
use crate::pattern::{Control, ControlRefusal};

fn refused(refusal: ControlRefusal) -> SubscribeError {
    match refusal {
        ControlRefusal::NotSupported => SubscribeError::NotSupported,
        ControlRefusal::NotSubscribed => SubscribeError::NotSubscribed,
    }
}

impl<K: Subscribes> Socket<K> {
    /// Asks for messages whose first frame begins with `topic`; an empty topic asks for all. Subscriptions
    /// are counted: what is asked for twice must be taken back twice. May be called before or after
    /// connecting, and is told anew to every publisher that is connected, or comes back.
    ///
    /// On an XPUB in manual mode: subscribes the peer whose subscription was received last.
    ///
    /// # Errors
    /// [`SubscribeError::NotSupported`] on an XPUB in another mode.
    pub fn subscribe(&self, topic: impl AsRef<[u8]>) -> Result<(), SubscribeError> {
        let topic = Bytes::copy_from_slice(topic.as_ref());
        self.core()
            .control(Control::Subscribe(&topic))
            .map_err(refused)
    }

    /// Takes one subscription back.
    ///
    /// # Errors
    /// [`SubscribeError::NotSubscribed`] if there was none.
    pub fn unsubscribe(&self, topic: impl AsRef<[u8]>) -> Result<(), SubscribeError> {
        let topic = Bytes::copy_from_slice(topic.as_ref());
        self.core()
            .control(Control::Unsubscribe(&topic))
            .map_err(refused)
    }
}

impl<K: Publishes> Socket<K> {
    /// Waits until at least `count` peers have a subscription. Cancel safe. Returns early if the socket is
    /// closed.
    pub async fn wait_for_subscribers(&self, count: usize) {
        self.wait_until(|core| core.gauges().subscribers >= count)
            .await;
    }

    /// As [`Socket::wait_for_subscribers`] in this thread, for at most `timeout` (`None`: for ever); `false`
    /// if that was not enough.
    pub fn blocking_wait_for_subscribers(&self, count: usize, timeout: Option<Duration>) -> bool {
        self.block_until(timeout, |core| core.gauges().subscribers >= count)
    }

    /// Peers with at least one subscription.
    pub fn subscriber_count(&self) -> usize {
        self.core().gauges().subscribers
    }
}

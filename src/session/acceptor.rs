//! Accepts connections at one bound endpoint and shakes hands with each; a slow or hostile peer holds up
//! nobody but itself.

use std::sync::Weak;
use std::time::Duration;

use tokio::task::JoinSet;

use super::dialer::{fault, tell, ticker};
use super::{Arrival, LinkOwner, MonitorKind};
use crate::transport::{ByteStream, Listener, shake};

/// Pause after a failed accept: descriptors may be exhausted, and only time helps.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts until the owner is gone or the task is aborted, which also ends the handshakes under way.
pub(crate) async fn accept(
    owner: Weak<dyn LinkOwner>,
    mut listener: Box<dyn Listener>,
    endpoint: String,
) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(stream) => {
                    if owner.strong_count() == 0 {
                        return;
                    }
                    handshakes.spawn(welcome(owner.clone(), stream, endpoint.clone()));
                }
                Err(error) => {
                    tell(&owner, &endpoint, None, MonitorKind::AcceptFailed { reason: error.to_string() });
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = handshakes.join_next() => {}
        }
    }
}

async fn welcome(owner: Weak<dyn LinkOwner>, stream: Box<dyn ByteStream>, endpoint: String) {
    let peer = Some(stream.peer_address());
    tell(&owner, &endpoint, peer.clone(), MonitorKind::Accepted);
    let Some((kind, options, memory)) = owner
        .upgrade()
        .map(|owner| (owner.kind(), owner.options(), owner.memory()))
    else {
        return;
    };
    match shake(stream, kind, &options, &memory, ticker(owner.clone())).await {
        Ok(link) => {
            if let Some(owner) = owner.upgrade() {
                owner.link_up(&Arrival::Accepted(endpoint), link);
            }
        }
        Err(failure) => tell(
            &owner,
            &endpoint,
            peer,
            MonitorKind::HandshakeFailed {
                fault: fault(failure),
            },
        ),
    }
}

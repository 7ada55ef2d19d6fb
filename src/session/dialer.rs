//! Keeps one connect endpoint linked: dial, shake hands, wait until the link is lost, wait a little, again.
//!
//! ```text
//!        ┌────────── pause (backoff) ◄─────────────┐
//!        ▼                                         │ lost, refused, timed out
//!   connect ──► handshake ──► link_up ──► line.lost┘
//!        └─ credentials refused, or the options say stop ──► gave_up
//! ```
//!
//! Differs from libzmq where that gives up for good and in silence: after a failed handshake it dials
//! again (the wrong server may be replaced by the right one) unless credentials were refused.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::backoff::Backoff;
use super::{Arrival, HandshakeFault, Line, LinkOwner, MonitorEvent, MonitorKind};
use crate::config::{Endpoint, Options};
use crate::transport::{ByteStream, HandshakeFailure, Link, Transport, shake};
use crate::zmtp::Blame;

enum Attempt {
    Linked(Link),
    Refused(io::Error),
    Failed(HandshakeFailure),
}

/// Dials until the owner is gone, or gives up; see the file's text.
pub(crate) async fn dial(
    owner: Weak<dyn LinkOwner>,
    transport: Arc<dyn Transport>,
    line: Arc<Line>,
) {
    let mut backoff = Backoff::default();
    let endpoint = line.endpoint.to_string();
    loop {
        let Some((kind, options, memory)) = owner
            .upgrade()
            .map(|owner| (owner.kind(), owner.options(), owner.memory()))
        else {
            return;
        };
        tell(&owner, &endpoint, None, MonitorKind::ConnectDelayed);
        let attempt = match connect(&*transport, &line.endpoint, &options).await {
            Ok(stream) => {
                tell(
                    &owner,
                    &endpoint,
                    Some(stream.peer_address()),
                    MonitorKind::Connected,
                );
                let ticks = ticker(owner.clone());
                match shake(stream, kind, &options, &memory, ticks).await {
                    Ok(link) => Attempt::Linked(link),
                    Err(failure) => Attempt::Failed(failure),
                }
            }
            Err(error) => Attempt::Refused(error),
        };
        let (stop, reason) = match attempt {
            Attempt::Linked(link) => {
                backoff.reset();
                let Some(strong) = owner.upgrade() else {
                    return;
                };
                if !strong.link_up(&Arrival::Dialed(line.clone()), link) {
                    return;
                }
                drop(strong);
                line.lost.notified().await;
                (false, String::new())
            }
            Attempt::Refused(error) => {
                let refused = error.kind() == io::ErrorKind::ConnectionRefused;
                (
                    refused && options.reconnect_stop.conn_refused,
                    error.to_string(),
                )
            }
            Attempt::Failed(failure) => {
                let stop = options.reconnect_stop.handshake_failed || is_auth(&failure);
                let reason = failure.to_string();
                tell(
                    &owner,
                    &endpoint,
                    None,
                    MonitorKind::HandshakeFailed {
                        fault: fault(failure),
                    },
                );
                (stop, reason)
            }
        };
        let pause = options.reconnect_interval.filter(|_| !stop);
        let Some(interval) = pause else {
            if let Some(owner) = owner.upgrade() {
                owner.gave_up(&line);
            }
            return;
        };
        let interval = backoff.next(interval, options.reconnect_max, rand::random());
        tell(
            &owner,
            &endpoint,
            None,
            MonitorKind::ConnectRetried { interval, reason },
        );
        tokio::time::sleep(interval).await;
    }
}

async fn connect(
    transport: &dyn Transport,
    endpoint: &Endpoint,
    options: &Options,
) -> io::Result<Box<dyn ByteStream>> {
    let attempt = transport.connect(endpoint, options);
    match options.connect_timeout {
        Some(limit) if limit > Duration::ZERO => tokio::time::timeout(limit, attempt)
            .await
            .unwrap_or_else(|_| {
                Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "connecting took too long",
                ))
            }),
        _ => attempt.await,
    }
}

/// What a lane calls when its peer asks to be watched.
pub(super) fn ticker(owner: Weak<dyn LinkOwner>) -> Box<dyn Fn() + Send> {
    Box::new(move || {
        if let Some(owner) = owner.upgrade() {
            owner.wants_ticks();
        }
    })
}

fn is_auth(failure: &HandshakeFailure) -> bool {
    matches!(failure, HandshakeFailure::Protocol(error) if error.blame() == Blame::Auth)
}

pub(super) fn fault(failure: HandshakeFailure) -> HandshakeFault {
    match failure {
        HandshakeFailure::Protocol(error) if error.blame() == Blame::Auth => {
            HandshakeFault::Auth(error)
        }
        HandshakeFailure::Protocol(error) => HandshakeFault::Protocol(error),
        HandshakeFailure::PeerRefused(peer) => HandshakeFault::PeerRefused(peer),
        other => HandshakeFault::NoDetail(other.to_string()),
    }
}

pub(super) fn tell(
    owner: &Weak<dyn LinkOwner>,
    endpoint: &str,
    peer: Option<String>,
    kind: MonitorKind,
) {
    if let Some(owner) = owner.upgrade() {
        owner.event(MonitorEvent {
            endpoint: endpoint.to_owned(),
            peer: peer.filter(|peer| !peer.is_empty()),
            kind,
        });
    }
}

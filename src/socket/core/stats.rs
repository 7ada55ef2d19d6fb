//! Counters and depths of a socket, read under its lock.

use bytes::Bytes;

use super::base::Core;
use crate::config::{PeerCredentials, SocketKind};
use crate::pattern::Gauges;
use crate::pipe::{Counters, Drops, Pipe};
use crate::transport::PoolStats;

/// What went through a socket since it was created.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Messages received by the application (or dropped after they had arrived, see `drops`).
    pub messages_in: u64,
    /// Messages accepted for sending; a published one counts once a receiver.
    pub messages_out: u64,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Payload bytes accepted for sending.
    pub bytes_out: u64,
    /// Dropped messages by reason.
    pub drops: Drops,
    /// Links lost that are (or were) dialed anew.
    pub reconnects: u64,
    /// Messages that wait to be sent, over all peers.
    pub queued_out: usize,
    /// Distinct topics subscribed to.
    pub topics: usize,
    /// The memory that local peers read large messages in; `None` until it is needed.
    pub pool: Option<PoolStats>,
    /// The peers as they are now.
    pub peers: Vec<PeerStats>,
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStats {
    /// Unique in the socket's life.
    pub id: u64,
    /// The endpoint that was bound or connected.
    pub endpoint: String,
    /// The peer's address; `:uid:gid:pid` for ipc, empty for inproc.
    pub address: String,
    /// The process at the other end of an ipc link, as the system knows it.
    pub credentials: Option<PeerCredentials>,
    /// Whether its messages go through shared memory now.
    pub shared_memory: bool,
    /// What the peer says it is, once it has.
    pub kind: Option<SocketKind>,
    /// The peer's routing id; empty if it announced none and was given none.
    pub routing_id: Bytes,
    /// Properties the peer announced in its handshake.
    pub metadata: Vec<(String, Bytes)>,
    /// The user the authenticator named, or empty.
    pub user_id: String,
    /// Whether there is a link now.
    pub connected: bool,
    /// Messages received from it.
    pub messages_in: u64,
    /// Messages accepted for it.
    pub messages_out: u64,
    /// Payload bytes received from it.
    pub bytes_in: u64,
    /// Payload bytes accepted for it.
    pub bytes_out: u64,
    /// Messages that wait to be sent to it.
    pub queued_out: usize,
    /// Their bytes.
    pub queued_out_bytes: usize,
    /// Messages dropped on the way to or from it, by reason.
    pub drops: Drops,
    /// How often its link was lost.
    pub reconnects: u64,
}

impl From<&Pipe> for PeerStats {
    fn from(pipe: &Pipe) -> Self {
        let depth = pipe.depth();
        let counters = pipe.counted();
        PeerStats {
            id: pipe.info.number,
            endpoint: pipe.info.endpoint.clone(),
            address: pipe.info.address.clone(),
            credentials: pipe.info.credentials.filter(|_| pipe.has_lane()),
            shared_memory: pipe.info.shared_memory && pipe.has_lane(),
            kind: pipe.info.kind,
            routing_id: pipe.routing_id().clone(),
            metadata: pipe.info.metadata.clone(),
            user_id: pipe.info.user_id.clone(),
            connected: pipe.has_lane(),
            messages_in: counters.messages_in,
            messages_out: counters.messages_out,
            bytes_in: counters.bytes_in,
            bytes_out: counters.bytes_out,
            queued_out: depth.messages,
            queued_out_bytes: depth.bytes,
            drops: counters.drops,
            reconnects: counters.reconnects,
        }
    }
}

impl Core {
    pub(crate) fn stats(&self) -> SocketStats {
        let mut state = self.lock();
        state.notice_ends(&self.signal);
        let mut sum: Counters = state.past;
        sum.drops.merge(&state.pipes.drops);
        let peers: Vec<PeerStats> = state
            .pipes
            .iter()
            .map(|(_, pipe)| PeerStats::from(pipe))
            .collect();
        for (_, pipe) in state.pipes.iter() {
            sum.merge(&pipe.counted());
        }
        let stats = SocketStats {
            messages_in: sum.messages_in,
            messages_out: sum.messages_out,
            bytes_in: sum.bytes_in,
            bytes_out: sum.bytes_out,
            drops: sum.drops,
            reconnects: sum.reconnects,
            queued_out: peers.iter().map(|peer| peer.queued_out).sum(),
            topics: state.pattern.gauges().topics,
            pool: self.memory.stats(),
            peers,
        };
        self.finish(state);
        stats
    }

    /// Peers with a link now.
    pub(crate) fn peer_count(&self) -> usize {
        let mut state = self.lock();
        state.notice_ends(&self.signal);
        let count = state
            .pipes
            .iter()
            .filter(|(_, pipe)| pipe.has_lane())
            .count();
        self.finish(state);
        count
    }

    /// Topics and subscribers, after looking at what has arrived.
    pub(crate) fn gauges(&self) -> Gauges {
        let mut state = self.lock();
        state.look(&self.signal);
        let gauges = state.pattern.gauges();
        self.finish(state);
        gauges
    }

    pub(crate) fn last_endpoint(&self) -> Option<crate::config::Endpoint> {
        self.lock().last_endpoint.clone()
    }
}

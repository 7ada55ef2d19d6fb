//! What is known of one peer.

use super::super::model::{Amount, Ident, PeerStatus};
use super::parts::{Contender, LinkId};
use super::queue::Queue;
use super::stream::Stream;
use super::time::Time;

/// The last question whether it is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    pub(super) token: u64,
    pub(super) since: Time,
}

/// One peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) ident: Ident,
    pub(super) last_seen: Time,

    // The session.
    pub(super) links: Vec<LinkId>,
    pub(super) active: Option<LinkId>,
    pub(super) run: Option<[u8; 16]>,
    pub(super) instance: [u8; 16],
    pub(super) contender: Option<Contender>,
    pub(super) probe: Option<Probe>,
    /// When something of it arrived that moved things on.
    pub(super) progress: Time,
    pub(super) timed: bool,

    // What is sent to it. The highest priority first.
    pub(super) queues: Vec<(u8, Queue)>,
    pub(super) queued: Amount,
    pub(super) delayed: u64,
    pub(super) in_flight: Amount,
    /// What may be on its way, as it said; `None` until it has said what it has.
    pub(super) window: Option<Amount>,
    pub(super) max_message: u64,
    pub(super) ack_count: u64,

    // What it sends.
    pub(super) streams: Vec<Stream>,
    pub(super) inbox: Amount,
    /// What the application finished since the last acknowledgement.
    pub(super) finished: Amount,
    pub(super) granted: Amount,
    pub(super) ack_on: Option<LinkId>,
    pub(super) echo: u64,
    pub(super) ack_due: bool,
    pub(super) duplicates: u64,
}

impl Peer {
    pub(super) fn new(ident: Ident, now: Time) -> Self {
        Peer {
            ident,
            last_seen: now,
            links: Vec::new(),
            active: None,
            run: None,
            instance: [0; 16],
            contender: None,
            probe: None,
            progress: now,
            timed: false,
            queues: Vec::new(),
            queued: Amount::default(),
            delayed: 0,
            in_flight: Amount::default(),
            window: None,
            max_message: u64::MAX,
            ack_count: 0,
            streams: Vec::new(),
            inbox: Amount::default(),
            finished: Amount::default(),
            granted: Amount::default(),
            ack_on: None,
            echo: 0,
            ack_due: false,
            duplicates: 0,
        }
    }

    /// The queue of a priority; a new one if there is none.
    pub(super) fn queue(&mut self, priority: u8) -> &mut Queue {
        let at = self
            .queues
            .binary_search_by(|(other, _)| priority.cmp(other));
        let at = at.unwrap_or_else(|at| {
            self.queues.insert(at, (priority, Queue::default()));
            at
        });
        &mut self.queues[at].1
    }

    pub(super) fn find_queue(&mut self, priority: u8) -> Option<&mut Queue> {
        let at = self
            .queues
            .binary_search_by(|(other, _)| priority.cmp(other));
        self.queues.get_mut(at.ok()?).map(|(_, queue)| queue)
    }

    /// What came from an instance; a new one if there is none.
    pub(super) fn stream(&mut self, instance: [u8; 16]) -> &mut Stream {
        let at = self
            .streams
            .iter()
            .position(|stream| stream.instance == instance);
        let at = at.unwrap_or_else(|| {
            self.streams.push(Stream::new(instance));
            self.streams.len() - 1
        });
        &mut self.streams[at]
    }

    pub(super) fn find_stream(&mut self, instance: [u8; 16]) -> Option<&mut Stream> {
        self.streams
            .iter_mut()
            .find(|stream| stream.instance == instance)
    }

    /// Nothing is under way with it, so it may be forgotten.
    pub(super) fn is_idle(&self) -> bool {
        self.links.is_empty()
            && self.contender.is_none()
            && self.queued.messages == 0
            && self.inbox.messages == 0
            && self.streams.iter().all(Stream::is_idle)
            && self.queues.iter().all(|(_, queue)| queue.is_idle())
    }

    pub(super) fn status(&self, now: Time) -> PeerStatus {
        let entries = self.queues.iter().flat_map(|(_, queue)| &queue.entries);
        let oldest = self.queues.iter().filter_map(|(_, queue)| {
            let first = queue.entries.iter().find(|entry| !entry.settled);
            first.map(|entry| entry.pushed)
        });
        let spilled = self.queues.iter().filter_map(|(_, queue)| queue.spill);
        PeerStatus {
            ident: self.ident.clone(),
            connected: self.active.is_some(),
            queued: self.queued,
            in_flight: entries.filter(|entry| entry.flying).count() as u64,
            delayed: self.delayed,
            spilled: spilled.map(|spill| spill.messages).sum(),
            oldest: oldest.min().map(|pushed| now.since(pushed)),
            inbox: self.inbox,
            duplicates: self.duplicates,
        }
    }
}

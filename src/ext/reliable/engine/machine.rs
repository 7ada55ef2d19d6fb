//! The protocol of one messenger: all its peers, links and queues. Pure: frames, time and answers of the store go in, frames,
//! work for the store, events and messages for the application come out.
//!
//! ```text
//!   send ─► queues (queue.rs) ─ pump (sending.rs) ─► frames            events, outcomes
//!   frames ─► sessions (sessions.rs) ─► streams (receiving.rs) ─► ready ─► take, finish
//!   next_work ─► the store ─► answered (storing.rs)
//! ```
//!
//! Invariants: a message leaves its queue by exactly one outcome. What is stored is sent only once its batch is committed,
//! and acknowledged and handed to the application only once its batch is committed.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use slab::Slab;

use super::super::ledger::Ledger;
use super::super::model::{Amount, Event, Ident, MessageId, Settings};
use super::super::wire::Packet;
use super::parts::{Identity, Link, LinkId, PeerKey, Received};
use super::peer::Peer;
use super::queue::Waiting;
use super::time::Time;
use crate::message::Message;

/// Events that wait to be read.
const EVENTS: usize = 64 * 1024;

/// Something to look at when its time has come. Whether it still matters is seen then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Link(LinkId),
    Peer(PeerKey),
    Expiry(PeerKey, u8, u64),
    Delay(PeerKey, u64),
}

/// Numbers of messages.
#[derive(Debug)]
pub(super) struct Numbers {
    /// The first of this process: all before may have been used.
    pub(super) first: u64,
    pub(super) next: u64,
    /// Reserved up to here, exclusively.
    pub(super) end: u64,
}

/// All of one messenger.
pub(in crate::ext::reliable) struct Engine {
    pub(super) me: Identity,
    pub(super) settings: Settings,
    pub(super) peers: Slab<Peer>,
    pub(super) names: HashMap<Ident, PeerKey>,
    pub(super) links: HashMap<LinkId, Link>,
    pub(super) timers: BTreeSet<(Time, Timer)>,
    pub(super) numbers: Numbers,
    pub(super) ledger: Ledger,
    /// What waits for all peers.
    pub(super) queued: Amount,
    /// What came from all peers and was not finished.
    pub(super) inbox: Amount,
    /// For the application, by priority, the highest first.
    pub(super) ready: Vec<(u8, VecDeque<Received>)>,
    /// Who waits for messages that are not in memory, or held back.
    pub(super) waiting: HashMap<u64, Waiting>,
    pub(super) delays: super::delays::Delays,
    /// When the first stored message expires that we know of, and when the first is due.
    pub(super) next_expiry: Option<Time>,
    pub(super) next_due: Option<Time>,
    pub(super) frames: Vec<(LinkId, Message)>,
    pub(super) events: VecDeque<Event>,
    pub(super) wants_events: bool,
    missed: u64,
    /// Peers that have to be told what arrived.
    pub(super) to_ack: Vec<PeerKey>,
    /// Queues and streams with something for the next batch.
    pub(super) dirty_queues: Vec<(PeerKey, u8)>,
    pub(super) dirty_streams: Vec<(PeerKey, [u8; 16])>,
    /// Queues with messages in the batch that is being committed.
    pub(super) in_batch: Vec<(PeerKey, u8)>,
    pub(super) streams_in_batch: Vec<PeerKey>,
    pub(super) tokens: u64,
    pub(super) acks: u64,
    /// Room was made since this was looked at.
    pub(super) freed: bool,
    pub(super) closed: bool,
    pub(super) connected: usize,
}

impl Engine {
    /// Without anything stored. `first` is the first number.
    pub(in crate::ext::reliable) fn new(
        me: Identity,
        settings: Settings,
        stores: bool,
        first: u64,
    ) -> Self {
        let ledger = Ledger::new(stores, settings.lazy_commit);
        Engine {
            me,
            settings,
            peers: Slab::new(),
            names: HashMap::new(),
            links: HashMap::new(),
            timers: BTreeSet::new(),
            numbers: Numbers {
                first,
                next: first,
                end: first + (1 << 32),
            },
            ledger,
            queued: Amount::default(),
            inbox: Amount::default(),
            ready: Vec::new(),
            waiting: HashMap::new(),
            delays: super::delays::Delays::default(),
            next_expiry: None,
            next_due: None,
            frames: Vec::new(),
            events: VecDeque::new(),
            wants_events: false,
            missed: 0,
            to_ack: Vec::new(),
            dirty_queues: Vec::new(),
            dirty_streams: Vec::new(),
            in_batch: Vec::new(),
            streams_in_batch: Vec::new(),
            tokens: 0,
            acks: 0,
            freed: false,
            closed: false,
            connected: 0,
        }
    }

    pub(in crate::ext::reliable) fn identity(&self) -> &Identity {
        &self.me
    }

    /// What waits for all peers.
    pub(in crate::ext::reliable) fn queued(&self) -> Amount {
        self.queued
    }

    /// The clock of the system was set.
    pub(in crate::ext::reliable) fn clock_stepped(&mut self, by: Duration, back: bool) {
        self.tell(|| Event::ClockStepped { by, back });
    }

    /// Whether something follows from what was done: frames, room, work for the store.
    pub(in crate::ext::reliable) fn has_more(&self) -> bool {
        !self.frames.is_empty() || self.freed || self.ledger.stores
    }

    /// What could wait is committed now.
    pub(in crate::ext::reliable) fn commit_now(&mut self) {
        self.ledger.hurry();
    }

    /// Whether the store failed last.
    pub(in crate::ext::reliable) fn store_fails(&self) -> bool {
        self.ledger.fails()
    }

    /// What is to be sent.
    pub(in crate::ext::reliable) fn frames(&mut self) -> &mut Vec<(LinkId, Message)> {
        &mut self.frames
    }

    pub(super) fn post(&mut self, link: LinkId, packet: &Packet) {
        self.frames.push((link, packet.write()));
    }

    /// Events are told from now on.
    pub(in crate::ext::reliable) fn watch(&mut self, wanted: bool) {
        self.wants_events = wanted;
    }

    pub(super) fn tell(&mut self, event: impl FnOnce() -> Event) {
        if !self.wants_events {
            return;
        }
        if self.events.len() >= EVENTS {
            self.missed += 1;
        } else {
            if self.missed > 0 {
                let missed = std::mem::take(&mut self.missed);
                self.events.push_back(Event::Missed(missed));
            }
            self.events.push_back(event());
        }
    }

    pub(in crate::ext::reliable) fn event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if event.is_none() && self.missed > 0 {
            return Some(Event::Missed(std::mem::take(&mut self.missed)));
        }
        event
    }

    pub(in crate::ext::reliable) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether room was made in a queue since this was asked last.
    pub(in crate::ext::reliable) fn freed(&mut self) -> bool {
        std::mem::take(&mut self.freed)
    }

    pub(in crate::ext::reliable) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn id(&self, number: u64) -> MessageId {
        MessageId {
            instance: self.me.instance,
            number,
        }
    }

    pub(super) fn arm(&mut self, at: Time, timer: Timer) {
        self.timers.insert((at, timer));
    }

    /// When [`tick`](Self::tick) has to be called.
    pub(in crate::ext::reliable) fn deadline(&self) -> Option<Time> {
        let timer = self.timers.first().map(|(at, _)| *at);
        [timer, self.next_expiry, self.next_due]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due.
    pub(in crate::ext::reliable) fn tick(&mut self, now: Time) {
        while let Some((at, timer)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            match timer {
                Timer::Link(link) => self.link_timer(link, now),
                Timer::Peer(peer) => self.peer_timer(peer, now),
                Timer::Expiry(peer, priority, number) => self.expire(peer, priority, number, now),
                Timer::Delay(peer, id) => self.release_delayed(peer, id, now),
            }
        }
        self.ask_for_due(now);
        self.send_acks(now);
    }

    /// The peer of this name; a new one if there is room.
    pub(super) fn peer_of(&mut self, ident: &str, now: Time) -> Option<PeerKey> {
        let ident = Ident::new(ident).ok()?;
        if let Some(key) = self.names.get(&ident) {
            return Some(*key);
        }
        if self.peers.len() >= self.settings.max_peers && !self.forget_one() {
            return None;
        }
        let key = self.peers.insert(Peer::new(ident.clone(), now));
        self.names.insert(ident, key);
        Some(key)
    }

    /// Forgets the peer that was not heard of for the longest time, of those with which nothing is under way.
    fn forget_one(&mut self) -> bool {
        let idle = self.peers.iter().filter(|(_, peer)| peer.is_idle());
        let Some((key, _)) = idle.min_by_key(|(_, peer)| peer.last_seen) else {
            return false;
        };
        let peer = self.peers.remove(key);
        self.names.remove(&peer.ident);
        self.forget_stored(&peer);
        true
    }
}

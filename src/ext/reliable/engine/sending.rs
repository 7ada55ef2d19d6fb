//! From a letter to its outcome.

use super::super::model::{
    Amount, DropReason, Dropped, Event, Ident, Letter, Overflow, PeerStatus, Refusal, SendError,
    SendFault,
};
use super::super::wire::{Ack, PROPERTIES, write_data};
use super::machine::{Engine, Timer};
use super::parts::LinkId;
use super::parts::PeerKey;
use super::queue::{Entry, Kept, Waiting};
use super::time::Time;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    Dropped(DropReason),
}

impl Engine {
    /// Takes a letter; its number. Whoever waits is told when it is stored, and what becomes of it.
    pub(in crate::ext::reliable) fn send(
        &mut self,
        to: &str,
        letter: Letter,
        waiting: Waiting,
        now: Time,
    ) -> Result<u64, SendError> {
        let size = letter.byte_len();
        let fault = if self.closed {
            Some(SendFault::Closed)
        } else if *self.me.ident == *to {
            Some(SendFault::OwnIdent)
        } else if size as u64 > self.settings.max_message || letter.properties_len() > PROPERTIES {
            Some(SendFault::TooLarge)
        } else if letter.persistent && !self.ledger.stores {
            Some(SendFault::NoStore)
        } else {
            None
        };
        if let Some(fault) = fault {
            return Err(SendError::new(letter, fault));
        }
        let Some(key) = self.peer_of(to, now) else {
            let fault = match Ident::new(to) {
                Err(error) => SendFault::Ident(error),
                Ok(_) => SendFault::TooManyPeers,
            };
            return Err(SendError::new(letter, fault));
        };
        let room = self.queued.fits(size, self.settings.total)
            && self.peers[key].queued.fits(size, self.settings.queue);
        if !room && self.settings.overflow == Overflow::Wait {
            return Err(SendError::new(letter, SendFault::QueueFull));
        }
        let id = self.next_number(now);
        let entry = Entry {
            number: id,
            id,
            size,
            pushed: now,
            expires: letter.ttl.map(|ttl| now.after(ttl)),
            kept: Kept::No,
            waiting,
            sent: false,
            again: false,
            flying: false,
            held: false,
            settled: false,
            letter,
        };
        if !room {
            self.finish(key, entry, Outcome::Dropped(DropReason::QueueFull));
            return Ok(id);
        }
        self.queued.add(size);
        self.peers[key].queued.add(size);
        if entry.letter.delay.is_zero() {
            self.enqueue(key, entry);
            self.pump(key, now);
        } else {
            self.hold_back(key, entry, now);
        }
        Ok(id)
    }

    /// The next number; reserves the next range in time.
    pub(super) fn next_number(&mut self, now: Time) -> u64 {
        let number = self.numbers.next;
        self.numbers.next += 1;
        if self.ledger.stores && self.numbers.end - number <= 1 << 31 {
            self.numbers.end += 1 << 32;
            self.write_meta(now);
        }
        number
    }

    /// Puts a message behind the others of its priority.
    pub(super) fn enqueue(&mut self, key: PeerKey, mut entry: Entry) {
        let priority = entry.letter.priority;
        if entry.letter.persistent && entry.kept == Kept::No {
            self.store_message(key, &mut entry);
        } else if let Some(expires) = entry.expires
            && entry.kept == Kept::No
        {
            self.arm(expires, Timer::Expiry(key, priority, entry.number));
        }
        self.peers[key].queue(priority).push(entry);
    }

    /// Sends to a peer what may be sent.
    pub(super) fn pump(&mut self, key: PeerKey, now: Time) {
        // A loop, because a whole backlog may have expired.
        while let Some((priority, number, reason)) = self.send_on(key, now) {
            self.drop_at(key, priority, number, reason, now);
        }
    }

    /// Sends until there is nothing more, or something that has to be dropped first.
    fn send_on(&mut self, key: PeerKey, now: Time) -> Option<(u8, u64, DropReason)> {
        let committed = self.ledger.committed();
        let limit = self.settings.in_flight;
        let peer = self.peers.get_mut(key)?;
        let (link, window) = (peer.active?, peer.window?);
        let mut at = 0;
        let mut sent = false;
        let mut told = Vec::new();
        let mut dropped = None;
        while let Some((priority, queue)) = peer.queues.get_mut(at) {
            let priority = *priority;
            let prev = queue.prev;
            let Some(entry) = queue.advance(committed) else {
                at += 1;
                continue;
            };
            let late = entry.expires.is_some_and(|at| at <= now) && !entry.sent;
            let reason = if late {
                Some(DropReason::Expired { sent: false })
            } else if entry.size as u64 > peer.max_message {
                Some(DropReason::Refused)
            } else {
                None
            };
            if let Some(reason) = reason {
                dropped = Some((priority, entry.number, reason));
                break;
            }
            let size = entry.size;
            let free = peer.in_flight.messages < window.messages
                && (peer.in_flight.bytes + size as u64 <= window.bytes
                    || peer.in_flight.messages == 0 && window.bytes > 0)
                && peer.in_flight.fits(size, limit);
            if !free {
                break;
            }
            // `advance` may have gone over entries that are held.
            let (number, id) = (entry.number, entry.id);
            let first = !std::mem::replace(&mut entry.sent, true);
            entry.flying = true;
            let prev = queue.prev.or(prev);
            let back = prev.map_or(0, |prev| number - prev);
            let Some(entry) = queue.entries.get(queue.cursor) else {
                break;
            };
            self.frames.push((
                link,
                write_data(number, back, id, entry.again, &entry.letter),
            ));
            queue.high = queue.high.max(number);
            queue.step();
            peer.in_flight.add(size);
            sent = true;
            if first && self.wants_events {
                told.push(id);
            }
        }
        let to = peer.ident.clone();
        let in_flight = peer.in_flight.messages > 0 || at < peer.queues.len();
        for number in told {
            let (to, id) = (to.clone(), self.id(number));
            self.tell(|| Event::Sent { to, id });
        }
        if sent || in_flight {
            self.watch_peer(key, now);
        }
        self.read_on(key);
        dropped
    }

    /// The peer says what it has.
    pub(super) fn acknowledged(&mut self, key: PeerKey, link: LinkId, ack: &Ack, now: Time) {
        let (first, next) = (self.numbers.first, self.numbers.next);
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let limit = |high: u64| first.max(high.saturating_add(1)).min(next);
        let false_ack = ack.held.iter().any(|held| {
            let high = peer.find_queue(held.priority).map_or(0, |queue| queue.high);
            held.next > limit(high)
        });
        if false_ack {
            return self.reject(link, Refusal::Protocol, Some(key), now);
        }
        let fresh = ack.count > peer.ack_count;
        peer.ack_count = peer.ack_count.max(ack.count);
        let echoed = peer.probe.is_some_and(|probe| probe.token == ack.echo);
        let resumed = peer.window.is_none() && peer.active == Some(link);
        if echoed || resumed {
            // What it does not name now was lost.
            peer.probe = None;
            peer.in_flight = Amount::default();
            for (_, queue) in &mut peer.queues {
                queue.rewind();
            }
        }
        for held in &ack.held {
            self.settle_below(key, held.priority, held.next, now);
        }
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        for held in &ack.held {
            if held.above.is_empty() {
                continue;
            }
            let Some(queue) = peer.find_queue(held.priority) else {
                continue;
            };
            for range in &held.above {
                queue.hold(range);
            }
        }
        if fresh || resumed {
            if peer.active == Some(link) || peer.window.is_some() {
                peer.window = Some(Amount::new(ack.messages, ack.bytes));
            }
            peer.progress = now;
        }
        self.pump(key, now);
    }

    /// The peer has everything below.
    fn settle_below(&mut self, key: PeerKey, priority: u8, next: u64, now: Time) {
        let stores = self.ledger.stores;
        loop {
            let Some(peer) = self.peers.get_mut(key) else {
                return;
            };
            let Some(queue) = peer.find_queue(priority) else {
                return;
            };
            if next <= queue.acked {
                return;
            }
            let Some(entry) = queue.pop_below(next) else {
                queue.acked = next;
                if stores && (!queue.chunks.is_empty() || queue.spill.is_some()) {
                    self.store_settled(key, priority, now);
                }
                return;
            };
            if entry.settled {
                continue;
            }
            if entry.flying {
                peer.in_flight.sub(entry.size);
            }
            self.settle(key, entry, Outcome::Delivered, now);
        }
    }

    /// Drops a message that is in memory and not on its way.
    pub(super) fn drop_at(
        &mut self,
        key: PeerKey,
        priority: u8,
        number: u64,
        reason: DropReason,
        now: Time,
    ) {
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let Some(queue) = peer.find_queue(priority) else {
            return;
        };
        let Some(entry) = queue.find(number) else {
            return;
        };
        if entry.settled {
            return;
        }
        // It keeps its place; what it said goes.
        entry.settled = true;
        let gone = Entry {
            letter: std::mem::take(&mut entry.letter),
            waiting: std::mem::take(&mut entry.waiting),
            settled: false,
            ..*entry
        };
        let size = gone.size as u64;
        entry.size = 0;
        if queue
            .entries
            .binary_search_by_key(&number, |entry| entry.number)
            .is_ok()
        {
            queue.held_bytes -= size;
        }
        queue.pass_over(number);
        self.settle(key, gone, Outcome::Dropped(reason), now);
    }

    /// A message leaves its queue.
    pub(super) fn settle(&mut self, key: PeerKey, entry: Entry, outcome: Outcome, now: Time) {
        self.queued.sub(entry.size);
        if let Some(peer) = self.peers.get_mut(key) {
            peer.queued.sub(entry.size);
        }
        self.freed = true;
        if entry.kept != Kept::No {
            self.unstore_message(key, &entry, outcome == Outcome::Delivered, now);
        }
        self.finish(key, entry, outcome);
    }

    /// Tells whoever waits what became of a message.
    pub(super) fn finish(&mut self, key: PeerKey, entry: Entry, outcome: Outcome) {
        let mut waiting = entry.waiting;
        if waiting.outcome.is_none()
            && !self.waiting.is_empty()
            && let Some(other) = self.waiting.remove(&entry.id)
        {
            waiting = other;
        }
        let told = match outcome {
            Outcome::Delivered => {
                if self.wants_events {
                    let (to, id) = (self.peers[key].ident.clone(), self.id(entry.id));
                    self.tell(|| Event::Delivered { to, id });
                }
                Ok(())
            }
            Outcome::Dropped(reason) => {
                let dropped = Dropped {
                    to: self.peers[key].ident.clone(),
                    id: self.id(entry.id),
                    letter: entry.letter,
                    reason,
                };
                if self.wants_events {
                    let dropped = dropped.clone();
                    self.tell(|| Event::Dropped(dropped));
                }
                Err(dropped)
            }
        };
        if let Some(outcome) = waiting.outcome {
            // Whoever does not wait any more does not want to know.
            let _ = outcome.send(told);
        }
    }

    /// A message in memory alone may have expired.
    pub(super) fn expire(&mut self, key: PeerKey, priority: u8, number: u64, now: Time) {
        let Some(queue) = self
            .peers
            .get_mut(key)
            .and_then(|peer| peer.find_queue(priority))
        else {
            return;
        };
        let Some(entry) = queue.find(number) else {
            return;
        };
        // On its way it is looked at again when the link ends.
        if entry.expires.is_some_and(|at| at <= now) && !entry.flying && !entry.held {
            let sent = entry.sent;
            self.drop_at(key, priority, number, DropReason::Expired { sent }, now);
        }
    }

    /// The link ended: whatever expired on its way.
    pub(super) fn expire_all(&mut self, key: PeerKey, now: Time) {
        let Some(peer) = self.peers.get(key) else {
            return;
        };
        let late = |(priority, queue): &(u8, super::queue::Queue)| {
            let late = queue.entries.iter().filter(|entry| {
                !entry.settled && entry.sent && entry.expires.is_some_and(|at| at <= now)
            });
            late.map(|entry| (*priority, entry.number))
                .collect::<Vec<_>>()
        };
        let late: Vec<_> = peer.queues.iter().flat_map(late).collect();
        for (priority, number) in late {
            self.expire(key, priority, number, now);
        }
    }

    /// All peers.
    pub(in crate::ext::reliable) fn statuses(&self, now: Time) -> Vec<PeerStatus> {
        let peers = self.peers.iter();
        peers.map(|(_, peer)| peer.status(now)).collect()
    }

    /// One peer.
    pub(in crate::ext::reliable) fn status(&self, ident: &str, now: Time) -> Option<PeerStatus> {
        let key = self.names.get(&Ident::new(ident).ok()?)?;
        Some(self.peers.get(*key)?.status(now))
    }

    /// No more is taken, sent or received. What is stored stays stored; what is not is dropped, and returned.
    pub(in crate::ext::reliable) fn close(&mut self, now: Time) -> Vec<Dropped> {
        if std::mem::replace(&mut self.closed, true) {
            return Vec::new();
        }
        self.say_bye();
        let mut all = Vec::new();
        let mut left = Vec::new();
        for (key, peer) in &self.peers {
            for (priority, queue) in &peer.queues {
                let entries = queue.entries.iter().chain(&queue.behind);
                let lost = entries.filter(|entry| !entry.settled && entry.kept == Kept::No);
                left.extend(lost.map(|entry| (key, *priority, entry.number)));
            }
        }
        for (key, priority, number) in left {
            let Some(entry) = self.peers[key].queue(priority).find(number) else {
                continue;
            };
            let sent = entry.sent;
            let (letter, id) = (entry.letter.clone(), entry.id);
            let reason = DropReason::Closed { sent };
            all.push(Dropped {
                to: self.peers[key].ident.clone(),
                id: self.id(id),
                letter,
                reason,
            });
            self.drop_at(key, priority, number, reason, now);
        }
        all.extend(self.drop_delayed(now));
        self.waiting.clear();
        self.freed = true;
        all
    }
}

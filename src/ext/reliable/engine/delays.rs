//! Messages that are not in memory, or not to be sent yet: pages of queues, delays, and what expires in the store.

use std::collections::HashMap;

use super::super::ledger::{Chunk, Delayed, Failed, Key, Question, prefix};
use super::super::model::{DropReason, Dropped};
use super::super::wire::Record;
use super::machine::{Engine, Timer};
use super::parts::PeerKey;
use super::queue::{Entry, Kept, Waiting};
use super::sending::Outcome;
use super::time::Time;
use crate::ext::store::{Row, StoreError};

/// Messages that are held back.
#[derive(Debug, Default)]
pub(super) struct Delays {
    /// In memory alone.
    waiting: HashMap<(PeerKey, u64), Entry>,
    /// With a batch that is not committed, and when they are due.
    pending: Vec<(u64, PeerKey, Entry, Time)>,
    /// Messages that were moved or dropped, whose rows go with a batch that is not committed.
    gone: HashMap<u64, u64>,
}

/// A message as it was stored.
fn entry(record: Record, kept: Kept) -> Entry {
    Entry {
        number: record.number,
        id: record.id,
        size: record.letter.byte_len(),
        pushed: Time(record.pushed),
        expires: record.expires.map(Time),
        kept,
        waiting: Waiting::default(),
        sent: false,
        again: false,
        flying: false,
        held: false,
        settled: false,
        letter: record.letter,
    }
}

impl Engine {
    /// Holds a message back until it is due.
    pub(super) fn hold_back(&mut self, key: PeerKey, mut entry: Entry, now: Time) {
        let due = now.after(entry.letter.delay);
        self.peers[key].delayed += 1;
        if !entry.letter.persistent {
            let at = entry.expires.map_or(due, |expires| expires.min(due));
            self.arm(at, Timer::Delay(key, entry.id));
            self.delays.waiting.insert((key, entry.id), entry);
            return;
        }
        let batch = self.ledger.open();
        entry.kept = Kept::New(batch);
        let row = Key::delayed(due.0, entry.id);
        let times = (entry.pushed.0, entry.expires.map(|at| at.0));
        let to = self.peers[key].ident.clone();
        let value = Delayed::write(&to, entry.id, times, &entry.letter);
        let messages = self.ledger.messages();
        if let Some(expires) = entry.expires {
            messages.put(Key::expiry(expires.0, entry.id), row.clone());
        }
        messages.put(row, value);
        self.delays.pending.push((batch, key, entry, due));
    }

    /// A message in memory alone is due, or has expired.
    pub(super) fn release_delayed(&mut self, key: PeerKey, id: u64, now: Time) {
        let Some(mut entry) = self.delays.waiting.remove(&(key, id)) else {
            return;
        };
        self.peers[key].delayed -= 1;
        if entry.expires.is_some_and(|at| at <= now) {
            let reason = DropReason::Expired { sent: false };
            return self.settle(key, entry, Outcome::Dropped(reason), now);
        }
        entry.number = self.next_number(now);
        self.enqueue(key, entry);
        self.pump(key, now);
    }

    /// All that are held back in memory alone, at the end.
    pub(super) fn drop_delayed(&mut self, now: Time) -> Vec<Dropped> {
        let mut all = Vec::new();
        let reason = DropReason::Closed { sent: false };
        for ((key, id), entry) in std::mem::take(&mut self.delays.waiting) {
            self.peers[key].delayed -= 1;
            all.push(Dropped {
                to: self.peers[key].ident.clone(),
                id: self.id(id),
                letter: entry.letter.clone(),
                reason,
            });
            self.settle(key, entry, Outcome::Dropped(reason), now);
        }
        all
    }

    pub(super) fn delays_committed(&mut self, batch: u64) {
        self.delays.gone.retain(|_, of| *of > batch);
        let pending = std::mem::take(&mut self.delays.pending);
        for (of, key, mut entry, due) in pending {
            if of > batch {
                self.delays.pending.push((of, key, entry, due));
                continue;
            }
            if let Some(stored) = entry.waiting.stored.take() {
                // Whoever does not wait any more does not want to know.
                let _ = stored.send(Ok(()));
            }
            self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
            if let Some(expires) = entry.expires {
                self.expires_at(expires);
            }
            self.keep_waiting(entry.id, entry.waiting);
        }
    }

    pub(super) fn delays_not_committed(&mut self, failed: &Failed, now: Time) {
        let open = self.ledger.open();
        self.delays.gone.values_mut().for_each(|of| *of = open);
        let pending = std::mem::take(&mut self.delays.pending);
        for (of, key, mut entry, due) in pending {
            if of != failed.batch {
                self.delays.pending.push((of, key, entry, due));
                continue;
            }
            if let Some(stored) = entry.waiting.stored.take() {
                let _ = stored.send(Err(failed.error.clone()));
            }
            entry.kept = Kept::No;
            self.peers[key].delayed -= 1;
            self.settle(key, entry, Outcome::Dropped(DropReason::NotStored), now);
        }
    }

    /// Rows that make no sense.
    fn tell_damage(&mut self, rows: usize) {
        let error = StoreError::Corrupt(format!("{rows} rows of messages make no sense"));
        self.store_failed(error);
    }

    /// Asks the store for what is due.
    pub(super) fn ask_for_due(&mut self, now: Time) {
        if self.next_due.take_if(|at| *at <= now).is_some() {
            let (from, to) = prefix(b'd');
            self.ledger.ask(Question::Delayed, from, to);
        }
        if self.next_expiry.take_if(|at| *at <= now).is_some() {
            let (from, to) = prefix(b'e');
            self.ledger.ask(Question::Expired, from, to);
        }
    }

    pub(super) fn delayed_rows(&mut self, rows: Vec<Row>, now: Time) {
        let mut pumped = Vec::new();
        // If all of the page were due, there may be more.
        let mut next = (!rows.is_empty()).then_some(now);
        for (row, value) in rows {
            let Some(Key::Delayed { due, id }) = Key::read(&row) else {
                continue;
            };
            if self.delays.gone.contains_key(&id) {
                continue;
            }
            if due > now.0 {
                next = Some(Time(due));
                break;
            }
            let Ok(Delayed { to, record }) = Delayed::read(&value) else {
                self.tell_damage(1);
                self.ledger.state().delete(row);
                continue;
            };
            let Some(key) = self.peer_of(&to, now) else {
                continue;
            };
            let mut entry = entry(record, Kept::No);
            entry.number = self.next_number(now);
            self.store_moved(key, &mut entry, row);
            self.delays.gone.insert(id, self.ledger.open());
            let peer = &mut self.peers[key];
            peer.delayed = peer.delayed.saturating_sub(1);
            peer.queue(entry.letter.priority).push(entry);
            pumped.push(key);
        }
        if let Some(next) = next {
            // Not before what was just moved is committed, or it would be found again.
            let next = if next > now {
                next
            } else {
                now.after(std::time::Duration::from_millis(1))
            };
            self.next_due = Some(self.next_due.map_or(next, |other| other.min(next)));
        }
        for key in pumped {
            self.pump(key, now);
        }
    }

    /// Rows of the index, each followed by the row it speaks of.
    pub(super) fn expired_rows(&mut self, rows: Vec<Row>, now: Time) {
        let mut next = None;
        let mut rows = rows.into_iter();
        while let (Some((index, _)), Some((row, value))) = (rows.next(), rows.next()) {
            let Some(Key::Expiry { time, id }) = Key::read(&index) else {
                continue;
            };
            if self.delays.gone.contains_key(&id) {
                next = Some(now.after(std::time::Duration::from_millis(1)));
                continue;
            }
            if time > now.0 {
                next = Some(Time(time));
                break;
            }
            // There may be more behind this page.
            next = Some(now.after(std::time::Duration::from_millis(1)));
            if !self.expire_row(&row, &value, now) {
                // On its way: it is looked at when its link ends, or later again.
                next = Some(now.after(self.settings.retry));
                continue;
            }
            self.delays.gone.insert(id, self.ledger.open());
            self.ledger.state().delete(index);
        }
        if let Some(next) = next {
            self.expires_at(next);
        }
    }

    /// Whether it is gone.
    fn expire_row(&mut self, row: &[u8], value: &[u8], now: Time) -> bool {
        let reason = DropReason::Expired { sent: false };
        match Key::read(row) {
            Some(Key::Delayed { .. }) => {
                let Ok(Delayed { to, record }) = Delayed::read(value) else {
                    return true;
                };
                let Some(key) = self.peer_of(&to, now) else {
                    return true;
                };
                self.peers[key].delayed = self.peers[key].delayed.saturating_sub(1);
                self.ledger.state().delete(row);
                let mut entry = entry(record, Kept::No);
                entry.expires = None;
                self.settle(key, entry, Outcome::Dropped(reason), now);
                true
            }
            Some(Key::Outbox {
                to,
                priority,
                number,
            }) => {
                let Some(key) = self.names.get(&to).copied() else {
                    return true;
                };
                let Some(queue) = self.peers[key].find_queue(priority) else {
                    return true;
                };
                if let Some(entry) = queue.find(number) {
                    if entry.flying || entry.held {
                        return false;
                    }
                    self.expire(key, priority, number, now);
                    return true;
                }
                let Some(spill) = queue.spill.as_mut().filter(|spill| number >= spill.from) else {
                    return true;
                };
                let Ok(chunk) = Chunk::read(value, priority) else {
                    return true;
                };
                let Some(record) = chunk.records.into_iter().next() else {
                    return true;
                };
                spill.messages = spill.messages.saturating_sub(1);
                let sent = number <= queue.high || number < self.numbers.first;
                let reason = DropReason::Expired { sent };
                self.settle(key, entry(record, Kept::Yes), Outcome::Dropped(reason), now);
                true
            }
            _ => true,
        }
    }

    /// Reads more of a peer's queues, if they run low.
    pub(super) fn read_on(&mut self, key: PeerKey) {
        let window = self.settings.window;
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let ident = &peer.ident;
        for (priority, queue) in &mut peer.queues {
            let Some(spill) = queue.spill.filter(|_| queue.is_low(window)) else {
                continue;
            };
            queue.loading = true;
            // The chunk that the first of them is in may begin before.
            let mut known = queue.chunks.iter();
            let known = known.find(|chunk| (chunk.first..=chunk.last).contains(&spill.from));
            let from = known.map_or(spill.from, |chunk| chunk.first);
            let place = (ident, *priority);
            let question = Question::Page {
                peer: key,
                priority: *priority,
            };
            self.ledger.ask(
                question,
                Key::outbox(place, from),
                super::super::ledger::after(&Key::outbox(place, u64::MAX)),
            );
        }
    }

    /// More of a queue was read.
    pub(super) fn page(&mut self, key: PeerKey, priority: u8, rows: Vec<Row>, now: Time) {
        let Some(queue) = self
            .peers
            .get_mut(key)
            .and_then(|peer| peer.find_queue(priority))
        else {
            return;
        };
        queue.loading = false;
        let Some(mut spill) = queue.spill else {
            return;
        };
        let (mut entries, mut settled, mut damaged) = (Vec::new(), Vec::new(), 0);
        for (_, value) in rows {
            let Ok(chunk) = Chunk::read(&value, priority) else {
                damaged += 1;
                continue;
            };
            let (Some(first), Some(last)) = (chunk.records.first(), chunk.records.last()) else {
                continue;
            };
            queue.know(first.number, last.number, 0);
            for record in chunk.records {
                let known = record.number < spill.from || record.number < queue.skip;
                if known || self.delays.gone.contains_key(&record.id) {
                    continue;
                }
                let mut entry = entry(record, Kept::Yes);
                entry.sent = entry.number <= queue.high || entry.number < self.numbers.first;
                entry.again = entry.sent;
                if entry.number < queue.acked {
                    settled.push(entry);
                } else {
                    entries.push(entry);
                }
            }
        }
        let found = (entries.len() + settled.len()) as u64;
        spill.messages = spill.messages.saturating_sub(settled.len() as u64);
        let left = spill.messages.saturating_sub(entries.len() as u64);
        let end = found == 0 || left == 0;
        if entries.is_empty()
            && let Some(last) = settled.last()
        {
            spill.from = last.number + 1;
        }
        queue.spill = Some(spill);
        queue.merge(entries, end);
        if found == 0 && left > 0 {
            // Fewer than were counted: a crash came between settling them and counting that.
            let peer = &mut self.peers[key];
            peer.queued.messages = peer.queued.messages.saturating_sub(left);
            self.queued.messages = self.queued.messages.saturating_sub(left);
        }
        for entry in settled {
            self.settle(key, entry, Outcome::Delivered, now);
        }
        if damaged > 0 {
            self.tell_damage(damaged);
        }
        self.store_settled(key, priority, now);
        self.pump(key, now);
    }
}

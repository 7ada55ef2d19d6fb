//! What is written to the store, and what is made of its answers.

use std::collections::VecDeque;

use super::super::ledger::{Answer, Key, Meta, Seen, Work};
use super::super::ledger::{Done, OpenChunk, Question};
use super::super::model::{Amount, DropReason, Event};
use super::machine::Engine;
use super::parts::PeerKey;
use super::parts::{Received, Token};
use super::peer::Peer;
use super::queue::{Entry, Kept, Place, Waiting};
use super::time::Time;
use crate::ext::store::StoreError;

/// Instances of one sender that are remembered.
const INSTANCES: usize = 8;

/// The first numbers of chunks that end below.
fn drain_below(chunks: &mut VecDeque<(u64, u64)>, below: u64) -> Vec<u64> {
    let gone = chunks.partition_point(|(_, last)| *last < below);
    chunks.drain(..gone).map(|(first, _)| first).collect()
}

impl Engine {
    /// When [`next_work`](Self::next_work) will have some, in time.
    pub(in crate::ext::reliable) fn work_due(&self) -> Option<Time> {
        self.ledger.due().map(Time)
    }

    /// The next thing for the store. One at a time: the answer goes to [`answered`](Self::answered) first.
    pub(in crate::ext::reliable) fn next_work(&mut self, now: Time) -> Option<Work> {
        if self.ledger.is_due(now.0) {
            self.fill_batch();
            self.ledger
                .later(now.0)
                .put(Key::clock(), now.0.to_be_bytes().to_vec());
        }
        self.ledger.next(now.0)
    }

    /// Everything that waits for the batch goes into it.
    fn fill_batch(&mut self) {
        self.in_batch = std::mem::take(&mut self.dirty_queues);
        for (key, priority) in self.in_batch.clone() {
            self.close_chunk(key, priority);
            let Some(peer) = self.peers.get_mut(key) else {
                continue;
            };
            let ident = peer.ident.clone();
            let queue = peer.queue(priority);
            queue.dirty = false;
            if std::mem::take(&mut queue.done_dirty) {
                let place = (&ident, priority);
                let state = self.ledger.state();
                while let Some(chunk) = queue.chunks.front()
                    && chunk.last < queue.done.below
                {
                    state.delete(Key::outbox(place, chunk.first));
                    queue.chunks.pop_front();
                }
                let empty = queue.chunks.is_empty() && queue.spill.is_none();
                if empty {
                    (queue.put, queue.done.amount) = Default::default();
                    state.delete(Key::settled(place));
                } else {
                    state.put(Key::settled(place), queue.done.write());
                }
            }
        }
        for (key, instance) in std::mem::take(&mut self.dirty_streams) {
            self.write_stream(key, instance);
            self.streams_in_batch.push(key);
        }
    }

    fn write_stream(&mut self, key: PeerKey, instance: [u8; 16]) {
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let ident = peer.ident.clone();
        let Some(stream) = peer.find_stream(instance) else {
            return;
        };
        stream.dirty = false;
        stream.stored = true;
        let state = self.ledger.state();
        let place = (&ident, instance);
        for (priority, class) in &mut stream.classes {
            if !class.open.is_empty() {
                let (first, last, value) = class.open.finish(Amount::default());
                class.chunks.push_back((first, last));
                state.put(Key::inbox(place, *priority, first), value);
            }
            if std::mem::take(&mut class.done_dirty) {
                let below = class.done_below();
                for first in drain_below(&mut class.chunks, below) {
                    state.delete(Key::inbox(place, *priority, first));
                }
                if class.chunks.is_empty() {
                    state.delete(Key::done(place, *priority));
                } else {
                    let done = Done {
                        below,
                        also: class.finished.iter().copied().collect(),
                    };
                    state.put(Key::done(place, *priority), done.write());
                }
            }
        }
        let next = |(priority, class): &(u8, super::stream::Class)| (*priority, class.next);
        let seen = Seen {
            at: stream.at,
            next: stream.classes.iter().map(next).collect(),
        };
        state.put(Key::seen(place), seen.write());
    }

    /// The queue has something for the next batch.
    pub(super) fn mark_queue(&mut self, key: PeerKey, priority: u8) {
        let queue = self.peers[key].queue(priority);
        if !std::mem::replace(&mut queue.dirty, true) {
            self.dirty_queues.push((key, priority));
        }
    }

    fn mark_stream(&mut self, key: PeerKey, instance: [u8; 16]) {
        if let Some(stream) = self.peers[key].find_stream(instance)
            && !std::mem::replace(&mut stream.dirty, true)
        {
            self.dirty_streams.push((key, instance));
        }
    }

    /// A message that is to be sent goes into the open batch.
    pub(super) fn store_message(&mut self, key: PeerKey, entry: &mut Entry) {
        let priority = entry.letter.priority;
        entry.kept = Kept::New(self.ledger.open());
        self.ledger.expect_messages();
        self.mark_queue(key, priority);
        let more = entry.size + 32;
        if entry.expires.is_some() || self.peers[key].queue(priority).open.is_full(more) {
            self.close_chunk(key, priority);
        }
        let peer = &mut self.peers[key];
        let ident = peer.ident.clone();
        let queue = peer.queue(priority);
        queue.put.add(entry.size);
        let times = (entry.pushed.0, entry.expires.map(|at| at.0));
        queue
            .open
            .push(entry.number, entry.id, times, &entry.letter);
        if let Some(expires) = entry.expires {
            // A row of its own, so that it can go by itself.
            self.close_chunk(key, priority);
            let row = Key::outbox((&ident, priority), entry.number);
            self.ledger
                .messages()
                .put(Key::expiry(expires.0, entry.id), row);
            self.expires_at(expires);
        }
    }

    /// A message that was held back goes where it can be sent from, in one batch with leaving where it was.
    pub(super) fn store_moved(&mut self, key: PeerKey, entry: &mut Entry, from: Vec<u8>) {
        let priority = entry.letter.priority;
        entry.kept = Kept::Moved(self.ledger.open());
        self.mark_queue(key, priority);
        self.close_chunk(key, priority);
        let peer = &mut self.peers[key];
        let ident = peer.ident.clone();
        let queue = peer.queue(priority);
        queue.put.add(entry.size);
        let mut chunk = OpenChunk::default();
        let times = (entry.pushed.0, entry.expires.map(|at| at.0));
        chunk.push(entry.number, entry.id, times, &entry.letter);
        let (first, last, value) = chunk.finish(queue.put);
        queue.know(first, last, self.ledger.open());
        let row = Key::outbox((&ident, priority), first);
        let state = self.ledger.state();
        state.delete(from);
        if let Some(expires) = entry.expires {
            state.put(Key::expiry(expires.0, entry.id), row.clone());
        }
        state.put(row, value);
    }

    pub(super) fn expires_at(&mut self, at: Time) {
        self.next_expiry = Some(self.next_expiry.map_or(at, |next| next.min(at)));
    }

    fn close_chunk(&mut self, key: PeerKey, priority: u8) {
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let ident = peer.ident.clone();
        let queue = peer.queue(priority);
        if queue.open.is_empty() {
            return;
        }
        let (first, last, value) = queue.open.finish(queue.put);
        queue.know(first, last, self.ledger.open());
        let row = Key::outbox((&ident, priority), first);
        self.ledger.messages().put(row, value);
    }

    /// A stored message needs to be stored no more.
    pub(super) fn unstore_message(
        &mut self,
        key: PeerKey,
        entry: &Entry,
        delivered: bool,
        now: Time,
    ) {
        if let Some(expires) = entry.expires {
            let row = Key::expiry(expires.0, entry.id);
            self.ledger.later(now.0).delete(row);
        }
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let ident = peer.ident.clone();
        let priority = entry.letter.priority;
        let queue = peer.queue(priority);
        queue.done.amount.add(entry.size);
        if !delivered {
            let number = entry.number;
            let alone = |chunk: &Place| chunk.first == number && chunk.last == number;
            if entry.expires.is_some() || queue.chunks.iter().any(alone) {
                queue.chunks.retain(|chunk| !alone(chunk));
                let row = Key::outbox((&ident, priority), number);
                self.ledger.later(now.0).delete(row);
            }
            self.store_settled(key, priority, now);
        }
    }

    /// More of a queue was settled.
    pub(super) fn store_settled(&mut self, key: PeerKey, priority: u8, now: Time) {
        let queue = self.peers[key].queue(priority);
        // What is in the store alone is read before it goes, even if the receiver has it.
        let below = queue.spill.map_or(u64::MAX, |spill| spill.from);
        queue.done.below = queue.done.below.max(queue.acked.min(below));
        queue.done_dirty = true;
        self.mark_queue(key, priority);
        self.ledger.expect_later(now.0);
    }

    /// A received message goes into the open batch; the number of the batch.
    pub(super) fn store_received(&mut self, received: &Received, now: Time) -> u64 {
        let Token {
            peer,
            instance,
            priority,
            number,
            size,
        } = received.token;
        self.ledger.expect_state();
        let ident = self.peers[peer].ident.clone();
        let class = self.peers[peer].stream(instance).class(priority);
        class.unfinished.insert(number);
        if class.open.is_full(size + 32) {
            let (first, last, value) = class.open.finish(Amount::default());
            class.chunks.push_back((first, last));
            let row = Key::inbox((&ident, instance), priority, first);
            self.ledger.state().put(row, value);
        }
        let class = self.peers[peer].stream(instance).class(priority);
        class
            .open
            .push(number, received.id.number, (now.0, None), &received.letter);
        self.mark_stream(peer, instance);
        self.ledger.open()
    }

    /// The application has finished a message that may be stored.
    pub(super) fn store_finished(&mut self, token: Token, now: Time) {
        let Some(peer) = self.peers.get_mut(token.peer) else {
            return;
        };
        let Some(stream) = peer.find_stream(token.instance) else {
            return;
        };
        let class = stream.class(token.priority);
        if !class.unfinished.remove(&token.number) {
            return;
        }
        let below = class.done_below();
        if token.number > below {
            class.finished.insert(token.number);
        } else if !class.finished.is_empty() {
            class.finished = class.finished.split_off(&below);
        }
        class.done_dirty = true;
        self.mark_stream(token.peer, token.instance);
        self.ledger.expect_later(now.0);
    }

    /// Remembers which numbers are reserved.
    pub(super) fn write_meta(&mut self, now: Time) {
        let meta = Meta {
            format: super::super::ledger::FORMAT,
            instance: self.me.instance,
            range: self.numbers.end >> 32,
            ident: self.me.ident.as_str().to_owned(),
        };
        self.ledger.later(now.0).put(Key::meta(), meta.write());
    }

    /// Of too many instances of a sender the oldest are forgotten.
    pub(super) fn forget_streams(&mut self, key: PeerKey) {
        let peer = &mut self.peers[key];
        while peer.streams.len() > INSTANCES {
            let (present, idle) = (peer.instance, |stream: &super::stream::Stream| {
                stream.is_idle()
            });
            let old = peer.streams.iter().enumerate();
            let old = old.filter(|(_, stream)| stream.instance != present && idle(stream));
            let Some((at, _)) = old.min_by_key(|(_, stream)| stream.at) else {
                return;
            };
            let stream = peer.streams.remove(at);
            if stream.stored {
                let place = (&peer.ident.clone(), stream.instance);
                self.ledger.later(stream.at).delete(Key::seen(place));
            }
        }
    }

    /// A peer is forgotten.
    pub(super) fn forget_stored(&mut self, peer: &Peer) {
        for stream in peer.streams.iter().filter(|stream| stream.stored) {
            let place = (&peer.ident, stream.instance);
            self.ledger.later(stream.at).delete(Key::seen(place));
        }
    }

    /// What the store answered.
    ///
    /// # Errors
    ///
    /// When what is in the store makes no sense.
    pub(in crate::ext::reliable) fn answered(&mut self, answer: Answer, now: Time) {
        match answer {
            Answer::Committed { batch, result } => match self.ledger.done(batch, result, now.0) {
                Ok(again) => {
                    if again {
                        self.tell(|| Event::StoreRecovered);
                    }
                    self.committed(batch, now);
                }
                Err(failed) => {
                    if failed.first {
                        let error = failed.error.clone();
                        self.tell(|| Event::StoreFailed(error));
                    }
                    self.not_committed(failed, now);
                }
            },
            Answer::Rows { question, result } => match result {
                Ok(rows) => match question {
                    Question::Page { peer, priority } => self.page(peer, priority, rows, now),
                    Question::Delayed => self.delayed_rows(rows, now),
                    Question::Expired => self.expired_rows(rows, now),
                },
                Err(error) => self.not_read(question, error, now),
            },
        }
        self.send_acks(now);
    }

    /// Something failed that nobody waits for.
    pub(in crate::ext::reliable) fn store_failed(&mut self, error: StoreError) {
        let error = std::sync::Arc::new(error);
        self.tell(|| Event::StoreFailed(error));
    }

    fn not_read(&mut self, question: Question, error: StoreError, now: Time) {
        self.store_failed(error);
        let again = Some(now.after(std::time::Duration::from_secs(1)));
        match question {
            Question::Page { peer, priority } => {
                // Read again with the next acknowledgement or timer.
                if let Some(queue) = self
                    .peers
                    .get_mut(peer)
                    .and_then(|peer| peer.find_queue(priority))
                {
                    queue.loading = false;
                }
            }
            Question::Delayed => self.next_due = again,
            Question::Expired => self.next_expiry = again,
        }
    }

    fn committed(&mut self, batch: u64, now: Time) {
        let window = self.settings.window;
        let committed = self.ledger.committed();
        for (key, priority) in std::mem::take(&mut self.in_batch) {
            let Some(queue) = self
                .peers
                .get_mut(key)
                .and_then(|peer| peer.find_queue(priority))
            else {
                continue;
            };
            for entries in [&mut queue.entries, &mut queue.behind] {
                for entry in entries.iter_mut().rev() {
                    match entry.kept {
                        Kept::New(of) | Kept::Moved(of) if of <= batch => {
                            entry.kept = Kept::Yes;
                            if let Some(stored) = entry.waiting.stored.take() {
                                // Whoever does not wait any more does not want to know.
                                let _ = stored.send(Ok(()));
                            }
                        }
                        Kept::Yes => break,
                        Kept::No | Kept::New(_) | Kept::Moved(_) => {}
                    }
                }
            }
            let gone = queue.trim(window, committed);
            queue.forget_chunks(committed);
            for entry in gone {
                self.keep_waiting(entry.id, entry.waiting);
            }
            self.pump(key, now);
        }
        self.delays_committed(batch);
        for key in std::mem::take(&mut self.streams_in_batch) {
            self.release(key);
        }
    }

    /// Somebody waits for a message that is not in memory.
    pub(super) fn keep_waiting(&mut self, id: u64, waiting: Waiting) {
        let open = waiting.outcome.as_ref();
        if open.is_some_and(|outcome| !outcome.is_closed()) {
            self.waiting.insert(id, waiting);
        }
    }

    fn not_committed(&mut self, failed: super::super::ledger::Failed, now: Time) {
        let open = self.ledger.open();
        let queues = std::mem::take(&mut self.in_batch);
        for (key, priority) in queues {
            let Some(queue) = self
                .peers
                .get_mut(key)
                .and_then(|peer| peer.find_queue(priority))
            else {
                continue;
            };
            let mut lost = Vec::new();
            let mut moved = false;
            for entries in [&mut queue.entries, &mut queue.behind] {
                for entry in entries.iter_mut().rev() {
                    match entry.kept {
                        Kept::New(of) if of == failed.batch => {
                            entry.kept = Kept::No;
                            if !entry.settled {
                                lost.push(entry.number);
                            }
                            if let Some(stored) = entry.waiting.stored.take() {
                                let _ = stored.send(Err(failed.error.clone()));
                            }
                        }
                        Kept::Moved(of) if of == failed.batch => {
                            (entry.kept, moved) = (Kept::Moved(open), true);
                        }
                        Kept::Yes => break,
                        _ => {}
                    }
                }
            }
            for number in &lost {
                let queue = self.peers[key].queue(priority);
                queue
                    .chunks
                    .retain(|chunk| !(chunk.first..=chunk.last).contains(number));
                let size = queue.find(*number).map_or(0, |entry| entry.size);
                queue.put.sub(size);
                self.drop_at(key, priority, *number, DropReason::NotStored, now);
            }
            if moved {
                self.mark_queue(key, priority);
            }
            self.pump(key, now);
        }
        self.delays_not_committed(&failed, now);
        // What was received stays in the changes that are tried again.
        for key in self.streams_in_batch.clone() {
            for stream in &mut self.peers[key].streams {
                for (_, class) in &mut stream.classes {
                    for (batch, _) in &mut class.pending {
                        *batch = (*batch).max(open);
                    }
                }
            }
        }
    }
}

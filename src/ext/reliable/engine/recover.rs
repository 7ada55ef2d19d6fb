//! From what a store has to a running engine.

use super::super::ledger::{Chunk, Delayed, Done, FORMAT, Key, Meta, Seen, Settled, after, prefix};
use super::super::model::{Amount, Ident, MessageId, Settings};
use super::machine::Engine;
use super::parts::{Identity, Received, Token};
use super::queue::Spill;
use super::time::Time;
use crate::ext::store::{Changes, Limit, Order, Progress, Row, Store, StoreError};

/// Rows that are read at a time.
const PAGE: Limit = Limit {
    rows: 256,
    bytes: 4 * 1024 * 1024,
};

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} makes no sense"))
}

/// Hands each row of a kind to `each`.
fn every(
    store: &mut dyn Store,
    tag: u8,
    mut each: impl FnMut(&Key, Row) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (mut from, to) = prefix(tag);
    loop {
        let rows = store.scan(&from[..]..&to[..], Order::Forward, PAGE)?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        from = after(last);
        for row in rows {
            let key = Key::read(&row.0).ok_or_else(|| corrupt("a key"))?;
            each(&key, row)?;
        }
    }
}

/// What was read last by the clock that the store remembers.
pub(in crate::ext::reliable) fn last_time(store: &mut dyn Store) -> Result<Time, StoreError> {
    let value = store.get(&Key::clock())?;
    let time = value.and_then(|value| value.try_into().ok());
    Ok(Time(time.map_or(0, u64::from_be_bytes)))
}

impl Engine {
    /// Goes on where the last process with this store ended.
    ///
    /// # Errors
    ///
    /// When the store fails, belongs to another ident, or what is in it makes no sense.
    pub(in crate::ext::reliable) fn recover(
        ident: &Ident,
        run: [u8; 16],
        settings: Settings,
        store: &mut dyn Store,
        now: Time,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Engine, StoreError> {
        let meta = match store.get(&Key::meta())? {
            None => Meta {
                format: FORMAT,
                instance: rand::random(),
                range: 0,
                ident: ident.as_str().to_owned(),
            },
            Some(value) => Meta::read(&value).map_err(|_| corrupt("the head"))?,
        };
        if meta.format != FORMAT {
            return Err(StoreError::Version {
                found: meta.format,
                known: FORMAT,
            });
        }
        if meta.ident != ident.as_str() {
            let text = format!("{} belongs to {:?}", store.name(), meta.ident);
            return Err(StoreError::Failed(text.into()));
        }
        // The range of before may have been used up to its end.
        let range = meta.range + 1;
        let mut changes = Changes::new();
        let next = Meta {
            range: range + 1,
            ..meta.clone()
        };
        changes.put(Key::meta(), next.write());
        changes.put(Key::clock(), now.0.to_be_bytes().to_vec());
        store.commit(&changes)?;
        store.sync()?;
        let me = Identity {
            ident: ident.clone(),
            instance: meta.instance,
            run,
        };
        let mut engine = Engine::new(me, settings, true, range << 32);
        // What is stored counts, whatever the bound of today.
        let bound = std::mem::replace(&mut engine.settings.max_peers, usize::MAX);
        engine.recover_outbox(store, now)?;
        engine.recover_delays(store, now)?;
        engine.recover_inbox(store, now, progress)?;
        engine.settings.max_peers = bound;
        Ok(engine)
    }

    fn recover_outbox(&mut self, store: &mut dyn Store, now: Time) -> Result<(), StoreError> {
        every(store, b'w', |key, (_, value)| {
            let Key::Settled { to, priority } = key else {
                return Err(corrupt("a key"));
            };
            let settled = Settled::read(&value).map_err(|_| corrupt("a mark"))?;
            let Some(peer) = self.peer_of(to, now) else {
                return Ok(());
            };
            let queue = self.peers[peer].queue(*priority);
            queue.done = settled;
            (queue.acked, queue.skip) = (settled.below, settled.below);
            queue.put = settled.amount;
            Ok(())
        })?;
        // From queue to queue, without reading what is in them.
        let (mut from, to) = prefix(b'o');
        while let [(row, _)] = &store.scan(&from[..]..&to[..], Order::Forward, Limit::rows(1))?[..]
        {
            let Some(Key::Outbox {
                to: ident,
                priority,
                number,
            }) = Key::read(row)
            else {
                return Err(corrupt("a key"));
            };
            let end = after(&Key::outbox((&ident, priority), u64::MAX));
            let last = store.scan(&row[..]..&end[..], Order::Backward, Limit::rows(1))?;
            let put = last.first().map(|(_, value)| Chunk::read_put(value));
            let put = put.transpose().map_err(|_| corrupt("a chunk"))?;
            if let Some(peer) = self.peer_of(&ident, now) {
                let queue = self.peers[peer].queue(priority);
                queue.put = put.unwrap_or_default();
                let done = queue.done.amount;
                let left = Amount::new(
                    queue.put.messages.saturating_sub(done.messages),
                    queue.put.bytes.saturating_sub(done.bytes),
                );
                queue.spill = Some(Spill {
                    from: number,
                    messages: left.messages,
                });
                for sum in [&mut self.queued, &mut self.peers[peer].queued] {
                    sum.messages += left.messages;
                    sum.bytes += left.bytes;
                }
            }
            from = end;
        }
        Ok(())
    }

    fn recover_delays(&mut self, store: &mut dyn Store, now: Time) -> Result<(), StoreError> {
        every(store, b'd', |key, (_, value)| {
            let Key::Delayed { due, .. } = key else {
                return Err(corrupt("a key"));
            };
            let delayed = Delayed::read(&value).map_err(|_| corrupt("a delayed message"))?;
            let Some(peer) = self.peer_of(&delayed.to, now) else {
                return Ok(());
            };
            let size = delayed.record.letter.byte_len();
            self.queued.add(size);
            self.peers[peer].queued.add(size);
            self.peers[peer].delayed += 1;
            let due = Time(*due);
            self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
            Ok(())
        })?;
        let (from, to) = prefix(b'e');
        let first = store.scan(&from[..]..&to[..], Order::Forward, Limit::rows(1))?;
        if let Some((row, _)) = first.first() {
            let Some(Key::Expiry { time, .. }) = Key::read(row) else {
                return Err(corrupt("a key"));
            };
            self.next_expiry = Some(Time(time));
        }
        Ok(())
    }

    fn recover_inbox(
        &mut self,
        store: &mut dyn Store,
        now: Time,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), StoreError> {
        every(store, b'r', |key, (_, value)| {
            let Key::Seen { from, instance } = key else {
                return Err(corrupt("a key"));
            };
            let seen = Seen::read(&value).map_err(|_| corrupt("a mark"))?;
            let Some(peer) = self.peer_of(from, now) else {
                return Ok(());
            };
            let stream = self.peers[peer].stream(*instance);
            (stream.at, stream.stored) = (seen.at, true);
            for (priority, next) in seen.next {
                let class = stream.class(priority);
                (class.next, class.acked) = (next, next);
            }
            Ok(())
        })?;
        let mut marks = std::collections::HashMap::new();
        every(store, b'k', |key, (_, value)| {
            let done = Done::read(&value).map_err(|_| corrupt("a mark"))?;
            marks.insert(key_of(key)?, done);
            Ok(())
        })?;
        let mut rows = 0;
        every(store, b'i', |key, (_, value)| {
            rows += 1;
            progress(Progress::new(rows, None));
            self.recover_chunk(key, &value, marks.get(&key_of(key)?), now)
        })
    }

    fn recover_chunk(
        &mut self,
        key: &Key,
        value: &[u8],
        done: Option<&Done>,
        now: Time,
    ) -> Result<(), StoreError> {
        let (from, instance, priority) = key_of(key)?;
        let chunk = Chunk::read(value, priority).map_err(|_| corrupt("a chunk"))?;
        let Some(peer) = self.peer_of(&from, now) else {
            return Ok(());
        };
        let ends = chunk.records.first().zip(chunk.records.last());
        let Some((first, last)) = ends.map(|(first, last)| (first.number, last.number)) else {
            return Ok(());
        };
        let class = self.peers[peer].stream(instance).class(priority);
        class.chunks.push_back((first, last));
        for record in chunk.records {
            let number = record.number;
            let is_done =
                done.is_some_and(|done| number < done.below || done.also.contains(&number));
            let class = self.peers[peer].stream(instance).class(priority);
            if is_done {
                if done.is_some_and(|done| number >= done.below) {
                    class.finished.insert(number);
                }
                continue;
            }
            class.unfinished.insert(number);
            let size = record.letter.byte_len();
            self.hand_over(Received {
                token: Token {
                    peer,
                    instance,
                    priority,
                    number,
                    size,
                },
                from: from.clone(),
                id: MessageId {
                    instance,
                    number: record.id,
                },
                letter: record.letter,
                // Whether the process of before handed it over is not known.
                redelivered: 1,
            });
        }
        Ok(())
    }
}

fn key_of(key: &Key) -> Result<(Ident, [u8; 16], u8), StoreError> {
    match key {
        Key::Inbox {
            from,
            instance,
            priority,
            ..
        }
        | Key::Done {
            from,
            instance,
            priority,
        } => Ok((from.clone(), *instance, *priority)),
        _ => Err(corrupt("a key")),
    }
}

//! From a frame to the application, and back to the sender that it arrived.
//!
//! ```text
//!   data ─ seen before? ─► early ─► in order ─ not stored ─────────────────────► ready ─► taken ─► finished
//!                                      └─ stored ─► pending ─► committed ─────────┘  │               └ room: ack
//!                                                                                    └ ack
//! ```

use std::collections::VecDeque;

use super::super::model::{Amount, MessageId, Refusal};
use super::super::wire::{Ack, Data, Held, Packet, Range};
use super::machine::Engine;
use super::parts::LinkId;
use super::parts::PeerKey;
use super::parts::{Received, Token};
use super::stream::{Class, Stream};
use super::time::Time;

impl Engine {
    pub(super) fn data(&mut self, key: PeerKey, link: LinkId, data: Data, now: Time) {
        let inbox = self.settings.inbox;
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let size = data.letter.byte_len();
        if size as u64 > self.settings.max_message {
            return self.reject(link, Refusal::Protocol, Some(key), now);
        }
        peer.ack_on = Some(link);
        let instance = peer.instance;
        let stream = peer.stream(instance);
        let early = stream.early;
        let class = stream.class(data.letter.priority);
        if data.number < class.next {
            peer.duplicates += 1;
        } else if data.back == 0 || data.number - data.back < class.next {
            self.accept(key, data, now);
        } else if early.fits(size, inbox) {
            if class.early.insert(data.number, data).is_none() {
                stream.early.add(size);
            } else {
                peer.duplicates += 1;
            }
        }
        self.owe_ack(key);
    }

    fn accept(&mut self, key: PeerKey, data: Data, now: Time) {
        let mut next = Some(data);
        while let Some(data) = next {
            let priority = data.letter.priority;
            self.accept_one(key, data, now);
            let Some(peer) = self.peers.get_mut(key) else {
                return;
            };
            let instance = peer.instance;
            let stream = peer.stream(instance);
            let class = stream.class(priority);
            next = None;
            let (mut freed, mut again) = (Amount::default(), 0);
            while let Some(first) = class.early.first_entry() {
                let data = first.get();
                let ready = data.back == 0 || data.number - data.back < class.next;
                if data.number >= class.next && !ready {
                    break;
                }
                let data = first.remove();
                freed.add(data.letter.byte_len());
                if data.number >= class.next {
                    next = Some(data);
                    break;
                }
                again += 1;
            }
            stream.early.messages -= freed.messages;
            stream.early.bytes -= freed.bytes;
            peer.duplicates += again;
        }
    }

    fn accept_one(&mut self, key: PeerKey, data: Data, now: Time) {
        let stores = self.ledger.stores && data.letter.persistent;
        let Data {
            number,
            id,
            again,
            letter,
            ..
        } = data;
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let (instance, priority, size) = (peer.instance, letter.priority, letter.byte_len());
        let received = Received {
            token: Token {
                peer: key,
                instance,
                priority,
                number,
                size,
            },
            from: peer.ident.clone(),
            id: MessageId {
                instance,
                number: id,
            },
            letter,
            redelivered: u32::from(again),
        };
        let class = peer.stream(instance).class(priority);
        class.next = number.saturating_add(1);
        if stores {
            let batch = self.store_received(&received, now);
            let class = self.peers[key].stream(instance).class(priority);
            class.pending.push_back((batch, received));
        } else if let Some((batch, _)) = class.pending.back() {
            let batch = *batch;
            class.pending.push_back((batch, received));
        } else {
            class.acked = class.next;
            self.hand_over(received);
        }
    }

    /// For the application.
    pub(super) fn hand_over(&mut self, received: Received) {
        let token = received.token;
        if let Some(peer) = self.peers.get_mut(token.peer) {
            peer.inbox.add(token.size);
        }
        self.inbox.add(token.size);
        self.ready_queue(token.priority).push_back(received);
    }

    fn ready_queue(&mut self, priority: u8) -> &mut VecDeque<Received> {
        let at = self
            .ready
            .binary_search_by(|(other, _)| priority.cmp(other));
        let at = at.unwrap_or_else(|at| {
            self.ready.insert(at, (priority, VecDeque::new()));
            at
        });
        &mut self.ready[at].1
    }

    /// What was stored is handed over.
    pub(super) fn release(&mut self, key: PeerKey) {
        let committed = self.ledger.committed();
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let mut ready = Vec::new();
        for stream in &mut peer.streams {
            for (_, class) in &mut stream.classes {
                while class
                    .pending
                    .front()
                    .is_some_and(|(batch, _)| *batch <= committed)
                {
                    let Some((_, received)) = class.pending.pop_front() else {
                        break;
                    };
                    class.acked = received.token.number.saturating_add(1);
                    ready.push(received);
                }
            }
        }
        if !ready.is_empty() {
            for received in ready {
                self.hand_over(received);
            }
            self.owe_ack(key);
        }
    }

    /// The next message for the application.
    pub(in crate::ext::reliable) fn take(&mut self) -> Option<Received> {
        let mut queues = self.ready.iter_mut();
        queues.find_map(|(_, queue)| queue.pop_front())
    }

    pub(in crate::ext::reliable) fn has_ready(&self) -> bool {
        self.ready.iter().any(|(_, queue)| !queue.is_empty())
    }

    /// The application is done with a message.
    pub(in crate::ext::reliable) fn finished(&mut self, token: Token, now: Time) {
        let limit = self.settings.inbox;
        self.inbox.sub(token.size);
        let Some(peer) = self.peers.get_mut(token.peer) else {
            return;
        };
        peer.inbox.sub(token.size);
        peer.finished.add(token.size);
        // Whoever may send little more is told as soon as there is some room; whoever may send much need not be.
        let room = peer.finished.messages >= limit.messages.div_ceil(4)
            || peer.finished.bytes >= limit.bytes.div_ceil(4);
        let starving =
            peer.granted.messages <= limit.messages / 2 || peer.granted.bytes <= limit.bytes / 2;
        let due = room || starving && peer.inbox.messages == 0;
        if self.ledger.stores {
            self.store_finished(token, now);
        }
        if due {
            self.owe_ack(token.peer);
            self.send_acks(now);
        }
    }

    /// The application gives a message back.
    pub(in crate::ext::reliable) fn put_back(&mut self, mut received: Received) {
        received.redelivered += 1;
        let priority = received.token.priority;
        self.ready_queue(priority).push_front(received);
    }

    /// The peer has to be told what arrived.
    pub(super) fn owe_ack(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(key)
            && !std::mem::replace(&mut peer.ack_due, true)
        {
            self.to_ack.push(key);
        }
    }

    /// Tells all who have to be told.
    pub(in crate::ext::reliable) fn send_acks(&mut self, _now: Time) {
        if self.to_ack.is_empty() {
            return;
        }
        let connected = self.connected.max(1) as u64;
        for key in std::mem::take(&mut self.to_ack) {
            self.acks += 1;
            let (count, total) = (self.acks, self.settings.inbox_total);
            let limit = self.settings.inbox;
            let share = |total: u64, used: u64| total.saturating_sub(used) / connected;
            let share = Amount::new(
                share(total.messages, self.inbox.messages),
                share(total.bytes, self.inbox.bytes),
            );
            let Some(peer) = self.peers.get_mut(key) else {
                continue;
            };
            peer.ack_due = false;
            let Some(link) = peer.ack_on.or(peer.active) else {
                continue;
            };
            let least = u64::from(peer.inbox.messages == 0);
            let free = Amount::new(
                (limit.messages.saturating_sub(peer.inbox.messages))
                    .min(share.messages)
                    .max(least),
                (limit.bytes.saturating_sub(peer.inbox.bytes))
                    .min(share.bytes)
                    .max(least),
            );
            peer.granted = free;
            peer.finished = Amount::default();
            let echo = std::mem::take(&mut peer.echo);
            let instance = peer.instance;
            let held = peer.find_stream(instance).map(held).unwrap_or_default();
            let ack = Ack {
                count,
                echo,
                messages: free.messages,
                bytes: free.bytes,
                held,
            };
            self.post(link, &Packet::Ack(ack));
        }
    }
}

/// What we have of a stream.
fn held(stream: &mut Stream) -> Vec<Held> {
    let of = |(priority, class): &(u8, Class)| Held {
        priority: *priority,
        next: class.acked,
        above: above(class),
    };
    stream.classes.iter().map(of).collect()
}

/// What we hold, but may lose.
fn above(class: &Class) -> Vec<Range> {
    let mut ranges = Vec::new();
    if let Some((_, first)) = class.pending.front() {
        let first = first.token.number;
        let count = class.next - first;
        let back = 0;
        ranges.push(Range { first, count, back });
    }
    // Enough to spare most of what would be sent again.
    let early = class.early.iter().take(64).map(|(number, data)| Range {
        first: *number,
        count: 1,
        back: data.back,
    });
    ranges.extend(early);
    ranges
}

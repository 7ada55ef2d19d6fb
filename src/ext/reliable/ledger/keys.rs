//! The keys of a messenger's store.
//!
//! ```text
//!   c                                          the clock: the latest time that was seen
//!   d  due(8) id(8)                            a message held back                      Delayed
//!   e  time(8) id(8)                           what expires then                        the key of its row
//!   i  ident instance(16) 255-priority number  messages received, not acknowledged      Chunk
//!   k  ident instance(16) priority             which of them are acknowledged           Done
//!   m                                          who this is                              Meta
//!   o  ident 255-priority number               messages to be sent                      Chunk
//!   r  ident instance(16)                      what was received from a sender          Seen
//!   w  ident priority                          what was sent for good                   Settled
//! ```
//! Numbers are big-endian, an ident has its length in a byte before it.

use super::super::model::Ident;

/// A queue of outgoing messages: receiver and priority.
pub(in crate::ext::reliable) type QueueKey<'a> = (&'a Ident, u8);
/// What came from one sender: its ident and instance.
pub(in crate::ext::reliable) type StreamKey<'a> = (&'a Ident, [u8; 16]);

/// A key, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ext::reliable) enum Key {
    Clock,
    Delayed {
        due: u64,
        id: u64,
    },
    Expiry {
        time: u64,
        id: u64,
    },
    Inbox {
        from: Ident,
        instance: [u8; 16],
        priority: u8,
        number: u64,
    },
    Done {
        from: Ident,
        instance: [u8; 16],
        priority: u8,
    },
    Meta,
    Outbox {
        to: Ident,
        priority: u8,
        number: u64,
    },
    Seen {
        from: Ident,
        instance: [u8; 16],
    },
    Settled {
        to: Ident,
        priority: u8,
    },
}

fn with(tag: u8, ident: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + ident.len() + 25);
    key.extend_from_slice(&[tag, ident.len() as u8]);
    key.extend_from_slice(ident.as_bytes());
    key
}

impl Key {
    pub(in crate::ext::reliable) fn clock() -> Vec<u8> {
        b"c".to_vec()
    }

    pub(in crate::ext::reliable) fn meta() -> Vec<u8> {
        b"m".to_vec()
    }

    pub(in crate::ext::reliable) fn delayed(due: u64, id: u64) -> Vec<u8> {
        Self::timed(b'd', due, id)
    }

    pub(in crate::ext::reliable) fn expiry(time: u64, id: u64) -> Vec<u8> {
        Self::timed(b'e', time, id)
    }

    fn timed(tag: u8, time: u64, id: u64) -> Vec<u8> {
        let mut key = Vec::with_capacity(17);
        key.push(tag);
        key.extend_from_slice(&time.to_be_bytes());
        key.extend_from_slice(&id.to_be_bytes());
        key
    }

    pub(in crate::ext::reliable) fn outbox((to, priority): QueueKey<'_>, number: u64) -> Vec<u8> {
        let mut key = with(b'o', to);
        key.push(255 - priority);
        key.extend_from_slice(&number.to_be_bytes());
        key
    }

    pub(in crate::ext::reliable) fn settled((to, priority): QueueKey<'_>) -> Vec<u8> {
        let mut key = with(b'w', to);
        key.push(priority);
        key
    }

    pub(in crate::ext::reliable) fn inbox(
        (from, instance): StreamKey<'_>,
        priority: u8,
        number: u64,
    ) -> Vec<u8> {
        let mut key = with(b'i', from);
        key.extend_from_slice(&instance);
        key.push(255 - priority);
        key.extend_from_slice(&number.to_be_bytes());
        key
    }

    pub(in crate::ext::reliable) fn done((from, instance): StreamKey<'_>, priority: u8) -> Vec<u8> {
        let mut key = with(b'k', from);
        key.extend_from_slice(&instance);
        key.push(priority);
        key
    }

    pub(in crate::ext::reliable) fn seen((from, instance): StreamKey<'_>) -> Vec<u8> {
        let mut key = with(b'r', from);
        key.extend_from_slice(&instance);
        key
    }

    /// Takes a key apart; `None` if it is none of ours.
    pub(in crate::ext::reliable) fn read(key: &[u8]) -> Option<Key> {
        let (tag, rest) = key.split_first()?;
        let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
        let timed = |rest: &[u8]| {
            let (time, id) = rest.split_at_checked(8)?;
            Some((number(time)?, number(id)?))
        };
        let named = |rest: &[u8]| {
            let (len, rest) = rest.split_first()?;
            let (ident, rest) = rest.split_at_checked(*len as usize)?;
            let ident = Ident::new(std::str::from_utf8(ident).ok()?).ok()?;
            Some((ident, rest.to_vec()))
        };
        let from = |rest: &[u8]| {
            let (ident, rest) = named(rest)?;
            let (instance, rest) = rest.split_first_chunk::<16>()?;
            Some((ident, *instance, rest.to_vec()))
        };
        Some(match tag {
            b'c' if rest.is_empty() => Key::Clock,
            b'm' if rest.is_empty() => Key::Meta,
            b'd' => {
                let (due, id) = timed(rest)?;
                Key::Delayed { due, id }
            }
            b'e' => {
                let (time, id) = timed(rest)?;
                Key::Expiry { time, id }
            }
            b'o' => {
                let (to, rest) = named(rest)?;
                let (priority, rest) = rest.split_first()?;
                Key::Outbox {
                    to,
                    priority: 255 - priority,
                    number: number(rest)?,
                }
            }
            b'w' => {
                let (to, rest) = named(rest)?;
                let [priority] = rest[..] else { return None };
                Key::Settled { to, priority }
            }
            b'i' => {
                let (from, instance, rest) = from(rest)?;
                let (priority, rest) = rest.split_first()?;
                Key::Inbox {
                    from,
                    instance,
                    priority: 255 - priority,
                    number: number(rest)?,
                }
            }
            b'k' => {
                let (from, instance, rest) = from(rest)?;
                let [priority] = rest[..] else { return None };
                Key::Done {
                    from,
                    instance,
                    priority,
                }
            }
            b'r' => {
                let (from, instance, rest) = from(rest)?;
                rest.is_empty().then_some(Key::Seen { from, instance })?
            }
            _ => return None,
        })
    }
}

/// The rows of one kind: the range of their keys.
pub(in crate::ext::reliable) fn prefix(tag: u8) -> (Vec<u8>, Vec<u8>) {
    (vec![tag], vec![tag + 1])
}

/// The smallest key that is larger.
pub(in crate::ext::reliable) fn after(key: &[u8]) -> Vec<u8> {
    let mut next = key.to_vec();
    next.push(0);
    next
}

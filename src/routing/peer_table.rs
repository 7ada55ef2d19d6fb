//! Routing ids and the peers they name.
//!
//! What it is: the two-way table of a `ROUTER`: an id names at most one peer, a peer has at most one id. It is not the
//! policy for duplicates: the caller decides between refusing the newcomer and handing the id over.
//!
//! Invariants: `keys[id] == key` if and only if `ids[key] == Some(id)`. Ids made here are five bytes: a zero, which no
//! peer may choose as its first byte, and a counter in network order whose start the caller draws at random.
//!
//! Lookups are hashed with the standard library's keyed hash, since peers choose their ids.

use std::collections::HashMap;

use super::key::Key;
use crate::message::Frame;

/// Routing ids of peers.
#[derive(Debug)]
pub(crate) struct PeerTable {
    keys: HashMap<Frame, Key>,
    ids: Vec<Option<Frame>>,
    next: u32,
    /// The peer found last: conversations come in runs.
    recent: Key,
}

impl PeerTable {
    /// An empty table; `start` is the first number of the ids it makes.
    pub(crate) fn new(start: u32) -> Self {
        Self {
            keys: HashMap::new(),
            ids: Vec::new(),
            next: start,
            recent: 0,
        }
    }

    /// The peer that an id names.
    #[inline]
    pub(crate) fn key(&mut self, id: &[u8]) -> Option<Key> {
        if let Some(Some(recent)) = self.ids.get(self.recent)
            && recent.as_slice() == id
        {
            return Some(self.recent);
        }
        let key = *self.keys.get(id)?;
        self.recent = key;
        Some(key)
    }

    /// The id of a peer.
    #[inline]
    pub(crate) fn id(&self, key: Key) -> Option<&Frame> {
        self.ids.get(key)?.as_ref()
    }

    /// Gives a peer an id. `Err` names the peer that has it already, and nothing is changed. A peer that had another id
    /// loses it.
    pub(crate) fn insert(&mut self, id: Frame, key: Key) -> Result<(), Key> {
        match self.keys.get(&id) {
            Some(&holder) if holder == key => return Ok(()),
            Some(&holder) => return Err(holder),
            None => {}
        }
        self.remove(key);
        if self.ids.len() <= key {
            self.ids.resize(key + 1, None);
        }
        self.ids[key] = Some(id.clone());
        self.keys.insert(id, key);
        Ok(())
    }

    /// Gives a peer an id of our own making, in place of the one it may have.
    pub(crate) fn insert_auto(&mut self, key: Key) -> Frame {
        loop {
            let [a, b, c, d] = self.next.to_be_bytes();
            self.next = self.next.wrapping_add(1);
            let id = Frame::from([0, a, b, c, d]);
            if self.insert(id.clone(), key).is_ok() {
                return id;
            }
        }
    }

    /// The peer is gone, or loses its id, which is returned.
    pub(crate) fn remove(&mut self, key: Key) -> Option<Frame> {
        let id = self.ids.get_mut(key)?.take()?;
        self.keys.remove(&id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_peers_and_peers_have_ids() {
        let mut table = PeerTable::new(0);
        assert_eq!(table.insert("alice".into(), 3), Ok(()));
        assert_eq!(table.insert("bob".into(), 0), Ok(()));
        assert_eq!(
            (table.key(b"alice"), table.key(b"bob"), table.key(b"carol")),
            (Some(3), Some(0), None)
        );
        assert_eq!(table.id(3), Some(&Frame::from("alice")));
        assert_eq!(table.remove(3), Some(Frame::from("alice")));
        assert_eq!((table.key(b"alice"), table.id(3)), (None, None));
    }

    #[test]
    fn a_taken_id_is_refused_and_can_be_handed_over() {
        let mut table = PeerTable::new(7);
        table.insert("alice".into(), 1).unwrap();
        assert_eq!(table.insert("alice".into(), 2), Err(1));
        assert_eq!(table.insert("alice".into(), 1), Ok(()));
        assert_eq!(table.insert_auto(1), [0, 0, 0, 0, 7]);
        assert_eq!(table.insert("alice".into(), 2), Ok(()));
        assert_eq!(
            (table.key(b"alice"), table.key(&[0, 0, 0, 0, 7])),
            (Some(2), Some(1))
        );
    }

    #[test]
    fn made_ids_count_up_in_network_order_wrap_and_skip_what_is_taken() {
        let mut table = PeerTable::new(u32::MAX);
        table.insert(Frame::from([0, 0, 0, 0, 0]), 9).unwrap();
        assert_eq!(table.insert_auto(1), [0, 255, 255, 255, 255]);
        assert_eq!(table.insert_auto(2), [0, 0, 0, 0, 1]);
    }

    #[test]
    fn the_memory_of_the_last_lookup_is_never_stale() {
        let mut table = PeerTable::new(0);
        table.insert("a".into(), 1).unwrap();
        assert_eq!(table.key(b"a"), Some(1));
        table.remove(1);
        assert_eq!(table.key(b"a"), None);
        table.insert("a".into(), 2).unwrap();
        assert_eq!(table.key(b"a"), Some(2));
    }
}

//! Which child of a radix tree node begins with which byte: a short list, or a table when there are many.
//!
//! Not ordered. A list of up to 16 pairs is searched; with more it becomes a table of 256, and a list again at 8.

use super::node_id::NodeId;

const LIST_MAX: usize = 16;
const LIST_AGAIN: usize = 8;
const NONE: NodeId = NodeId::MAX;

#[derive(Debug)]
pub(super) enum Children {
    List(Vec<(u8, NodeId)>),
    Table(Box<Table>),
}

#[derive(Debug)]
pub(super) struct Table {
    ids: [NodeId; 256],
    len: usize,
}

impl Default for Children {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Children {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Table(table) => table.len,
        }
    }

    #[inline]
    pub(super) fn get(&self, byte: u8) -> Option<NodeId> {
        match self {
            Self::List(list) => list
                .iter()
                .find(|(first, _)| *first == byte)
                .map(|&(_, id)| id),
            Self::Table(table) => Some(table.ids[usize::from(byte)]).filter(|&id| id != NONE),
        }
    }

    /// The child, if there is exactly one.
    pub(super) fn only(&self) -> Option<NodeId> {
        match self {
            Self::List(list) if list.len() == 1 => Some(list[0].1),
            _ => None,
        }
    }

    /// Adds or replaces the child that begins with `byte`.
    pub(super) fn set(&mut self, byte: u8, id: NodeId) {
        match self {
            Self::List(list) => {
                if let Some(pair) = list.iter_mut().find(|(first, _)| *first == byte) {
                    pair.1 = id;
                } else if list.len() < LIST_MAX {
                    if list.is_empty() {
                        list.reserve_exact(1);
                    }
                    list.push((byte, id));
                } else {
                    let mut table = Box::new(Table {
                        ids: [NONE; 256],
                        len: list.len() + 1,
                    });
                    for &(first, child) in list.iter() {
                        table.ids[usize::from(first)] = child;
                    }
                    table.ids[usize::from(byte)] = id;
                    *self = Self::Table(table);
                }
            }
            Self::Table(table) => {
                let slot = &mut table.ids[usize::from(byte)];
                table.len += usize::from(*slot == NONE);
                *slot = id;
            }
        }
    }

    /// Removes the child that begins with `byte`.
    pub(super) fn unset(&mut self, byte: u8) {
        match self {
            Self::List(list) => list.retain(|(first, _)| *first != byte),
            Self::Table(table) => {
                let slot = &mut table.ids[usize::from(byte)];
                table.len -= usize::from(*slot != NONE);
                *slot = NONE;
                if table.len <= LIST_AGAIN {
                    let pairs = (0..=255).zip(table.ids).filter(|(_, id)| *id != NONE);
                    *self = Self::List(pairs.collect());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_into_a_table_and_shrinks_back() {
        let mut children = Children::default();
        for byte in 0..=255u8 {
            children.set(byte, NodeId::from(byte) + 1000);
            assert_eq!(children.len(), usize::from(byte) + 1);
        }
        assert!(matches!(children, Children::Table(_)));
        children.set(7, 5);
        assert_eq!(children.get(7), Some(5));
        assert_eq!(children.len(), 256);
        for byte in (1..=255u8).rev() {
            children.unset(byte);
            assert_eq!(children.get(byte), None);
            assert_eq!(children.get(0), Some(1000));
        }
        assert!(matches!(children, Children::List(_)));
        assert_eq!(children.only(), Some(1000));
        children.unset(9);
        children.unset(0);
        assert_eq!((children.len(), children.only()), (0, None));
    }
}

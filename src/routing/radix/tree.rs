//! A radix tree over bytes: values stored under byte strings, found by prefix.
//!
//! What it is: the one structure under [`TopicIndex`](crate::routing::TopicIndex) and [`LocalFilter`](crate::routing::LocalFilter). It is
//! not a map with a public face: ids of nodes are handed out, and stay valid as long as the node has a value.
//!
//! Finding every stored prefix of a topic takes one walk down, whose length is bounded by the topic and not by how many
//! strings are stored.
//!
//! Invariants: only the root has an empty label; a node without a value, other than the root, has at least two
//! children; the first bytes of the labels of a node's children differ; a node with a value never changes its id
//! (splitting makes a new upper node, merging drops the upper one). Nothing here recurses, so no string is too deep.
//!
//! ```text
//!   "ab" "abcd" "abce" "x"        root -+- "ab"* -- "c" -+- "d"*
//!                                       '- "x"*          '- "e"*          (* has a value)
//! ```

use super::children::Children;
use super::label::Label;
use super::node_id::NodeId;
use slab::Slab;

const ROOT: NodeId = 0;

#[derive(Debug)]
struct Node<V> {
    label: Label,
    children: Children,
    value: Option<V>,
    parent: NodeId,
}

#[derive(Debug)]
pub(in crate::routing) struct Radix<V> {
    nodes: Slab<Node<V>>,
    values: usize,
}

impl<V> Default for Radix<V> {
    fn default() -> Self {
        let mut nodes = Slab::new();
        nodes.insert(Node {
            label: Label::default(),
            children: Children::default(),
            value: None,
            parent: ROOT,
        });
        Self { nodes, values: 0 }
    }
}

impl<V> Radix<V> {
    /// How many strings have a value.
    pub(in crate::routing) fn len(&self) -> usize {
        self.values
    }

    /// The node of exactly this string, if it has a value.
    pub(in crate::routing) fn find(&self, string: &[u8]) -> Option<NodeId> {
        let (mut at, mut rest) = (ROOT, string);
        while let Some(&byte) = rest.first() {
            at = self.node(at).children.get(byte)?;
            rest = rest.strip_prefix(self.node(at).label.as_slice())?;
        }
        self.node(at).value.is_some().then_some(at)
    }

    /// The value of a node.
    pub(in crate::routing) fn get_mut(&mut self, id: NodeId) -> Option<&mut V> {
        self.node_mut(id).value.as_mut()
    }

    /// Stores a value under a string that has none, and returns its node. A value that was there is replaced.
    pub(in crate::routing) fn insert(&mut self, string: &[u8], value: V) -> NodeId {
        let id = self.make(string);
        if self.node_mut(id).value.replace(value).is_none() {
            self.values += 1;
        }
        id
    }

    /// Takes the value of a node and drops the nodes that are then of no use.
    pub(in crate::routing) fn remove(&mut self, id: NodeId) -> Option<V> {
        let value = self.node_mut(id).value.take()?;
        self.values -= 1;
        self.tidy(id);
        Some(value)
    }

    /// The values of all stored strings that `topic` begins with, shortest first.
    #[inline]
    pub(in crate::routing) fn prefixes<'a, 't>(&'a self, topic: &'t [u8]) -> Prefixes<'a, 't, V> {
        Prefixes {
            radix: self,
            at: Some(ROOT),
            rest: topic,
        }
    }

    /// Writes the string of a node into `path`.
    pub(in crate::routing) fn path(&self, id: NodeId, path: &mut Vec<u8>) {
        path.clear();
        let mut at = id;
        while at != ROOT {
            let node = self.node(at);
            path.extend(node.label.as_slice().iter().rev());
            at = node.parent;
        }
        path.reverse();
    }

    /// The nodes that have a value, in no particular order.
    pub(in crate::routing) fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes
            .iter()
            .filter(|(_, node)| node.value.is_some())
            .map(|(id, _)| id as NodeId)
    }

    /// The node of a string, made where it is missing, perhaps still without a value.
    fn make(&mut self, string: &[u8]) -> NodeId {
        let (mut at, mut rest) = (ROOT, string);
        while let Some(&byte) = rest.first() {
            let Some(child) = self.node(at).children.get(byte) else {
                let leaf = self.add(Label::new(rest), at);
                self.node_mut(at).children.set(byte, leaf);
                return leaf;
            };
            let label = self.node(child).label.as_slice();
            let common = label.iter().zip(rest).take_while(|(a, b)| a == b).count();
            at = if common == label.len() {
                child
            } else {
                self.split(child, common)
            };
            rest = &rest[common..];
        }
        at
    }

    /// Puts a new node above `id` that takes the first `at` bytes of its label. `0 < at < label length`.
    fn split(&mut self, id: NodeId, at: usize) -> NodeId {
        let (parent, label) = {
            let node = self.node(id);
            (node.parent, node.label.clone())
        };
        let (head, tail) = label.as_slice().split_at(at);
        let upper = self.add(Label::new(head), parent);
        self.node_mut(upper).children.set(tail[0], id);
        self.node_mut(parent).children.set(head[0], upper);
        let node = self.node_mut(id);
        node.label = Label::new(tail);
        node.parent = upper;
        upper
    }

    /// Restores the invariant around a node that lost its value.
    fn tidy(&mut self, id: NodeId) {
        if id == ROOT {
            return;
        }
        match self.node(id).children.len() {
            0 => {
                let node = self.nodes.remove(id as usize);
                let parent = node.parent;
                self.node_mut(parent)
                    .children
                    .unset(node.label.as_slice()[0]);
                if parent != ROOT && self.node(parent).value.is_none() {
                    self.merge(parent);
                }
            }
            1 => self.merge(id),
            _ => {}
        }
    }

    /// Drops a node without a value in favour of its child, if it has exactly one.
    fn merge(&mut self, id: NodeId) {
        let Some(child) = self.node(id).children.only() else {
            return;
        };
        let upper = self.nodes.remove(id as usize);
        let first = upper.label.as_slice()[0];
        let node = self.node_mut(child);
        node.label = Label::joined(upper.label.as_slice(), node.label.as_slice());
        node.parent = upper.parent;
        self.node_mut(upper.parent).children.set(first, child);
    }

    fn add(&mut self, label: Label, parent: NodeId) -> NodeId {
        self.nodes.insert(Node {
            label,
            children: Children::default(),
            value: None,
            parent,
        }) as NodeId
    }

    #[inline]
    fn node(&self, id: NodeId) -> &Node<V> {
        &self.nodes[id as usize]
    }

    #[inline]
    fn node_mut(&mut self, id: NodeId) -> &mut Node<V> {
        &mut self.nodes[id as usize]
    }
}

/// See [`Radix::prefixes`].
pub(in crate::routing) struct Prefixes<'a, 't, V> {
    radix: &'a Radix<V>,
    at: Option<NodeId>,
    rest: &'t [u8],
}

impl<'a, V> Iterator for Prefixes<'a, '_, V> {
    type Item = &'a V;

    #[inline]
    fn next(&mut self) -> Option<&'a V> {
        while let Some(at) = self.at {
            let node = self.radix.node(at);
            self.at = self.rest.first().and_then(|&byte| node.children.get(byte));
            if let Some(child) = self.at {
                match self
                    .rest
                    .strip_prefix(self.radix.node(child).label.as_slice())
                {
                    Some(rest) => self.rest = rest,
                    None => self.at = None,
                }
            }
            if let Some(value) = &node.value {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn below(radix: &Radix<u32>, topic: &[u8]) -> Vec<u32> {
        radix.prefixes(topic).copied().collect()
    }

    #[test]
    fn every_stored_prefix_is_found_shortest_first() {
        let mut radix = Radix::default();
        for (i, s) in ["abcd", "", "ab", "abce", "x"].iter().enumerate() {
            radix.insert(s.as_bytes(), i as u32);
        }
        assert_eq!(below(&radix, b"abcde"), [1, 2, 0]);
        assert_eq!(below(&radix, b"abc"), [1, 2]);
        assert_eq!(below(&radix, b"x"), [1, 4]);
        assert_eq!(below(&radix, b""), [1]);
        assert_eq!(radix.len(), 5);
    }

    #[test]
    fn ids_and_paths_survive_splits_and_merges() {
        let mut radix = Radix::default();
        let long = radix.insert(b"a long string that does not fit into a small label", 1);
        let other = radix.insert(b"a long string that differs", 2);
        let upper = radix.insert(b"a long", 3);
        let mut path = Vec::new();
        radix.path(long, &mut path);
        assert_eq!(path, b"a long string that does not fit into a small label");
        assert_eq!(radix.remove(upper), Some(3));
        assert_eq!(radix.remove(other), Some(2));
        radix.path(long, &mut path);
        assert_eq!(path, b"a long string that does not fit into a small label");
        assert_eq!(radix.remove(long), Some(1));
        assert_eq!(radix.nodes.len(), 1, "only the root is left");
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_map(ops in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 255]), 0..6)), 0..200))
        {
            let mut radix = Radix::default();
            let mut oracle = BTreeMap::new();
            for (step, (insert, string)) in ops.into_iter().enumerate() {
                if insert {
                    radix.insert(&string, step as u32);
                    oracle.insert(string.clone(), step as u32);
                } else {
                    let removed = radix.find(&string).and_then(|id| radix.remove(id));
                    prop_assert_eq!(removed, oracle.remove(&string));
                }
                prop_assert_eq!(radix.len(), oracle.len());
                let want: Vec<u32> = (0..=string.len()).filter_map(|n| oracle.get(&string[..n]).copied()).collect();
                prop_assert_eq!(below(&radix, &string), want);
                for (id, node) in radix.nodes.iter().skip(1) {
                    prop_assert!(node.value.is_some() || node.children.len() >= 2, "node {} is of no use", id);
                }
            }
            let mut paths: Vec<Vec<u8>> = radix.ids().map(|id| { let mut p = Vec::new(); radix.path(id, &mut p); p }).collect();
            paths.sort();
            prop_assert_eq!(paths, oracle.into_keys().collect::<Vec<_>>());
        }
    }
}

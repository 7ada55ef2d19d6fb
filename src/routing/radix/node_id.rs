//! What names a node of the tree.

/// Names a node. Valid while the node has a value; 32 bits, so that lists of children stay small.
pub(in crate::routing) type NodeId = u32;

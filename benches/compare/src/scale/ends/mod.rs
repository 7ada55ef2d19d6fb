//! The two ends of a sample: a library's socket, and a peer written by hand.

mod node;
mod wire;

pub use node::{Kind, LIBRARIES, Node, open, version};
pub use wire::{Client, Raw, open_many};

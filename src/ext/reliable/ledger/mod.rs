//! What is written to the store, when, and how it is read back. Pure: the store is handed work and answers.

mod batches;
mod keys;
mod rows;
mod work;

pub(in crate::ext::reliable) use batches::{Failed, Ledger};
pub(in crate::ext::reliable) use keys::{Key, after, prefix};
pub(in crate::ext::reliable) use rows::{
    Chunk, Delayed, Done, FORMAT, Meta, OpenChunk, Seen, Settled,
};
pub(in crate::ext::reliable) use work::{Answer, Question, Work, perform};

//! Remote calls, over every transport, against everything that goes wrong with them.

#[path = "../common/mod.rs"]
mod common;

mod balance;
mod cable;
mod calls;
mod crash;
mod hostile;
mod once;
mod peers;
mod service;
mod streams;
mod tools;
mod vectors;

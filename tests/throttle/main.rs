//! Throttling: sockets and links keep to their budgets, and nothing else changes, over every transport.
//!
//! A rate is tested from below (nothing may be faster), and its arithmetic with a virtual clock beside the code;
//! how exactly it is held in real time is measured by the bench.

#[path = "../common/mod.rs"]
mod common;
mod cpu;
mod links;
mod publish;
mod shared;
mod sockets;
mod stream;
mod ways;

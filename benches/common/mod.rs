//! What the benchmarks share: short settings, and messages of a size.
//!
//! The settings suit comparisons between two builds on one quiet machine (`cargo bench -- --save-baseline before`, then
//! `--baseline before`); they are not precise enough to tell apart what differs by a few percent.

use std::time::Duration;

use criterion::Criterion;
use taipan::Message;

/// About a second for each figure.
pub fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .without_plots()
}

/// A message of one frame of this size, as a user makes it: small ones lie in place, large ones are shared.
#[allow(dead_code)]
pub fn message(size: usize) -> Message {
    let bytes: Vec<u8> = (0..size).map(|at| at as u8).collect();
    Message::from(bytes)
}

/// A size in bytes in the name of a benchmark.
#[allow(dead_code)]
pub fn named(size: usize) -> String {
    match size {
        0..1024 => format!("{size} B"),
        _ => format!("{} KiB", size / 1024),
    }
}

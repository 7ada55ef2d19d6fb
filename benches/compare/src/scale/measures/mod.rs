//! What is measured: one file a measurement. **To add one**: a file with a [`Measure`], and its name in [`ALL`].

mod connections;
mod one_active;
mod soak;
mod sockets;
mod subscribers;
mod subscriptions;

use std::fs;

use super::task::{Near, Task};
use crate::Outcome;

/// One measurement: what its near end does at each step, and what keeps it busy.
pub struct Measure {
    /// What command lines call it.
    pub name: &'static str,
    /// What it is, and what its figures are, in a sentence or two.
    pub title: &'static str,
    /// What a step counts.
    pub step: &'static str,
    pub columns: &'static [&'static str],
    pub steps: &'static [usize],
    /// The steps of `--quick`.
    pub few_steps: &'static [usize],
    pub peers: &'static [&'static str],
    /// Whether it is run when no measurement is named; if not it goes on as long as it is told to.
    pub usual: bool,
    /// Gives a figure for each column.
    pub near: fn(&Task) -> Outcome<Vec<f64>>,
    pub far: fn(&Task, &mut Near) -> Outcome<()>,
}

pub const ALL: [&Measure; 6] = [
    &connections::MEASURE,
    &sockets::MEASURE,
    &one_active::MEASURE,
    &subscriptions::MEASURE,
    &subscribers::MEASURE,
    &soak::MEASURE,
];

pub fn find(name: &str) -> Outcome<&'static Measure> {
    let found = ALL.into_iter().find(|measure| measure.name == name);
    found.ok_or_else(|| format!("no measurement {name:?}").into())
}

/// Resident memory of this process, in KiB.
fn resident_kib() -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("no VmRSS")?.parse()?)
}

/// Descriptors that this process has open.
fn descriptors() -> Outcome<usize> {
    Ok(fs::read_dir("/proc/self/fd")?.count())
}
